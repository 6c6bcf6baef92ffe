"""Compute: does training use what the processor can do, and what if it had AVX2 only?

PyTorch trains the same network beside ours where it is installed. It is no requirement of this project.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.network.alexnet import build_alexnet
from helpers.precision import has_bfloat16, quick_layers
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import load_settings
from helpers.training.fit import compile_model
from tests.benchmarks import measured
from tests.benchmarks.torch_alexnet import torch_parts, torch_seconds

ROUNDS = 7
STEPS = 10  # training steps in one round
SIZE = 2048  # of the square matrices
PRODUCTS = 4
PRODUCT, STEP, TORCH = "matrix product in float32", "training step in float32", "PyTorch's step in float32"


def forward_flop(layer: keras.Layer) -> int:
    """Floating-point operations that one captcha needs in a convolution or a dense layer; 0 in any other layer.

    A multiplication and an addition count as two.
    """
    if isinstance(layer, keras.layers.Conv2D):
        return 2 * math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
    if isinstance(layer, keras.layers.Dense):
        return 2 * math.prod(layer.kernel.shape)
    return 0


def training_flop(model: keras.Model) -> int:
    """Floating-point operations that one captcha needs in training: forward, and twice that backward.

    Backward, each layer computes the gradients of its weights and of its input; the first needs only the former.
    """
    return 3 * sum(map(forward_flop, model.layers)) - forward_flop(first_convolution(model))


def first_convolution(model: keras.Model) -> keras.Layer:
    """The layer that needs no gradient of its input."""
    return next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))


def layer_step(layer: keras.Layer, batch: int, first: bool) -> Callable[[], Any]:
    """A function that takes one layer forward and backward, as training does."""
    images = tf.random.normal([batch, *layer.input.shape[1:]])
    following = tf.random.normal([batch, *layer.output.shape[1:]])

    @tf.function
    def forward_and_backward() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            result = layer(images)
        wanted = [layer.kernel.value] if first else [layer.kernel.value, images]
        return [tf.reduce_sum(each) for each in (result, *tape.gradient(result, wanted, following))]

    return lambda: [each.numpy() for each in forward_and_backward()]


def rates() -> tuple[dict[str, list[float]], list[dict[str, Any]]]:
    """GFLOP/s of everything in turn, and of each layer by itself; bfloat16 only where the processor has it."""
    settings = load_settings("compute")
    style, batch = settings.style, settings.batch_size
    model, lowered = (compile_model(build_alexnet(style), settings) for _ in range(2))
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (batch, style.height, style.image_width, 1), dtype=np.uint8)
    labels = random.integers(0, len(style.classes), (batch, style.positions))
    pair, matrix = (tf.constant(images), tf.constant(labels)), tf.random.normal([SIZE, SIZE])
    product = tf.function(lambda: tf.reduce_sum(matrix @ matrix))

    def flops(step: Callable[[], Any], flop: float, times: int) -> Callable[[], float]:
        """GFLOP/s of a step that takes so many operations; the first call, uncounted, builds its graph."""
        step()
        return lambda: flop * times / measured.seconds(lambda: [step() for _ in range(times)]) / 1e9

    flop = training_flop(model) * batch
    with quick_layers(lowered), quick_layers(model, bfloat16=False):  # as `train` does
        measures = {
            PRODUCT: flops(lambda: product().numpy(), 2 * SIZE**3, PRODUCTS),
            STEP: flops(lambda: model.train_on_batch(*pair), flop, STEPS),
        }
        if has_bfloat16():
            measures["training step in bfloat16"] = flops(lambda: lowered.train_on_batch(*pair), flop, STEPS)
        found = measured.side_by_side(measures, ROUNDS)
    first, needed = first_convolution(model), {}
    for layer in filter(forward_flop, model.layers):
        needed[layer] = forward_flop(layer) * (2 if layer is first else 3)  # as in `training_flop`
    alone = {
        layer.name: flops(layer_step(layer, batch, layer is first), batch * flop, STEPS)
        for layer, flop in needed.items()
    }
    figures = measured.side_by_side(alone, ROUNDS)
    by_layer = [
        {"layer": layer.name, "training MFLOP": flop / 1e6, **measured.spread(figures[layer.name], "GFLOP/s")}
        for layer, flop in needed.items()
    ]
    for row in by_layer:
        row["ms a captcha"] = row["training MFLOP"] / row["GFLOP/s"]
    return found, by_layer


def figures_of(found: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Rows of GFLOP/s, with milliseconds a captcha, and the share of the matrix product's speed."""
    flop, product = training_flop(build_alexnet(load_settings("compute").style)), np.median(found[PRODUCT])
    return [
        {
            "what": name,
            **measured.spread(values, "GFLOP/s"),
            "ms a captcha": None if name == PRODUCT else flop / 1e6 / float(np.median(values)),
            "of the product [%]": 100 * float(np.median(values) / product),
        }
        for name, values in found.items()
    ]


def rates_of_torch(isa: str | None) -> list[float]:
    """GFLOP/s of PyTorch's training step on the same network, in a process without TensorFlow."""
    settings = load_settings("compute")
    style, model = settings.style, build_alexnet(settings.style)
    taken = torch_seconds(
        isa,
        parts=torch_parts(model),
        batch=settings.batch_size,
        picture=(style.height, style.image_width, 1),
        answers=(style.positions, len(style.classes)),
        rounds=ROUNDS,
        steps=STEPS,
    )
    return [training_flop(model) * settings.batch_size * STEPS / each / 1e9 for each in taken]


def main() -> None:
    """With all instructions of the processor, and with AVX2 only: printed and kept."""
    rows, layers = [], []
    for isa in [*measured.isas(), measured.WITHOUT_ONEDNN]:
        (found, by_layer), _ = measured.in_own_process(rates, isa=isa)
        if importlib.util.find_spec("torch") and isa != measured.WITHOUT_ONEDNN:
            found[TORCH] = rates_of_torch(isa)
        rows += [{"instructions": measured.instructions(isa), **row} for row in figures_of(found)]
        layers += [{"instructions": measured.instructions(isa), **row} for row in by_layer]
    measured.show("Forward and backward, layer by layer", layers)
    model = build_alexnet(load_settings("compute").style)
    more = {"layers": layers, "training_mflop_per_captcha": training_flop(model) / 1e6}
    measured.save("compute", "How many GFLOP/s does training reach?", rows, **more)
