"""What stands behind `python -m helpers read FILE ...`: a line for each picture, or a row of a CSV file."""

import csv
import sys
from glob import glob
from pathlib import Path

from helpers.errors import ImageError
from helpers.experiments.picker import verdict
from helpers.experiments.start import comes_along
from helpers.reading import Reader
from helpers.reading.reader import BATCH_SIZE
from helpers.settings import Settings


def read_files(settings: Settings, paths: list[str], as_csv: bool = False) -> None:
    """Print what the network of `settings` reads in each file, as it comes; ImageError if a file cannot be read.

    Where that experiment has no network yet, the one of its name that comes along reads.
    """
    if shipped := comes_along(settings, settings.experiment):
        print(f"It reads with the network '{settings.experiment}' that comes along.", file=sys.stderr)
    reader = Reader.load(shipped or settings.experiment)
    found = [[path] if Path(path).exists() else sorted(glob(path)) or [path] for path in paths]  # for Windows
    paths = [Path(path) for several in found for path in several]
    rows, failed = csv.writer(sys.stdout, lineterminator="\n"), 0
    if as_csv:
        sys.stdout.reconfigure(encoding="utf-8")  # names of files have to stay as they are
        rows.writerow(("file", "text", "confidence", "familiar", "error"))
    for start in range(0, len(paths), BATCH_SIZE):
        some = paths[start : start + BATCH_SIZE]
        for path, reading in zip(some, reader.read(some, errors="collect"), strict=True):
            failed += reading.error is not None
            if as_csv:
                confidence, familiar = f"{reading.confidence:.6f}", int(reading.familiar)
                rows.writerow((path, reading.text, confidence, familiar, reading.error))
            elif reading.error:
                print(reading.error, file=sys.stderr, flush=True)
            else:
                print(f"{path}: {verdict(reading)}", flush=True)
    if failed:
        raise ImageError(f"{failed} of {len(paths)} files could not be read.")
