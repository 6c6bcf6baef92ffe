"""What a run is. Everything that can be chosen is checked at once, before any work is done."""

import math
import os
import re
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any, Self

from helpers import files
from helpers.captchas.styles import CaptchaStyle, check_style
from helpers.errors import SettingsError, whole_number

FIXED = ("seed", "train_count", "validation_count", "test_count", "image_format")  # with the style: by notebook 2


def _inside(name: str, what: str, where: str = "folder") -> property:
    """The path of a file or folder inside an experiment's folder, or inside its `network_folder`."""
    return property(lambda settings: getattr(settings, where) / name, doc=what)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One experiment: its captchas, how many, how they are learned, and where its files lie."""

    experiment: str = "default"
    network: str | None = None  # a further network on the same captchas; None is the experiment's own
    style: CaptchaStyle = field(default_factory=CaptchaStyle)
    seed: int = 2026
    train_count: int  # images
    validation_count: int  # images
    test_count: int  # images
    image_format: str = "png"  # or "jpg"
    adopted: bool = False  # its images are labelled pictures from elsewhere, not drawn
    epochs: int  # after each there is a checkpoint
    passes: int = 1  # over the training images in each epoch
    batch_size: int  # images
    learning_rate: float = 0.008  # at its highest
    profile: str = "full"
    data_dir: Path = Path("data")
    shards: str = ""  # where the TFRecord shards lie, if elsewhere: any folder of tf.io.gfile, as "gs://bucket/records"

    epoch_images = property(lambda settings: settings.passes * settings.train_count, doc="Images that an epoch shows.")
    own_fonts = _inside("fonts", "The style's fonts that are files of one's own.")
    images_folder = _inside("images", "One folder of image files for each split.")
    manifest_path = _inside("manifest.json", "The image manifest: written last, when all images are there.")
    list_path = _inside("images.sha256", "The digest of each image, a line for each as it is drawn.")
    records_folder = _inside("records", "The TFRecord shards.")
    records_manifest_path = _inside("records/manifest.json", "Counts and digests of the shards, written last.")
    model_path = _inside("model.keras", "The trained network.", "network_folder")
    history_path = _inside("history.csv", "A row for each epoch.", "network_folder")
    progress_path = _inside("progress.csv", "The live curve: a row every few batches.", "network_folder")
    metrics_path = _inside("metrics.json", "The held-out score.", "network_folder")
    checkpoint_folder = _inside("checkpoint", "The training, as far as it has come.", "network_folder")

    def __post_init__(self) -> None:
        check_experiment_name(self.experiment)
        if self.network is not None:
            check_experiment_name(self.network, "network")
        if not isinstance(self.data_dir, (str, os.PathLike)):
            raise SettingsError(f"data_dir: {self.data_dir!r} must be the path of a folder.")
        object.__setattr__(self, "data_dir", Path(self.data_dir))
        if self.image_format not in ("png", "jpg"):
            raise SettingsError(f"image_format: '{self.image_format}' must be 'png' or 'jpg'.")
        for name in ("train_count", "validation_count", "test_count", "epochs", "passes", "batch_size", "seed"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least=int(name != "seed")))
        if not isinstance(self.learning_rate, Real) or not 0 < self.learning_rate < 1:
            raise SettingsError(f"learning_rate: {self.learning_rate!r} must lie between 0 and 1.")
        object.__setattr__(self, "learning_rate", float(self.learning_rate))
        check_style(self.style)

    @property
    def counts(self) -> dict[str, int]:
        """Images in each split."""
        return {"train": self.train_count, "validation": self.validation_count, "test": self.test_count}

    def with_steps(self, steps: int) -> Self:
        """These settings, but a few training images are shown again and again until training took so many steps."""
        each = self.epochs * math.ceil(self.train_count / self.batch_size)
        return replace(self, passes=max(1, round(steps / each)))

    @property
    def folder(self) -> Path:
        """Where all files of this experiment lie: those of the quick profile never over a full run."""
        return self.data_dir / ("quick" if self.profile == "quick" else "") / self.experiment

    @property
    def network_folder(self) -> Path:
        """Where the files of this network lie."""
        return self.folder / "networks" / self.network if self.network else self.folder

    def describe(self) -> dict[str, Any]:
        """What experiment.json holds: all that decides which images there are."""
        told = {**{name: getattr(self, name) for name in FIXED}, "style": self.style.to_dict()}
        return {**told, "adopted": True} if self.adopted else told

    def differences(self, other: Self) -> list[str]:
        """Which of the things in experiment.json differ, as sentences."""
        adopted = ["it was adopted, not drawn"] * (self.adopted and not other.adopted)
        return adopted + files.differences({"style": {}, **self.describe(), "adopted": None}, other.describe())


def check_experiment_name(name: str, of: str = "experiment") -> str:
    """`name` itself if it can safely name a folder in the data folder; a SettingsError for "../other" or "quick"."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise SettingsError(f"The {of}'s name {name!r} cannot name a folder. Use small letters, digits, '-' and '_'.")
    if name in ("quick", "fonts") or re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", name):
        raise SettingsError(f"The name '{name}' is taken. Choose another, such as '{name}-1'.")
    return name
