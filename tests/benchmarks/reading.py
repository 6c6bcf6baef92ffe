"""Reading: how long does a captcha take, compared with ready-made engines? On validation captchas."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

from PIL import Image

from helpers.data.images import list_images
from helpers.reading import Reader
from helpers.scores import proportion
from tests.benchmarks import measured
from tests.benchmarks.accuracy import default_experiment

COUNT = 1_000  # validation captchas
BATCH = 256


def ddddocr_reader() -> Callable[[Image.Image], str] | None:
    """ddddocr as its documentation shows it, None where it is not installed."""
    if importlib.util.find_spec("ddddocr") is None:
        return None
    import ddddocr

    engine = ddddocr.DdddOcr(show_ad=False)
    return lambda image: engine.classification(image)


def tesseract_reader() -> Callable[[Image.Image], str] | None:
    """Tesseract, told that a line of digits is to be read; None where it is not installed."""
    if shutil.which("tesseract") is None:
        return None
    import io

    def read(image: Image.Image) -> str:
        file = io.BytesIO()
        image.convert("L").point(lambda level: 255 * (level > 190)).save(file, "PNG")
        command = ["tesseract", "stdin", "stdout", "--psm", "7", "-c", "tessedit_char_whitelist=0123456789"]
        return subprocess.run(command, input=file.getvalue(), capture_output=True, check=True).stdout.decode().strip()

    return read


def one_at_a_time(read: Callable[[Image.Image], str], images: list[Image.Image], texts: list[str]) -> dict[str, Any]:
    """A row: milliseconds for each captcha, and how many are read completely right."""
    read(images[0])
    taken, right = [], 0
    for image, text in zip(images, texts, strict=True):
        started = time.perf_counter()
        answer = read(image)
        taken.append(1000 * (time.perf_counter() - started))
        right += answer == text
    return {**measured.spread(taken, "ms a captcha"), "read right [%]": 100 * right / len(texts), "right": right}


def main() -> None:
    """Measure all that is installed, print and keep it."""
    listed = list_images(default_experiment(trained=True), "validation")[:COUNT]
    images, texts = [Image.open(image.path).convert("RGB") for image in listed], [image.text for image in listed]
    reader = Reader.load("default")
    rows = [{"reader": "ours, one at a time", **one_at_a_time(lambda i: reader.read(i)[0].text, images, texts)}]

    taken = []
    for _ in range(5):
        for start in range(0, COUNT - BATCH + 1, BATCH):
            batch = images[start : start + BATCH]
            taken.append(1000 * measured.seconds(lambda batch=batch: reader.read(batch)) / BATCH)
    right = sum(reading.text == text for reading, text in zip(reader.read(images), texts, strict=True))
    row = {**measured.spread(taken, "ms a captcha"), "read right [%]": 100 * right / COUNT, "right": right}
    rows.append({"reader": f"ours, in batches of {BATCH}", **row})

    for name, make in {"ddddocr": ddddocr_reader, "tesseract": tesseract_reader}.items():
        if read := make():
            rows.append({"reader": f"{name}, one at a time", **one_at_a_time(read, images, texts)})
        else:
            print(f"{name} is not installed: skipped")
    for row in rows:
        score = proportion(row.pop("right"), COUNT)
        row |= {"lowest [%]": 100 * score.low, "highest [%]": 100 * score.high, "captchas": COUNT}
    measured.save("reading", f"How long does one of {COUNT:,} validation captchas take?", rows, split="validation")
