"""What a network reads, how sure it is of it, and which characters it confuses."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.basics import BLUE, GREY, VERMILION, open_axes, say_none
from helpers.plots.pictures import show_image


def probability_bars(image: Any, probabilities: np.ndarray, classes: str, title: str = "") -> Figure:
    """A captcha, and below it one small bar chart for each position; probabilities are [positions, classes]."""
    positions = len(probabilities)
    fig = plt.figure(figsize=(max(6.0, (2.1 if len(classes) < 16 else 4) * positions), 3.5), layout="constrained")
    grid = fig.add_gridspec(2, max(1, positions), height_ratios=(1, 1.3))
    show_image(image, title, fig.add_subplot(grid[0, :]))
    if not positions:
        say_none(fig.add_subplot(grid[1, 0]))
    for position, row in enumerate(probabilities):
        ax = character_bars(row, classes, f"position {position + 1}", ax=fig.add_subplot(grid[1, position]))
        best = int(np.argmax(row))
        share = "over 99.9" if row[best] > 0.9995 else f"{100 * row[best]:.1f}"
        ax.annotate(f"{classes[best]}: {share} %", (0.5, 0.98), xycoords="axes fraction",
                    ha="center", va="top", fontsize=9)  # fmt: skip
        ax.set_ylabel("" if position else "probability")
    return fig


def character_bars(
    probabilities: np.ndarray, classes: str, title: str = "", true: int | None = None, ax: Axes | None = None
) -> Axes:
    """The probability of each character at one position; what was read is vermilion.

    Args:
        probabilities: [classes].
        true: index of the true character, to mark it "true" in blue, and what was read "read" and hatched.
    """
    ax = open_axes(ax, title, width=4, height=2)
    ax.spines[["top", "right"]].set_visible(False)
    if not len(probabilities):
        return say_none(ax)
    read = int(np.argmax(probabilities))
    bars = ax.bar(range(len(classes)), 100 * np.asarray(probabilities), color=BLUE if true is None else GREY)
    bars[read].set(facecolor=VERMILION)
    if true is not None:
        near = abs(true - read) < 0.25 * len(classes)  # then the two words would lie over each other
        sides = {True: ("left", "right"), False: ("right", "left")}[true > read] if near else ("center", "center")
        bars[read].set(hatch="////", edgecolor="white")
        bars[true].set(facecolor=BLUE)
        for label, word, side in zip((true, read), ("true", "read"), sides, strict=True):
            ax.annotate(word, (label, 100 * probabilities[label]), ha=side, fontsize=8,
                        textcoords="offset points", xytext=(0, 2))  # fmt: skip
    ax.set_xticks(range(len(classes)), list(classes), fontsize=8 if len(classes) < 16 else 6)
    ax.set_yticks([0, 50, 100], ["0", "50", "100 %"], fontsize=8)
    ax.set(xlim=(-1.8, len(classes) + 0.8), ylim=(0, 125))  # room for the two words
    return ax


def heat_map(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, xlabel: str = "", ylabel: str = "",
    ax: Axes | None = None, write: str = "{:,}", most: float | None = None, logarithmic: bool = False,
    colormap: str = "Blues",
) -> Axes:  # fmt: skip
    """A table of numbers, each written on its shade.

    Args:
        values: [rows, columns].
        write: how a number is written, such as "{:.1f}".
        most: the number with the last shade, the largest one unless given.
        logarithmic: shades for counts, so that rare ones can be seen beside common ones; 0 stays blank.
    """
    values = np.asarray(values)
    if values.size and values.shape != (len(rows), len(columns)):
        raise ValueError(f"{values.shape} numbers do not fit {len(rows)} rows and {len(columns)} columns.")
    texts = [[write.format(value) if value or not logarithmic else "" for value in row] for row in values.tolist()]
    cell = 0.15 + 0.08 * max((len(text) for row in texts for text in row), default=1)
    longest, tilt = max(map(len, rows), default=0), 30 * (max(map(len, columns), default=0) > 3)
    width, height = 1 + 0.08 * longest + max(0.36, cell) * len(columns), 1 + tilt / 75 + 0.38 * len(rows)
    ax = open_axes(ax, title, xlabel, ylabel, width, height)
    if not values.size:
        return say_none(ax)
    most = max(values.max(), 1e-9) if most is None else most
    shades = np.log10(np.maximum(values, 0.5)) if logarithmic else values
    lowest, highest = (np.log10(0.5), np.log10(max(10, most))) if logarithmic else (min(0, values.min()), most)
    shown = ax.imshow(shades, cmap=colormap, vmin=lowest, vmax=highest, aspect="auto")
    light = shown.to_rgba(shades)[..., :3] @ (0.3, 0.59, 0.11) > 0.5
    for (row, column), is_light in np.ndenumerate(light):
        ax.text(column, row, texts[row][column], ha="center", va="center", fontsize=8,
                color="black" if is_light else "white")  # fmt: skip
    ax.set_xticks(range(len(columns)), list(columns), rotation=tilt, ha="right" if tilt else "center", fontsize=9)
    ax.set_yticks(range(len(rows)), list(rows), fontsize=9)
    return ax
