"""Training batches changed at random: the same captchas, moved to other places."""

from collections.abc import Callable

from helpers.network.views import mirror_edges
from helpers.quiet_tensorflow import tf

Augment = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""Changes a batch of images in training: (images, labels) -> (images, labels), of the same shapes."""
SHIFT_X, SHIFT_Y = 8, 4  # pixels


def unchanged(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A batch as it is."""
    return images, labels


def shift_batch(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Move a batch by up to 8 pixels across and 4 down, as if there were more captchas; mirrored edges fill the gap."""
    height, width = images.shape[1], images.shape[2]
    padded = mirror_edges(images, SHIFT_Y, SHIFT_X)
    top = tf.random.uniform([], 0, 2 * SHIFT_Y + 1, tf.int32)
    left = tf.random.uniform([], 0, 2 * SHIFT_X + 1, tf.int32)
    return padded[:, top : top + height, left : left + width], labels
