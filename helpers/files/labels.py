"""The labels of pictures from elsewhere: from the names of their files, or from a CSV file."""

import csv
import os
import re
import statistics
from itertools import pairwise
from pathlib import Path

from PIL import Image

from helpers.errors import SettingsError
from helpers.files import short

NAMES = (r"(?P<text>[^\W_]+)", r"(?P<number>\d+)_(?P<text>[^\W_]+)", r"(?P<text>[^\W_]+)_(?P<number>\d+)")
WAYS = r"Give labels: a CSV file with the columns file and text, or a pattern, such as r'\d+-(?P<text>\w+)'."


def labels_of(folder: Path, labels: str | Path | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """The texts of a folder's pictures by their names, and what is left out and why; SettingsError if all are."""
    if not isinstance(labels, (str, os.PathLike, type(None))):
        raise SettingsError(f"labels: a {type(labels).__name__} holds none. {WAYS}")
    names = pictures_in(folder)
    found = _in_csv(folder, Path(labels)) if str(labels).lower().endswith(".csv") else _in_names(names, labels)
    left_out = {name: "it has no label" for name in names if name not in found}
    left_out |= {name: "there is no such file" for name in found if not (folder / name).is_file()}
    texts = {name: found[name] for name in sorted(found) if name not in left_out}
    if not texts and not names:
        raise SettingsError(f"{folder} holds no pictures. Give the folder in which they lie, not one above it.")
    if not texts:
        raise SettingsError(f"No picture has a label, not even {names[0]}. Rename it to 5020.png or 1_5020.png. {WAYS}")
    return texts, left_out


def pictures_in(folder: Path) -> list[str]:
    """The names of the files in a folder that end as pictures do, in order; SettingsError if it is none."""
    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder. Give the one that holds your pictures.")
    endings = Image.registered_extensions()
    return sorted(path.name for path in folder.iterdir() if path.suffix.lower() in endings and path.name[0] != ".")


def _in_csv(folder: Path, path: Path) -> dict[str, str]:
    path = next((each for each in (path.expanduser(), folder / path) if each.is_file()), path)
    return {row["file"]: row["text"] for row in rows_in(path)}


def rows_in(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file of labels that have a file and a text; SettingsError if it is none."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, restkey="more"))
    except (OSError, UnicodeDecodeError, csv.Error) as reason:
        raise SettingsError(f"{short(path)} cannot be read as a CSV file in UTF-8 ({reason}). {WAYS}") from None
    if missing := {"file", "text"} - set(rows[0] if rows else ()):
        raise SettingsError(f"{short(path)} has no column {' and '.join(sorted(missing))}, or no row. {WAYS}")
    return [{**row, "text": text} for row in rows if row["file"] and (text := (row["text"] or "").strip())]


def _in_names(names: list[str], pattern: str | Path | None) -> dict[str, str]:
    try:
        tried = [re.compile(each) for each in ([str(pattern)] if pattern else NAMES)]
    except re.error as reason:
        raise SettingsError(f"labels: {pattern!r} is no regular expression ({reason}). {WAYS}") from None
    if "text" not in tried[0].groupindex:
        raise SettingsError(f"labels: {pattern!r} has no group text. {WAYS}")
    matches = [{name: found for name in names if (found := each.fullmatch(Path(name).stem))} for each in tried]
    best = [each for each in matches if len(each) == max(map(len, matches))]
    if len(best) > 1 and best[0]:  # both parts are numbers, and one of them only counts the files
        numbers = [[int(found["number"]) for found in each.values()] for each in best]
        gaps = [[b - a for a, b in pairwise(sorted({*each}))] for each in numbers]
        counting = [statistics.median(each or [0]) == 1 for each in gaps]
        if all(counting):  # in a large folder the texts' numbers lie side by side too, but they repeat
            counting = [len({*each}) == len(each) for each in numbers]
        if sum(counting) != 1:
            raise SettingsError(f"Which part of {next(iter(best[0]))} is the text? {WAYS}")
        best = [best[counting.index(True)]]
    return {name: found["text"] for name, found in best[0].items()}
