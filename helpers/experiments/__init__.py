"""Experiments beside each other; `start` begins one from another, `explorer` and `picker` are for your own hands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers import files
from helpers.data.images import renderings
from helpers.settings import Settings, open_experiment


@dataclass(frozen=True)
class Experiment:
    """A trained and tested experiment."""

    name: str
    settings: Settings
    metrics: dict[str, Any]  # what metrics.json holds
    seconds: list[float]  # of training, at each point of the curve
    accuracies: list[float]  # share of some validation captchas read whole, at each point
    sample: Path  # one of its captchas
    megabytes: float  # what its folder takes on disk


def list_experiments(settings: Settings) -> list[Experiment]:
    """All trained and tested experiments beside this one, best first."""
    found = []
    for path in sorted(settings.folder.parent.glob("*/metrics.json")):
        if not (path.parent / "experiment.json").is_file():
            continue  # a folder of somebody else's
        metrics = files.read_json(path, made_by="notebook 04_train_alexnet")
        other = open_experiment(path.parent.name, settings.profile, data_dir=settings.data_dir)
        points = files.read_rows(other.progress_path) if other.progress_path.is_file() else []
        everything = (file for file in other.folder.rglob("*") if file.is_file())
        found.append(
            Experiment(
                name=other.experiment,
                settings=other,
                metrics=metrics,
                seconds=[point["seconds"] for point in points],
                accuracies=[point["validation captchas"] for point in points],
                sample=next(renderings(other, "test")).path,
                megabytes=sum(file.stat().st_size for file in everything) / 1e6,
            )
        )
    return sorted(found, key=lambda experiment: -experiment.metrics["captcha_accuracy"])
