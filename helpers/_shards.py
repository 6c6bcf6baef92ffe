"""Machinery for TFRecord shards: written whole or not at all, counted, and checked to the byte."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from helpers import _storage
from helpers._storage import short
from helpers.errors import StepError
from helpers.quiet_tensorflow import tf
from helpers.settings import Settings
from helpers.styles import CaptchaStyle

NOTEBOOK = "notebook 03_write_tfrecords"


def manifest_path(settings: Settings) -> Path:
    """Where the counts and digests of the shards are kept."""
    return settings.records_folder / "manifest.json"


def write_shard(path: Path, serialized: Iterable[bytes]) -> dict[str, Any]:
    """Write serialized Examples as one shard, whole or not at all; its entry in the manifest."""
    count = 0
    with _storage.written_whole(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for count, record in enumerate(serialized, start=1):  # noqa: B007
            writer.write(record)
    return {"name": path.name, "count": count, "digest": _storage.file_digest(path)}


def read_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest of complete records.

    Raises:
        StepError: the records are missing or incomplete, or the manifest was changed.
    """
    if not manifest_path(settings).exists():
        raise StepError(
            f"The records of experiment '{settings.experiment}' are missing or incomplete. Run {NOTEBOOK} first."
        )
    return _storage.read_sealed(manifest_path(settings), NOTEBOOK)


def check_shards(settings: Settings, split: str) -> tuple[list[Path], int]:
    """The shards of a split and how many records they hold, after every byte was checked.

    A checksum inside a TFRecord finds a flipped bit, but not a file that ends early between two
    records. The digest in the manifest finds both.

    Raises:
        StepError: a shard is missing, damaged, or holds captchas of another style.
    """
    manifest = read_manifest(settings)
    made_with = CaptchaStyle.from_dict(manifest["style"], check_fonts=False)
    if differences := made_with.differences(settings.style):
        raise StepError(
            f"{short(settings.records_folder)} holds captchas of another style "
            f"({'; '.join(differences)}). Run {NOTEBOOK} again."
        )
    paths = []
    for entry in manifest["shards"][split]:
        path = settings.records_folder / entry["name"]
        remedy = f"Delete {short(manifest_path(settings))} and run {NOTEBOOK} again."
        if not path.is_file():
            raise StepError(f"{short(path)} is missing. {remedy}")
        if _storage.file_digest(path) != entry["digest"]:
            raise StepError(
                f"{short(path)} is damaged: its {entry['count']:,} records are not what was written. {remedy}"
            )
        paths.append(path)
    return paths, sum(entry["count"] for entry in manifest["shards"][split])
