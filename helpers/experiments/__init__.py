"""Experiments side by side; `start` begins one from another, and `explorer` and `picker` are there to play with."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from helpers import files
from helpers.data.images import renderings
from helpers.errors import SettingsError, TutorialError
from helpers.files.results import RESULTS
from helpers.settings import CaptchaStyle, Settings, open_experiment

SHIPPED = "the full run that comes along"


@dataclass(frozen=True)
class Experiment:
    """A trained and tested network of an experiment."""

    name: str
    network: str | None  # None is the experiment's own
    settings: Settings
    metrics: dict[str, Any]  # what metrics.json holds
    seconds: list[float]  # of training, at each point of the curve
    accuracies: list[float]  # share of some validation captchas read completely right, at each point
    sample: Path  # one of its captchas
    megabytes: float  # what its folder takes on disk, without the experiment's further networks


def list_experiments(settings: Settings) -> list[Experiment]:
    """All tested networks of this and the other experiments, best first."""
    found = []
    for other in _networks(settings):
        if not other.metrics_path.is_file():
            continue  # it is only begun
        metrics = files.read_json(other.metrics_path, made_by="notebook 04_train_alexnet")
        points = files.read_rows(other.progress_path) if other.progress_path.is_file() else []
        everything = (file for file in other.network_folder.rglob("*") if file.is_file())
        own = [file for file in everything if other.network or other.folder / "networks" not in file.parents]
        curve = ([point[name] for point in points] for name in ("seconds", "validation captchas"))
        sample, megabytes = next(renderings(other, "test")).path, sum(file.stat().st_size for file in own) / 1e6
        found.append(Experiment(other.experiment, other.network, other, metrics, *curve, sample, megabytes))
    return sorted(found, key=lambda experiment: -experiment.metrics["captcha_accuracy"])


def fitting_networks(settings: Settings, style: CaptchaStyle) -> dict[str, tuple[Path, CaptchaStyle]]:
    """Whose network reads captchas of this alphabet, length and size: name -> (file, style), `default` first."""
    own = (each for each in _networks(settings, TutorialError) if not each.network)
    own = sorted(own, key=lambda each: each.experiment != "default")
    there = {each.experiment: (each.model_path, each.style) for each in own}
    there |= {SHIPPED: (RESULTS / "default.keras", CaptchaStyle())}
    asked = attrgetter("classes", "positions", "height", "image_width")
    return {name: pair for name, pair in there.items() if pair[0].is_file() and asked(pair[1]) == asked(style)}


def _networks(settings: Settings, skipped: type[Exception] = SettingsError) -> Iterator[Settings]:
    """All networks, tested or not, of the experiments beside this one; without those that cannot be opened."""
    for path in sorted(settings.folder.parent.glob("*/experiment.json")):
        for name in [None, *sorted(folder.name for folder in path.parent.glob("networks/*"))]:
            with contextlib.suppress(skipped):  # a folder of somebody else's
                yield open_experiment(path.parent.name, settings.profile, data_dir=settings.data_dir, network=name)
