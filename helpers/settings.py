"""What a run is (`Settings`), and the one place that reads the environment.

Everything that can be chosen is checked at once, before any work is done.
"""

from __future__ import annotations

import dataclasses
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import features

from helpers._storage import read_json, short
from helpers.errors import SettingsError, StepError
from helpers.styles import PRESETS, CaptchaStyle

__all__ = [
    "PRESETS",
    "CaptchaStyle",
    "Settings",
    "check_experiment_name",
    "load_settings",
    "open_experiment",
]

PROFILES: dict[str, dict[str, Any]] = {
    "full": {
        "train_count": 85_000,
        "validation_count": 5_000,
        "test_count": 10_000,
        "epochs": 3,
        "batch_size": 64,
    },
    "quick": {
        "train_count": 5_000,
        "validation_count": 500,
        "test_count": 1_000,
        "epochs": 3,
        "batch_size": 32,
    },
}
DESCRIPTION = ("style", "seed", "train_count", "validation_count", "test_count", "image_format")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One experiment: its captchas, how many, how they are learned, and where its files lie."""

    experiment: str = "default"
    style: CaptchaStyle = field(default_factory=CaptchaStyle)
    seed: int = 2026
    train_count: int  # images
    validation_count: int  # images
    test_count: int  # images
    image_format: str = "png"  # or "jpg"
    epochs: int  # passes over the training images
    batch_size: int  # images
    learning_rate: float = 0.008  # at its highest
    profile: str = "full"
    data_dir: Path = Path("data")

    def __post_init__(self) -> None:
        check_experiment_name(self.experiment)
        object.__setattr__(self, "data_dir", Path(self.data_dir))
        if self.image_format not in ("png", "jpg"):
            raise SettingsError(f"image_format: '{self.image_format}' must be 'png' or 'jpg'.")
        if self.image_format == "jpg" and not features.check("jpg"):
            raise SettingsError("image_format: this Pillow cannot write JPEG. Use 'png'.")
        for name in ("train_count", "validation_count", "test_count", "epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise SettingsError(f"{name}: {value!r} must be a whole number of at least 1.")
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or self.seed < 0:
            raise SettingsError(f"seed: {self.seed!r} must be a whole number of at least 0.")
        if not isinstance(self.learning_rate, (int, float)) or not 0 < self.learning_rate < 1:
            raise SettingsError(f"learning_rate: {self.learning_rate!r} must lie between 0 and 1.")
        if not isinstance(self.style, CaptchaStyle):
            raise SettingsError(f"style: {self.style!r} must be a CaptchaStyle, such as CaptchaStyle.preset('noisy').")

    @property
    def counts(self) -> dict[str, int]:
        """Images in each split."""
        return {
            "train": self.train_count,
            "validation": self.validation_count,
            "test": self.test_count,
        }

    @property
    def folder(self) -> Path:
        """Where all files of this experiment lie."""
        inner = ("quick",) if self.profile == "quick" else ()
        return self.data_dir.joinpath(*inner, self.experiment)

    @property
    def images_folder(self) -> Path:
        """One folder of image files for each split."""
        return self.folder / "images"

    @property
    def records_folder(self) -> Path:
        """The TFRecord shards."""
        return self.folder / "records"

    @property
    def model_path(self) -> Path:
        """The trained network."""
        return self.folder / "model.keras"

    @property
    def history_path(self) -> Path:
        """A row for each epoch."""
        return self.folder / "history.csv"

    @property
    def progress_path(self) -> Path:
        """The live curve: a row every few batches."""
        return self.folder / "progress.csv"

    @property
    def metrics_path(self) -> Path:
        """The held-out score."""
        return self.folder / "metrics.json"

    def describe(self) -> dict[str, Any]:
        """What experiment.json holds: all that decides which images there are."""
        return {**{name: getattr(self, name) for name in DESCRIPTION}, "style": self.style.to_dict()}

    def differences(self, other: Settings) -> list[str]:
        """Which of the things in experiment.json differ, as sentences."""
        names = [name for name in DESCRIPTION if name != "style"]
        return self.style.differences(other.style) + [
            f"{name}: {getattr(self, name)}, not {getattr(other, name)}"
            for name in names
            if getattr(self, name) != getattr(other, name)
        ]


def check_experiment_name(name: str) -> str:
    """`name` itself, if it is safe as the name of a folder inside the data folder.

    Raises:
        SettingsError: anything else, such as "../other" or "quick".
    """
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise SettingsError(
            f"The experiment's name {name!r} cannot be a folder inside the data folder. "
            "Use small letters, digits, '-' and '_', such as 'many-dots'."
        )
    if name == "quick" or re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", name):
        raise SettingsError(f"The name '{name}' is taken. Choose another, such as '{name}-1'.")
    return name


def load_settings(experiment: str = "default", profile: str | None = None, **changes: Any) -> Settings:
    """Settings of a run; the only place that reads the environment.

    Args:
        experiment: names the folder of its files.
        profile: "full" or "quick"; None takes it from CAPTCHA_PROFILE, else "full".
        **changes: fields of `Settings` that differ from the profile's.

    Raises:
        SettingsError: an unknown profile or field, or a value that cannot be used.
    """
    profile = profile or os.environ.get("CAPTCHA_PROFILE") or "full"
    if profile not in PROFILES:
        raise SettingsError(f"There is no profile '{profile}'. Set CAPTCHA_PROFILE to one of: {', '.join(PROFILES)}.")
    known = {field.name for field in dataclasses.fields(Settings)}
    if unknown := sorted(set(changes) - known):
        raise SettingsError(f"There is no setting {', '.join(unknown)}. There are: {', '.join(sorted(known))}.")
    repository = Path(__file__).resolve().parent.parent
    data_dir = Path(os.environ.get("CAPTCHA_DATA_DIR") or repository / "data").expanduser().resolve()
    values = {"data_dir": data_dir, **PROFILES[profile], **changes}
    return Settings(experiment=experiment, profile=profile, **values)


def open_experiment(experiment: str = "default", profile: str | None = None, **changes: Any) -> Settings:
    """Settings of an experiment that notebook 2 began: style, seed and counts come from disk.

    Args:
        **changes: fields that notebook 2 does not fix, such as `epochs`.

    Raises:
        StepError: notebook 2 has not begun this experiment.
    """
    if fixed := sorted(set(changes) & set(DESCRIPTION)):
        raise SettingsError(
            f"{', '.join(fixed)} was fixed when the images were made. "
            "Choose a new experiment's name in notebook 02_generate_captchas."
        )
    settings = load_settings(experiment, profile, **changes)
    path = settings.folder / "experiment.json"
    if not path.is_file():
        raise StepError(
            f"There is no experiment '{experiment}' yet. "
            f'Run notebook 02_generate_captchas with EXPERIMENT = "{experiment}" first.'
        )
    stored = read_json(path, made_by="notebook 02_generate_captchas")
    try:
        style = CaptchaStyle.from_dict(stored["style"], check_fonts=False)
        fixed_values = {name: stored[name] for name in DESCRIPTION if name != "style"}
    except (KeyError, TypeError) as reason:
        raise StepError(
            f"{short(path)} does not describe an experiment ({reason}). "
            "Delete it and run notebook 02_generate_captchas again."
        ) from None
    return dataclasses.replace(settings, style=style, **fixed_values)
