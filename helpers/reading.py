"""Image -> text, probabilities, confidence: the trained network in use."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from helpers._storage import short
from helpers.alexnet import careful_logits
from helpers.calibration import UNCALIBRATED, Calibration, looked_at, observed
from helpers.errors import ImageError, StepError
from helpers.pictures import ImageLike, fit_to_style, to_picture
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import load_settings
from helpers.styles import CaptchaStyle
from helpers.training import CALIBRATION_MEMBER, STYLE_MEMBER

NOTEBOOK = "notebook 04_train_alexnet"
BATCH_SIZE = 256  # images


@dataclass(frozen=True)
class Reading:
    """What the network read in one picture.

    Attributes:
        text: the most probable text.
        confidence: probability that the whole text is right, 0 to 1: the product over the positions.
        probabilities: of each class at each position, float32 [positions, classes].
        error: why the picture could not be read, else None.
        familiar: whether the picture looks like those that the network was trained on. Where not, the
            confidence means little.
    """

    text: str
    confidence: float
    probabilities: np.ndarray
    error: str | None = None
    familiar: bool = True


class Reader:
    """A trained network that reads captchas.

    Args:
        model: from grey levels [batch, height, width, 1] to logits [batch, positions, classes].
        style: what it was trained to read.
        calibration: how its answers are to be taken; see `evaluation.calibrate`.
    """

    def __init__(self, model: keras.Model, style: CaptchaStyle, calibration: Calibration = UNCALIBRATED) -> None:
        self.model, self.style, self.calibration = model, style, calibration
        pictures = tf.TensorSpec([None, style.height, style.image_width, 1], tf.uint8)
        self._look = tf.function(self._look_at, input_signature=[pictures])
        self._observer = observed(model)

    @classmethod
    def load(cls, experiment_or_path: str | Path) -> Reader:
        """The trained network of an experiment, by its name or the path of its model.keras.

        Raises:
            StepError: there is none, or the file is not one of ours.
        """
        is_path = isinstance(experiment_or_path, Path) or experiment_or_path.endswith(".keras")
        path = Path(experiment_or_path) if is_path else load_settings(experiment_or_path).model_path
        if not path.is_file():
            raise StepError(f"There is no trained network {short(path)}. Run {NOTEBOOK} first.")
        try:
            with zipfile.ZipFile(path) as archive:
                fields = json.loads(archive.read(STYLE_MEMBER))
                found = archive.read(CALIBRATION_MEMBER) if CALIBRATION_MEMBER in archive.namelist() else b"{}"
                calibration = Calibration.from_dict(json.loads(found))
            model = keras.models.load_model(path, compile=False)
            return cls(model, CaptchaStyle.from_dict(fields, check_fonts=False), calibration)
        except (zipfile.BadZipFile, AttributeError, KeyError, TypeError, ValueError, OSError) as reason:
            raise StepError(
                f"{short(path)} is no network that {NOTEBOOK} saved ({type(reason).__name__}). Run that notebook again."
            ) from None

    def read(self, images: ImageLike | Iterable[ImageLike], errors: str = "raise") -> list[Reading]:
        """Read one picture or many, each a path, a PIL image or a uint8 array of any size.

        Args:
            errors: "raise" at the first picture that cannot be read, or "collect": go on, and
                give that one an empty text, confidence 0 and its `error`.

        Returns:
            One Reading for each picture, in order.

        Raises:
            ImageError: a file or an array that is no picture, by its name.
        """
        if errors not in ("raise", "collect"):
            raise ValueError(f"errors: '{errors}' must be 'raise' or 'collect'.")
        one = isinstance(images, (str, Path, Image.Image)) or _is_one_array(images)
        images = [images] if one else list(images)
        readings: list[Reading] = []
        for start in range(0, len(images), BATCH_SIZE):
            readings += self._read_batch(images[start : start + BATCH_SIZE], errors)
        return readings

    def _look_at(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Probabilities, and the two signs by which a foreign picture is told."""
        logits, filtered = self._observer(images, training=False)
        careful = careful_logits(self.model, images, logits)
        return tf.nn.softmax(careful / self.calibration.temperature), *looked_at(logits, filtered)

    def _read_batch(self, images: list[ImageLike], errors: str) -> list[Reading]:
        failed: dict[int, str] = {}
        pictures = np.full((len(images), self.style.height, self.style.image_width, 1), 255, np.uint8)
        for index, image in enumerate(images):
            try:
                pictures[index, :, :, 0] = fit_to_style(to_picture(image), self.style)
            except ImageError as reason:
                if errors == "raise":
                    raise
                failed[index] = str(reason)
        probabilities, *signs = (part.numpy() for part in self._look(pictures))
        familiar = self.calibration.familiar(*signs)
        return [
            Reading("", 0.0, np.full_like(one, 1 / one.shape[1]), failed[index], familiar=False)
            if index in failed
            else Reading(
                text=self.style.labels_to_text(one.argmax(axis=-1)),
                confidence=float(one.max(axis=-1).prod()),
                probabilities=one,
                familiar=bool(familiar[index]),
            )
            for index, one in enumerate(probabilities)
        ]


def _is_one_array(images: object) -> bool:
    """Whether this is one picture, not a batch [batch, height, width] or [batch, ..., channels]."""
    if not isinstance(images, np.ndarray):
        return False
    return images.ndim == 2 or (images.ndim == 3 and images.shape[2] in (1, 3, 4))
