"""Experiments side by side; `start` begins one from another, and `explorer` and `picker` are there to play with."""

import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from PIL import Image

from helpers import files
from helpers.captchas.pictures import open_image
from helpers.data.images import renderings
from helpers.errors import StepError, TutorialError
from helpers.experiments.grid import sample_of
from helpers.files.results import RESULTS
from helpers.settings import CaptchaStyle, Settings, open_experiment

NOTEBOOK = "notebook 04_train_alexnet"
MOST = dict.fromkeys(("captcha_accuracy", "captcha_accuracy_low", "captcha_accuracy_high", "digit_accuracy"), 1)
MOST |= dict.fromkeys(("test_count", "train_seconds", "train_images", "parameters"), math.inf)
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
    sample: Image.Image  # one of its captchas
    megabytes: float  # what its folder takes on disk, without the experiment's further networks


def list_experiments(settings: Settings) -> list[Experiment]:
    """All tested networks of this and the other experiments, best first; what is left out is named in a line each."""
    found, left = [], {}
    for other in _networks(settings, left):
        name = "/".join(filter(None, (other.experiment, other.network)))
        try:
            if other.metrics_path.is_file():
                metrics, curve = score_of(other), other.progress_path
                known = curve.is_file() and metrics.get("curve_digest") in (None, files.file_digest(curve))
                points = files.read_rows(curve) if known else []
                if not known:
                    left[f"the curve of {name}"] = "progress.csv is not that of the training that was scored."
            elif other.model_path.is_file():
                raise StepError("It is not scored yet. Run notebook 04_train_alexnet to its end.")
            else:
                continue  # it is only begun
            everything = (file for file in other.network_folder.rglob("*") if file.is_file())
            own = [file for file in everything if other.network or other.folder / "networks" not in file.parents]
            curve = ([point[name] for point in points] for name in ("seconds", "validation captchas"))
            first, megabytes = next(renderings(other, "test")).path, sum(file.stat().st_size for file in own) / 1e6
            sample = open_image(first) if first.is_file() else sample_of(other.style)  # the images may be deleted
            found.append(Experiment(other.experiment, other.network, other, metrics, *curve, sample, megabytes))
        except (TutorialError, OSError, KeyError) as reason:
            left[name] = reason
    for name, reason in left.items():
        print(f"not listed: {name}. {reason}")
    return sorted(found, key=lambda experiment: -experiment.metrics["captcha_accuracy"])


def score_of(settings: Settings) -> dict[str, Any]:
    """What metrics.json holds of the network beside it; StepError if that is not scored, or the score is damaged."""
    metrics, model = files.read_sealed(settings.metrics_path, NOTEBOOK, MOST, early=True), settings.model_path
    for name, most in MOST.items():
        if type(metrics[name]) not in (int, float) or not 0 <= metrics[name] <= most:
            why = f"{files.short(settings.metrics_path)} cannot be right ({name}: {metrics[name]!r})."
            raise StepError(f"{why} Delete that file and run {NOTEBOOK} again.")
    if metrics.get("model_digest") not in (None, model.is_file() and files.file_digest(model)):
        raise StepError(f"{files.short(model)} is not scored yet. Run {NOTEBOOK} to its end.")
    return metrics


def fitting_networks(settings: Settings, style: CaptchaStyle) -> dict[str, tuple[Path, CaptchaStyle]]:
    """Whose network reads captchas of this alphabet, length and size: name -> (file, style), `default` first."""
    own = (each for each in _networks(settings, {}) if not each.network)
    own = sorted(own, key=lambda each: each.experiment != "default")
    there = {each.experiment: (each.model_path, each.style) for each in own}
    there |= {SHIPPED: (RESULTS / "default.keras", CaptchaStyle())}
    asked = attrgetter("classes", "positions", "height", "image_width")
    return {name: pair for name, pair in there.items() if pair[0].is_file() and asked(pair[1]) == asked(style)}


def _networks(settings: Settings, left: dict[str, Any]) -> Iterator[Settings]:
    """All networks, tested or not, of the experiments beside this one; those that cannot be opened go to `left`."""
    for path in sorted(settings.folder.parent.glob("*/experiment.json")):
        for name in [None, *sorted(folder.name for folder in path.parent.glob("networks/*"))]:
            try:
                yield open_experiment(path.parent.name, settings.profile, data_dir=settings.data_dir, network=name)
            except (TutorialError, OSError) as reason:  # a folder of somebody else's
                left["/".join(filter(None, (path.parent.name, name)))] = reason


def __getattr__(name: str) -> Any:
    """`try_style` and `run_experiment`, found here too, but loaded only when asked for: they import TensorFlow."""
    places = {"try_style": "tries", "run_experiment": "whole"}
    if name not in places:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{places[name]}"), name)
