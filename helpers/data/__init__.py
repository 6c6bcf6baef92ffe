"""Many pictures: `texts` and their splits, `images` in a folder, TFRecord `shards`, and the `records` in them.

Nothing is imported here, so that a process which only draws never loads TensorFlow.
"""
