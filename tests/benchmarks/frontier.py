"""The frontier: how few captchas are misread, against the time that training takes.

Each variant changes one thing of the recipe, or several that belong together. All learn from the first captchas
of one experiment, and are scored on its 50,000 validation captchas. No test captcha is read. A training run that
was finished is not repeated, so that the benchmark goes on after a stop.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers import files
from helpers.data.records import PREPARED, load_batches, untuned, write_records
from helpers.network.alexnet import build_alexnet
from helpers.network.views import averaged_logits, mirror_edges
from helpers.precision import quick_layers
from helpers.quiet_tensorflow import keras, tf
from helpers.scores import captcha_accuracy, proportion
from helpers.settings import Settings, load_settings
from helpers.training.augmentation import SHIFT_X, SHIFT_Y, shift_batch
from helpers.training.fit import compile_model, first_captchas
from helpers.training.optimizer import learning_rate_schedule, smoothed_cross_entropy
from tests.benchmarks import measured
from tests.benchmarks.accuracy import draw
from tests.benchmarks.compute import training_flop

COUNTS = {"train_count": 85_000, "validation_count": 50_000, "test_count": 100}
WHOLE = (("as in notebook 4", 3), ("the earlier recipe", 3), ("as in notebook 4", 2))  # variant and epochs
WHOLE_SEEDS = (1, 2, 3)
SMALL, SEEDS = {"captchas": 20_000, "epochs": 3}, (1, 2)
ROUNDS, STEPS = 5, 10  # of the timing
SHARE = 0.02  # of the captchas, those of which a network is least sure, are read again from all views


def shift_each(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Like `shift_batch`, but each captcha of the batch is moved by steps of its own."""
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    padded = mirror_edges(images, SHIFT_Y, SHIFT_X)
    top = tf.random.uniform([count, 1], 0, 2 * SHIFT_Y + 1, tf.int32)
    left = tf.random.uniform([count, 1], 0, 2 * SHIFT_X + 1, tf.int32)
    rows = tf.gather(padded, top + tf.range(height), axis=1, batch_dims=1)
    return tf.ensure_shape(tf.gather(rows, left + tf.range(width), axis=2, batch_dims=1), images.shape), labels


class Descent(keras.optimizers.schedules.LearningRateSchedule):
    """The warm-up of `learning_rate_schedule`, then another way down to 0."""

    def __init__(self, settings: Settings, shape: Callable[[tf.Tensor], tf.Tensor]) -> None:
        self.usual, self.highest, self.shape = learning_rate_schedule(settings), settings.learning_rate, shape

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        warm_up, down = self.usual.warmup_steps, self.usual.decay_steps
        left = 1 - tf.cast(step - warm_up, tf.float32) / down
        descent = self.highest * self.shape(tf.clip_by_value(left, 0.0, 1.0))
        return tf.where(step < warm_up, self.usual(step), descent)


def linear(left: tf.Tensor) -> tf.Tensor:
    """Down in a straight line."""
    return left


def held(left: tf.Tensor) -> tf.Tensor:
    """At the highest for the first half, then down in a straight line."""
    return tf.minimum(1.0, 2 * left)


UNITS, KERNELS, FILTERS = {"dense_units": (1024, 512)}, {"kernels": (11, 5, 3, 3, 3)}, {"filters": (32, 64, 64, 64, 64)}
BEFORE = {**UNITS, **KERNELS, **FILTERS, "dropout": 0.2}
USUAL = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
VARIANTS: dict[str, dict[str, Any]] = {
    "as in notebook 4": {},
    "the earlier recipe": {"network": BEFORE, "loss": USUAL},
    "the earlier network": {"network": BEFORE},
    "no label smoothing": {"loss": USUAL},
    "a fifth smoothed": {"loss": functools.partial(smoothed_cross_entropy, share=0.2)},
    "hidden layers of 1024 and 512": {"network": UNITS},
    "conv2 of 5x5": {"network": KERNELS},
    "conv1 of 32 filters": {"network": FILTERS},
    "conv3 to 5 of 48 filters": {"network": {"filters": (16, 64, 48, 48, 48)}},
    "dropout 0": {"network": {"dropout": 0.0}},
    "dropout 0.2": {"network": {"dropout": 0.2}},
    "dropout 0.5": {"network": {"dropout": 0.5}},
    "shifts for each captcha": {"augment": shift_each},
    "averaged weights": {"average": 0.99},
    "linear descent": {"shape": linear},
    "held, then linear": {"shape": held},
    "half the learning rate": {"learning_rate": 0.004},
    "twice the learning rate": {"learning_rate": 0.016},
    "batches of 128": {"batch_size": 128, "learning_rate": 0.011},
    "60,000 captchas once": {"captchas": 60_000, "epochs": 1},
}


def recipe(
    settings: Settings, network: dict[str, Any] | None = None, loss: Any = None, average: float | None = None,
    shape: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> keras.Model:  # fmt: skip
    """A new network, compiled as a variant wants it."""
    model = compile_model(build_alexnet(settings.style, **(network or {})), settings)
    if average or shape:
        changes: dict[str, Any] = {"use_ema": True, "ema_momentum": average} if average else {}
        optimizer = type(model.optimizer).from_config({**model.optimizer.get_config(), **changes})
        optimizer.learning_rate = Descent(settings, shape) if shape else learning_rate_schedule(settings)
        model.compile(optimizer, loss or model.loss)
    elif loss:
        model.compile(model.optimizer, loss)
    return model


def mistakes(model: keras.Model, settings: Settings) -> tuple[int, int]:
    """Misread validation captchas, and how many there are; each network takes a second look at the same `SHARE`."""
    truth, answers = [], []
    for images, labels in load_batches(settings, "validation", batch_size=1000):
        logits = tf.nn.log_softmax(model(images, training=False)).numpy()
        least = logits.max(axis=-1).min(axis=-1).argsort()[: round(SHARE * len(logits))]
        logits[least] = averaged_logits(model, tf.gather(images, least))
        truth.append(labels.numpy())
        answers.append(logits.argmax(axis=-1))
    score = captcha_accuracy(np.concatenate(truth), np.concatenate(answers))
    return score.count - score.right, score.count


def learn(settings: Settings, seed: int, variant: dict[str, Any]) -> dict[str, Any]:
    """Train one variant, with its numbers of captchas and epochs, and count what it misreads."""
    captchas, epochs = variant.pop("captchas"), variant.pop("epochs")
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    augment = variant.pop("augment", shift_batch)
    changes = {name: variant.pop(name) for name in ("batch_size", "learning_rate") if name in variant}
    short = dataclasses.replace(settings, train_count=captchas, epochs=epochs, **changes)
    batches = tf.data.Dataset.from_tensor_slices(first_captchas(settings, "train", captchas))
    batches = batches.shuffle(captchas, seed=seed).batch(short.batch_size).map(augment)
    model = recipe(short, **variant)
    with quick_layers(model):
        ready = untuned(batches.prefetch(PREPARED))
        seconds = measured.seconds(lambda: model.fit(ready, epochs=epochs, shuffle=False, verbose=0))
    misread, count = mistakes(model, settings)
    work = training_flop(model) * captchas * epochs / 1e12
    return {"misread": misread, "of": count, "training [s]": seconds, "training [TFLOP]": work}


def ms_a_captcha(model: keras.Model, images: tf.Tensor, labels: tf.Tensor) -> float:
    """Milliseconds for each captcha of some training steps."""
    taken = measured.seconds(lambda: [model.train_on_batch(images, labels) for _ in range(STEPS)])
    return 1000 * taken / STEPS / len(images)


def milliseconds(names: list[str]) -> list[float]:
    """A training step of each variant, in turn: milliseconds a captcha."""
    settings = load_settings("compute")
    random, steps = np.random.default_rng(0), {}
    with contextlib.ExitStack() as quick:
        for name in names:
            variant = {key: value for key, value in VARIANTS[name].items() if key in ("network", "loss", "average")}
            batch = VARIANTS[name].get("batch_size", settings.batch_size)
            model = recipe(settings, **variant)
            shape = (batch, settings.style.height, settings.style.image_width, 1)
            images = tf.constant(random.integers(0, 256, shape, dtype=np.uint8))
            labels = tf.constant(random.integers(0, 10, (batch, settings.style.positions)))
            quick.enter_context(quick_layers(model))
            model.train_on_batch(images, labels)  # builds the graph
            steps[name] = functools.partial(ms_a_captcha, model, images, labels)
        return [float(np.median(values)) for values in measured.side_by_side(steps, ROUNDS).values()]


def kept(settings: Settings) -> list[dict[str, Any]]:
    """The finished training runs."""
    path = settings.folder / "frontier.json"
    return files.read_json(path, made_by="make bench-frontier")["rows"] if path.exists() else []


def run(settings: Settings, name: str, seed: int, **amount: int) -> None:
    """Train a variant unless that was done, and keep the row."""
    variant = {**amount, **VARIANTS[name]}
    key = {"variant": name, "seed": seed, "captchas": variant["captchas"], "epochs": variant["epochs"]}
    rows = kept(settings)
    if not any(key.items() <= row.items() for row in rows):
        found, _ = measured.in_own_process(learn, settings, seed, variant)
        files.write_json(settings.folder / "frontier.json", {"rows": [*rows, {**key, **found}]})
        measured.show(name, [{**key, **found}])


def main() -> None:
    """Each variant from two seeds, then those of `WHOLE` on all captchas: printed and kept."""
    settings = load_settings("frontier", profile="full", **COUNTS)
    for step in (draw, write_records):
        measured.in_own_process(step, settings)
    for seed in SEEDS:
        for name in VARIANTS:
            run(settings, name, seed, **SMALL)
    for seed in WHOLE_SEEDS:
        for name, epochs in WHOLE:
            run(settings, name, seed, captchas=COUNTS["train_count"], epochs=epochs)
    rows, names = kept(settings), list(VARIANTS)
    for row in rows:
        score = proportion(row["misread"], row["of"])
        row |= {"lowest [%]": 100 * score.low, "highest [%]": 100 * score.high}
    speeds = {
        measured.instructions(isa): dict(
            zip(names, measured.in_own_process(milliseconds, names, isa=isa)[0], strict=True)
        )
        for isa in measured.isas()
    }
    question = "Which recipe misreads how many validation captchas, after how much work?"
    measured.save("frontier", question, rows, command="make bench-frontier", milliseconds=speeds, split="validation")
