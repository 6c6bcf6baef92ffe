"""Machinery of training: the live plot's points, and a checkpoint after each epoch."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from helpers import _storage, plots
from helpers.quiet_tensorflow import keras, tf
from helpers.scores import captcha_accuracy, cross_entropy, digit_accuracy, position_accuracy

PROBE_SIZE = 256  # captchas
EARLY, EARLY_EVERY = 400, 20  # batches: at first there is most to see
Probe = tuple[np.ndarray, np.ndarray]
"""Images uint8 [captchas, height, width, 1] and labels int32 [captchas, positions]."""


def write_rows(path: Path, rows: list[dict[str, float]]) -> None:
    """Write `rows` as CSV with a heading, whole or not at all."""
    with _storage.written_whole(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, float]]:
    """The rows of a CSV file of numbers."""
    with open(path, newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


class LivePlot(keras.callbacks.Callback):
    """Every few batches: read some training and some validation captchas, and redraw the figure.

    Both are read as in use, without dropout, so that the two curves can be compared.

    Args:
        probes: what is read, under "training" and "validation".
        batch_size: images.
        every: batches between two points.
        images_per_epoch, epochs: how many images there are, and how often each will be seen.
    """

    def __init__(
        self, probes: dict[str, Probe], batch_size: int, every: int, images_per_epoch: int, epochs: int
    ) -> None:
        super().__init__()
        self.probes, self.batch_size = probes, batch_size
        self.every, self.images_per_epoch, self.epochs = every, images_per_epoch, epochs
        self.show: Callable[[Any], None] = plots.live_display()
        self.points: list[dict[str, float]] = []
        self.images = self.batch = 0  # trained on before this call; batches in this call

    @property
    def images_seen(self) -> int:
        """Training images so far."""
        return self.images + self.batch * self.batch_size

    def on_train_begin(self, logs: Any = None) -> None:
        self.read = tf.function(lambda images: tf.nn.log_softmax(self.model(images, training=False)))
        self.started = time.perf_counter() - (self.points[-1]["seconds"] if self.points else 0.0)
        if not self.points:
            self.measure()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batch += 1
        early = self.images_seen <= EARLY * self.batch_size
        if self.batch % (min(self.every, EARLY_EVERY) if early else self.every) == 0:
            self.measure()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.images, self.batch = (epoch + 1) * self.images_per_epoch, 0  # its last batch may be smaller
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
        classes = self.model.output_shape[-1]
        self.show(plots.draw_progress(self.points, self.images_per_epoch * self.epochs, PROBE_SIZE, classes))


class Checkpoint(keras.callbacks.Callback):
    """After each epoch: weights, optimizer and history on disk, so that a stop loses little.

    Args:
        folder: where the checkpoint lies.
        fingerprint: what it must agree with to be continued.
    """

    def __init__(self, folder: Path, fingerprint: str, live: LivePlot) -> None:
        super().__init__()
        self.folder, self.fingerprint, self.live = folder, fingerprint, live
        self.rows: list[dict[str, float]] = []

    def restore(self, model: keras.Model) -> int:
        """Load the checkpoint into `model` if it fits; the number of finished epochs."""
        path = self.folder / "state.json"
        if not path.exists():
            return 0
        state = _storage.read_json(path, made_by="notebook 04_train_alexnet")
        if state["fingerprint"] != self.fingerprint:
            return 0
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self.folder / state["weights"])
        self.rows = state["rows"]
        self.live.points[:] = state["points"]
        self.live.images = state["images"]
        return len(self.rows)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = {name.replace("val_", "validation_"): float(v) for name, v in (logs or {}).items()}
        self.rows.append({"epoch": epoch + 1, "seconds": time.perf_counter() - self.started, **logs})
        weights = f"epoch-{epoch + 1:03d}.weights.h5"
        with _storage.written_whole(self.folder / weights) as temporary:
            self.model.save_weights(temporary)
        state = {
            "fingerprint": self.fingerprint,
            "weights": weights,
            "rows": self.rows,
            "points": self.live.points,
            "images": self.live.images_seen,
        }
        _storage.write_json(self.folder / "state.json", state)
        for old in self.folder.glob("epoch-*.weights.h5"):
            if old.name != weights:
                old.unlink()
