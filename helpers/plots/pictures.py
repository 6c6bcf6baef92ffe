"""Pictures: one alone, or several in rows, in strips or as tiles."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.basics import INK, open_axes, panels, say_none


def show_image(image: Any, title: str = "", ax: Axes | None = None, colormap: str = "") -> Axes:
    """One picture, grey or coloured, without ticks.

    Args:
        image: [height, width] or [height, width, channels], 0 to 255.
        colormap: for values that are not grey levels, from their lowest to their highest.
    """
    ax = open_axes(ax, title, width=4, height=1.9)
    pixels = np.asarray(image)
    if not pixels.size:
        return say_none(ax)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    scale = {"cmap": colormap} if colormap else {"cmap": "gray", "vmin": 0, "vmax": 255}
    ax.imshow(pixels, **scale)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color="#CCCCCC", visible=True)
    return ax


def gallery(
    images: Sequence[Any], titles: Sequence[str] | None = None, columns: int = 5, heading: str = "",
    colors: Sequence[str] | None = None, shades: Sequence[np.ndarray] | None = None, width: float = 1.65,
) -> Figure:  # fmt: skip
    """Pictures in rows, each under its title.

    Args:
        colors: of the titles. What a colour says, the title must say too.
        shades: laid over each picture, 0 for nothing to 1, [rows, columns].
        width: of each picture [inches].
    """
    count = len(images)
    height = (width / 1.65) * 0.7 + (0.2 if titles else 0)
    fig, axes = panels(count, columns, heading, width, height)
    given = (titles or [""] * count, colors or [INK] * count, [None] * count if shades is None else shades)
    for ax, image, title, color, shade in zip(axes, images, *given, strict=True):
        show_image(image, title, ax)
        ax.title.set(fontsize=9, color=color)
        if shade is not None:
            extent = (*ax.get_xlim(), *ax.get_ylim())
            ax.imshow(np.clip(shade, 0, 1), cmap="Oranges", vmin=0, vmax=max(0.05, np.max(shade)), alpha=0.55,
                      extent=extent, interpolation="bilinear")  # fmt: skip
    return fig


def strips(rows: Mapping[str, tuple[Sequence[str], Sequence[Any]]], heading: str = "", colormap: str = "") -> Figure:
    """A row of pictures under each name, such as a knob with its values from low to high.

    Args:
        rows: name -> (titles, pictures).
        colormap: for values that are not grey levels, each picture from its lowest to its highest.
    """
    columns = max([1, *(len(images) for _, images in rows.values())])
    fig, axes = panels(len(rows) * columns, columns, heading, min(1.6 + 1.1 / columns, 8.4 / columns), 0.86)
    for number, (name, (titles, images)) in enumerate(rows.items()):
        row = axes[number * columns : (number + 1) * columns]
        for ax in row:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        for (title, image), ax in zip(zip(titles, images, strict=True), row, strict=False):
            show_image(image, title, ax, colormap)
            ax.title.set_fontsize(8.5)
        if not len(images):
            row[0].text(0.5, 0.5, "none to show", ha="center", va="center")
        row[0].set_ylabel(name.replace("_", "\n"), rotation=0, ha="right", va="center", fontsize=9)
    return fig
