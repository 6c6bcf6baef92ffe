"""`Picker(reader)`: choose, paste or name a picture of your own, and see what is read in it."""

import html
import io
from pathlib import Path
from typing import Any, BinaryIO

import ipywidgets as widgets
from PIL import ImageGrab

from helpers import plots, scores
from helpers.captchas.pictures import ImageLike, fit_to_style, open_image
from helpers.errors import ImageError
from helpers.experiments.knobs import GONE
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
        self.path = widgets.Text(placeholder="or write the path of a file here", continuous_update=False)
        self.picture = widgets.Image(format="png", layout=widgets.Layout(max_width="840px", object_fit="contain"))
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
        try:
            picture = picture if isinstance(picture, ImageLike) else open_image(picture, name)
            (reading,) = self.reader.read(picture)
            seen = fit_to_style(picture, self.reader.style)
        except ImageError as reason:
            return self._refuse(str(reason))
        classes = self.reader.style.classes
        fig = plots.probability_bars(seen, reading.probabilities, classes, f"{name}, as the network sees it")
        self.picture.value = plots.as_png(fig)
        self.verdict.value = f"<b>{html.escape(verdict(reading))}</b>"

    def _refuse(self, reason: str) -> None:
        self.verdict.value = f"<b>Not read.</b> {html.escape(reason)}"

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
        try:
            found = ImageGrab.grabclipboard()
        except (NotImplementedError, OSError, ValueError) as reason:
            return self._refuse(f"This clipboard cannot be read ({reason}). Choose the file instead.")
        if not found:
            return self._refuse("There is no picture in the clipboard. Copy one, or choose a file.")
        file = found[0] if isinstance(found, list) else None  # of the files that were copied
        self.show(file or found, file or "the pasted picture")
