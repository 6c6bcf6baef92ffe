"""AlexNet for captchas: batch [batch, height, width, 1] -> logits [batch, positions, classes].

Sources: Krizhevsky, Sutskever, Hinton 2012, "ImageNet classification with deep convolutional neural networks";
Krizhevsky 2014, arXiv:1404.5997 (one tower); without local response normalisation.
"""

import functools
import math
from typing import Any

from helpers.captchas.style_checks import as_plain
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import SettingsError
from helpers.quiet_tensorflow import keras

layers = keras.layers
FILTERS = (16, 64, 64, 64, 64)
KERNELS = (11, 3, 3, 3, 3)
DENSE_UNITS = (512, 512)

ORIGINAL = {"filters": (64, 192, 384, 384, 256), "kernels": (11, 5, 3, 3, 3), "dense_units": (4096, 4096),
            "first_stride": 4, "batch_norm": False, "dropout": 0.5, "padding": "valid",
            "input_size": (224, 224)}  # fmt: skip
"""What differs in the network of 2014: `build_alexnet(style, **ORIGINAL)`."""
SILENT = (layers.ReLU, layers.Activation, layers.Dropout, layers.Flatten, layers.LayerNormalization)
"""Layers that `layer_shapes` leaves out, unless they have parameters."""


def convolution(
    x, name: str, filters: int, kernel: int, stride: int = 1, padding: str = "same",
    pool: str = "", pool_padding: str = "same", batch_norm: bool = True,
):  # fmt: skip
    """A convolution, an overlapping max-pool (3x3, 2 apart) if `pool` names one, BatchNorm, and ReLU.

    AlexNet pools after ReLU; without BatchNorm that gives the same. Pooling first leaves less work to what follows.
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
    first_stride: int = 2, batch_norm: bool = True, dropout: float = 0.05, padding: str = "same",
    input_size: tuple[int, int] | None = None, kernels: tuple[int, ...] = KERNELS,
) -> keras.Model:  # fmt: skip
    """An untrained AlexNet that reads captchas of `style`.

    It takes grey levels 0 to 255, [batch, height, width, 1], and gives logits [batch, positions, classes]. The last
    layer starts at zero, so that all classes are equally likely and the first loss is ln(classes).

    Args:
        filters, kernels: channels of the five convolutions (multiples of 16 are quickest), and their windows' sides.
        dense_units: units of the two hidden dense layers.
        first_stride: pixels between two windows of the first convolution.
        padding: of the first convolution and the pools; "same" lets windows reach over the edge.
        input_size: stretch the picture to (height, width) first, as the original did; None keeps it.
    """
    filters, dense_units, kernels, first_stride = map(as_plain, (filters, dense_units, kernels, first_stride))
    size = input_size or (style.height, style.image_width)
    check_arguments(filters, dense_units, first_stride, dropout, padding, size, kernels)
    images = keras.Input((style.height, style.image_width, 1), name="images")
    # Each picture gets mean 0 and standard deviation 1, so that faint captchas are as strong as the others.
    x = layers.LayerNormalization(axis=[1, 2, 3], center=False, scale=False, name="standardise")(images)
    if input_size:
        x = layers.Resizing(*input_size, name="stretch")(x)

    block = functools.partial(convolution, batch_norm=batch_norm, pool_padding=padding)
    x = block(x, "conv1", filters[0], kernels[0], stride=first_stride, padding=padding, pool="pool1")
    x = block(x, "conv2", filters[1], kernels[1], pool="pool2")
    x = block(x, "conv3", filters[2], kernels[2])
    x = block(x, "conv4", filters[3], kernels[3])
    x = block(x, "conv5", filters[4], kernels[4], pool="pool3")
    x = layers.Flatten(name="flatten")(x)
    for name, units in zip(("dense1", "dense2"), dense_units, strict=True):
        x = dense(x, name, units, batch_norm)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = layers.Dense(style.positions * len(style.classes), kernel_initializer="zeros", name="dense3")(x)
    logits = layers.Reshape((style.positions, len(style.classes)), name="logits")(x)
    return keras.Model(images, logits, name="alexnet")


def check_arguments(filters, dense_units, first_stride, dropout, padding, size, kernels) -> None:
    """SettingsError unless `build_alexnet` can use these arguments, with the first that it cannot use."""

    def whole(values: Any, count: int) -> bool:
        listed = isinstance(values, (tuple, list)) and len(values) == count
        return listed and all(type(number) is int and number > 0 for number in values)

    for name, value, fits, right in (
        ("filters", filters, whole(filters, 5), f"five whole numbers above 0, such as {FILTERS}"),
        ("dense_units", dense_units, whole(dense_units, 2), f"two whole numbers above 0, such as {DENSE_UNITS}"),
        ("kernels", kernels, whole(kernels, 5), f"five whole numbers above 0, such as {KERNELS}"),
        ("first_stride", first_stride, whole([first_stride], 1), "a whole number above 0"),
        ("dropout", dropout, isinstance(dropout, (int, float)) and 0 <= dropout < 1, "at least 0 and less than 1"),
        ("padding", padding, padding in ("same", "valid"), "'same' or 'valid'"),
        ("input_size", size, whole(size, 2), "None or (height, width) in pixels"),
    ):
        if not fits:
            raise SettingsError(f"{name}: {value!r} must be {right}.")
    side = (min(size) - kernels[0]) // first_stride + 1  # of the picture after the first convolution
    for _ in range(3):
        side = (side - 3) // 2 + 1
    if padding == "valid" and side < 1:
        why = f"with 'valid' a picture of {size[0]}x{size[1]} pixels is too small for three max-pools"
        raise SettingsError(f"padding: {why}. Use 'same', a larger input_size or a smaller first_stride.")


def layer_shapes(model: keras.Model) -> list[tuple[str, tuple[int, ...], int]]:
    """Layers that do the work: (name, output shape without the batch, () if unknown, parameters).

    BatchNorm counts with the layer that it normalises, the last one before it that has parameters.
    """
    found: list[tuple[str, tuple[int, ...], int]] = []
    for layer in model.layers:
        parameters = sum(math.prod(weight.shape) for weight in layer.weights)
        owners = [index for index, row in enumerate(found) if row[2]]
        if isinstance(layer, layers.BatchNormalization) and owners:
            name, shape, before = found[owners[-1]]
            found[owners[-1]] = name, shape, before + parameters
        elif parameters or not isinstance(layer, SILENT):
            shape = getattr(getattr(layer, "output", None), "shape", ())  # it may not be built, or have several outputs
            found.append((layer.name, tuple(shape[1:]), parameters))
    return found
