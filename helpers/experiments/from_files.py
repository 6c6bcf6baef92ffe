"""What stands behind `python -m helpers read FILE ...`: a line for each picture, or a row of a CSV file."""

import csv
import io
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import lru_cache
from glob import glob
from itertools import chain
from pathlib import Path
from typing import TextIO

from helpers import files
from helpers.errors import ImageError, StepError, Stopped
from helpers.experiments.picker import verdict
from helpers.experiments.start import comes_along
from helpers.files.cores import bar_of, on_all_cores
from helpers.files.labels import pictures_in
from helpers.network.calibration import weights_digest
from helpers.network.saved import load_trained
from helpers.reading import Reader
from helpers.reading.reader import Reading
from helpers.settings import Settings

COLUMNS = ["file", "text", "confidence", "familiar", "error"]


def read_files(
    settings: Settings, given: list[str], as_csv: bool = False, out: str | Path | None = None, processes: int = 1,
    executor: Executor | None = None,
) -> None:  # fmt: skip
    """Print what the network of `settings` reads in each file, as it comes; ImageError if a file cannot be read.

    Where that experiment has no network yet, the one of its name that comes along reads.

    Args:
        given: paths of pictures, patterns such as "*.png", and folders.
        out: a CSV file for the readings instead. If it is there, only what it lacks, or has with an error, is read.
        processes: how many read at once; an `executor` takes their place, as in `generate`. Its workers have to see
            the same files.
    """
    if shipped := comes_along(settings, settings.experiment):
        print(f"It reads with the network '{settings.experiment}' that comes along.", file=sys.stderr)
    model = (shipped or settings.model_path).resolve()
    if not model.is_file():
        load_trained(settings)  # which tells what is missing
    source = str(model), model.stat().st_mtime
    network = weights_digest(_reader(*source).model)[:12]
    paths = list(chain.from_iterable(map(_found, given)))
    known, failed = _kept(Path(out), network, {*paths}) if out else set(), 0
    todo = [path for path in paths if path not in known]
    bar = bar_of(len(paths), initial=len(paths) - len(todo), file=sys.stderr, disable=out is None)
    work = on_all_cores(read_part, source, todo, processes, bar=bar, executor=executor) if todo else []
    if as_csv:
        sys.stdout.reconfigure(encoding="utf-8")  # names of files have to stay as they are
    try:
        with _table(out) as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerows([COLUMNS] * (as_csv and not out))
            for path, reading in zip(todo, chain.from_iterable(work), strict=True):
                failed += reading.error is not None
                if as_csv or out:
                    row = path, reading.text, f"{reading.confidence:.6f}", int(reading.familiar), reading.error
                    rows.writerow((*row, network) if out else row)
                else:
                    where = sys.stderr if reading.error else sys.stdout
                    print(reading.error or f"{path}: {verdict(reading)}", file=where, flush=True)
    except KeyboardInterrupt:
        raise Stopped(f"Stopped. {out} is kept: the same command goes on." if out else "Stopped.") from None
    if failed:
        raise ImageError(f"{failed} of {len(paths)} files could not be read.")


@contextmanager
def _table(out: str | Path | None) -> Iterator[TextIO]:
    """The end of a file, written row by row; what is printed if there is none."""
    if out is None:
        yield sys.stdout
    else:
        with files.disk_watched(Path(out)), open(out, "a", 1, "utf-8", newline="") as file:
            yield file


def _found(given: str) -> list[str]:
    """The pictures in a folder, or that fit a pattern, which Windows leaves to us; else what is given."""
    if Path(given).is_dir():
        return [str(Path(given) / name) for name in pictures_in(Path(given))]
    return [str(Path(given))] if Path(given).exists() else sorted(glob(given)) or [given]


def _kept(path: Path, network: str, wanted: set[str]) -> set[str]:
    """The files that were read in a table that an earlier call began; it is begun if it is not there.

    A row that was cut is taken out, and the error of a wanted file too: that is tried again.
    """
    head, text = [*COLUMNS, "network"], path.read_text("utf-8", "replace") if path.exists() else ""
    rows = list(csv.reader(io.StringIO(text)))
    if rows and rows[0] != head:
        raise StepError(f"{files.short(path)} is no table of readings. Choose another name.")
    whole = [row for row in (rows[1:] if text.endswith("\n") else rows[1:-1]) if len(row) == len(head)]
    if any(row[-1] != network for row in whole):
        raise StepError(f"{files.short(path)} holds readings of another network. Choose another name.")
    whole = [row for row in whole if not (row[4] and row[0] in wanted)]
    if len(whole) + 1 != len(rows):
        with files.written_whole(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([head, *whole])
    return {row[0] for row in whole}


def read_part(source: tuple[str, float], paths: list[str]) -> list[Reading]:
    """What a process does: it reads some files by the network in a file, `changed` at that time."""
    return _reader(*source).read(paths, errors="collect")


@lru_cache(maxsize=1)
def _reader(path: str, changed: float) -> Reader:
    return Reader.load(Path(path))
