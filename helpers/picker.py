"""A picture of your own: choose a file, paste it, or name its path, and see what is read in it.

`Picker(reader)` as the last line of a cell shows it.
"""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
from PIL import ImageGrab

from helpers import plots
from helpers.errors import ImageError
from helpers.pictures import ImageLike, fit_to_style, open_image, to_picture
from helpers.reading import Reader, Reading


def verdict(reading: Reading) -> str:
    """What was read, how sure the network is, and a warning where that is worth little, as a sentence or two."""
    said = f"Read as {reading.text or 'nothing'}, {100 * reading.confidence:.1f} % sure."
    if reading.familiar:
        return said
    return f"{said} But this picture looks unlike those that the network was trained on: do not rely on it."


class Picker(widgets.VBox):
    """Three ways to name a picture, and below them the picture as the network sees it and what it reads.

    A file that is no picture is refused in place, and the last picture stays.

    Args:
        reader: reads the pictures.
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
        super().__init__([widgets.HBox([self.upload, self.button, self.path]), self.verdict, self.picture])

    def __repr__(self) -> str:
        return "(Here you can choose a picture of your own, when a kernel runs this cell.)"

    def show(self, picture: ImageLike, name: str) -> None:
        """Read a picture, and show it under its name."""
        try:
            (reading,) = self.reader.read(picture)
        except ImageError as reason:
            return self._refuse(str(reason))
        fig = plots.probability_bars(
            fit_to_style(to_picture(picture), self.reader.style),
            reading.probabilities,
            self.reader.style.classes,
            f"{name}, as the network sees it",
        )
        file = io.BytesIO()
        fig.savefig(file, format="png")
        plt.close(fig)
        self.picture.value = file.getvalue()
        self.verdict.value = f"<b>{html.escape(verdict(reading))}</b>"

    def _refuse(self, reason: str) -> None:
        self.verdict.value = f"<b>Not read.</b> {html.escape(reason)}"

    def _open(self, file: Any, name: str) -> None:
        try:
            picture = open_image(file, name)
        except ImageError as reason:
            return self._refuse(str(reason))
        self.show(picture, name)

    def _chosen(self, change: Any) -> None:
        for file in change["new"]:
            self._open(io.BytesIO(file["content"]), file["name"])

    def _named(self, change: Any) -> None:
        if path := change["new"].strip().strip("\"'"):  # a copied path may come in quotes
            self.path.value = ""  # so that the same path can be given again
            self._open(Path(path).expanduser(), path)

    def _pasted(self, button: Any) -> None:
        """Read the clipboard of the machine on which the kernel runs."""
        try:
            found = ImageGrab.grabclipboard()
        except (NotImplementedError, OSError, ValueError) as reason:
            return self._refuse(f"This clipboard cannot be read ({reason}). Choose the file instead.")
        if not found:
            return self._refuse("There is no picture in the clipboard. Copy one, or choose a file.")
        if isinstance(found, list):  # files that were copied
            return self._open(found[0], found[0])
        self.show(found, "the pasted picture")
