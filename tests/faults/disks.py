"""Fills a small disk at each of the calls that write: is it told in one sentence, and are the old files as they were?

It mounts a tmpfs, which Linux lets root do.
"""

import contextlib
import hashlib
import io
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from helpers.captchas.fonts import find_font
from helpers.captchas.styles import CaptchaStyle
from helpers.data.adopt import adopt_folder
from helpers.data.generate import generate
from helpers.data.images import list_images
from helpers.data.records import write_records
from helpers.errors import TutorialError
from helpers.execution import execute, notebooks_of
from helpers.experiments import choice
from helpers.experiments.picker import Labeller
from helpers.experiments.scoreboard import Try, keep_try
from helpers.files.results import RESULTS
from helpers.network.alexnet import build_alexnet
from helpers.quiet_tensorflow import keras
from helpers.reading import Reader
from helpers.scores import proportion
from helpers.settings import Settings, load_settings
from helpers.training.evaluation import calibrate, score_test
from helpers.training.fit import compile_model, save_model, train
from tests.faults.damages import COUNTS, LEARNED, data_in

MEGABYTES = 60
BAD = ("lost", "ugly")
LEVELS = (0, 4096, 20_000, 100_000, 1_000_000)  # bytes that are still free


def network(settings: Settings) -> keras.Model:
    """A network whose files are larger than most levels."""
    return compile_model(build_alexnet(settings.style, dense_units=(64, 64)), settings)


def calls(disk: Path, elsewhere: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each call that writes, in the order of the series; the caller takes it before it asks for the next."""
    settings = load_settings("base", data_dir=data_in(disk), seed=1, **{**COUNTS, "train_count": 600}, **LEARNED)
    yield "generate", lambda: generate(settings, processes=1)
    yield "write_records", lambda: write_records(settings)
    model = network(settings)
    state = [weight.copy() for weight in model.get_weights()]

    def begin_training() -> Any:
        model.set_weights(state)
        return train(network(settings), settings)

    yield "train", begin_training
    trained = network(settings)
    training = train(trained, settings)
    calibration = calibrate(trained, settings)
    yield "save_model", lambda: save_model(trained, settings, calibration)
    yield "score_test", lambda: score_test(trained, settings, training)
    pictures = elsewhere / "pictures"
    pictures.mkdir()
    for split in ("train", "validation", "test"):
        for image in list_images(settings, split):
            shutil.copyfile(image.path, pictures / f"{split}{image.path.name}"[-14:])
    yield "adopt_folder", lambda: adopt_folder("mine", pictures, r"\w*_(?P<text>\d{4})")
    style = CaptchaStyle(noise_dots=7)
    row = Try(style, None, proportion(1, 2), None, None, 1.0, "2026-01-01")
    yield "try_style", lambda: keep_try(row)
    font = Path(find_font("DejaVuSans"))
    yield "a font of one's own", lambda: choice.bring_font(f"{random.random()}.ttf", font.read_bytes(), "0123456789")
    yield "choose", lambda: choice.keep(style=style)
    labels = disk / "labels"
    labels.mkdir()
    Image.new("L", (160, 60), 255).save(labels / "a.png")
    labeller = Labeller(Reader.load(RESULTS / "default.keras"), labels)

    def label() -> None:
        labeller._typed({"new": f"5020{'0' * 30_000}\n"})
        if "Not kept" in labeller.said.value:
            raise TutorialError(labeller.said.value)

    yield "label", label
    yield "a copy of a notebook", lambda: execute(notebooks_of("solutions/01*")[0], disk / "copies" / "one.ipynb")


def digests(folder: Path) -> dict[str, str]:
    """Every file with a digest of its bytes, but for locks and the list that grows while images are drawn."""
    files = [
        path for path in folder.rglob("*") if path.is_file() and path.name not in (".lock", "images.sha256", "fill")
    ]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int = MEGABYTES) -> Iterator[Path]:
    """A disk of so many megabytes."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextlib.contextmanager
def filled(disk: Path, left: int) -> Iterator[None]:
    """While the block runs, so many bytes are free on the disk."""
    with open(disk / "fill", "wb") as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(2**16))
                file.flush()
        with contextlib.suppress(OSError):
            file.close()
    os.truncate(disk / "fill", max(0, (disk / "fill").stat().st_size - left))
    try:
        yield
    finally:
        (disk / "fill").unlink()


def try_disks(folder: Path, levels: tuple[int, ...] = LEVELS) -> list[tuple[str, int, str, str]]:
    """(call, bytes free, outcome, what was said): "told", "enough" room, "lost" a file, or "ugly"."""
    rows = []
    os.environ["JPY_SESSION_NAME"] = "a person"
    unattended = os.environ.pop("CAPTCHA_UNATTENDED", None)
    with small_disk(folder / "disk") as disk:
        for name, call in calls(disk, folder):
            for left in levels:
                before, said = digests(disk), ""
                with filled(disk, left), contextlib.redirect_stdout(io.StringIO()):
                    try:
                        call()
                        outcome = "enough"
                    except TutorialError as reason:
                        outcome, said = "told", str(reason)
                    except Exception as reason:
                        outcome, said = "ugly", f"{type(reason).__name__}: {reason}"
                    after = digests(disk)
                if any(after.get(path) != digest for path, digest in before.items()) and outcome != "enough":
                    outcome = "lost"
                if outcome == "told" and not any(word in said for word in ("is full", "take at least", "cannot be")):
                    outcome = "ugly"
                rows.append((name, left, outcome, said))
                if outcome == "enough":
                    break
            with contextlib.redirect_stdout(io.StringIO()):
                call()  # with room it goes on
    os.environ.pop("JPY_SESSION_NAME")
    if unattended is not None:
        os.environ["CAPTCHA_UNATTENDED"] = unattended
    return rows


def report(count: int, seed: int, folder: Path) -> str:
    """A line for each call, and one for each fault."""
    rows, lines = try_disks(folder), []
    for name in dict.fromkeys(name for name, *_ in rows):
        found = [(outcome, left) for each, left, outcome, _ in rows if each == name]
        lines.append(f"{name}: {', '.join(f'{outcome} with {left:,} bytes left' for outcome, left in found)}")
    return "\n".join([*lines, *(f"{outcome}: {name}: {said}" for name, _, outcome, said in rows if outcome in BAD)])
