"""Images -> TFRecord shards -> batches.

A TFRecord file is a row of byte strings, each with its length and a checksum. Ours hold one
`tf.train.Example` for each captcha: its grey pixels, its labels and its text.
Source: https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from helpers import _shards, _storage
from helpers._storage import short
from helpers.dataset import SPLITS, Rendering, check_images, list_images
from helpers.errors import StepError
from helpers.pictures import open_image, to_grey
from helpers.quiet_tensorflow import tf
from helpers.settings import Settings
from helpers.styles import CaptchaStyle

RECORDS_PER_SHARD = 5_000
SHUFFLE_BUFFER = 2_000  # records
PREPARED = 4  # batches made ready while one is in use


def to_example(image: np.ndarray, text: str, style: CaptchaStyle) -> tf.train.Example:
    """One captcha as an Example.

    Args:
        image: grey pixels, uint8 [height, width].
    """
    labels = style.text_to_labels(text)
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()])),
                "labels": tf.train.Feature(int64_list=tf.train.Int64List(value=labels)),
                "text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()])),
            }
        )
    )


def parse_batch(records: tf.Tensor, style: CaptchaStyle) -> tuple[tf.Tensor, tf.Tensor]:
    """The only parser: serialized Examples [batch] -> images and labels.

    Returns:
        Images, uint8 [batch, height, width, 1], and labels, int32 [batch, positions].
    """
    features = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "labels": tf.io.FixedLenFeature([style.positions], tf.int64),
    }
    parsed = tf.io.parse_example(records, features)
    pixels = tf.io.decode_raw(parsed["image"], tf.uint8, fixed_length=style.height * style.image_width)
    images = tf.reshape(pixels, [-1, style.height, style.image_width, 1])
    return images, tf.cast(parsed["labels"], tf.int32)


def load_grey(rendering: Rendering, style: CaptchaStyle) -> np.ndarray:
    """The grey pixels of an image file of this style, uint8 [height, width]."""
    grey = to_grey(open_image(rendering.path))
    if grey.shape != (style.height, style.image_width):
        raise StepError(
            f"{short(rendering.path)} is {grey.shape[1]}x{grey.shape[0]} pixels, "
            f"but this style draws {style.image_width}x{style.height}. Restore the image."
        )
    return grey


def write_shard(path: Path, images: list[Rendering], style: CaptchaStyle) -> dict[str, Any]:
    """Write some captchas as one shard, whole or not at all; its name, count and digest."""
    examples = (to_example(load_grey(image, style), image.text, style) for image in images)
    return _shards.write_shard(path, (example.SerializeToString(deterministic=True) for example in examples))


def write_records(settings: Settings) -> dict[str, Any]:
    """Write all shards of an experiment, unless they are there already; the manifest comes last.

    Returns:
        The records manifest: style, digest of the images, and for each shard its count and digest.

    Raises:
        StepError: the images are missing, incomplete or changed.
    """
    images_digest = check_images(settings)
    path = _shards.manifest_path(settings)
    if path.exists() and _shards.read_manifest(settings)["images_digest"] == images_digest:
        for split in SPLITS:
            _shards.check_shards(settings, split)
        return _shards.read_manifest(settings)

    with _storage.only_writer(settings.records_folder):
        path.unlink(missing_ok=True)
        _storage.remove_unfinished(settings.records_folder)
        shards: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
        for split in SPLITS:
            images = list_images(settings, split)
            total = math.ceil(len(images) / RECORDS_PER_SHARD)
            for number in range(total):
                name = f"{split}-{number:05d}-of-{total:05d}.tfrecord"
                part = images[number * RECORDS_PER_SHARD : (number + 1) * RECORDS_PER_SHARD]
                shards[split].append(write_shard(settings.records_folder / name, part, settings.style))
        manifest = {"style": settings.style.to_dict(), "images_digest": images_digest, "shards": shards}
        _storage.write_json(path, _storage.sealed(manifest))
    return manifest


def load_batches(
    settings: Settings,
    split: str,
    batch_size: int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
) -> tf.data.Dataset:
    """Batches of a split: images uint8 [batch, height, width, 1], labels int32 [batch, positions].

    Args:
        batch_size: None takes the settings'.
        shuffle: read the shards in turn and mix their records, anew in each epoch.
        seed: of that mixing; None takes the settings'.

    Raises:
        StepError: a shard is missing, damaged, or holds captchas of another style.
    """
    paths, count = _shards.check_shards(settings, split)
    batch_size = batch_size or settings.batch_size
    seed = settings.seed if seed is None else seed
    names = [str(path) for path in paths]
    if shuffle:
        files = tf.data.Dataset.from_tensor_slices(names).shuffle(len(names), seed=seed)
        records = files.interleave(tf.data.TFRecordDataset, cycle_length=len(names), num_parallel_calls=1)
        records = records.shuffle(SHUFFLE_BUFFER, seed=seed)
    else:
        records = tf.data.TFRecordDataset(names)
    records = records.apply(tf.data.experimental.assert_cardinality(count))
    batches = records.batch(batch_size)
    batches = batches.map(lambda batch: parse_batch(batch, settings.style)).prefetch(PREPARED)
    return batches.with_options(_untuned())


def _untuned() -> tf.data.Options:
    """tf.data does not tune its own buffers; nothing here needs it.

    Its tuner is a thread that sleeps up to a minute. When the batches are let go, it may miss its
    signal to stop, and whoever waits for it, such as the end of `fit`, waits out that minute.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
