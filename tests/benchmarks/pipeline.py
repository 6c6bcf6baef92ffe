"""Pipeline: how many captchas a second are drawn, stored, and read back?"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from captcha.image import ImageCaptcha

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.styles import CaptchaStyle
from helpers.data import records
from helpers.data.generate import generate
from helpers.data.images import list_images
from helpers.data.shards import check_shards
from helpers.data.texts import draw_text
from helpers.errors import StepError
from helpers.network.alexnet import build_alexnet
from helpers.network.views import mirror_edges
from helpers.precision import quick_layers
from helpers.quiet_tensorflow import tf
from helpers.settings import Settings, load_settings
from helpers.training.augmentation import SHIFT_X, SHIFT_Y, shift_batch
from helpers.training.fit import compile_model
from tests.benchmarks import measured
from tests.test_captchas import drawn_by_the_package

DRAWN = 1_000  # captchas in one round
READ = 10_000
ROUNDS = 5
STEPS = 50  # of training in one round
FEEDS = 8  # rounds
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


def drawing_one() -> list[dict[str, Any]]:
    """How long one captcha takes [ms]: ours beside the package's own methods, for the same styles, texts and seeds."""
    rows = []
    for preset in ("default", "many fonts"):
        style = CaptchaStyle.preset(preset)
        texts = [draw_text(style, "train", seed) for seed in range(DRAWN)]

        def milliseconds(draw: Callable[[str, CaptchaStyle, int], Any], style=style, texts=texts) -> float:
            return 1000 * measured.seconds(lambda: [draw(text, style, n) for n, text in enumerate(texts)]) / DRAWN

        ways = {"the package's own way": drawn_by_the_package, "ours": draw_captcha}
        figures = measured.side_by_side({name: lambda w=way: milliseconds(w) for name, way in ways.items()}, ROUNDS)
        before = statistics.median(figures["the package's own way"])
        for name, each in figures.items():
            row = {"one captcha": f"{preset}, {name}", **measured.spread(each, "ms")}
            rows.append({**row, "times as fast": before / statistics.median(each)})
    return rows


def recording(settings: Settings) -> list[dict[str, Any]]:
    """How many captchas a second are written as records, by one process and by all cores."""

    def rate(many: int) -> float:
        shutil.rmtree(settings.records_folder, ignore_errors=True)
        fewest, records.MANY = records.MANY, many
        try:
            return sum(settings.counts.values()) / measured.seconds(lambda: records.write_records(settings))
        finally:
            records.MANY = fewest

    ways = {"1 process": lambda: rate(10**9), "all cores": lambda: rate(0)}
    figures = measured.side_by_side(ways, ROUNDS)
    alone = statistics.median(figures["1 process"])
    return [
        {
            "writing records": name,
            **measured.spread(each, "captchas a second"),
            "times as fast": statistics.median(each) / alone,
        }
        for name, each in figures.items()
    ]


def packed(settings: Settings, path: Path, kind: str) -> str:
    """All training captchas in one TFRecord file: "pictures", their files as they are, or "gzip", ours compressed."""
    options = tf.io.TFRecordOptions(compression_type="GZIP" if kind == "gzip" else "")
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for image in list_images(settings, "train"):
            if kind == "gzip":
                content = records.load_grey(image, settings.style)
            else:
                content = np.frombuffer(image.path.read_bytes(), np.uint8)
            writer.write(records.to_example(content, image.text, settings.style).SerializeToString())
    return str(path)


def from_folder(settings: Settings) -> tf.data.Dataset:
    """Every training captcha, read from its file, one by one."""
    images = list_images(settings, "train")
    paths = [str(image.path) for image in images]
    labels = np.array([settings.style.text_to_labels(image.text) for image in images], np.int32)
    shape = [settings.style.height, settings.style.image_width, 1]

    def read(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.ensure_shape(tf.io.decode_png(tf.io.read_file(path), channels=1), shape), label

    return tf.data.Dataset.from_tensor_slices((paths, labels)).map(read)


def one_by_one(settings: Settings, path: str | list[str], decode: Callable[[tf.Tensor], tf.Tensor]) -> tf.data.Dataset:
    """The captchas of TFRecord files, each parsed on its own."""
    features = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "labels": tf.io.FixedLenFeature([settings.style.positions], tf.int64),
    }

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_single_example(record, features)
        return decode(parsed["image"]), tf.cast(parsed["labels"], tf.int32)

    return tf.data.TFRecordDataset(path).map(parse)


def datasets(settings: Settings, folder: Path) -> dict[str, tf.data.Dataset]:
    """Ways of reading the same captchas in batches of 64, four of them prepared ahead, as in notebook 3.

    From one to the next, one thing changes. Only the fourth, with GZIP, stands aside: it is ours, compressed.
    """
    style = settings.style
    pictures = packed(settings, folder / "pictures.tfrecord", "pictures")
    gzip = tf.data.TFRecordDataset(packed(settings, folder / "gzip.tfrecord", "gzip"), "GZIP")
    shape = [style.height, style.image_width, 1]
    shards = list(check_shards(settings, "train"))
    ours = records.load_batches(settings, "train", batch_size=64)

    def prepared(captchas: tf.data.Dataset) -> tf.data.Dataset:
        return captchas.batch(64).prefetch(records.PREPARED)

    def pixels(content: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.io.decode_raw(content, tf.uint8), shape)

    pngs = one_by_one(settings, pictures, lambda content: tf.io.decode_png(content, channels=1))
    compressed = gzip.batch(64).map(lambda batch: records.parse_batch(batch, style)).prefetch(records.PREPARED)
    ways = {
        "reading: folder of PNG files": prepared(from_folder(settings)),
        "reading: records, PNG inside": prepared(pngs),
        "reading: records, raw pixels": prepared(one_by_one(settings, shards, pixels)),
        "reading: records, GZIP, by the batch": compressed,
        "reading: records, raw, by the batch (ours)": ours,
        "reading: folder of PNG files, cached": prepared(from_folder(settings)).cache(),
        "reading: records, raw, by the batch, cached": ours.cache(),
    }
    return {name: records.untuned(dataset) for name, dataset in ways.items()}


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


def shuffled_batches(captchas: tf.data.Dataset, settings: Settings) -> tf.data.Dataset:
    """The same from captchas that come one by one."""
    batches = captchas.shuffle(records.SHUFFLE_BUFFER, seed=settings.seed).batch(settings.batch_size)
    return records.untuned(batches.map(shift_batch).repeat().prefetch(records.PREPARED))


def feeding(settings: Settings) -> list[dict[str, Any]]:
    """How many captchas a second training takes, and which share of a step waits for its batch, by what feeds it."""
    ways = {
        "folder of PNG files": shuffled_batches(from_folder(settings), settings),
        "folder of PNG files, cached": shuffled_batches(from_folder(settings).cache(), settings),
        "records (ours)": training_batches(settings),
    }
    feeds = {name: iter(dataset) for name, dataset in ways.items()}
    model = compile_model(build_alexnet(settings.style), settings)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    shares: dict[str, list[float]] = {name: [] for name in ways}
    with quick_layers(model):  # as `train` does
        for batches in feeds.values():  # the first steps also build the graph, and the first pass fills the cache
            for _ in range(5):
                model.train_on_batch(*next(batches))
            for _ in range(READ // settings.batch_size):
                next(batches)
        for _ in range(FEEDS):
            for name, batches in feeds.items():
                waited, started = 0.0, time.perf_counter()
                for _ in range(STEPS):
                    before = time.perf_counter()
                    batch = next(batches)
                    waited += time.perf_counter() - before
                    model.train_on_batch(*batch)
                taken = time.perf_counter() - started
                rates[name].append(STEPS * settings.batch_size / taken)
                shares[name].append(100 * waited / taken)
    return [
        {
            "training fed from": name,
            **measured.spread(rates[name], "captchas a second"),
            "waiting [%]": statistics.median(shares[name]),
            "waiting at most [%]": max(shares[name]),
        }
        for name in ways
    ]


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
    drawn, one = drawing(), drawing_one()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings("pipeline", data_dir=folder, train_count=READ, validation_count=1, test_count=1)
        generate(settings)
        recorded = recording(settings)
        read, fed = reading(settings), feeding(settings)
        mirrored, released = mirroring(settings), releasing(settings)
    measured.show("How long does one captcha take, without its file?", one)
    measured.show("How many captchas a second are written as records?", recorded)
    measured.show("How fast is training, and how long does it wait for data?", fed)
    measured.show("How long do the edges of a batch take?", mirrored)
    measured.show("How often do batches keep the caller waiting when they are let go?", released)
    more = {"drawing one": one, "recording": recorded, "feeding": fed, "mirroring": mirrored, "releasing": released}
    measured.save("pipeline", "How many captchas a second are drawn and read?", [*drawn, *read], **more)
