"""What stands behind `python -m helpers read FILE ...`: a line for each picture, or a row of a CSV file."""

import csv
import sys
from glob import glob
from os.path import exists
from pathlib import Path

from helpers.errors import ImageError
from helpers.experiments.picker import verdict
from helpers.experiments.start import comes_along
from helpers.reading import Reader
from helpers.reading.reader import BATCH_SIZE
from helpers.settings import Settings

COLUMNS = ("file", "text", "confidence", "familiar", "error")


def read_files(settings: Settings, paths: list[str], as_csv: bool = False) -> None:
    """Print what the network of `settings` reads in each file, as it comes; ImageError if a file cannot be read.

    Where that experiment has no network yet, the one of its name that comes along reads.
    """
    if shipped := comes_along(settings, settings.experiment):
        print(f"It reads with the network '{settings.experiment}' that comes along.", file=sys.stderr)
    reader = Reader.load(shipped or settings.experiment)
    paths = [each for path in paths for each in ((not exists(path) and sorted(glob(path))) or [path])]  # for Windows
    rows, failed = csv.writer(sys.stdout, lineterminator="\n"), []
    if as_csv:
        sys.stdout.reconfigure(encoding="utf-8")  # names of files have to stay as they are
        rows.writerow(COLUMNS)
    for start in range(0, len(paths), BATCH_SIZE):
        some = list(map(Path, paths[start : start + BATCH_SIZE]))
        for path, reading in zip(some, reader.read(some, errors="collect"), strict=True):
            failed += [reading.error] if reading.error else []
            if as_csv:
                error = reading.error or ""
                rows.writerow((path, reading.text, f"{reading.confidence:.6f}", int(reading.familiar), error))
            else:
                said = (f"{path}: {verdict(reading)}", sys.stdout) if not reading.error else (reading.error, sys.stderr)
                print(said[0], file=said[1], flush=True)
    if failed:
        raise ImageError(f"{len(failed)} of {len(paths)} files could not be read.")
