"""What the notebooks share: one module for each idea, in the order in which data flows.

fonts        the fonts there are
styles       what captchas look like
settings     what a run is, and where its files lie
pictures     any picture  ->  the grey levels that the network reads
generator    the `captcha` package's, seeded
captchas     text + style + seed  ->  image
explorer     sliders for a style
dataset      a folder of images, a manifest, three splits
records      images  ->  TFRecord shards  ->  batches
distortion   finished captchas changed in training, to read other generators' too
alexnet      batch [batch, height, width, 1]  ->  logits [batch, positions, classes]
optimizer    how far each step goes: one cycle, and Muon
precision    16-bit multiplications in training, where the processor has them
calibration  how sure the network may be, and which pictures look foreign to it
training     fit, live plot, checkpoints, history
evaluation   a trained network on a whole split: its calibration, the final score
reading      image  ->  text, probabilities, confidence
picker       a picture of your own, chosen, pasted or named
experiments  several of them, side by side or one from another

scores       digit and whole-captcha accuracy, Wilson interval
analysis     what is read wrong, and when to believe a reading
plots        everything that is drawn
results      figures measured once, kept in notebooks/results
environment  the checks of notebook 1
errors       the one family of errors, written to be read
quiet_tensorflow  TensorFlow and Keras without their start-up log lines

A module imports only from those above it, or `scores`, `analysis`, `plots`, `errors` and `quiet_tensorflow`. Names
that begin with an underscore are machinery that no lesson opens.
"""
