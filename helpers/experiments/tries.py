"""A style tried in a minute: what does a network read of it, before and after it has seen some?

What stays of a try is a row in the data folder's `tries.json`. Validation captchas are read, and none of the test.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
from functools import partial
from pathlib import Path

import numpy as np

from helpers import scores
from helpers.captchas.styles import CaptchaStyle
from helpers.data.cores import bar_of, on_all_cores
from helpers.data.generate import draw_greys
from helpers.data.images import Rendering, renderings
from helpers.data.records import PREPARED, untuned
from helpers.data.texts import check_texts
from helpers.errors import StepError
from helpers.experiments import fitting_networks
from helpers.experiments.scoreboard import Try, keep_try, list_tries
from helpers.network.alexnet import build_alexnet
from helpers.network.saved import load_network
from helpers.network.views import careful_logits
from helpers.quiet_tensorflow import keras, tf
from helpers.scores import Proportion
from helpers.settings import Settings, load_settings
from helpers.training.augmentation import shift_batch
from helpers.training.fit import TrainingStopped, compile_model
from helpers.training.precision import quick_layers

COUNTS = {"train_count": 5_000, "validation_count": 1_000, "test_count": 1, "batch_size": 32}  # test: not drawn
WARM, COLD = {"epochs": 1, "learning_rate": 0.004}, {"epochs": 6}  # from trained weights, and from random ones


def try_style(style: CaptchaStyle, start: str | None = "default", again: bool = False) -> Try:
    """Train a network on 5,000 captchas of a style, and count what it reads of 1,000 others; only a row is kept.

    Args:
        start: the experiment whose network it begins with; instead of `default` also another, if that does not fit.
            None begins with random weights, which takes longer and reads less.
        again: train anew and replace the row, where the style was tried before from this network.
    """
    check_texts(style)
    found = fitting_networks(load_settings(), style) if start else {}
    if start not in (None, "default", *found):
        raise StepError(f"No network of '{start}' reads such captchas. Choose one of: {', '.join(found) or 'none'}.")
    start = start if start in found else next(iter(found), None)
    for row in list_tries():
        if (row.style, row.start) == (style, start) and not again:
            print(f"tried before, on {row.date}; pass again=True to try it anew")
            return row
    print(f"It begins with the network of '{start}'." if start else "It begins with random weights.")
    try:
        row = _tried(style, start, *found.get(start, ()))
    except KeyboardInterrupt:
        raise TrainingStopped("Stopped. Nothing of this try was kept.") from None
    keep_try(row)
    return row


def _tried(style: CaptchaStyle, start: str | None, path: Path | None = None, old: CaptchaStyle | None = None) -> Try:
    """Draw, train and score, beginning with the network in `path`, which reads the style `old`."""
    began = time.perf_counter()
    settings = load_settings("try", style=style, **COUNTS, **(WARM if start else COLD))
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    known, held_out = (list(renderings(settings, split)) for split in ("train", "validation"))
    images, labels = drawn(style, known + held_out)
    validation = images[len(known) :], labels[len(known) :]
    model = load_network(path).model if path else build_alexnet(style)
    before = score(model, *validation) if path else None
    fit(model, settings, (images[: len(known)], labels[: len(known)]))
    accuracy = score(model, *validation)
    jobs = old and list(renderings(dataclasses.replace(settings, style=old), "validation"))
    forgot = score(model, *drawn(old, jobs)) if old else None
    seconds = round(time.perf_counter() - began, 1)
    return Try(style, start, accuracy, before, forgot, seconds, datetime.date.today().isoformat())


def drawn(style: CaptchaStyle, jobs: list[Rendering]) -> tuple[np.ndarray, np.ndarray]:
    """Captchas in memory: uint8 [captchas, height, width, 1], and labels int32 [captchas, positions]."""
    greys = np.concatenate(list(on_all_cores(draw_greys, style, jobs, what="drawing")))
    return greys[..., None], np.array([style.text_to_labels(job.text) for job in jobs], np.int32)


def fit(model: keras.Model, settings: Settings, captchas: tuple[np.ndarray, np.ndarray]) -> None:
    """Train `model` by the recipe of notebook 4 on captchas that `drawn` gave."""
    compile_model(model, settings)
    batches = tf.data.Dataset.from_tensor_slices(captchas).shuffle(settings.train_count, seed=settings.seed)
    batches = untuned(batches.batch(settings.batch_size).map(shift_batch).prefetch(PREPARED))
    with bar_of(settings.epochs * len(batches) * settings.batch_size, "training") as bar, quick_layers(model):
        step = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update(settings.batch_size))
        model.fit(batches, epochs=settings.epochs, shuffle=False, verbose=0, callbacks=[step])


def score(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> Proportion:
    """How many captchas a network reads completely right."""
    read = tf.function(partial(careful_logits, model))
    parts = [read(images[start : start + 250]).numpy() for start in range(0, len(images), 250)]
    return scores.captcha_accuracy(labels, np.concatenate(parts).argmax(axis=-1))
