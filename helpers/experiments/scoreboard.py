"""What became of the styles that were tried: a row for each in the data folder's `tries.json`, and a figure."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from helpers import files, plots, scores
from helpers.captchas.fonts import keep_fonts
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import StepError, TutorialError
from helpers.experiments.choice import own_fonts
from helpers.experiments.grid import sample_of
from helpers.files.results import load_result
from helpers.settings import load_settings

FORMAT = 2  # of tries.json
SCORES = ("accuracy", "before", "forgot")


@dataclass(frozen=True)
class Try:
    """What became of a style; each proportion counts validation captchas that were read completely right."""

    style: CaptchaStyle
    start: str | None  # the experiment whose network it began with; None: random weights
    accuracy: scores.Proportion  # of the new network, on the style
    before: scores.Proportion | None  # of the network that it began with, on the style
    forgot: scores.Proportion | None  # of the new network, on the style that it began with
    seconds: float
    date: str  # YYYY-MM-DD
    network: str | None = None  # a digest of the network that it began with

    def __str__(self) -> str:
        names = "the new network, on this style", "the old one", "what the new one still reads of the old style"
        lines = zip(names, (self.accuracy, self.before, self.forgot), strict=True)
        return "\n".join(f"{name}: {score}" for name, score in lines if score)

    __repr__ = __str__  # so that a cell shows it


def list_tries() -> list[Try]:
    """The tries in the data folder, the newest last; StepError if their file is damaged, or of a newer version."""
    if not _path().is_file():
        return []
    try:
        stored = files.read_json(_path(), made_by="the try")
        if stored["format"] > FORMAT:
            raise ValueError("a newer version of these notebooks wrote it")
        return [from_row(row, own_fonts()) for row in stored["rows"]]
    except (KeyError, TypeError, ValueError, TutorialError) as reason:
        raise StepError(f"{files.short(_path())} cannot be used: {reason}. Rename it, and try again.") from None


def keep_try(row: Try) -> None:
    """Add a row to them, in the place of an earlier one of the same style and network."""
    with files.only_writer(_path().parent, wait=10):
        kept = list_tries()
        keep_fonts((font for each in (*kept, row) for font in each.style.fonts), own_fonts())  # to be shown later
        same = [(row.style.to_dict(), row.start, network) for network in (None, row.network)]
        others = [each for each in map(to_row, kept) if (each["style"], each["start"], each["network"]) not in same]
        files.write_json(_path(), {"format": FORMAT, "rows": [*others, to_row(row)]})


def from_row(row: dict[str, Any], own_fonts: Path | None = None) -> Try:
    """A try from the JSON values that are kept of it; fonts of one's own lie in the folder `own_fonts`."""
    counted = {name: row[name] and scores.proportion(*row[name]) for name in SCORES}
    return Try(**{**row, **counted, "style": CaptchaStyle.from_dict(row["style"], False, own_fonts)})


def to_row(row: Try) -> dict[str, Any]:
    """What is kept of a try, as JSON values."""
    counts = {name: getattr(row, name) and list(getattr(row, name)[:2]) for name in SCORES}
    return {**vars(row), "style": row.style.to_dict(), **counts}


def _path() -> Path:
    return load_settings().data_dir / "tries.json"


def draw_scoreboard() -> Axes:
    """A row for each try, your own and those that come along: in words, a captcha, what was misread, the seconds."""
    named = [(in_words(row), row) for row in list_tries()]
    named += [(f"came along: {in_words(row)}", row) for row in map(from_row, load_result("tries")["rows"])]
    shown = {f"{textwrap.fill(textwrap.shorten(name, 68), 36)}, {row.seconds:.0f} s": row for name, row in named}
    found, captchas = {name: row.accuracy for name, row in shown.items()}, [sample_of(r.style) for r in shown.values()]
    ranked = sorted((row for _, row in named), key=lambda row: row.accuracy.value)
    ends = (textwrap.shorten(in_words(ranked[at]), 40) for at in (-1, 0))
    title = "Fewest mistakes with “{}”, most with “{}”".format(*ends)
    return plots.shares(found, "misread [%], with 95 % intervals", title, mistakes=True, pictures=captchas)


def in_words(row: Try) -> str:
    """What a style changes of the default one, and where its network began."""
    default, words = CaptchaStyle().to_dict(), []
    for name, value in row.style.to_dict().items():
        if value != default[name]:
            if isinstance(value, list):  # of several, or the ends of a range
                several = name in ("fonts", "font_sizes")
                value = (", " if several else " to ").join(map(str, value if several else dict.fromkeys(value)))
            words.append(f"{name.replace('_', ' ')}: {value}")
    begun = {None: ["from random weights"], "default": []}.get(row.start, [f"from {row.start}"])
    return "; ".join([*(words or ["the default style"]), *begun])
