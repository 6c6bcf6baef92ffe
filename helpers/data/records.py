"""Images -> TFRecord shards -> batches, as in https://www.tensorflow.org/tutorials/load_data/tfrecord

A TFRecord file is a row of byte strings; each is a `tf.train.Example` with a captcha's grey pixels, labels and text.
"""

import functools
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from helpers import files
from helpers.captchas.styles import CaptchaStyle
from helpers.data.images import Rendering, check_images, load_grey, load_part
from helpers.data.shards import check_shards, records_manifest, write_shard
from helpers.data.texts import SPLITS
from helpers.errors import StepError, Stopped, whole_number
from helpers.files.cores import on_all_cores
from helpers.quiet_tensorflow import tf
from helpers.settings import Settings

RECORDS_PER_SHARD = 5_000
SHUFFLE_BUFFER = 2_000  # records
MANY = 10_000  # images; to decode fewer takes no longer than to start processes for them
PREPARED = 4  # batches made ready while one is in use


def to_example(image: np.ndarray, text: str, style: CaptchaStyle) -> tf.train.Example:
    """One captcha as an Example; `image` holds its grey pixels, uint8 [height, width]."""
    pixels = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()]))
    labels = tf.train.Feature(int64_list=tf.train.Int64List(value=style.text_to_labels(text)))
    written = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    return tf.train.Example(features=tf.train.Features(feature={"image": pixels, "labels": labels, "text": written}))


def parse_batch(records: tf.Tensor, style: CaptchaStyle) -> tuple[tf.Tensor, tf.Tensor]:
    """The only parser: Examples [batch] -> uint8 images [batch, height, width, 1], int32 labels [batch, positions]."""
    labels = tf.io.FixedLenFeature([style.positions], tf.int64)
    parsed = tf.io.parse_example(records, {"image": tf.io.FixedLenFeature([], tf.string), "labels": labels})
    pixels = tf.io.decode_raw(parsed["image"], tf.uint8, fixed_length=style.height * style.image_width)
    images = tf.reshape(pixels, [-1, style.height, style.image_width, 1])
    return images, tf.cast(parsed["labels"], tf.int32)


def load_greys(images: list[Rendering], style: CaptchaStyle) -> Iterator[np.ndarray]:
    """What `load_grey` gives for each of the images, in order; on all cores where that pays, with a progress bar."""
    for part in on_all_cores(load_part, style, images, processes=1 if len(images) < MANY else None):
        yield from part


def write_captchas(path: Path, images: list[Rendering], style: CaptchaStyle, greys: Iterable | None = None) -> dict:
    """Write some captchas as one shard, whole or not at all; return its name, count and digest.

    `greys` are their pixels, if somebody decodes them already; as many are taken as there are images.
    """
    greys = greys or (load_grey(image, style) for image in images)
    examples = (to_example(grey, image.text, style) for image, grey in zip(images, greys, strict=False))
    return write_shard(path, (example.SerializeToString(deterministic=True) for example in examples))


def write_records(settings: Settings) -> dict[str, Any]:
    """Write all shards of an experiment that are not there, whole and of these images, and last the manifest.

    It is returned: style, digest of the images, and each shard's count and digest. StepError if images are missing.
    """
    there = settings.images_folder.exists()  # once they are packed, they may be deleted
    images_digest, images = check_images(settings) if there else ("", [])
    manifest_path, style = settings.records_manifest_path, settings.style
    try:
        for split in SPLITS:
            check_shards(settings, split)
        return records_manifest(settings)
    except StepError as reason:
        if not there:
            check_images(settings)  # which tells how to get them back
        if manifest_path.exists():
            print(f"The records are written anew, since {str(reason).partition('. ')[0]}.")
    files.check_room(settings.folder, len(images) * style.height * style.image_width, "The records")
    with files.only_writer(settings.folder):
        try:
            manifest_path.unlink(missing_ok=True)
            with closing(load_greys(images, style)) as greys:
                shards = {split: _write_split(settings, split, images, greys) for split in SPLITS}
        except KeyboardInterrupt:
            raise Stopped("Stopped. The images are kept; no record is. Run this again: it begins anew.") from None
        check_images(settings)  # again: none was replaced while it was read
        manifest = {"style": style.to_dict(), "images_digest": images_digest, "shards": shards}
        files.write_json(manifest_path, files.sealed(manifest))
    return manifest


def _write_split(settings: Settings, split: str, images: list[Rendering], greys: Iterator) -> list[dict[str, Any]]:
    images = [image for image in images if image.path.parent.name == split]
    parts = [images[start : start + RECORDS_PER_SHARD] for start in range(0, len(images), RECORDS_PER_SHARD)]
    names = (f"{split}-{number:05d}-of-{len(parts):05d}.tfrecord" for number in range(len(parts)))
    folder, style = settings.records_folder, settings.style
    return [write_captchas(folder / name, part, style, greys) for name, part in zip(names, parts, strict=True)]


def load_batches(
    settings: Settings, split: str, batch_size: int | None = None, shuffle: bool = False, seed: int | None = None,
    share: tuple[int, int] | None = None,
) -> tf.data.Dataset:  # fmt: skip
    """Batches of a split: images uint8 [batch, height, width, 1], labels int32 [batch, positions].

    None takes `batch_size` and `seed` of the settings; `shuffle` mixes shards and records, anew in each epoch. With a
    `share`, as (0, 2) for the first of two workers, only those records come, in full batches, again and again.
    """
    batch_size = whole_number("batch_size", settings.batch_size if batch_size is None else batch_size, least=1)
    counts, seed = check_shards(settings, split), settings.seed if seed is None else seed
    shards, read = tf.data.Dataset.from_tensor_slices(list(counts)), tf.data.TFRecordDataset
    if share:
        shards, read = shared_shards(counts, *share), read_share
    if shuffle:
        shards = shards.shuffle(len(counts), seed=seed)
        records = shards.interleave(read, cycle_length=len(counts), num_parallel_calls=1)
        records = records.shuffle(SHUFFLE_BUFFER, seed=seed)
    else:
        records = shards.flat_map(read)
    count = tf.data.INFINITE_CARDINALITY if share else sum(counts.values())
    records = (records.repeat() if share else records).apply(tf.data.experimental.assert_cardinality(count))
    batches = records.batch(batch_size)
    return untuned(batches.map(functools.partial(parse_batch, style=settings.style)).prefetch(PREPARED))


def shared_shards(counts: dict[str, int], worker: int, workers: int) -> tf.data.Dataset:
    """What a worker reads of shards with these counts: (path, of how many records it takes one, which of them).

    Shards of the same count are dealt out whole: nobody reads what another needs. Of the rest, each takes every n-th.
    """
    equal = [path for path, count in counts.items() if count == max(counts.values())]
    dealt = equal[: len(equal) // workers * workers]
    rest = [path for path in counts if path not in dealt]
    own = [(path, 1, 0) for path in dealt[worker::workers]] + [(path, workers, worker) for path in rest]
    paths, every, first = zip(*own, strict=True)
    return tf.data.Dataset.from_tensor_slices((list(paths), np.array(every, np.int64), np.array(first, np.int64)))


def read_share(path: tf.Tensor, every: tf.Tensor, first: tf.Tensor) -> tf.data.Dataset:
    """The records of a shard that a worker takes, as `shared_shards` tells it."""
    return tf.data.TFRecordDataset(path).shard(every, first)


def untuned(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The same batches, their buffers not tuned: for that thread the end of `fit` may wait up to a minute."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)
