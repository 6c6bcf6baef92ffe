"""Image -> text, probabilities, confidence: the trained network in use."""

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.captchas.pictures import ImageLike, fit_to_style
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import ImageError, StepError
from helpers.network.calibration import UNCALIBRATED, Calibration, tempered
from helpers.network.fitness import check_network
from helpers.network.saved import load_network, load_trained
from helpers.network.views import SURE, seen_from_views
from helpers.quiet_tensorflow import keras
from helpers.reading.engines import Engines
from helpers.settings import load_settings

BATCH_SIZE = 256  # images
NARROW = 8  # pixels: a row of so few is taken for channels


@dataclass(frozen=True)
class Reading:
    """What the network read in one picture."""

    text: str  # the most probable one
    confidence: float  # probability that the whole text is right, 0 to 1: the product over the positions
    probabilities: np.ndarray  # of each class at each position, float32 [positions, classes]
    error: str | None = None  # why the picture could not be read
    familiar: bool = True  # does it look like the training captchas? if not, the confidence means little


def is_one(shape: tuple[int, ...]) -> bool:
    """Whether an array is one picture, [height, width] or [height, width, channels], or a batch; or an ImageError."""
    several = len(shape) == 3 and shape[2] not in (1, 3, 4)
    if (several and (shape[2] < NARROW or shape[0] in (3, 4))) or not 2 <= len(shape) <= 4:
        raise ImageError(
            f"An array {list(shape)} is not clearly one picture or a batch. Give one as [height, width] or "
            "[height, width, channels], with 1, 3 or 4 channels, and a batch as [batch, height, width, channels]."
        )
    return len(shape) < 4 and not several


class Reader:
    """Reads captchas of `style` by a network: [batch, height, width, 1] -> logits [batch, positions, classes].

    `calibration`: see `training.evaluation.calibrate`. Training `model` further does not change what this reader says.
    """

    def __init__(self, model: keras.Model, style: CaptchaStyle, calibration: Calibration = UNCALIBRATED) -> None:
        self.model, self.style, self.calibration = model, style, calibration
        check_network(model, style)
        self._answer = Engines(model, style)

    @classmethod
    def load(cls, experiment_or_path: str | Path, network: str | None = None) -> "Reader":
        """The network of an experiment, its further one `network`, or that in a model.keras; StepError without one."""
        if not isinstance(experiment_or_path, (str, os.PathLike)):
            what = f"{experiment_or_path!r} is a {type(experiment_or_path).__name__}"
            raise StepError(f"{what}. Give an experiment's name, or the path of a model.keras.")
        path = Path(experiment_or_path)
        if network is None and (path.suffix == ".keras" or not isinstance(experiment_or_path, str)):
            return cls(*load_network(path))
        settings = load_settings(experiment_or_path, network=network)
        names = [None] * (settings.folder / "model.keras").is_file()
        names += [path.parent.name for path in sorted(settings.folder.glob("networks/*/model.keras"))]
        if names and network not in names:
            named = ", ".join(f'network="{name}"' if name else "its own, without network=" for name in names)
            missing = f'network "{network}"' if network else "network of its own"
            raise StepError(f"'{experiment_or_path}' has no trained {missing}. There are: {named}.")
        return cls(*load_trained(settings))

    def read(self, images: ImageLike | Iterable[ImageLike], errors: str = "raise") -> list[Reading]:
        """A Reading for each of one or many pictures, in order: paths, PIL images or uint8 arrays of any size.

        `errors`: "raise" an ImageError at the first picture that cannot be read, or "collect": go on, and give that
        one an empty text, confidence 0 and its `error`.
        """
        if errors not in ("raise", "collect"):
            raise ValueError(f"errors: '{errors}' must be 'raise' or 'collect'.")
        one = is_one(images.shape) if isinstance(images, np.ndarray) else not isinstance(images, Iterable)
        one = one or isinstance(images, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(images, "read")
        given, readings = iter([images] if one else images), []
        while batch := list(itertools.islice(given, BATCH_SIZE)):  # no more pictures than that are in memory at a time
            readings += self._read_batch(batch, errors)
        return readings

    def export(self, path: str | os.PathLike) -> None:
        """Write the network as an ONNX file, which onnxruntime reads without TensorFlow. Needs the package tf2onnx.

        It takes grey pictures "images", uint8 [batch, height, width, 1], and gives "probabilities", float32 [batch,
        positions, classes], without a second look and without `familiar`; metadata: "classes" and "style" as JSON.
        """
        from helpers.reading.export import write_onnx  # few need it

        write_onnx(path, self._answer, self.style, self.calibration.temperature)

    def _look(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of pictures [batch, height, width, 1], and whether each looks like the training captchas."""
        logits, *signs = self._answer(pictures)
        doubtful = np.flatnonzero(tempered(logits, 1.0).max(axis=-1).min(axis=-1) < SURE)
        if doubtful.size:  # a second look, as in `careful_logits`
            views = seen_from_views(pictures[doubtful]).numpy()
            again = [tempered(self._answer(view)[0], 1.0) for view in views]
            logits[doubtful] = np.log(np.maximum(again, 1e-300)).mean(axis=0)
        probabilities = tempered(logits, self.calibration.temperature).astype(np.float32)
        return probabilities, self.calibration.familiar(*signs)

    def _read_batch(self, images: list[ImageLike], errors: str) -> list[Reading]:
        failed: dict[int, str] = {}
        pictures = np.full((len(images), self.style.height, self.style.image_width, 1), 255, np.uint8)
        for index, image in enumerate(images):
            try:
                pictures[index, :, :, 0] = fit_to_style(image, self.style)
            except ImageError as reason:
                if errors == "raise":
                    raise
                failed[index] = str(reason)
        probabilities, familiar = self._look(pictures)
        readings = []
        for one, usual in zip(probabilities, familiar, strict=True):
            text, confidence = self.style.labels_to_text(one.argmax(axis=-1)), float(one.max(axis=-1).prod())
            readings.append(Reading(text, confidence, one, familiar=bool(usual)))
        for index, reason in failed.items():
            nothing = np.full_like(probabilities[index], 1 / len(self.style.classes))
            readings[index] = Reading("", 0.0, nothing, reason, familiar=False)
        return readings
