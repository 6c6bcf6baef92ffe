"""A style tried in a minute: how much of it, on validation captchas, is read before and after a short training run?"""

import dataclasses
import datetime
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from helpers import files, scores
from helpers.captchas.styles import CaptchaStyle, check_style
from helpers.data.generate import draw_greys
from helpers.data.images import Rendering, renderings
from helpers.data.records import PREPARED, untuned
from helpers.data.texts import check_texts
from helpers.errors import StepError
from helpers.experiments import fitting_networks
from helpers.experiments.scoreboard import Try, keep_try, list_tries
from helpers.files.cores import bar_of, on_all_cores
from helpers.network.alexnet import build_alexnet
from helpers.network.saved import load_network
from helpers.network.views import careful_logits
from helpers.precision import quick_layers
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import Settings, load_settings
from helpers.training.augmentation import shift_batch
from helpers.training.fit import TrainingStopped, compile_model

COUNTS = {"train_count": 5_000, "validation_count": 1_000, "test_count": 1, "batch_size": 32}  # test: not drawn
SLOWER = 3  # to train on an image takes so many times as long as to draw it, on all cores
LOOK = "{desc}{percentage:3.0f}%|{bar}| {elapsed}, {remaining} to go"
WARM, COLD = {"epochs": 1, "learning_rate": 0.004}, {"epochs": 6}  # from trained weights, and from random ones


def try_style(style: CaptchaStyle, start: str | None = "default", again: bool = False) -> Try:
    """Train a network on 5,000 captchas of a style and count what it reads of 1,000 others; keep a row, and its font.

    Args:
        start: the experiment whose network it begins with; instead of `default` also another, if that does not fit.
            None begins with random weights, which takes longer and reads less.
        again: train anew and replace the row, where the style was tried before from this network.
    """
    check_texts(check_style(style))
    found = fitting_networks(load_settings(), style) if start else {}
    if start not in (None, "default", *found):
        raise StepError(f"No network of '{start}' reads such captchas. Choose one of: {', '.join(found) or 'none'}.")
    start = start if start in found else next(iter(found), None)
    path, old = found.get(start, (None, None))
    network = files.file_digest(path) if path else None
    for row in list_tries():
        same = (row.style.to_dict(), row.start) == (style.to_dict(), start) and row.network in (None, network)
        if same and not again:
            print(f"tried before, on {row.date}; pass again=True to try it anew")
            return row
    print(f"It begins with the network of '{start}'." if start else "It begins with random weights.")
    try:
        began = time.perf_counter()
        counted = _tried(style, path, old)
    except KeyboardInterrupt:
        raise TrainingStopped("Stopped. Nothing of this try was kept.") from None
    row = Try(style, start, *counted, round(time.perf_counter() - began, 1), datetime.date.today().isoformat(), network)
    keep_try(row)
    return row


def _tried(style: CaptchaStyle, path: Path | None, old: CaptchaStyle | None) -> list[scores.Proportion | None]:
    """Draw, train and score, beginning with the network in `path`, which reads `old`: accuracy, before, forgot."""
    settings = load_settings("try", style=style, **COUNTS, **(WARM if path else COLD))
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    known, held_out = (list(renderings(settings, split)) for split in ("train", "validation"))
    jobs = list(renderings(dataclasses.replace(settings, style=old), "validation")) if old else []
    steps = settings.epochs * math.ceil(len(known) / settings.batch_size)
    drawn_or_read = known + 2 * held_out + 2 * jobs + (held_out if path else [])
    with bar_of(len(drawn_or_read) + SLOWER * steps * settings.batch_size, bar_format=LOOK) as bar:
        images, labels = drawn(style, known + held_out, bar)
        validation = images[len(known) :], labels[len(known) :]
        remembered = drawn(old, jobs, bar) if old else None
        model = load_network(path).model if path else build_alexnet(style)
        read = tf.function(partial(careful_logits, model))
        before = score(read, validation, bar) if path else None
        fit(model, settings, (images[: len(known)], labels[: len(known)]), bar)
        return [score(read, validation, bar), before, score(read, remembered, bar) if remembered else None]


def drawn(style: CaptchaStyle, jobs: list[Rendering], bar: tqdm) -> tuple[np.ndarray, np.ndarray]:
    """Captchas in memory: uint8 [captchas, height, width, 1], and labels int32 [captchas, positions]."""
    bar.set_description("drawing")
    greys = np.concatenate(list(on_all_cores(draw_greys, style, jobs, bar=bar)))
    return greys[..., None], np.array([style.text_to_labels(job.text) for job in jobs], np.int32)


def fit(model: keras.Model, settings: Settings, captchas: tuple[np.ndarray, np.ndarray], bar: tqdm) -> None:
    """Train `model` by the recipe of notebook 4 on captchas that `drawn` gave."""
    bar.set_description("training")
    compile_model(model, settings)
    batches = tf.data.Dataset.from_tensor_slices(captchas).shuffle(settings.train_count, seed=settings.seed)
    batches = untuned(batches.batch(settings.batch_size).map(shift_batch).prefetch(PREPARED))
    work = SLOWER * settings.batch_size
    step = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update(work))
    with quick_layers(model):
        model.fit(batches, epochs=settings.epochs, shuffle=False, verbose=0, callbacks=[step])


def score(read: Callable, captchas: tuple[np.ndarray, np.ndarray], bar: tqdm) -> scores.Proportion:
    """How many captchas are read completely right, by a function that gives the network's logits."""
    bar.set_description("reading")
    images, labels = captchas
    parts = [read(images[start : start + 250]).numpy() for start in range(0, len(images), 250)]
    bar.update(len(images))
    return scores.captcha_accuracy(labels, np.concatenate(parts).argmax(axis=-1))
