"""Files: written whole or not at all, with digests, and by one process at a time."""

import csv
import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from helpers.errors import StepError

TEMPORARY = ".unfinished-"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, moved into place when the block succeeds.

    The suffix is kept, because writers such as Keras choose their format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Delete the temporary files that a killed process left in `folder`."""
    for path in folder.glob(f"{TEMPORARY}*"):
        path.unlink()


def to_json(value: Any) -> str:
    """The canonical text of `value`: sorted keys, so equal values have equal digests."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


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
    except (OSError, ValueError) as reason:
        raise StepError(f"{short(path)} cannot be read ({reason}). Delete that file and run {made_by} again.") from None
    if isinstance(value, dict):
        return value
    raise StepError(f"{short(path)} holds no JSON object. Delete it and run {made_by} again.")


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write `rows` as CSV with a heading, whole or not at all."""
    with written_whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, float]]:
    """The rows of a CSV file of numbers."""
    with open(path, newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def text_digest(text: str) -> str:
    """SHA-256 of a text, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of one file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_digest(paths: Iterable[Path], root: Path) -> str:
    """One SHA-256 over the names (relative to `root`) and the bytes of many files, in order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """`value` with a digest of itself under "digest"."""
    return {**value, "digest": text_digest(to_json(value))}


def read_sealed(path: Path, made_by: str) -> dict[str, Any]:
    """A manifest that fits its own digest; StepError if it is missing, broken, or changed since it was written."""
    value = read_json(path, made_by)
    content = {key: item for key, item in value.items() if key != "digest"}
    if value.get("digest") != text_digest(to_json(content)):
        why = f"{short(path)} was changed after it was written."
        raise StepError(f"{why} Delete the folder {short(path.parent)} and run {made_by} again.")
    return content


def package_versions(*names: str) -> dict[str, str]:
    """Installed versions of packages, and of Python."""
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def short(path: Path) -> str:
    """A path as it is shown: from the working directory or the experiment's folder on, never the whole path."""
    path = Path(path)
    if path.is_relative_to(Path.cwd()):
        return path.relative_to(Path.cwd()).as_posix()
    found = [path.parts.index(name) for name in ("images", "records", "networks", "notebooks") if name in path.parts]
    return "/".join(path.parts[max(found[0] - 1, 0) if found else -2 :])


@contextmanager
def only_writer(folder: Path, wait: float = 0) -> Iterator[None]:
    """Hold a lock on `folder`, for which it may `wait` some seconds; StepError if another process keeps it."""
    lock = FileLock(folder / ".lock", timeout=wait, fallback_to_soft=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        why = f"Another process is writing to {short(folder)}."
        raise StepError(f"{why} Wait until it ends, or stop the other notebook's kernel.") from None
    except (OSError, NotImplementedError) as reason:
        raise StepError(
            f"{short(folder)} lies on a disk where files cannot be locked or written ({reason}), so two processes "
            "could spoil each other's work. Set CAPTCHA_DATA_DIR to a folder on a local disk and restart the kernel."
        ) from None
    try:
        yield
    finally:
        lock.release()
