"""Pipeline: how many captchas a second are drawn, stored, and read back?"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from captcha.image import ImageCaptcha

from helpers import records
from helpers.alexnet import build_alexnet
from helpers.dataset import generate, list_images
from helpers.distortion import shift_batch
from helpers.quiet_tensorflow import tf
from helpers.settings import Settings, load_settings
from helpers.training import compile_model
from tests.benchmarks import measured

DRAWN = 1_000  # captchas in one round
READ = 10_000
ROUNDS = 5
STEPS = 300


def draw_upstream(folder: Path) -> float:
    """Captchas a second with the package alone, into PNG files."""
    generator = ImageCaptcha()
    texts = [f"{number:04d}" for number in range(DRAWN)]
    taken = measured.seconds(lambda: [generator.write(text, str(folder / f"{text}.png")) for text in texts])
    return DRAWN / taken


def draw_ours(processes: int) -> float:
    """Captchas a second with `generate`: seeded, in three splits, with a manifest."""
    with tempfile.TemporaryDirectory() as folder:
        count = DRAWN * (1 if processes == 1 else 4)  # so that the start of the processes counts as it does in use
        settings = load_settings("pipeline", data_dir=folder, train_count=count, validation_count=1, test_count=1)
        return count / measured.seconds(lambda: generate(settings, processes))


def drawing() -> list[dict[str, Any]]:
    """One row for each way of drawing."""
    with tempfile.TemporaryDirectory() as folder:
        figures = measured.side_by_side(
            {
                "drawing: the package alone": lambda: draw_upstream(Path(folder)),
                "drawing: ours, 1 process": lambda: draw_ours(1),
                "drawing: ours, 2 processes": lambda: draw_ours(2),
            },
            rounds=3,
        )
    return [{"what": name, **measured.spread(values, "captchas a second")} for name, values in figures.items()]


def packed(settings: Settings, path: Path, kind: str) -> Path:
    """All training captchas in one TFRecord file: "png" or "gzip"."""
    options = tf.io.TFRecordOptions(compression_type="GZIP" if kind == "gzip" else "")
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for image in list_images(settings, "train"):
            grey = records.load_grey(image, settings.style)
            if kind == "gzip":
                writer.write(records.to_example(grey, image.text, settings.style).SerializeToString())
            else:
                writer.write(tf.io.encode_png(grey[..., None]).numpy())
    return path


def datasets(settings: Settings, folder: Path) -> dict[str, tf.data.Dataset]:
    """Ways of reading the same captchas, each in batches of 64."""
    style = settings.style
    files = [str(image.path) for image in list_images(settings, "train")]
    png, gzip = packed(settings, folder / "png.tfrecord", "png"), packed(settings, folder / "gzip.tfrecord", "gzip")
    decode = lambda data: tf.io.decode_png(data, channels=1)  # noqa: E731
    raw = records.load_batches(settings, "train", batch_size=64)
    return {
        "reading: folder of PNG files": tf.data.Dataset.from_tensor_slices(files)
        .map(lambda path: decode(tf.io.read_file(path)), num_parallel_calls=tf.data.AUTOTUNE)
        .batch(64),
        "reading: TFRecord, PNG inside": tf.data.TFRecordDataset(str(png))
        .map(decode, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(64),
        "reading: TFRecord, GZIP": tf.data.TFRecordDataset(str(gzip), "GZIP")
        .batch(64)
        .map(lambda batch: records.parse_batch(batch, style)),
        "reading: TFRecord, raw (ours)": raw,
        "reading: folder of PNG files, cached": tf.data.Dataset.from_tensor_slices(files)
        .map(lambda path: decode(tf.io.read_file(path)), num_parallel_calls=tf.data.AUTOTUNE)
        .batch(64)
        .cache(),
        "reading: TFRecord, raw, cached": raw.cache(),
    }


def one_pass(dataset: tf.data.Dataset) -> float:
    """Captchas a second over one pass."""
    return READ / measured.seconds(lambda: [None for _ in dataset])


def reading(settings: Settings) -> list[dict[str, Any]]:
    """One row for each way of reading."""
    with tempfile.TemporaryDirectory() as folder:
        ways = datasets(settings, Path(folder))
        for dataset in ways.values():
            one_pass(dataset)  # warms the file system's cache, and ours
        functions = {name: lambda dataset=dataset: one_pass(dataset) for name, dataset in ways.items()}
        figures = measured.side_by_side(functions, ROUNDS)
    return [{"what": name, **measured.spread(values, "captchas a second")} for name, values in figures.items()]


def waiting_share(settings: Settings) -> dict[str, Any]:
    """The share of a training step that waits for its batch [%]."""
    model = compile_model(build_alexnet(settings.style), settings)
    batches = iter(records.load_batches(settings, "train", shuffle=True).map(shift_batch).repeat().prefetch(4))
    for _ in range(5):
        model.train_on_batch(*next(batches))  # the first steps also build the graph
    shares = []
    for _ in range(STEPS // 50):
        waited, started = 0.0, time.perf_counter()
        for _ in range(50):
            before = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - before
            model.train_on_batch(*batch)
        shares.append(100 * waited / (time.perf_counter() - started))
    return {"what": "training: share of a step that waits for its batch [%]", **measured.spread(shares, "%")}


def main() -> None:
    """Measure, print and keep all three tables."""
    drawn = drawing()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings("pipeline", data_dir=folder, train_count=READ, validation_count=1, test_count=1)
        generate(settings)
        records.write_records(settings)
        read, waiting = reading(settings), waiting_share(settings)
    measured.show("How long does training wait for data?", [waiting])
    measured.save("pipeline", "How many captchas a second are drawn and read?", [*drawn, *read], waiting=waiting)
