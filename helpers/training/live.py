"""The live plot: its points, measured every few batches."""

import math
import time
from typing import Any

import numpy as np

from helpers import plots
from helpers.quiet_tensorflow import keras, tf
from helpers.scores import captcha_accuracy, cross_entropy, digit_accuracy, position_accuracy
from helpers.settings import Settings

PROBE_SIZE = 256  # captchas, at most
POINTS = 40  # on the whole curve
EARLY, EARLY_EVERY = 400, 20  # batches: at first there is most to see
Probe = tuple[np.ndarray, np.ndarray]  # images uint8 [captchas, height, width, 1], labels int32 [captchas, positions]


class LivePlot(keras.callbacks.Callback):
    """Reads the `probes` "training" and "validation" every few batches, both without dropout, and draws the curves."""

    def __init__(self, settings: Settings, probes: dict[str, Probe]) -> None:
        super().__init__()
        self.settings, self.probes, self.show = settings, probes, plots.live_display()
        batches = settings.epochs * math.ceil(settings.epoch_images / settings.batch_size)
        self.every = max(EARLY_EVERY, batches // POINTS)  # batches from one point to the next
        self.read: Any = None  # images -> logarithms of probabilities, by the network in training
        self.points: list[dict[str, float]] = []
        self.images = 0  # trained on so far

    def on_train_begin(self, logs: Any = None) -> None:
        self.read = self.read or tf.function(lambda images: tf.nn.log_softmax(self.model(images, training=False)))
        self.started = time.perf_counter() - (self.points[-1]["seconds"] if self.points else 0.0)
        if not self.points:
            self.measure()
        self.before = self.points[-1]["images"]  # images of finished epochs

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        done = min((batch + 1) * self.settings.batch_size, self.settings.epoch_images)  # the last batch may be smaller
        self.images = self.before + done
        every = EARLY_EVERY if self.images <= EARLY * self.settings.batch_size else self.every
        if done < self.settings.epoch_images and (batch + 1) % every == 0:  # the end of the epoch is measured below
            self.measure()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.images = self.before = (epoch + 1) * self.settings.epoch_images
        self.measure()

    def measure(self) -> None:
        """Add a point to the curves and draw them."""
        point: dict[str, float] = {"images": self.images}
        for name, (pictures, labels) in self.probes.items():
            logarithms = self.read(pictures).numpy()
            predicted = logarithms.argmax(axis=-1)
            point[f"{name} digits"] = digit_accuracy(labels, predicted)
            point[f"{name} captchas"] = captcha_accuracy(labels, predicted).value
            point[f"{name} loss"] = cross_entropy(labels, logarithms)
        for index, share in enumerate(position_accuracy(labels, predicted)):  # of the last: validation
            point[f"position {index + 1}"] = float(share)
        point["seconds"] = time.perf_counter() - self.started
        self.points.append(point)
        self.draw(self.points)

    def draw(self, points: list[dict[str, float]]) -> None:
        """Show the curves through `points`."""
        total, classes = self.settings.epochs * self.settings.epoch_images, len(self.settings.style.classes)
        sizes = {name: len(labels) for name, (_, labels) in self.probes.items()}
        self.show(plots.draw_progress(points, total, sizes, classes))
