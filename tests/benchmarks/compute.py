"""Compute: does training use what the processor can do?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from helpers.captchas.styles import CaptchaStyle
from helpers.network.alexnet import build_alexnet
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import load_settings
from helpers.training.fit import compile_model
from helpers.training.precision import has_bfloat16, mixed_precision
from tests.benchmarks import measured

ROUNDS = 7
STEPS = 20  # training steps in one round
SIZE = 2048  # of the square matrices
PRODUCTS = 6


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
    return 3 * sum(map(forward_flop, model.layers)) - forward_flop(model.get_layer("conv1"))


def main() -> None:
    """All of them in turn, printed and kept; bfloat16 only where the processor multiplies such numbers."""
    settings = load_settings("compute")
    style: CaptchaStyle = settings.style
    model, lowered = (compile_model(build_alexnet(style), settings) for _ in range(2))
    random = np.random.default_rng(0)
    shape = (settings.batch_size, style.height, style.image_width, 1)
    images = tf.constant(random.integers(0, 256, shape, dtype=np.uint8))
    labels = tf.constant(random.integers(0, len(style.classes), (settings.batch_size, style.positions)))
    matrix = tf.random.normal([SIZE, SIZE])
    product = tf.function(lambda: tf.reduce_sum(matrix @ matrix))

    def step_flops(network: keras.Model) -> float:
        taken = measured.seconds(lambda: [network.train_on_batch(images, labels) for _ in range(STEPS)])
        return training_flop(network) * settings.batch_size * STEPS / taken / 1e9

    def product_flops() -> float:
        return 2 * SIZE**3 * PRODUCTS / measured.seconds(lambda: [product().numpy() for _ in range(PRODUCTS)]) / 1e9

    measures = {"matrix product in float32": product_flops, "training step in float32": lambda: step_flops(model)}
    if has_bfloat16():
        measures["training step in bfloat16"] = lambda: step_flops(lowered)
    with mixed_precision(lowered):
        for measure in measures.values():
            measure()  # the first time builds the graph
        figures = measured.side_by_side(measures, ROUNDS)
    rows: list[dict[str, Any]] = [
        {"what": name, **measured.spread(values, "GFLOP/s")} for name, values in figures.items()
    ]
    products, step_rates = figures["matrix product in float32"], figures["training step in float32"]
    shares = [100 * s / p for s, p in zip(step_rates, products, strict=True)]
    share = {"what": "training step, as a share of the matrix product [%]", **measured.spread(shares, "%")}
    measured.show("How much of the processor does training use?", [share])
    measured.save(
        "compute",
        "How many GFLOP/s does training reach?",
        rows,
        share=share,
        training_mflop_per_captcha=training_flop(model) / 1e6,
    )
