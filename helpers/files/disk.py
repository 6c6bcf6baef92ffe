"""Writing to a disk: whole or not at all, by one process at a time, and what is told when the disk is full."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.errors import StepError, TutorialError

TEMPORARY = ".unfinished-"
MAKE_ROOM = "Make room, or set CAPTCHA_DATA_DIR to a folder on another disk, and run this again"
FULL, CLOSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG), (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path with its suffix, moved to `path` when the block succeeds; StepError for a full disk."""
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    with disk_watched(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def disk_watched(path: Path) -> Iterator[None]:
    """Turn the error of a full or closed disk into a StepError, whichever package raises it."""
    try:
        yield
    except (TutorialError, FileNotFoundError):
        raise
    except Exception as reason:  # TensorFlow and h5py raise errors of their own
        number, free, place = getattr(reason, "errno", None), free_bytes(path), short(path.parent)
        if found := misplaced(path):
            raise StepError(found) from None
        if number in FULL or "o space left" in str(reason) or free < 2**16:
            why = f"The disk of {place} is full: {path.name} needs more than the {free / 1e6:,.1f} MB that are free."
            raise StepError(f"{why} {MAKE_ROOM}: what was finished is kept.") from None
        if number in CLOSED:
            why = f"{short(path)} cannot be written ({os.strerror(number)})."
            raise StepError(f"{why} Change the folder's permissions, or set CAPTCHA_DATA_DIR to another.") from None
        raise


def misplaced(path: Path) -> str:
    """What is told where a folder has the name of the file `path`, or a file that of a folder above it; else ""."""
    files = [each for each in path.absolute().parents if each.exists() and not each.is_dir()]
    found = f"{short(files[-1])} is a file, where a folder should be" if files else ""
    found = f"{short(path)} is a folder, where a file should be" if path.is_dir() else found
    return found and f"{found}. Move it elsewhere, and run this again."


def unreadable(path: Path, reason: Exception, remedy: str) -> StepError:
    """What is told of a file that cannot be read; `remedy` where it is the file's content that is wrong."""
    if found := misplaced(path):
        return StepError(found)
    remedy = "Change its permissions, and run this again." if isinstance(reason, PermissionError) else remedy
    return StepError(f"{short(path)} cannot be read ({getattr(reason, 'strerror', None) or reason}). {remedy}")


def free_bytes(path: Path) -> int:
    """What is free on the disk where `path` lies, or will lie."""
    return shutil.disk_usage(next(each for each in path.absolute().parents if each.is_dir())).free


def check_room(folder: Path, needed: float, what: str) -> None:
    """StepError if the disk of `folder` has no room for so many bytes."""
    if (free := free_bytes(folder / "any")) < needed:
        why = f"{what} take at least {needed / 1e6:,.1f} MB, and the disk of {short(folder)} has {free / 1e6:,.1f}."
        raise StepError(f"{why} {MAKE_ROOM}.")


def short(path: Path) -> str:
    """A path as it is shown: from the working directory or the experiment's folder on, never the whole path."""
    path = Path(path)
    if path.is_relative_to(Path.cwd()):
        return path.relative_to(Path.cwd()).as_posix()
    found = [path.parts.index(name) for name in ("images", "records", "networks", "notebooks") if name in path.parts]
    return "/".join(path.parts[max(found[0] - 1, 0) if found else -2 :])


@contextmanager
def only_writer(folder: Path, wait: float = 0) -> Iterator[None]:
    """Hold a lock on `folder`, within so many seconds or with a StepError; then remove what a killed writer left."""
    lock = FileLock(folder / ".lock", timeout=wait, fallback_to_soft=False)
    try:
        with disk_watched(folder / ".lock"):
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except Timeout:
        raise StepError(f"Another process is writing to {short(folder)}. Let it end, or stop its kernel.") from None
    except (OSError, NotImplementedError) as reason:
        why = f"{short(folder)} lies on a disk where files cannot be locked or written ({reason})."
        raise StepError(f"{why} Set CAPTCHA_DATA_DIR to a folder on a local disk and restart the kernel.") from None
    try:
        for place, folders, names in os.walk(folder):
            if ".lock" in names and Path(place) != folder:  # what lies there has a writer of its own
                folders.clear()
                continue
            for name in names:
                if name.startswith(TEMPORARY):
                    Path(place, name).unlink(missing_ok=True)
        yield
    finally:
        lock.release()
