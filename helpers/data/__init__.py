"""Many pictures: `texts` and their splits, `images` in a folder, TFRecord `shards`, and the `records` in them."""

from helpers.data.adopt import adopt_folder
