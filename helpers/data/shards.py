"""TFRecord shards: written completely or not at all, counted, and checked to the byte."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from helpers import files
from helpers.data.images import image_manifest
from helpers.data.texts import check_split
from helpers.errors import StepError
from helpers.quiet_tensorflow import tf
from helpers.settings import Settings

NOTEBOOK = "notebook 03_write_tfrecords"
REMEDY = f"Run {NOTEBOOK} again: it writes them anew."


def write_shard(path: Path, serialized: Iterable[bytes]) -> dict[str, Any]:
    """Write serialized Examples as one shard, completely or not at all; return its entry for the manifest."""
    count = 0
    with files.written_whole(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for count, record in enumerate(serialized, start=1):  # noqa: B007
            writer.write(record)
    return {"name": path.name, "count": count, "digest": files.file_digest(path)}


def records_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest of complete records; StepError if they are missing or incomplete, or it was changed."""
    if not settings.records_manifest_path.exists():
        raise StepError(f"The records of '{settings.experiment}' are missing or incomplete. Run {NOTEBOOK} first.")
    manifest = files.read_sealed(settings.records_manifest_path, NOTEBOOK, ("style", "images_digest", "shards"))
    if manifest["images_digest"] != image_manifest(settings)["images_digest"]:
        raise StepError(f"{files.short(settings.records_folder)} holds records of other images than these. {REMEDY}")
    return manifest


def check_shards(settings: Settings, split: str) -> dict[str, int]:
    """The shards of a split, and how many records each holds; StepError names one that is missing or damaged.

    A TFRecord's own checksums do not reveal that it ends early between two records; the digest does.
    """
    manifest = records_manifest(settings)
    check_split(split)
    if manifest["style"] != settings.style.to_dict():
        raise StepError(f"{files.short(settings.records_folder)} holds captchas of another style. {REMEDY}")
    place = settings.shards or str(settings.records_folder)
    try:
        entries = [(f"{place}/{each['name']}", each["count"], each["digest"]) for each in manifest["shards"][split]]
    except (KeyError, TypeError) as reason:
        raise StepError(f"{files.short(settings.records_manifest_path)} does not tell {reason}. {REMEDY}") from None
    for path, count, digest in entries:
        if not tf.io.gfile.exists(path):
            raise StepError(f"{files.short(path)} is missing. {REMEDY}")
        if shard_digest(path) != digest:
            raise StepError(f"{files.short(path)} is damaged: it had {count:,} records when written. {REMEDY}")
    return {path: count for path, count, _ in entries}


def shard_digest(path: str) -> str:
    """SHA-256 of a shard on any file system that tf.io.gfile reads; StepError if it cannot be read."""
    joint = hashlib.sha256()
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            while part := file.read(2**20):
                joint.update(part)
    except tf.errors.OpError as reason:
        raise StepError(f"{files.short(path)} cannot be read ({reason.message}). {REMEDY}") from None
    return joint.hexdigest()
