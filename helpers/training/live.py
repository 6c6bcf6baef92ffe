"""The live plot: its points, measured every few batches."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers import plots
from helpers.quiet_tensorflow import keras, tf
from helpers.scores import captcha_accuracy, cross_entropy, digit_accuracy, position_accuracy

PROBE_SIZE = 256  # captchas
EARLY, EARLY_EVERY = 400, 20  # batches: at first there is most to see
Probe = tuple[np.ndarray, np.ndarray]
"""Images uint8 [captchas, height, width, 1] and labels int32 [captchas, positions]."""


class LivePlot(keras.callbacks.Callback):
    """Reads some training and some validation captchas every few batches, and redraws the figure.

    Both `probes`, "training" and "validation", are read without dropout, so that the two curves can be
    compared. An epoch has `images_per_epoch` images, and two points lie `every` batches apart.
    """

    def __init__(
        self, probes: dict[str, Probe], batch_size: int, every: int, images_per_epoch: int, epochs: int
    ) -> None:
        super().__init__()
        self.probes, self.batch_size = probes, batch_size
        self.every, self.images_per_epoch, self.epochs = every, images_per_epoch, epochs
        self.show: Callable[[Any], None] = plots.live_display()
        self.points: list[dict[str, float]] = []
        self.images = self.batch = 0  # trained on in finished epochs; batches in this epoch

    @property
    def images_seen(self) -> int:
        """Training images so far; the last batch of an epoch may be smaller than the others."""
        return self.images + min(self.batch * self.batch_size, self.images_per_epoch)

    def on_train_begin(self, logs: Any = None) -> None:
        self.read = tf.function(lambda images: tf.nn.log_softmax(self.model(images, training=False)))
        self.started = time.perf_counter() - (self.points[-1]["seconds"] if self.points else 0.0)
        if not self.points:
            self.measure()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batch += 1
        early = self.images_seen <= EARLY * self.batch_size
        last = self.images_seen == self.images + self.images_per_epoch  # the end of the epoch measures it
        if not last and self.batch % (min(self.every, EARLY_EVERY) if early else self.every) == 0:
            self.measure()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.images, self.batch = (epoch + 1) * self.images_per_epoch, 0
        self.measure()

    def measure(self) -> None:
        """Add a point to the curves and draw them."""
        point: dict[str, float] = {"images": self.images_seen}
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
        self.draw(self.points, logarithms.shape[-1])

    def draw(self, points: list[dict[str, float]], classes: int) -> None:
        """Show the curves through `points`."""
        self.show(plots.draw_progress(points, self.images_per_epoch * self.epochs, PROBE_SIZE, classes))
