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
    rows, failed = csv.writer(sys.stdout, lineterminator="\n"), 0
    if as_csv:
        sys.stdout.reconfigure(encoding="utf-8")  # names of files have to stay as they are
        rows.writerow(COLUMNS)
    for start in range(0, len(paths), BATCH_SIZE):
        some = list(map(Path, paths[start : start + BATCH_SIZE]))
        for path, reading in zip(some, reader.read(some, errors="collect"), strict=True):
            failed += reading.error is not None
            if as_csv:
                known = f"{reading.confidence:.6f}", int(reading.familiar), reading.error or ""
                rows.writerow((path, reading.text, *known))
            elif reading.error:
                print(reading.error, file=sys.stderr, flush=True)
            else:
                print(f"{path}: {verdict(reading)}", flush=True)
    if failed:
        raise ImageError(f"{failed} of {len(paths)} files could not be read.")
