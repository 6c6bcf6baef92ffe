"""Files: written whole or not at all, with digests, and by one process at a time."""

import csv
import functools
import hashlib
import json
import math
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from helpers.errors import StepError
from helpers.files.disk import check_room, disk_watched, misplaced, only_writer, short, unreadable, written_whole


def to_json(value: Any) -> str:
    """The canonical text of `value`: sorted keys, so equal values have equal digests."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def differences(mine: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """What differs in two JSON objects, also in objects inside, in the form `noise_dots: 30, not 200`."""
    found = []
    for name, value in mine.items():
        other = theirs.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            found += differences(value, other)
        elif to_json(value) != to_json(other):  # a tuple is a list there
            found.append(f"{name}: {value}, not {other}")
    return found


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write `value` to `path`, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(to_json(value), encoding="utf-8")


def read_json(path: Path, made_by: str) -> dict[str, Any]:
    """The object in `path`; if there is none, a StepError with `made_by`, the notebook that writes it."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepError(f"{short(path)} does not exist yet. Run {made_by} first.") from None
    except (OSError, ValueError, RecursionError) as reason:
        raise unreadable(path, reason, f"Delete that file and run {made_by} again.") from None
    if isinstance(value, dict):
        return value
    raise StepError(f"{short(path)} holds no JSON object. Delete that file and run {made_by} again.")


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write `rows` as CSV with a heading, whole or not at all."""
    with written_whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path, made_by: str = "notebook 04_train_alexnet") -> list[dict[str, float]]:
    """The rows of a CSV file of numbers; a StepError with `made_by` if it is damaged."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error) as reason:
        raise unreadable(path, reason, f"Delete it and run {made_by} again.") from None
    if not rows or not all(map(math.isfinite, (value for row in rows for value in row.values()))):
        raise StepError(f"{short(path)} has no rows of numbers. Delete it and run {made_by} again.")
    return rows


def holds_rows(path: Path, rows: list[dict[str, float]]) -> bool:
    """Whether a CSV file holds just these rows, in whatever order of its columns; a damaged one does not."""
    try:
        return path.is_file() and read_rows(path) == rows
    except StepError:
        return False


def text_digest(text: str) -> str:
    """SHA-256 of a text, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of one file; StepError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as reason:
        raise unreadable(path, reason, "Look what became of it, and run this again.") from None


def known_digest(path: Path) -> str:
    """`file_digest`, but a file is read only once in a process, unless its size or its time of change differs."""
    state = path.stat() if path.exists() else None
    return _digest_of(path, state and (state.st_size, state.st_mtime_ns))


_digest_of = functools.cache(lambda path, state: file_digest(path))


def files_digest(paths: Iterable[Path], root: Path) -> str:
    """One SHA-256 over the names (relative to `root`) and the bytes of many files, in order."""
    return joint_digest({path.relative_to(root).as_posix(): file_digest(path) for path in paths})


def joint_digest(digests: Mapping[str, str]) -> str:
    """One SHA-256 over names and the SHA-256 of each, in order."""
    joint = hashlib.sha256()
    for name, digest in digests.items():
        joint.update(name.encode() + b"\0" + bytes.fromhex(digest))
    return joint.hexdigest()


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """`value` with a digest of itself under "digest"."""
    return {**value, "digest": text_digest(to_json(value))}


def read_sealed(path: Path, made_by: str, holds: Iterable[str] = (), early: bool = False) -> dict[str, Any]:
    """An object that fits its own digest and `holds` these keys; StepError if it is missing, broken, or was changed.

    An `early` version of these notebooks wrote it without a digest.
    """
    value = read_json(path, made_by)
    content = {key: item for key, item in value.items() if key != "digest"}
    if not (early and "digest" not in value) and value.get("digest") != text_digest(to_json(content)):
        why = "was changed after it was written"
    elif missing := [key for key in holds if key not in value]:
        why = f"does not hold {missing[0]}"
    else:
        return content
    raise StepError(f"{short(path)} {why}. Delete that file and run {made_by} again.")


def package_versions(*names: str) -> dict[str, str]:
    """Installed versions of packages, and of Python."""
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
