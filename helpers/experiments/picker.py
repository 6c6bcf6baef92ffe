"""Pictures of your own: `Picker(reader)` reads one, `Labeller(reader, folder)` lets you label many by keyboard."""

import html
import io
from pathlib import Path
from typing import Any, BinaryIO

import ipywidgets as widgets
from PIL import ImageGrab

from helpers import files, plots, scores
from helpers.captchas.pictures import ImageLike, fit_to_style, open_image
from helpers.errors import ImageError
from helpers.experiments.grid import NOTHING, as_png
from helpers.experiments.knobs import GONE, refusing
from helpers.files.labels import pictures_in, rows_in
from helpers.reading import Reader, Reading


def verdict(reading: Reading) -> str:
    """What was read, how sure the network is of it, and a warning where that means little, as a sentence or two."""
    said = f"Read as {reading.text or 'nothing'}, {scores.percent(reading.confidence)} % sure."
    unlike = " But this picture looks unlike those that the network was trained on: do not rely on it."
    return said + unlike * (not reading.familiar)


class Picker(widgets.VBox):
    """Three ways to name a picture for `reader`; below them the picture as the network sees it and what it reads.

    A file that is no picture is refused in place, and the last picture stays.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.upload = widgets.FileUpload(accept="image/*", multiple=False, description="Choose a file")
        self.button = widgets.Button(description="Paste a picture")
        self.path = widgets.Text(description="or a path", placeholder="of a file", continuous_update=False)
        look = widgets.Layout(max_width="840px", object_fit="contain")
        self.picture = widgets.Image(value=NOTHING, format="png", layout=look)
        self.verdict = widgets.HTML()
        self.upload.observe(self._chosen, "value")
        self.button.on_click(self._pasted)
        self.path.observe(self._named, "value")
        ways = widgets.HBox([self.upload, self.button, self.path])
        super().__init__([ways, self.verdict, self.picture, widgets.HTML(GONE)])

    def __repr__(self) -> str:
        return "(Here you can choose a picture of your own, when a kernel runs this cell.)"

    def show(self, picture: ImageLike | BinaryIO, name: str) -> None:
        """Read a picture or the file that holds it, and show it under its name."""
        with refusing(self.verdict, "Not read."):
            picture = picture if isinstance(picture, ImageLike) else open_image(picture, name)
            (reading,) = self.reader.read(picture)
            seen, classes = fit_to_style(picture, self.reader.style), self.reader.style.classes
            fig = plots.probability_bars(seen, reading.probabilities, classes, f"{name}, as the network sees it")
            self.picture.value = plots.as_png(fig)
            self.verdict.value = f"<b>{html.escape(verdict(reading))}</b>"

    def _chosen(self, change: Any) -> None:
        self.upload.value = ()  # so that the same file can be chosen again
        for file in change["new"]:
            self.show(io.BytesIO(file["content"]), file["name"])

    def _named(self, change: Any) -> None:
        if path := change["new"].strip().strip("\"'"):  # a copied path may come in quotes
            self.path.value = ""  # so that the same path can be given again
            self.show(Path(path).expanduser(), path)

    def _pasted(self, button: Any) -> None:
        """Read the clipboard of the machine on which the kernel runs."""
        with refusing(self.verdict, "Not read."):
            try:
                found = ImageGrab.grabclipboard()
            except (NotImplementedError, OSError, ValueError) as reason:
                raise ImageError(f"This clipboard cannot be read ({reason}). Choose the file instead.") from None
            if not found:
                raise ImageError("There is no picture in the clipboard. Copy one, or choose a file.")
            file = found[0] if isinstance(found, list) else None  # of the files that were copied
            self.show(file or found, file or "the pasted picture")


class Labeller(widgets.VBox):
    """Pictures one by one, each with the guess of `reader` in a field; Enter keeps what stands there.

    The picture of which it is least sure comes first. After each label, the CSV file `labels` in the folder is written
    anew, with the columns file, text and guess, as `adopt_folder` takes it; a new Labeller goes on from it.
    """

    def __init__(self, reader: Reader, folder: str | Path, labels: str = "labels.csv") -> None:
        self.folder = Path(folder).expanduser()
        self.path, names = self.folder / labels, pictures_in(self.folder)
        found = zip(names, reader.read([self.folder / name for name in names], errors="collect"), strict=True)
        self.guesses = {name: reading for name, reading in found if not reading.error}
        self.rows = {row["file"]: row for row in rows_in(self.path)} if self.path.is_file() else {}
        self.order = [name for name in self.rows if name in self.guesses]
        begun, new = len(self.order), self.guesses.keys() - self.rows.keys()
        self.order += sorted(new, key=lambda name: (self.guesses[name].confidence, name))
        self.picture = widgets.Image(format="png", layout=widgets.Layout(height="120px", object_fit="contain"))
        self.field = widgets.Textarea(rows=1, description="text", layout=widgets.Layout(width="300px", height="34px"))
        self.back, self.skip = (widgets.Button(description=what) for what in ("back", "skip"))
        self.said, keys = widgets.HTML(), widgets.HBox([self.field, self.back, self.skip])
        self.field.observe(self._typed, "value")
        self.back.on_click(lambda button: self._show(self.at - 1))
        self.skip.on_click(lambda button: self._show(self.at + 1))
        super().__init__([self.picture, keys, self.said, widgets.HTML(GONE)])
        self._show(begun)

    def __repr__(self) -> str:
        return "(Here you can label pictures by keyboard, when a kernel runs this cell.)"

    def _show(self, at: int) -> None:
        """The picture at this place of the order, with the text that it has, or else the guess."""
        self.at = min(max(at, 0), len(self.order))
        left, done = len(self.guesses.keys() - self.rows.keys()), self.at == len(self.order)
        name = "" if done else self.order[self.at]
        self.picture.value = NOTHING if done else as_png(open_image(self.folder / name))
        self.field.value = "" if done else self.rows[name]["text"] if name in self.rows else self.guesses[name].text
        end = f"The end. {left:,} have no label: run this cell again." if left else "The end: all have a label."
        self.said.value = f"{html.escape(name or end)}<br>{len(self.rows):,} labelled, {left:,} left. {self.share()}"

    def share(self) -> str:
        """How many guesses were right so far, and why that says too little of the reader."""
        known = [row["text"] == row["guess"] for row in self.rows.values() if row.get("guess")]
        less = " The least sure come first, so of all pictures more are right." * (len(self.rows) < len(self.guesses))
        return f"Guessed right: {scores.proportion(sum(known), len(known))}.{less}" if known else ""

    def _typed(self, change: Any) -> None:
        """Enter, a new line in the field, keeps the text and shows the next picture; an empty field only shows it."""
        if "\n" in change["new"] and self.at < len(self.order):
            name, text = self.order[self.at], "".join(change["new"].split())
            rows = {**self.rows, name: {"file": name, "text": text, "guess": self.guesses[name].text}}
            with refusing(self.said, "Not kept."):
                if text:
                    files.write_rows(self.path, [{**row, "guess": row.get("guess", "")} for row in rows.values()])
                    self.rows = rows
                self._show(self.at + 1)
