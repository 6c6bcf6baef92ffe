"""How fast this machine draws and trains, and the minutes that follow from it."""

import os
import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from timeit import timeit

import numpy as np

from helpers.captchas.drawing import draw_captcha, save_captcha
from helpers.network.alexnet import build_alexnet
from helpers.settings import Settings
from helpers.training.fit import compile_model
from helpers.training.precision import quick_layers


@dataclass(frozen=True)
class Speed:
    """How fast this machine is, and the minutes that follow for the settings that it was measured with."""

    milliseconds_per_drawing: float
    milliseconds_per_step: float
    drawing_minutes: float
    training_minutes: float


def measure_speed(settings: Settings, steps: int = 8) -> Speed:
    """Time some captchas, drawn and stored, and some training steps: a rough forecast, disturbed by other programs."""
    style, batch = settings.style, settings.batch_size
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"captcha.{settings.image_format}"
        text, seeds = style.alphabet[0] * style.min_length, count()
        drawing = timeit(lambda: save_captcha(draw_captcha(text, style, next(seeds)), file), number=100) / 100

    model = compile_model(build_alexnet(style), settings)
    images = np.random.default_rng(0).integers(0, 256, (batch, style.height, style.image_width, 1), dtype=np.uint8)
    labels = np.zeros((batch, style.positions), np.int32)
    with quick_layers(model):  # as `train` does
        timeit(lambda: model.train_on_batch(images, labels), number=2)  # the first steps also build the graph
        step = timeit(lambda: model.train_on_batch(images, labels), number=steps) / steps

    images_to_draw = sum(settings.counts.values())
    batches = settings.epochs * settings.train_count / batch
    return Speed(
        1000 * drawing, 1000 * step, images_to_draw * drawing / (os.cpu_count() or 1) / 60, batches * step / 60
    )
