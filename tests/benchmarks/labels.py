"""How many labelled pictures does it take? Packages that draw captchas, and label them, stand for your own pictures.

They are installed into an environment of their own, and their pictures kept in the system's temporary folder. Each
training run is a row in the data folder; a stopped call goes on. The test pictures are read by each network once, and
nothing was chosen by them.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers import files
from helpers.captchas.fonts import find_font
from helpers.captchas.pictures import to_picture
from helpers.data.adopt import adopt_folder
from helpers.data.generate import generate
from helpers.data.texts import split_of
from helpers.experiments.whole import run_experiment
from helpers.files.results import RESULTS
from helpers.reading import Reader
from helpers.settings import CaptchaStyle, Settings, load_settings
from tests.benchmarks import measured, packages
from tests.benchmarks.foreign import FONTS

DRAWN, POOL = 8_000, 3_000  # pictures of each package, and of them so many to choose among
VALIDATION, TEST = 50, 500  # to calibrate with, and to count
COUNTS = (10, 30, 100, 300, 1_000, 3_000)  # labelled training pictures
STARTS = ("robust", "default", None)  # None: random weights
TIMES = 3  # which pictures are labelled is drawn so many times
NETWORK = ("model.keras", "metrics.json", "history.csv", "progress.csv", "checkpoint")
LOOKALIKE = "lookalike"  # an experiment in a style that is to look like wheezy.captcha
STYLE = CaptchaStyle(
    fonts=FONTS, font_sizes=(34, 38, 42), rotation=(-25, 25), overlap=0.3, space_probability=0.2, noise_dots=0,
    noise_curves=4, text_color=(80, 160), background_color=(220, 240),
)  # fmt: skip
CHOSEN, COLOURS = ("random", "least sure"), ("grey", "best channel", "main component")


def home() -> Path:
    """Where the packages and their pictures are kept, outside the data folder, which holds only our own."""
    return Path(tempfile.gettempdir()) / "captcha-packages"


def pictures_of(package: str) -> dict[str, list[Path]]:
    """The files of a package's pictures by split; they are drawn if they are not there."""
    folder, place = home() / package, home() / "environment"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not folder.is_dir():
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", place], check=True)
            pinned = [f"{name}=={version}" for name, version in packages.VERSIONS.items()]
            quiet = ["--quiet", "--disable-pip-version-check"]
            subprocess.run([python, "-m", "pip", "install", *quiet, *pinned], check=True)
        begun = folder.with_name(f"{package}.unfinished")
        shutil.rmtree(begun, ignore_errors=True)
        fonts = [find_font(font) for font in FONTS]
        subprocess.run([python, packages.__file__, package, str(DRAWN), begun, *fonts], check=True)
        begun.rename(folder)
    found: dict[str, list[Path]] = {"train": [], "validation": [], "test": []}
    for path in sorted(folder.iterdir()):
        found[split_of(text_of(path))].append(path)
    return {**found, "validation": found["validation"][:VALIDATION], "test": found["test"][:TEST]}


def text_of(path: Path) -> str:
    """The label of a picture."""
    return path.stem.partition("_")[2]


def in_colour(path: Path, colour: str) -> Image.Image:
    """A picture in grey: as our own code makes it, its channel that varies most, or the mixture that does."""
    picture = to_picture(path).convert("RGB")
    if colour == "grey":
        return picture.convert("L")
    pixels = np.asarray(picture, np.float64).reshape(-1, 3)
    if colour == "best channel":
        values = pixels[:, pixels.std(axis=0).argmax()]
    else:
        weights = np.linalg.eigh(np.cov(pixels.T))[1][:, -1]  # of length 1, in the direction that varies most
        mixed = pixels @ (weights * np.sign(weights.sum() or 1))
        values = (mixed - mixed.min()) * 255 / max(np.ptp(mixed), 1)
    return Image.fromarray(values.round().astype(np.uint8).reshape(picture.height, picture.width))


def counted(reader: Reader, paths: Sequence[Path], colour: str) -> dict[str, float]:
    """What a reader makes of test pictures: how many it reads right, expects to, takes for familiar, and is sure of."""
    readings = reader.read([in_colour(path, colour) if colour != "grey" else path for path in paths])
    right = [reading.text == text_of(path) for reading, path in zip(readings, paths, strict=True)]
    familiar = [reading.familiar for reading in readings]
    sure = [reading.confidence > 0.9 for reading in readings]
    both = [a and b for a, b in zip(familiar, sure, strict=True)]
    found: dict[str, float] = {"right": sum(right), "of": len(right)}
    found["expected"] = round(sum(reading.confidence for reading in readings), 1)
    for name, said in {"familiar": familiar, "sure": sure, "familiar and sure": both}.items():
        found |= {name: sum(said), f"{name}, right": sum(a and b for a, b in zip(said, right, strict=True))}
    return found


def untrained(package: str, starts: Sequence[str], colour: str, data_dir: Path) -> list[dict[str, Any]]:
    """How networks read the test pictures before they have seen one of their kind."""
    os.environ["CAPTCHA_DATA_DIR"] = str(data_dir)
    rows, pictures = [], pictures_of(package)["test"]
    for start in starts:
        reader = Reader.load(start if start == LOOKALIKE else RESULTS / f"{start}.keras")
        rows.append({"start": start, "seconds": 0.0, "training [s]": 0.0, **counted(reader, pictures, colour)})
    return rows


def learned(
    package: str, count: int, draw: int, chosen: str, colour: str, starts: Sequence[str | None], data_dir: Path
) -> list[dict[str, Any]]:
    """Rows of networks from several starts, after training on `count` labelled pictures: adopted, trained and read."""
    os.environ["CAPTCHA_DATA_DIR"] = str(data_dir)
    pictures, chance = pictures_of(package), random.Random(f"{package} {draw}")
    shutil.rmtree(load_settings("labelled").folder, ignore_errors=True)  # what a stopped call left
    candidates = chance.sample(pictures["train"], max(POOL, count))
    if chosen == "least sure":
        readings = Reader.load(RESULTS / "robust.keras").read(candidates)
        order = sorted(range(len(candidates)), key=lambda index: readings[index].confidence)
        candidates = [candidates[index] for index in order]
    rows = []
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        for path in [*candidates[:count], *pictures["validation"], *pictures["test"]]:
            if colour == "grey":
                shutil.copy(path, folder)
            else:
                in_colour(path, colour).save(Path(folder) / path.name, compress_level=1)
        settings = adopt_folder("labelled", folder, labels=r"\d+_(?P<text>\d+)")
        for start in starts:
            started = time.perf_counter()
            metrics = run_experiment("labelled", start_from=start)
            spent = {"seconds": time.perf_counter() - started, "training [s]": metrics["train_seconds"]}
            row = counted(Reader.load("labelled"), pictures["test"], colour)
            rows.append({"start": start or "random weights", **spent, **row})
            forget(settings)
    shutil.rmtree(settings.folder)
    return rows


def forget(settings: Settings) -> None:
    """Delete what training left, but not the pictures and their records."""
    for name in NETWORK:
        path = settings.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def lookalike(data_dir: Path) -> None:
    """Train a network on captchas of our own that are to look like the package's."""
    os.environ["CAPTCHA_DATA_DIR"] = str(data_dir)
    counts = {"train_count": 60_000, "validation_count": 1_000, "test_count": 1_000}
    generate(load_settings(LOOKALIKE, style=STYLE, **counts))
    run_experiment(LOOKALIKE)


def cells() -> list[tuple[dict[str, Any], tuple[str | None, ...]]]:
    """Each combination that is measured, and from which networks training starts there; the most telling first."""
    wheezy, django, multi = packages.PACKAGES
    random, least_sure, found, later = *CHOSEN, [], []

    def cell(package: str, count: int, draw: int, chosen: str, colour: str, *starts: str | None) -> tuple:
        return {"package": package, "count": count, "draw": draw, "chosen": chosen, "colour": colour}, starts

    for package in packages.PACKAGES:
        found += [cell(package, 0, 0, random, colour, "robust") for colour in COLOURS]
        found += [cell(package, 0, 0, random, COLOURS[0], "default")]
    found += [cell(wheezy, 0, 0, random, COLOURS[0], LOOKALIKE)]
    for draw in range(TIMES):
        for count in COUNTS:
            for package in packages.PACKAGES:
                starts = STARTS if count >= 100 else STARTS[:2]
                found += [cell(package, count, draw, random, COLOURS[0], *starts)]
                later += [cell(package, count, draw, random, COLOURS[0], None)] * (count < 100)
        for count in (30, 100, 300):
            found += [cell(name, count, draw, least_sure, COLOURS[0], "robust") for name in (wheezy, django)]
            later += [cell(multi, count, draw, least_sure, COLOURS[0], "robust")]
        found += [cell(wheezy, count, draw, random, COLOURS[0], LOOKALIKE) for count in (10, 30, 100, 300)]
        found += [cell(multi, 300, draw, random, colour, "robust") for colour in COLOURS[1:]]
        later += [cell(wheezy, 1_000, draw, random, COLOURS[0], LOOKALIKE)]
        later += [cell(multi, 1_000, draw, random, colour, "robust") for colour in COLOURS[1:]]
    return found + later


def main() -> None:
    """All of it, row by row."""
    data_dir = load_settings().data_dir / "labels"
    path, own = data_dir / "rows.json", data_dir / LOOKALIKE
    rows = files.read_json(path, made_by="make bench-labels")["rows"] if path.exists() else []
    for package in packages.PACKAGES:
        pictures_of(package)
    if not (own / "metrics.json").exists():
        measured.in_own_process(lookalike, data_dir)
    for key, starts in cells():
        there = {row["start"] for row in rows if key.items() <= row.items()}
        left = [start for start in starts if (start or "random weights") not in there]
        if left:
            if key["count"]:
                found, _ = measured.in_own_process(learned, *key.values(), left, data_dir)
            else:
                found, _ = measured.in_own_process(untrained, key["package"], left, key["colour"], data_dir)
            rows += [{**key, **row} for row in found]
            files.write_json(path, {"rows": rows})
            measured.show(f"{len(rows)} rows", [{**key, **row} for row in found])
    measured.save("labels", "How many labelled pictures does it take?", rows, command="make bench-labels")
