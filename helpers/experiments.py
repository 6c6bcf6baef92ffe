"""Experiments beside each other, and one that starts from another's weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers import _storage
from helpers._callbacks import read_rows
from helpers.dataset import renderings
from helpers.errors import StepError
from helpers.quiet_tensorflow import keras
from helpers.reading import NOTEBOOK, Reader
from helpers.settings import Settings, open_experiment


@dataclass(frozen=True)
class Experiment:
    """A trained and tested experiment.

    Attributes:
        metrics: what metrics.json holds.
        seconds: of training, at each point of the curve.
        accuracies: share of some validation captchas read whole, at each point.
        sample: one of its captchas.
        megabytes: what its folder takes on disk.
    """

    name: str
    settings: Settings
    metrics: dict[str, Any]
    seconds: list[float]
    accuracies: list[float]
    sample: Path
    megabytes: float


def list_experiments(settings: Settings) -> list[Experiment]:
    """All trained and tested experiments beside this one, best first."""
    found = []
    for path in sorted(settings.folder.parent.glob("*/metrics.json")):
        metrics = _storage.read_json(path, made_by=NOTEBOOK)
        other = open_experiment(path.parent.name, settings.profile, data_dir=settings.data_dir)
        points = read_rows(other.progress_path)
        files = (file for file in other.folder.rglob("*") if file.is_file())
        found.append(
            Experiment(
                name=other.experiment,
                settings=other,
                metrics=metrics,
                seconds=[point["seconds"] for point in points],
                accuracies=[point["validation captchas"] for point in points],
                sample=next(renderings(other, "test")).path,
                megabytes=sum(file.stat().st_size for file in files) / 1e6,
            )
        )
    return sorted(found, key=lambda experiment: -experiment.metrics["captcha_accuracy"])


def start_from(model: keras.Model, settings: Settings, source: str) -> keras.Model:
    """An untrained network for `settings` that begins with the weights of another experiment's.

    Args:
        model: an untrained network of the same layers.
        source: a trained experiment, by its name, or the path of its model.keras.

    Returns:
        A network that is not compiled yet; its name says where it comes from.

    Raises:
        StepError: the other network reads another alphabet, other lengths or another size of picture,
            or has other layers.
    """
    reader = Reader.load(source)
    wanted, given = settings.style, reader.style
    pairs = {
        "its classes": (given.classes, wanted.classes),
        "its positions": (given.positions, wanted.positions),
        "its pictures [pixels]": (f"{given.image_width}x{given.height}", f"{wanted.image_width}x{wanted.height}"),
        "the shapes of its weights": tuple([w.shape for w in m.get_weights()] for m in (reader.model, model)),
    }
    differ = [f"{what}: {old}, not {new}" for what, (old, new) in pairs.items() if old != new]
    if differ:
        raise StepError(
            f"The network of '{source}' cannot be continued for '{settings.experiment}': {differ[0]}. "
            "Train without it, or choose an experiment that agrees."
        )
    origin = Path(source).parent.name if source.endswith(".keras") else source
    started = keras.Model(model.input, model.output, name=f"{model.name}_from_{origin}")
    started.set_weights(reader.model.get_weights())
    return started
