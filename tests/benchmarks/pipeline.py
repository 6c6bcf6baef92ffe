"""Pipeline: how many captchas a second are drawn, stored, and read back?"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from captcha.image import ImageCaptcha

from helpers.data import records
from helpers.data.generate import generate
from helpers.data.images import list_images
from helpers.errors import StepError
from helpers.network.alexnet import build_alexnet
from helpers.network.views import mirror_edges
from helpers.quiet_tensorflow import tf
from helpers.settings import Settings, load_settings
from helpers.training.augmentation import SHIFT_X, SHIFT_Y, shift_batch
from helpers.training.fit import compile_model
from tests.benchmarks import measured

DRAWN = 1_000  # captchas in one round
READ = 10_000
ROUNDS = 5
STEPS = 300
MOVED = 50  # batches in one round
RELEASES = 60  # times that batches are let go, at 0.75 s after their start
LATE = 0.1  # s


def draw_upstream(folder: Path) -> float:
    """Captchas a second with the package alone, into PNG files."""
    generator = ImageCaptcha()
    texts = [f"{number:04d}" for number in range(DRAWN)]
    taken = measured.seconds(lambda: [generator.write(text, str(folder / f"{text}.png")) for text in texts])
    return DRAWN / taken


def draw_ours(processes: int) -> float:
    """Captchas a second with `generate`: seeded, in three splits, with a manifest."""
    with tempfile.TemporaryDirectory() as folder:
        count = DRAWN * (1 if processes == 1 else 10)  # so that the start of the processes counts as it does in use
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
            rounds=7,
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
    """Captchas a second over one pass.

    Its iterator is let go after the clock has stopped: tf.data's tuner may keep that waiting, see `releasing`.
    """
    batches = iter(dataset)
    return READ / measured.seconds(lambda: [None for _ in batches])


def reading(settings: Settings) -> list[dict[str, Any]]:
    """One row for each way of reading."""
    with tempfile.TemporaryDirectory() as folder:
        ways = datasets(settings, Path(folder))
        for dataset in ways.values():
            one_pass(dataset)  # warms the file system's cache, and ours
        functions = {name: lambda dataset=dataset: one_pass(dataset) for name, dataset in ways.items()}
        figures = measured.side_by_side(functions, ROUNDS)
    return [{"what": name, **measured.spread(values, "captchas a second")} for name, values in figures.items()]


def training_batches(settings: Settings) -> tf.data.Dataset:
    """Batches as `train` takes them, without an end."""
    return records.load_batches(settings, "train", shuffle=True).map(shift_batch).repeat().prefetch(records.PREPARED)


def waiting_share(settings: Settings) -> dict[str, Any]:
    """The share of a training step that waits for its batch [%]."""
    model = compile_model(build_alexnet(settings.style), settings)
    batches = iter(training_batches(settings))
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


def padded_by_tensorflow(images: tf.Tensor) -> tf.Tensor:
    """The mirrored edges of `shift_batch` from `tf.pad`."""
    return tf.pad(images, [[0, 0], [SHIFT_Y, SHIFT_Y], [SHIFT_X, SHIFT_X], [0, 0]], "SYMMETRIC")


def padded_by_rows(images: tf.Tensor) -> tf.Tensor:
    """The same from ours."""
    return mirror_edges(images, SHIFT_Y, SHIFT_X)


def mirroring(settings: Settings) -> list[dict[str, Any]]:
    """How long the edges of a batch take to be mirrored [ms], both ways."""
    images, _ = next(iter(records.load_batches(settings, "train")))
    if not tf.reduce_all(padded_by_tensorflow(images) == padded_by_rows(images)):
        raise StepError("Both ways of mirroring must give the same pixels.")

    def milliseconds(function: tf.types.experimental.PolymorphicFunction) -> float:
        return 1000 * measured.seconds(lambda: [function(images) for _ in range(MOVED)]) / MOVED

    graphs = {"tf.pad": tf.function(padded_by_tensorflow), "in whole rows (ours)": tf.function(padded_by_rows)}
    for graph in graphs.values():
        graph(images)  # the first call builds it
    figures = measured.side_by_side({name: lambda g=graph: milliseconds(g) for name, graph in graphs.items()}, ROUNDS)
    return [{"edges of a batch": name, **measured.spread(values, "ms")} for name, values in figures.items()]


def releasing(settings: Settings) -> list[dict[str, Any]]:
    """How often batches that are let go keep the caller waiting, with tf.data's tuner and without."""
    ours = training_batches(settings)
    options = tf.data.Options()
    options.autotune.enabled = True
    ways = {"with the tuner": ours.with_options(options), "without (ours)": ours}
    waits: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(RELEASES):
        for name, dataset in ways.items():
            batches, end = iter(dataset), time.perf_counter() + 0.75
            while time.perf_counter() < end:
                next(batches)
                time.sleep(0.02)
            started = time.perf_counter()
            del batches
            waits[name].append(time.perf_counter() - started)
    return [
        {"batches let go": name, "late": sum(w > LATE for w in each), "times": RELEASES, "longest wait [s]": max(each)}
        for name, each in waits.items()
    ]


def main() -> None:
    """Measure, print and keep all tables."""
    drawn = drawing()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings("pipeline", data_dir=folder, train_count=READ, validation_count=1, test_count=1)
        generate(settings)
        records.write_records(settings)
        read, waiting = reading(settings), waiting_share(settings)
        mirrored, released = mirroring(settings), releasing(settings)
    measured.show("How long does training wait for data?", [waiting])
    measured.show("How long do the edges of a batch take?", mirrored)
    measured.show("How often do batches keep the caller waiting when they are let go?", released)
    more = {"waiting": waiting, "mirroring": mirrored, "releasing": released}
    measured.save("pipeline", "How many captchas a second are drawn and read?", [*drawn, *read], **more)
