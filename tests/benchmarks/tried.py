"""Styles tried in a minute: rows for the scoreboard, and what a try takes beside a whole quick run.

It also makes the networks that come along with the notebooks.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
import zipfile
from pathlib import Path
from statistics import median
from typing import Any

import h5py
import numpy as np

from helpers.data.images import renderings
from helpers.experiments import tries
from helpers.experiments.scoreboard import to_row
from helpers.experiments.whole import run_experiment
from helpers.files import written_whole
from helpers.files.cores import bar_of
from helpers.files.results import RESULTS
from helpers.network.alexnet import build_alexnet
from helpers.network.saved import load_network
from helpers.scores import captcha_accuracy
from helpers.settings import PRESETS, CaptchaStyle, Settings, load_settings, open_experiment
from tests.benchmarks import measured
from tests.benchmarks.accuracy import default_experiment, predicted_of

SHOWN = {  # of the scoreboard
    "another font": CaptchaStyle(fonts="DejaVuSerif"),
    "100 dots": CaptchaStyle(noise_dots=100),
    "200 dots": CaptchaStyle(noise_dots=200),
    "rotation up to 60 degrees": CaptchaStyle(rotation=(-60, 60)),
    "overlap up to a half": CaptchaStyle(overlap=0.5),
    "five digits": CaptchaStyle(length=5),
}
FOUR_DIGITS = [name for name in PRESETS if not {"length", "alphabet"} & PRESETS[name].keys()]
COLD = ("default", "noisy")
WEIGHTS = "model.weights.h5"  # the weights in model.keras


def in_16_bits(source: Path, target: Path) -> None:
    """A copy of a model.keras whose numbers have 16 bits instead of 32, packed."""
    with written_whole(target) as temporary, zipfile.ZipFile(source) as old:
        contents = {name: old.read(name) for name in old.namelist()}
        contents[WEIGHTS] = _halved(contents[WEIGHTS])
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as new:
            for name, content in contents.items():
                new.writestr(name, content)


def _halved(content: bytes) -> bytes:
    """An HDF5 file whose arrays are float16."""
    file = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as old, h5py.File(file, "w") as new:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                made = new.require_group(name)
            else:
                made = new.create_dataset(name, data=item[()].astype(np.float16))
            made.attrs.update(item.attrs)

        new.attrs.update(old.attrs)
        old.visititems(copy)
    return file.getvalue()


def read(path: Path, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions of the network in a file, on the validation split."""
    return predicted_of(load_network(path).model, settings, "validation")


def shipped() -> None:
    """Make the networks that come along, and read validation captchas with each and with the one it comes from."""
    rows, differ = [], {}
    measured.in_own_process(run_experiment, "robust", None, None, "full")
    for settings in (default_experiment(trained=True), open_experiment("robust", profile="full")):
        target, predictions = RESULTS / f"{settings.experiment}.keras", []
        in_16_bits(settings.model_path, target)
        for bits, path in ((32, settings.model_path), (16, target)):
            (labels, predicted), _ = measured.in_own_process(read, path, settings)
            right = measured.columns(captcha_accuracy(labels, predicted))
            size = {"bits of a number": bits, "MB": path.stat().st_size / 1e6}
            rows.append({"network": settings.experiment, **size, **right})
            predictions.append(predicted)
        differ[settings.experiment] = int((predictions[0] != predictions[1]).any(axis=1).sum())
    question = "What do the networks that come along lose with half of their bits?"
    measured.save("shipped", question, rows, "make ship", texts_that_differ=differ)


def tried(style: CaptchaStyle, start: str | None = "default") -> dict[str, Any]:
    """A row of the scoreboard."""
    return to_row(tries.try_style(style, start, again=True))


def by_themselves(style: CaptchaStyle, warm: bool) -> tuple[float, float]:
    """The seconds that it takes to draw a try's captchas, to train on them, and nothing else.

    All of its captchas are drawn, as in a try; the second figure leaves out those that are only read.
    """
    settings = load_settings("try", style=style, **tries.COUNTS, **(tries.WARM if warm else tries.COLD))
    model = build_alexnet(style)
    started = time.perf_counter()
    with bar_of(settings.train_count) as bar:
        captchas = tries.drawn(style, list(renderings(settings, "train")), bar)
        tries.fit(model, settings, captchas, bar)
        trained = time.perf_counter()
        tries.drawn(style, list(renderings(settings, "validation")) * (1 + warm), bar)  # warm: the old style's too
    return time.perf_counter() - started, trained - started


def quick_run(preset: str, folder: str) -> tuple[float, dict[str, Any]]:
    """Seconds and metrics of a whole experiment on the quick profile, from the first captcha to the test."""
    os.environ["CAPTCHA_DATA_DIR"] = folder
    started = time.perf_counter()
    metrics = run_experiment("whole", CaptchaStyle.preset(preset), profile="quick")
    return time.perf_counter() - started, metrics


def main() -> None:
    """The shown rows, then each preset of four digits tried and run whole, side by side."""
    default_experiment(trained=True)
    starts = {name: "default" if style.length == CaptchaStyle().length else None for name, style in SHOWN.items()}
    rows = [measured.in_own_process(tried, style, starts[name])[0] for name, style in SHOWN.items()]
    speed = []
    for preset in FOUR_DIGITS:
        style = CaptchaStyle.preset(preset)
        for start in ("default", None) if preset in COLD else ("default",):
            row, _ = measured.in_own_process(tried, style, start)
            (alone, shorter), _ = measured.in_own_process(by_themselves, style, start is not None)
            with tempfile.TemporaryDirectory() as folder:
                (whole, metrics), _ = measured.in_own_process(quick_run, preset, folder)
            right, count = row["accuracy"]
            speed.append({
                "preset": preset, "start": start or "random weights", "seconds": row["seconds"],
                "of drawing and training alone": row["seconds"] / alone,
                "of drawing training captchas and training": row["seconds"] / shorter, "right [%]": 100 * right / count,
                "quick run [s]": whole, "of a quick run": row["seconds"] / whole,
                "quick run right [%]": 100 * metrics["captcha_accuracy"],
            })  # fmt: skip
            measured.show(preset, speed[-1:])
    warm = [row["seconds"] for row in speed if row["start"] == "default"]
    question = "What becomes of a style that is tried?"
    measured.save("tries", question, rows, "make bench", speed=speed, median_seconds=median(warm))
