"""How fast this machine draws and trains, and the minutes that follow from it."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

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
        started = time.perf_counter()
        for index in range(100):
            save_captcha(draw_captcha(style.alphabet[0] * style.min_length, style, index), file)
        drawing = (time.perf_counter() - started) / 100

    model = compile_model(build_alexnet(style), settings)
    images = np.random.default_rng(0).integers(0, 256, (batch, style.height, style.image_width, 1), dtype=np.uint8)
    labels = np.zeros((batch, style.positions), np.int32)
    with quick_layers(model):  # as `train` does
        for _ in range(2):
            model.train_on_batch(images, labels)  # the first steps also build the graph
        started = time.perf_counter()
        for _ in range(steps):
            model.train_on_batch(images, labels)
        step = (time.perf_counter() - started) / steps

    images_to_draw = sum(settings.counts.values())
    batches = settings.epochs * settings.train_count / batch
    return Speed(
        1000 * drawing, 1000 * step, images_to_draw * drawing / (os.cpu_count() or 1) / 60, batches * step / 60
    )
