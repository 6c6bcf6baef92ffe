"""Images -> TFRecord shards -> batches.

A TFRecord file is a row of byte strings, each with its length and a checksum. Ours hold one
`tf.train.Example` for each captcha: its grey pixels, its labels and its text.
Source: https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from helpers import _storage
from helpers._storage import short
from helpers.captchas import to_grey
from helpers.dataset import SPLITS, Rendering, list_images, open_image, read_manifest
from helpers.errors import StepError
from helpers.quiet_tensorflow import tf
from helpers.settings import Settings
from helpers.styles import CaptchaStyle

NOTEBOOK = "notebook 03_write_tfrecords"
RECORDS_PER_SHARD = 5_000
SHUFFLE_BUFFER = 2_000  # records


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
    """Write one shard, whole or not at all; its entry in the manifest."""
    with (
        _storage.written_whole(path) as temporary,
        tf.io.TFRecordWriter(str(temporary)) as writer,
        ThreadPoolExecutor() as threads,
    ):
        greys: Iterator[np.ndarray] = threads.map(load_grey, images, [style] * len(images))
        for image, grey in zip(images, greys, strict=True):
            writer.write(to_example(grey, image.text, style).SerializeToString())
    return {"name": path.name, "count": len(images), "digest": _storage.file_digest(path)}


def write_records(settings: Settings) -> dict[str, Any]:
    """Write all shards of an experiment, unless they are there already; the manifest comes last.

    Returns:
        The records manifest: style, digest of the images, and for each shard its count and digest.

    Raises:
        StepError: the images are missing, incomplete or changed.
    """
    images_digest = read_manifest(settings)["images_digest"]
    path = settings.records_folder / "manifest.json"
    if path.exists() and _storage.read_sealed(path, NOTEBOOK)["images_digest"] == images_digest:
        for split in SPLITS:
            check_records(settings, split)
        return _storage.read_sealed(path, NOTEBOOK)

    splits = {split: list_images(settings, split) for split in SPLITS}
    paths = [image.path for split in SPLITS for image in splits[split]]
    if _storage.files_digest(paths, settings.images_folder) != images_digest:
        raise StepError(
            f"The images in {short(settings.images_folder)} were changed after they were made. "
            f"Delete {short(settings.folder)} and run notebook 02_generate_captchas again."
        )
    with _storage.only_writer(settings.records_folder):
        path.unlink(missing_ok=True)
        _storage.remove_unfinished(settings.records_folder)
        shards = {split: _write_split(settings, split, splits[split]) for split in SPLITS}
        manifest = {"style": settings.style.to_dict(), "images_digest": images_digest, "shards": shards}
        _storage.write_json(path, _storage.sealed(manifest))
    return manifest


def _write_split(settings: Settings, split: str, images: list[Rendering]) -> list[dict[str, Any]]:
    total = -(-len(images) // RECORDS_PER_SHARD)
    return [
        write_shard(
            settings.records_folder / f"{split}-{number:05d}-of-{total:05d}.tfrecord",
            images[number * RECORDS_PER_SHARD : (number + 1) * RECORDS_PER_SHARD],
            settings.style,
        )
        for number in range(total)
    ]


def check_records(settings: Settings, split: str) -> tuple[list[Path], int]:
    """The shards of a split and how many records they hold, after every byte was checked.

    A checksum inside a TFRecord finds a flipped bit, but not a file that ends early between two
    records. The digest in the manifest finds both.

    Raises:
        StepError: a shard is missing, damaged, or holds captchas of another style.
    """
    manifest_path = settings.records_folder / "manifest.json"
    if not manifest_path.exists():
        raise StepError(
            f"The records of experiment '{settings.experiment}' are missing or incomplete. Run {NOTEBOOK} first."
        )
    manifest = _storage.read_sealed(manifest_path, NOTEBOOK)
    made_with = CaptchaStyle.from_dict(manifest["style"], check_fonts=False)
    if differences := made_with.differences(settings.style):
        raise StepError(
            f"{short(settings.records_folder)} holds captchas of another style "
            f"({'; '.join(differences)}). Run {NOTEBOOK} again."
        )
    entries = manifest["shards"][split]
    for entry in entries:
        path = settings.records_folder / entry["name"]
        if not path.is_file():
            raise StepError(f"{short(path)} is missing. Delete {short(manifest_path)} and run {NOTEBOOK} again.")
        if _storage.file_digest(path) != entry["digest"]:
            raise StepError(
                f"{short(path)} is damaged: its {entry['count']} records are not what was written. "
                f"Delete {short(manifest_path)} and run {NOTEBOOK} again."
            )
    paths = [settings.records_folder / entry["name"] for entry in entries]
    return paths, sum(entry["count"] for entry in entries)


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
        StepError: as `check_records`.
    """
    paths, count = check_records(settings, split)
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
    return batches.map(lambda batch: parse_batch(batch, settings.style)).prefetch(tf.data.AUTOTUNE)
