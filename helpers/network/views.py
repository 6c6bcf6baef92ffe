"""A picture seen from several places: a doubtful one is read again from each of them."""

from helpers.quiet_tensorflow import keras, tf

VIEWS = ((0, 0), (1, 2), (-1, -2), (1, -2), (-1, 2), (0, 3), (0, -3), (2, 0), (-2, 0))  # pixels down, to the right
MARGIN = max(abs(step) for view in VIEWS for step in view)
SURE = 0.8  # where each digit is this probable, a picture is not read again; the loss asks for 0.91


def mirror_edges(images: tf.Tensor, down: int, across: int) -> tf.Tensor:
    """Images [batch, height, width, 1] with mirrored edges: `tf.pad`'s "SYMMETRIC", but in whole rows, so quicker."""
    for axis, width in ((1, down), (2, across)):
        before, _, after = tf.split(images, [width, images.shape[axis] - 2 * width, width], axis)
        images = tf.concat([tf.reverse(before, [axis]), images, tf.reverse(after, [axis])], axis)
    return images


def averaged_logits(model: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """Logarithms of probabilities [batch, positions, classes], averaged over all `VIEWS` of each picture.

    Images are [batch, height, width, 1]. Krizhevsky 2012 averaged over ten crops; captchas are moved, not mirrored.
    """
    # One view after another: with oneDNN, the joined operation of a residual network (convolution, addition and ReLU)
    # gives wrong numbers, or ends the process, when it runs twice at a time.
    one_by_one = {"parallel_iterations": 1, "fn_output_signature": tf.float32}
    logits = tf.map_fn(lambda view: log_probabilities(model, view), seen_from_views(images), **one_by_one)
    return tf.reduce_mean(logits, axis=0)


def log_probabilities(model: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """What a network says about images, as float32: some answer in 16 bits."""
    return tf.nn.log_softmax(tf.cast(model(images, training=False), tf.float32))


def seen_from_views(images: tf.Tensor) -> tf.Tensor:
    """Images [batch, height, width, 1] from each of the `VIEWS`: [views, batch, height, width, 1]."""
    height, width = images.shape[1:3]
    padded = mirror_edges(images, MARGIN, MARGIN)
    crop = tf.image.crop_to_bounding_box
    return tf.stack([crop(padded, MARGIN + down, MARGIN + right, height, width) for down, right in VIEWS])


def careful_logits(model: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """What a trained network says about each picture, as `averaged_logits` for doubtful ones only.

    Doubtful is a picture with a position whose best class is less probable than `SURE`: few, but most mistakes.
    """
    logits = log_probabilities(model, images)
    least_sure = tf.exp(tf.reduce_min(tf.reduce_max(logits, axis=-1), axis=-1))
    doubtful = tf.where(least_sure < SURE)  # [pictures, 1]
    if tf.size(doubtful) == 0:
        return logits
    return tf.tensor_scatter_nd_update(logits, doubtful, averaged_logits(model, tf.gather_nd(images, doubtful)))
