"""AlexNet for captchas: batch [batch, height, width, 1] -> logits [batch, positions, classes].

Five convolutions, three overlapping max-pools, two hidden dense layers, and one softmax for each
position. Sources: Krizhevsky, Sutskever, Hinton 2012, "ImageNet classification with deep
convolutional neural networks"; Krizhevsky 2014, arXiv:1404.5997 (one tower); without
local response normalisation.
"""

import functools

from helpers.captchas.styles import CaptchaStyle
from helpers.quiet_tensorflow import keras

layers = keras.layers

FILTERS = (32, 64, 64, 64, 64)
DENSE_UNITS = (1024, 512)

ORIGINAL = {"filters": (64, 192, 384, 384, 256), "dense_units": (4096, 4096), "first_stride": 4, "batch_norm": False,
            "dropout": 0.5, "padding": "valid", "input_size": (224, 224)}  # fmt: skip
"""The network of 2014, as far as it is another: `build_alexnet(style, **ORIGINAL)`."""


def convolution(
    x, name: str, filters: int, kernel: int, stride: int = 1, padding: str = "same",
    pool: str = "", pool_padding: str = "same", batch_norm: bool = True,
):  # fmt: skip
    """A convolution, an overlapping max-pool (3x3, 2 apart) if it gets a name, BatchNorm, and ReLU.

    AlexNet pools after ReLU. ReLU of the largest value is the largest of the ReLUs, so without
    BatchNorm the order makes no difference; pooling first leaves what follows a quarter of the work.
    """
    more = {"use_bias": not batch_norm, "kernel_initializer": "he_normal", "name": name}
    x = layers.Conv2D(filters, kernel, stride, padding=padding, **more)(x)
    if pool:
        x = layers.MaxPooling2D(3, 2, padding=pool_padding, name=pool)(x)
    return normalised(x, name, batch_norm)


def dense(x, name: str, units: int, batch_norm: bool):
    """A hidden dense layer: like `convolution`, but every value sees every other."""
    x = layers.Dense(units, use_bias=not batch_norm, kernel_initializer="he_normal", name=name)(x)
    return normalised(x, name, batch_norm)


def normalised(x, name: str, batch_norm: bool):
    """BatchNorm, where it is wanted, and ReLU."""
    if batch_norm:
        x = layers.BatchNormalization(momentum=0.98, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def build_alexnet(
    style: CaptchaStyle, filters: tuple[int, ...] = FILTERS, dense_units: tuple[int, ...] = DENSE_UNITS,
    first_stride: int = 2, batch_norm: bool = True, dropout: float = 0.2, padding: str = "same",
    input_size: tuple[int, int] | None = None,
) -> keras.Model:  # fmt: skip
    """An untrained AlexNet that reads captchas of `style`.

    Args:
        filters: channels of the five convolutions; multiples of 16 are quickest.
        dense_units: of the two hidden dense layers.
        first_stride: pixels between two windows of the first convolution.
        padding: of the first convolution and the pools; "same" lets windows reach over the edge.
        input_size: stretch the picture to (height, width) first, as the original did; None keeps it.

    Returns:
        A model from grey levels 0 to 255, [batch, height, width, 1], to logits [batch, positions, classes].
        The last layer starts at zero, so that all classes are equally likely and the first loss is ln(classes).
    """
    images = keras.Input((style.height, style.image_width, 1), name="images")
    # Each picture gets mean 0 and deviation 1, so that faint captchas are as strong as the others.
    x = layers.LayerNormalization(axis=[1, 2, 3], center=False, scale=False, name="standardise")(images)
    if input_size:
        x = layers.Resizing(*input_size, name="stretch")(x)

    block = functools.partial(convolution, batch_norm=batch_norm, pool_padding=padding)
    x = block(x, "conv1", filters[0], kernel=11, stride=first_stride, padding=padding, pool="pool1")
    x = block(x, "conv2", filters[1], kernel=5, pool="pool2")
    x = block(x, "conv3", filters[2], kernel=3)
    x = block(x, "conv4", filters[3], kernel=3)
    x = block(x, "conv5", filters[4], kernel=3, pool="pool3")

    x = layers.Flatten(name="flatten")(x)
    for name, units in zip(("dense1", "dense2"), dense_units, strict=True):
        x = dense(x, name, units, batch_norm)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = layers.Dense(style.positions * len(style.classes), kernel_initializer="zeros", name="dense3")(x)
    logits = layers.Reshape((style.positions, len(style.classes)), name="logits")(x)
    return keras.Model(images, logits, name="alexnet")


def layer_shapes(model: keras.Model) -> list[tuple[str, tuple[int, ...], int]]:
    """Layers that do the work, BatchNorm counted with its own: (name, output shape without the batch, parameters)."""
    shapes: dict[str, tuple[tuple[int, ...], int]] = {}
    for layer in model.layers:
        owner = layer.name.removesuffix("_norm")
        if owner != layer.name:
            shape, parameters = shapes[owner]
            shapes[owner] = shape, parameters + layer.count_params()
        elif not layer.name.endswith(("_relu", "_dropout", "flatten", "standardise")):
            shapes[layer.name] = tuple(layer.output.shape[1:]), layer.count_params()
    return [(name, shape, parameters) for name, (shape, parameters) in shapes.items()]
