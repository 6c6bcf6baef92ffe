"""Fit the network with a live plot, stop and continue, and save it."""

from __future__ import annotations

import json
import math
import shutil
import zipfile
from dataclasses import dataclass

from helpers import _storage
from helpers._callbacks import PROBE_SIZE, Checkpoint, LivePlot, Probe, write_rows
from helpers.calibration import UNCALIBRATED, Calibration
from helpers.dataset import read_manifest
from helpers.distortion import Augment, shift_batch
from helpers.errors import StepError, TutorialError
from helpers.optimizer import one_cycle_muon
from helpers.precision import mixed_precision
from helpers.quiet_tensorflow import keras, tf
from helpers.records import PREPARED, load_batches
from helpers.settings import Settings

STYLE_MEMBER = "captcha_style.json"
"""Under this name model.keras, which is a zip file, carries the style that it reads."""

CALIBRATION_MEMBER = "captcha_calibration.json"
"""And under this one how its answers are to be taken."""

LIVE_POINTS = 40  # on the whole curve


class TrainingStopped(TutorialError):
    """Training was interrupted; what was finished is on disk."""


@dataclass(frozen=True)
class Training:
    """How a training went.

    Attributes:
        rows: one for each epoch: seconds, loss and accuracies, as in history.csv.
        points: one every few batches: accuracies on the probes, as in progress.csv.
    """

    rows: list[dict[str, float]]
    points: list[dict[str, float]]

    @property
    def seconds(self) -> float:
        """Time spent training and validating."""
        return sum(row["seconds"] for row in self.rows)


@keras.saving.register_keras_serializable(package="captcha")
def whole_captcha(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """1.0 for each captcha with every position right, else 0.0: [batch]."""
    right = tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), tf.cast(labels, tf.int32))
    return tf.cast(tf.reduce_all(right, axis=-1), tf.float32)


def compile_model(model: keras.Model, settings: Settings) -> keras.Model:
    """Give `model` its loss, its optimizer (Muon, one cycle) and both accuracies."""
    model.compile(
        optimizer=one_cycle_muon(settings),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[
            keras.metrics.SparseCategoricalAccuracy(name="digit_accuracy"),
            keras.metrics.MeanMetricWrapper(whole_captcha, name="captcha_accuracy"),
        ],
    )
    return model


def first_captchas(settings: Settings, split: str, count: int) -> Probe:
    """The first captchas of a split: images [count, height, width, 1], labels [count, positions]."""
    images, labels = next(iter(load_batches(settings, split, batch_size=count)))
    return images.numpy(), labels.numpy()


def train(
    model: keras.Model,
    settings: Settings,
    until: int | None = None,
    augment: Augment = shift_batch,
    bfloat16: bool | None = None,
) -> Training:
    """Train a newly compiled model, with a live plot; go on where an earlier call stopped.

    After each epoch a checkpoint is on disk. A call with the same images, settings and network
    continues from it; with any other it begins anew.

    Args:
        until: stop after this epoch; None trains all of settings.epochs.
        augment: what changes each training batch, such as a `Distortion`.
        bfloat16: whether convolutions multiply 16-bit numbers meanwhile; None: where the processor can.

    Raises:
        StepError: the records are missing, damaged, or of another style; or no checkpoint fits, and
            the model was trained before.
        TrainingStopped: the kernel was interrupted.
    """
    steps = math.ceil(settings.train_count / settings.batch_size)
    live = LivePlot(
        probes={
            "training": first_captchas(settings, "train", PROBE_SIZE),
            "validation": first_captchas(settings, "validation", PROBE_SIZE),
        },
        batch_size=settings.batch_size,
        every=max(20, settings.epochs * steps // LIVE_POINTS),
        images_per_epoch=settings.train_count,
        epochs=settings.epochs,
    )
    checkpoint = Checkpoint(settings.folder / "checkpoint", _fingerprint(model, settings, augment), live)
    finished = checkpoint.restore(model)
    if finished == 0 and int(model.optimizer.iterations) > 0:
        raise StepError("This network was trained before. Build and compile a new one, then train that.")
    keras.utils.set_random_seed(settings.seed + finished)
    tf.config.experimental.enable_op_determinism()  # the same machine gives the same weights again
    batches = load_batches(settings, "train", shuffle=True, seed=settings.seed + finished)
    batches = batches.map(augment).prefetch(PREPARED)
    until = min(until or settings.epochs, settings.epochs)
    try:
        if finished < until:
            with mixed_precision(model, bfloat16):
                model.fit(
                    batches,
                    validation_data=load_batches(settings, "validation", batch_size=250),
                    initial_epoch=finished,
                    epochs=until,
                    shuffle=False,  # the pipeline shuffles
                    verbose=0,
                    callbacks=[live, checkpoint],
                )
    except KeyboardInterrupt:
        raise TrainingStopped(
            f"Stopped in epoch {len(checkpoint.rows) + 1}; {len(checkpoint.rows)} finished epochs are kept. "
            "Run this cell again to go on."
        ) from None
    training = Training(checkpoint.rows, live.points)
    if len(training.rows) == settings.epochs:
        write_rows(settings.history_path, training.rows)
        write_rows(settings.progress_path, training.points)
    return training


def _fingerprint(model: keras.Model, settings: Settings, augment: Augment) -> str:
    """What a checkpoint depends on: images, network, and how it is trained."""
    network = json.loads(model.to_json())
    network.pop("compile_config", None)  # names its optimizer adam_w, adam_w_1, ... in one kernel
    return _storage.text_digest(
        _storage.to_json(
            {
                "images": read_manifest(settings)["images_digest"],
                "network": network,
                "augment": getattr(augment, "__name__", repr(augment)),
                "training": [settings.epochs, settings.batch_size, settings.learning_rate, settings.seed],
            }
        )
    )


def save_model(model: keras.Model, settings: Settings, calibration: Calibration = UNCALIBRATED) -> None:
    """Write model.keras with the style that it reads; the checkpoint is no longer needed.

    The file holds no state of the optimizer, which would make it three times as large.

    Args:
        calibration: how the reader takes the answers, see `evaluation.calibrate`.
    """
    network = keras.Model(model.input, model.output, name=model.name)  # not compiled: no optimizer
    with _storage.written_whole(settings.model_path) as temporary:
        network.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(STYLE_MEMBER, _storage.to_json(settings.style.to_dict()))
            archive.writestr(CALIBRATION_MEMBER, _storage.to_json(calibration.to_dict()))
    shutil.rmtree(settings.folder / "checkpoint", ignore_errors=True)
