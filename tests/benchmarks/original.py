"""Against the original: its recipe, ported as it was, beside ours; and what each change buys.

The original is a script for TensorFlow 1.3: TF-slim's AlexNet v2 with four softmax layers, pictures
stretched to 224 x 224, batches of ten. Adam's learning rate is 0.003 for one step, then 0.001, a third
of that from step 2,000 on, and again a third from step 4,000 on. The script named its files after their
texts, so that of 10,000 drawings one was left for each text. All of that is kept, but its texts are taken
from our training split. Recipes are compared here, so they are scored on validation captchas.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.pictures import to_grey
from helpers.data.records import PREPARED, load_batches
from helpers.data.texts import derive_seed, draw_text
from helpers.network.alexnet import ORIGINAL, build_alexnet
from helpers.precision import quick_layers
from helpers.quiet_tensorflow import keras, tf
from helpers.scores import Proportion, captcha_accuracy
from helpers.settings import Settings, open_experiment
from helpers.training.augmentation import shift_batch
from helpers.training.fit import compile_model, first_captchas
from helpers.training.optimizer import WEIGHT_DECAY, learning_rate_schedule, one_cycle_muon, smoothed_cross_entropy
from tests.benchmarks import measured
from tests.benchmarks.accuracy import default_experiment

layers = keras.layers
DRAWINGS = 10_000  # of the original; one is left for each text
ITERATIONS = 5_000
PROBE = 1_000  # validation captchas behind each point of a curve
POINTS = 15  # on a curve
EQUAL = "read right in our seconds [%]"  # whole captchas, of those behind the curves
RUNG_SECONDS = 60  # of training for each network in the comparison
LOSS, SMOOTHED = keras.losses.SparseCategoricalCrossentropy(from_logits=True), smoothed_cross_entropy


def original_network(settings: Settings) -> keras.Model:
    """TF-slim's AlexNet v2 as the original used it: [batch, 60, 160, 1] -> logits [batch, 4, 10].

    TF-slim draws first weights from a truncated normal of standard deviation 0.005; most biases start at 0.1.
    """
    style = settings.style
    start = {
        "kernel_initializer": keras.initializers.TruncatedNormal(stddev=0.005),
        "bias_initializer": keras.initializers.Constant(0.1),
        "activation": "relu",
    }
    images = keras.Input((style.height, style.image_width, 1))
    x = layers.Resizing(224, 224)(images)
    x = layers.Rescaling(2 / 255, offset=-1)(x)
    x = layers.Conv2D(64, 11, 4, padding="valid", **{**start, "bias_initializer": "zeros"})(x)
    x = layers.MaxPooling2D(3, 2)(x)
    x = layers.Conv2D(192, 5, padding="same", **start)(x)
    x = layers.MaxPooling2D(3, 2)(x)
    for filters in (384, 384, 256):
        x = layers.Conv2D(filters, 3, padding="same", **start)(x)
    x = layers.MaxPooling2D(3, 2)(x)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(4096, **start)(x)
        x = layers.Dropout(0.5)(x)
    ends = [
        layers.Dense(len(style.classes), kernel_initializer=start["kernel_initializer"])(x)
        for _ in range(style.positions)
    ]
    return keras.Model(images, layers.Reshape((style.positions, len(style.classes)))(layers.Concatenate()(ends)))


class OriginalRate(keras.optimizers.schedules.LearningRateSchedule):
    """0.003, divided by three after step 0, 2,000 and 4,000."""

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        return 0.003 / 3.0 ** tf.where(step < 1, 0.0, 1 + tf.floor((step - 1) / 2000))


def original_images(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels: one drawing for each text among 10,000 draws from the training split."""
    texts = {draw_text(settings.style, "train", derive_seed("original", number)) for number in range(DRAWINGS)}
    images, labels = [], []
    for text in sorted(texts):
        picture = draw_captcha(text, settings.style, derive_seed("original", text))
        images.append(to_grey(picture))
        labels.append(settings.style.text_to_labels(text))
    return np.stack(images)[..., None], np.array(labels, np.int32)


def original_batches(settings: Settings, batch_size: int) -> tf.data.Dataset:
    """Endless batches of the original's images."""
    data = tf.data.Dataset.from_tensor_slices(original_images(settings))
    return data.shuffle(DRAWINGS, seed=1).repeat().batch(batch_size).prefetch(2)


class Curve(keras.callbacks.Callback):
    """How many of 1,000 validation captchas are read completely right, against seconds of training alone.

    Args:
        stop_after: seconds; None for no limit.
        every: seconds of training between two points.
    """

    def __init__(self, settings: Settings, every: float, stop_after: float | None = None) -> None:
        super().__init__()
        self.images, self.labels = first_captchas(settings, "validation", PROBE)
        self.every, self.stop_after = every, stop_after
        self.trained, self.step = 0.0, 0
        self.points: list[dict[str, float]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.read = tf.function(lambda images: tf.argmax(self.model(images, training=False), -1))
        self.due = 0.0
        self.resumed = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += 1
        now = time.perf_counter()
        if self.trained + now - self.resumed >= self.due:
            self.trained += now - self.resumed
            self.measure(logs)
            self.due += self.every
            if self.stop_after and self.trained >= self.stop_after:
                self.model.stop_training = True
            self.resumed = time.perf_counter()

    def on_train_end(self, logs: Any = None) -> None:
        if self.points and self.points[-1]["step"] < self.step:
            self.trained += time.perf_counter() - self.resumed
            self.measure(logs)

    def measure(self, logs: Any) -> None:
        """Add a point."""
        parts = [self.read(self.images[start : start + 100]).numpy() for start in range(0, PROBE, 100)]
        share = captcha_accuracy(self.labels, np.concatenate(parts)).value
        loss = float((logs or {}).get("loss", float("nan")))
        point = {"seconds": self.trained, "step": self.step, "captchas": share, "loss": loss}
        self.points.append({key: round(value, 5) for key, value in point.items()})


def seconds_to(points: list[dict[str, float]], share: float) -> float | None:
    """Training time until the curve first reaches `share`."""
    return next((point["seconds"] for point in points if point["captchas"] >= share), None)


def read_once(model: keras.Model, settings: Settings) -> Proportion:
    """The validation score with every captcha read once, by each network alike: no second look in doubt."""
    read = tf.function(lambda images: tf.argmax(model(images, training=False), -1))
    batches = [(labels.numpy(), read(images).numpy()) for images, labels in load_batches(settings, "validation", 100)]
    return captcha_accuracy(*map(np.concatenate, zip(*batches, strict=True)))


def scored_row(name: str, model: keras.Model, settings: Settings, curve: Curve, batch_size: int) -> dict[str, Any]:
    """A finished training run as a row: its speed, its curve in three figures, its validation score."""
    score = read_once(model, settings)
    images = curve.step * batch_size
    return {
        "recipe": name,
        "trained [s]": round(curve.trained, 1),
        "images": images,
        "s per 1,000 images": round(curve.trained / images * 1000, 3),
        "s to 50 %": seconds_to(curve.points, 0.5),
        "s to 90 %": seconds_to(curve.points, 0.9),
        "s to 99 %": seconds_to(curve.points, 0.99),
        **measured.columns(score),
    }


def train_original(experiment: str, seconds: float) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """The original, for so many seconds or for all of its iterations."""
    settings = open_experiment(experiment)
    keras.utils.set_random_seed(settings.seed)
    model = original_network(settings)
    model.compile(keras.optimizers.Adam(OriginalRate()), LOSS)
    curve = Curve(settings, every=min(60, seconds / POINTS), stop_after=seconds)
    model.fit(original_batches(settings, 10), steps_per_epoch=ITERATIONS, verbose=0, shuffle=False, callbacks=[curve])
    return scored_row("the original", model, settings, curve, 10), curve.points


def train_ours(experiment: str) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """Ours, the whole training run as notebook 4 does it."""
    settings = open_experiment(experiment)
    keras.utils.set_random_seed(settings.seed)
    model = compile_model(build_alexnet(settings.style), settings)
    batches = load_batches(settings, "train", shuffle=True).map(shift_batch).prefetch(PREPARED)
    curve = Curve(settings, every=8)
    with quick_layers(model):
        model.fit(batches, epochs=settings.epochs, verbose=0, shuffle=False, callbacks=[curve])
    return scored_row("ours", model, settings, curve, settings.batch_size), curve.points


NARROW = {"dropout": 0.5, "first_stride": 4, "batch_norm": False}
RUNGS: dict[str, dict[str, Any]] = {
    "old widths, 224 × 224": {"network": ORIGINAL},
    "60 × 160 as drawn, narrow": {"network": NARROW},
    "and BatchNorm": {"network": {**NARROW, "batch_norm": True}},
    "and 85,000 pictures, shifted": {"network": {**NARROW, "batch_norm": True}, "data": "ours"},
    "and stride 2, dropout 0.05": {"network": {}, "data": "ours"},
    "and batches of 64, one cycle": {"network": {}, "data": "ours", "batch": 64, "optimizer": "adamw"},
    "and Muon": {"network": {}, "data": "ours", "batch": 64, "optimizer": "muon"},
    "and smoothed labels: ours": {"network": {}, "data": "ours", "batch": 64, "optimizer": "muon", "loss": SMOOTHED},
}
"""Each adds one step to the row above it; the first is the original with each picture standardised."""


def train_rung(experiment: str, name: str) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """One network of the comparison, for a minute."""
    settings, recipe = open_experiment(experiment), RUNGS[name]
    keras.utils.set_random_seed(settings.seed)
    batch = recipe.get("batch", 10)
    if recipe.get("data") == "ours":
        batches = load_batches(settings, "train", batch_size=batch, shuffle=True).repeat().map(shift_batch).prefetch(2)
    else:
        batches = original_batches(settings, batch)
    model = build_alexnet(settings.style, **recipe["network"])
    steps = round(RUNG_SECONDS / step_seconds(model, batches))
    cycle = dataclasses.replace(settings, train_count=steps * batch, epochs=1, batch_size=batch)
    if recipe.get("optimizer") == "muon":
        model.compile(one_cycle_muon(cycle), recipe.get("loss", LOSS))
    elif recipe.get("optimizer") == "adamw":
        rate = learning_rate_schedule(dataclasses.replace(cycle, learning_rate=0.004))
        model.compile(keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY), LOSS)
    else:
        model.compile(keras.optimizers.Adam(0.001), LOSS)
    curve = Curve(settings, RUNG_SECONDS / POINTS)
    model.fit(batches, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[curve])
    return scored_row(name, model, settings, curve, batch), curve.points


def step_seconds(model: keras.Model, batches: tf.data.Dataset) -> float:
    """How long a training step takes, from a copy of the network that is thrown away."""
    copy = keras.models.clone_model(model)
    copy.compile(keras.optimizers.Adam(0.001), LOSS)
    iterator = iter(batches)
    for _ in range(2):
        copy.train_on_batch(*next(iterator))  # the first steps also build the graph
    return measured.seconds(lambda: [copy.train_on_batch(*next(iterator)) for _ in range(8)]) / 8


def changes() -> None:
    """What each change buys."""
    settings = default_experiment()
    rows, curves = [], {}
    for name in RUNGS:
        (row, curves[name]), _ = measured.in_own_process(train_rung, settings.experiment, name)
        rows.append(row)
        measured.show(name, [row])
    question = f"What does each change buy in {RUNG_SECONDS} seconds of training?"
    measured.save("changes", question, rows, curves=curves, split="validation")


def compare(result: str, question: str, command: str, whole: bool) -> None:
    """Ours and the original, one after the other in one run.

    Args:
        whole: whether the original gets all of its iterations, not only as many seconds as ours takes.
    """
    settings = default_experiment()
    (ours, our_curve), _ = measured.in_own_process(train_ours, settings.experiment)
    measured.show("ours", [ours])
    limit = float("inf") if whole else ours["trained [s]"]
    (theirs, their_curve), _ = measured.in_own_process(train_original, settings.experiment, limit)
    for row, points in ((ours, our_curve), (theirs, their_curve)):
        row[EQUAL] = 100 * [p["captchas"] for p in points if p["seconds"] <= 1.01 * our_curve[-1]["seconds"]][-1]
    curves = {"the original": their_curve, "ours": our_curve}
    measured.save(result, question, [theirs, ours], command=command, curves=curves, split="validation")


def main() -> None:
    """What each change buys, and the original beside ours at equal seconds."""
    changes()
    compare("original", "How does the original do in the same time?", "make bench", whole=False)


def whole() -> None:
    """All 5,000 iterations of the original beside ours: most of an hour."""
    question = f"What does the original reach after its {ITERATIONS:,} iterations?"
    compare("original_whole", question, "make bench-original", whole=True)
