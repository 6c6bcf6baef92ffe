"""Reading: how long does a captcha take, compared with other engines? On validation captchas.

From the path of a picture to its text, in a process of its own for each engine, so that none disturbs another.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.data.images import list_images
from helpers.reading import Reader
from helpers.scores import proportion
from tests.benchmarks import measured
from tests.benchmarks.accuracy import default_experiment

COUNT = 1_000  # validation captchas
BATCH = 256
SURE = 0.995  # more probable texts are not doubtful, whatever the temperature
STARTS = 5  # fresh processes in which a start is timed
ONNX = "ONNX Runtime, the same network, 2 threads"
ITS_CHOICE = "its own choice, which cannot be limited"
Paths = list[str]


def ours() -> tuple[Callable[[str], str], Reader]:
    """Our reader, as it is."""
    reader = Reader.load("default")
    return lambda path: reader.read(path)[0].text, reader


def export_network(path: str) -> None:
    """Write the trained network as an ONNX file: uint8 pictures -> probabilities."""
    Reader.load("default").export(path)


def onnx_reader(network: str, classes: str) -> Callable[[Paths], list[str]]:
    """ONNX Runtime with the same network, on two threads, its other settings as they are."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    (takes,) = session.get_inputs()

    def read(paths: Paths) -> list[str]:
        greys = np.stack([np.asarray(Image.open(path).convert("L")) for path in paths])
        (probabilities,) = session.run(None, {takes.name: greys[..., None]})
        return ["".join(classes[best] for best in each) for each in probabilities.argmax(axis=-1)]

    return read


def ddddocr_reader() -> Callable[[str], str] | None:
    """ddddocr as its documentation shows it, None where it is not installed."""
    if importlib.util.find_spec("ddddocr") is None:
        return None
    import ddddocr

    engine = ddddocr.DdddOcr(show_ad=False)
    return lambda path: engine.classification(Image.open(path).convert("RGB"))


def tesseract_reader() -> Callable[[str], str] | None:
    """Tesseract, told that a line of digits is to be read; None where it is not installed."""
    if shutil.which("tesseract") is None:
        return None
    import io

    def read(path: str) -> str:
        file = io.BytesIO()
        Image.open(path).convert("L").point(lambda level: 255 * (level > 190)).save(file, "PNG")
        command = ["tesseract", "stdin", "stdout", "--psm", "7", "-c", "tessedit_char_whitelist=0123456789"]
        return subprocess.run(command, input=file.getvalue(), capture_output=True, check=True).stdout.decode().strip()

    return read


def timed(read: Callable[[str], str], paths: Paths, texts: list[str]) -> dict[str, Any]:
    """A row: milliseconds for each captcha, and how many are read completely right."""
    for path in paths[:20]:
        read(path)
    taken, right = [], 0
    for path, text in zip(paths, texts, strict=True):
        started = time.perf_counter()
        answer = read(path)
        taken.append(1000 * (time.perf_counter() - started))
        right += answer == text
    return {**measured.spread(taken, "ms a captcha"), "right": right, "captchas": len(texts)}


def batches_timed(read: Callable[[Paths], Any], paths: Paths) -> dict[str, Any]:
    """Milliseconds for each captcha where `read` takes many paths at once."""
    batches = [paths[start : start + BATCH] for start in range(0, len(paths) - BATCH + 1, BATCH)]
    taken = [1000 * measured.seconds(lambda batch=batch: read(batch)) / BATCH for batch in 5 * batches]
    return measured.spread(taken, "ms a captcha")


def ours_timed(paths: Paths, texts: list[str]) -> list[dict[str, Any]]:
    """Rows: our reader one at a time, without the doubtful ones and with them, and in batches."""
    read, reader = ours()
    found = reader.read(paths)
    sure = [index for index, reading in enumerate(found) if reading.confidence > SURE]
    rows = {
        "ours, one at a time, not doubtful": timed(read, [paths[i] for i in sure], [texts[i] for i in sure]),
        "ours, one at a time": timed(read, paths, texts),
    }
    right = sum(reading.text == text for reading, text in zip(found, texts, strict=True))
    together = {**batches_timed(reader.read, paths), "right": right, "captchas": len(texts)}
    return [{"reader": name, **row} for name, row in {**rows, f"ours, in batches of {BATCH}": together}.items()]


def onnx_timed(network: str, classes: str, paths: Paths, texts: list[str]) -> list[dict[str, Any]]:
    """Rows: ONNX Runtime one at a time, and in batches."""
    read = onnx_reader(network, classes)
    one = timed(lambda path: read([path])[0], paths, texts)
    together, right = batches_timed(read, paths), sum(map(str.__eq__, read(paths), texts))
    rows = {ONNX: one, f"{ONNX}, in batches of {BATCH}": {**together, "right": right, "captchas": len(texts)}}
    return [{"reader": name, **row, "instructions": ITS_CHOICE} for name, row in rows.items()]


def other_timed(name: str, paths: Paths, texts: list[str]) -> dict[str, Any] | None:
    """A row for a ready-made engine; None where it is not installed."""
    read = {"ddddocr": ddddocr_reader, "tesseract": tesseract_reader}[name]()
    return read and timed(read, paths, texts)


def starts(network: str, path: str, isa: str | None) -> list[dict[str, Any]]:
    """Rows: seconds from the start of a process to its first text, and of TensorFlow's import alone."""
    codes = {
        "TensorFlow's import alone": "import tensorflow",
        "ours, until the first text": f"from helpers.reading import Reader; Reader.load('default').read({path!r})",
    }
    if network:
        codes["ONNX Runtime, until the first text"] = (
            "import numpy, onnxruntime; from PIL import Image; "
            f"session = onnxruntime.InferenceSession({network!r}, providers=['CPUExecutionProvider']); "
            f"grey = numpy.asarray(Image.open({path!r}).convert('L'))[None, :, :, None]; "
            "session.run(None, {session.get_inputs()[0].name: grey})"
        )
    environment = {"TF_ENABLE_ONEDNN_OPTS": "1", **measured.limited(isa)}

    def start(code: str) -> float:
        run = [sys.executable, "-c", code]
        return measured.seconds(lambda: subprocess.run(run, env=environment, capture_output=True, check=True))

    start(codes["ours, until the first text"])  # fills the disk's cache
    figures = measured.side_by_side({name: lambda code=code: start(code) for name, code in codes.items()}, STARTS)
    return [{"start of": name, **measured.spread(taken, "seconds")} for name, taken in figures.items()]


def main() -> None:
    """Measure all that is installed, print and keep it."""
    settings = default_experiment(trained=True)
    listed = list_images(settings, "validation")[:COUNT]
    paths, texts = [str(image.path) for image in listed], [image.text for image in listed]
    rows, begun = [], []
    with tempfile.TemporaryDirectory() as folder:
        network = str(Path(folder) / "network.onnx")
        if missing := [name for name in ("tf2onnx", "onnxruntime") if importlib.util.find_spec(name) is None]:
            print(f"{' and '.join(missing)} not installed: ONNX Runtime is skipped")
            network = ""
        else:
            measured.in_own_process(export_network, network)
        for isa in measured.isas():
            said = measured.instructions(isa)
            found = measured.in_own_process(ours_timed, paths, texts, isa=isa)[0]
            rows += [{**row, "instructions": said} for row in found]
            begun += [{**row, "instructions": said} for row in starts(network, paths[0], isa)]
        if network:  # it chooses by the processor alone
            rows += measured.in_own_process(onnx_timed, network, settings.style.classes, paths, texts)[0]
    for name in ("ddddocr", "tesseract"):
        if row := measured.in_own_process(other_timed, name, paths, texts)[0]:
            rows.append({"reader": f"{name}, one at a time", **row, "instructions": ITS_CHOICE})
        else:
            print(f"{name} is not installed: skipped")
    for row in rows:
        score = proportion(row.pop("right"), row["captchas"])
        row |= {"read right [%]": 100 * score.value, "lowest [%]": 100 * score.low, "highest [%]": 100 * score.high}
    measured.show("How long does it take to start?", begun)
    question = f"How long does one of {COUNT:,} validation captchas take, from its path to its text?"
    measured.save("reading", question, rows, split="validation", starts=begun)
