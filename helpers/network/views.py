"""A picture seen from several places: a doubtful one is read again from each of them."""

import numpy as np

from helpers.quiet_tensorflow import keras, tf

VIEWS = ((0, 0), (1, 2), (-1, -2), (1, -2), (-1, 2), (0, 3), (0, -3), (2, 0), (-2, 0))
"""Pixels down and to the right: from where a doubtful picture is read again."""

MARGIN = max(abs(step) for view in VIEWS for step in view)
SURE = 0.8  # where each digit is this probable, a picture is not read again; the loss asks for 0.91


def mirror_edges(images: tf.Tensor, down: int, across: int) -> tf.Tensor:
    """Images [batch, height, width, 1] with mirrored edges: `tf.pad`'s "SYMMETRIC", but in whole rows, so quicker."""
    for axis, width in ((1, down), (2, across)):
        before, _, after = tf.split(images, [width, images.shape[axis] - 2 * width, width], axis)
        images = tf.concat([tf.reverse(before, [axis]), images, tf.reverse(after, [axis])], axis)
    return images


def averaged_logits(model: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """What a trained network says about each picture from all `VIEWS`, averaged.

    Krizhevsky 2012 averaged over ten crops of each picture; captchas are moved, not mirrored. For images
    [batch, height, width, 1] the result are logarithms of probabilities, [batch, positions, classes].
    """
    padded = mirror_edges(images, MARGIN, MARGIN)

    def read_from(view: tf.Tensor) -> tf.Tensor:
        moved = tf.slice(padded, [0, MARGIN + view[0], MARGIN + view[1], 0], [-1, *images.shape[1:]])
        return tf.nn.log_softmax(tf.cast(model(moved, training=False), tf.float32))

    # One view after another: with oneDNN, the joined operation of a residual network (convolution, addition and ReLU)
    # gives wrong numbers, or ends the process, when it runs twice at a time.
    logits = tf.map_fn(read_from, tf.constant(VIEWS), parallel_iterations=1, fn_output_signature=tf.float32)
    return tf.reduce_mean(logits, axis=0)


def seen_from_views(pictures: np.ndarray) -> list[np.ndarray]:
    """Pictures [batch, height, width, 1] as `averaged_logits` sees them from each of the `VIEWS`."""
    height, width = pictures.shape[1:3]
    padded = np.pad(pictures, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), "symmetric")
    return [padded[:, MARGIN + y : MARGIN + y + height, MARGIN + x : MARGIN + x + width] for y, x in VIEWS]


def careful_logits(model: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """What a trained network says about each picture; a doubtful one is read again from all `VIEWS`.

    Doubtful is a picture with a position whose best class is less probable than `SURE`: few pictures, but
    most mistakes. Images and result are those of `averaged_logits`.
    """
    logits = tf.nn.log_softmax(tf.cast(model(images, training=False), tf.float32))  # some answer in 16 bits
    least_sure = tf.exp(tf.reduce_min(tf.reduce_max(logits, axis=-1), axis=-1))
    doubtful = tf.where(least_sure < SURE)  # [pictures, 1]
    if tf.size(doubtful) == 0:
        return logits
    return tf.tensor_scatter_nd_update(logits, doubtful, averaged_logits(model, tf.gather_nd(images, doubtful)))
