"""Learning: what ends the plateau, and how accuracy grows with captchas and with epochs.

All networks learn from the default experiment's training captchas and are scored on its validation
captchas. The test captchas are not read.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.data.records import PREPARED, load_batches, untuned
from helpers.network.alexnet import DENSE_UNITS, FILTERS, build_alexnet
from helpers.quiet_tensorflow import keras, tf
from helpers.scores import proportion
from helpers.settings import Settings
from helpers.training.augmentation import shift_batch
from helpers.training.fit import compile_model, first_captchas
from tests.benchmarks import measured
from tests.benchmarks.accuracy import default_experiment

BATCHES, BATCH_SIZE, SEEDS = 300, 32, (1, 2)
MEAN_OF = 10  # batches behind each point of a curve
LEFT = 0.95  # of the loss of guessing: below it, a network has left the plateau
AMOUNTS = {3_000: (1, 3, 9), 10_000: (1, 3), 30_000: (1, 3)}  # captchas: epochs


def widths(factor: float) -> dict[str, tuple[int, ...]]:
    """All layers so many times as wide."""
    return {
        "filters": tuple(int(factor * n) for n in FILTERS),
        "dense_units": tuple(int(factor * n) for n in DENSE_UNITS),
    }


REMEDIES: dict[str, dict[str, Any]] = {  # each changes one thing of the first
    "no remedy": {},
    "the original's weights": {"start": functools.partial(keras.initializers.TruncatedNormal, stddev=0.005)},
    "Glorot's weights": {"start": keras.initializers.GlorotUniform},
    "a third of the learning rate": {"rate": 1 / 3},
    "a tenth of the learning rate": {"rate": 1 / 10},
    "half the widths": widths(0.5),
    "twice the widths": widths(2),
    "BatchNorm": {"batch_norm": True},
}


def plateau_losses(
    settings: Settings,
    seed: int,
    start: Callable[[], keras.Initializer] | None = None,
    rate: float = 1.0,
    batch_norm: bool = False,
    **network: Any,
) -> tuple[list[float], float]:
    """The loss along a short training run, and the digits read right after it; without BatchNorm unless told otherwise.

    Args:
        start: makes the initializer of all weights but the last layer's; None leaves He's.
        rate: what the learning rate is multiplied by.

    Returns:
        Means of `MEAN_OF` losses each [nats], and the share of validation digits read right, 0 to 1.
    """
    keras.utils.set_random_seed(seed)
    short = dataclasses.replace(
        settings,
        train_count=BATCHES * BATCH_SIZE,
        batch_size=BATCH_SIZE,
        epochs=1,
        learning_rate=settings.learning_rate * rate,
    )
    model = build_alexnet(settings.style, batch_norm=batch_norm, **network)
    for layer in model.layers:
        if start and hasattr(layer, "kernel") and layer.name != "dense3":
            layer.kernel.assign(start()(layer.kernel.shape))
    compile_model(model, short)
    batches = load_batches(settings, "train", BATCH_SIZE, shuffle=True, seed=seed).map(shift_batch)
    losses = []
    for images, labels in batches.take(BATCHES):
        model.reset_metrics()  # else the loss is an average since the start
        losses.append(float(model.train_on_batch(images, labels)[0]))
    found = model.evaluate(load_batches(settings, "validation", 250), verbose=0, return_dict=True)
    return np.reshape(losses, (-1, MEAN_OF)).mean(axis=1).tolist(), found["digit_accuracy"]


def remedied(name: str, settings: Settings, seed: int) -> tuple[list[float], float]:
    """`plateau_losses` with one of the remedies."""
    return plateau_losses(settings, seed, **REMEDIES[name])


def plateau() -> None:
    """Remedies of the plateau side by side, each from two seeds."""
    settings = default_experiment(trained=True)
    guessing = float(np.log(len(settings.style.classes)))
    rows, curves = [], {}
    for name in REMEDIES:
        for seed in SEEDS:
            (losses, digits), _ = measured.in_own_process(remedied, name, settings, seed)
            left = np.flatnonzero(np.array(losses) < LEFT * guessing)
            batches = int(MEAN_OF * (left[0] + 1)) if len(left) else None
            rows.append({"remedy": name, "seed": seed, "left after [batches]": batches, "digits [%]": 100 * digits})
            curves.setdefault(name, []).append(losses)
    more = {"curves": curves, "mean of": MEAN_OF, "batch": BATCH_SIZE}
    measured.save("plateau", f"What ends the plateau within {BATCHES} batches?", rows, **more)


def learn(settings: Settings, count: int, epochs: int) -> tuple[int, int, float]:
    """Whole validation captchas read right after learning from the first `count`: right, of, and the seconds."""
    keras.utils.set_random_seed(settings.seed)
    short = dataclasses.replace(settings, train_count=count, epochs=epochs)
    images, labels = first_captchas(settings, "train", count)
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(count).batch(settings.batch_size)
    batches = untuned(batches.map(shift_batch).prefetch(PREPARED))
    model = compile_model(build_alexnet(settings.style), short)
    seconds = measured.seconds(lambda: model.fit(batches, epochs=epochs, shuffle=False, verbose=0))
    validation = load_batches(settings, "validation", 250)
    share = model.evaluate(validation, verbose=0, return_dict=True)["captcha_accuracy"]
    return round(share * settings.validation_count), settings.validation_count, seconds


def amounts() -> None:
    """Accuracy against the number of distinct captchas, and against the number of epochs."""
    settings, rows = default_experiment(trained=True), []
    for count, several in AMOUNTS.items():
        for epochs in several:
            (right, of, seconds), _ = measured.in_own_process(learn, settings, count, epochs)
            score = measured.columns(proportion(right, of))
            rows.append({"captchas": count, "epochs": epochs, **score, "training [s]": seconds})
            measured.show(f"{count:,} captchas", rows[-1:])
    measured.save("amounts", "More captchas, or more epochs?", rows)


def main() -> None:
    """The plateau, then the amounts."""
    plateau()
    amounts()
