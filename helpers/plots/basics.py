"""What all figures share: colours, a style for any number of series, empty axes, a word where nothing can be drawn."""

import io
import struct
import sys
from collections.abc import Sequence
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib_inline.config import InlineBackend

INK = "#767676"  # what is written: its contrast is 4.5 on white, and 4.2 on JupyterLab's dark theme
WRITTEN = "text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"
plt.rcParams.update(dict.fromkeys(WRITTEN, INK) | {"text.parse_math": False})  # a text with $ is drawn as it is
plt.rcParams.update({"axes.facecolor": "none", "savefig.facecolor": "none", "legend.frameon": False})
plt.rcParams["image.interpolation"] = "nearest"
BLIND = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")
kernel = getattr(sys.modules["IPython"].get_ipython(), "kernel", None) if "IPython" in sys.modules else None
backend = matplotlib.get_backend(auto_select=False) or ""
if kernel and backend.lower() in BLIND:
    print(f"MPLBACKEND={backend} shows no figure here. Remove that variable, then restart the kernel.")
# Okabe and Ito 2008: told apart with every common kind of colour blindness.
BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#7F7F7F"
PALETTE = (BLUE, VERMILION, GREEN, "#E69F00", "#CC79A7", "#56B4E9", GREY)
DIGITS, CAPTCHAS, LOSS = BLUE, VERMILION, GREEN
LINES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))  # dotted lines are for what the others are compared with
MARKERS = "osD^v<>ph*X"


def series_styles(count: int, ordered: bool = False, colors: Sequence[str] = ()) -> list[dict[str, Any]]:
    """A colour, line style and marker for each of `count` series, so that no two are drawn alike.

    Args:
        ordered: shades, of which none is nearly black, for series that have an order, such as positions.
        colors: of the series, instead of the palette; they may repeat.
    """
    shades = [tuple(shade) for shade in plt.get_cmap("viridis")(np.linspace(0.3, 0.85, count))]
    palette = shades if ordered else colors or PALETTE
    cycles = {"color": (palette, 1), "marker": (MARKERS, 1), "linestyle": (LINES, len(colors) or len(PALETTE))}
    return [{key: those[i // each % len(those)] for key, (those, each) in cycles.items()} for i in range(count)]


def panels(
    count: int, columns: int, heading: str = "", width: float = 4.5, height: float = 2.9, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` empty charts in rows, for the functions that take `ax`.

    Args:
        width, height: of each chart [inches].
        shared: as `plt.subplots` takes it, such as sharey=True.
    """
    columns = max(1, min(columns, count))
    rows = max(1, -(-count // columns))
    size = (width * columns, height * rows + 0.35 * bool(heading))
    fig, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **shared)
    axes = list(grid.flat)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[max(0, count - columns) : count]:  # the lowest of each column, also above an empty place
        ax.tick_params(labelbottom=True)
    for ax in axes[count:]:
        ax.set_axis_off()
    if not count:
        say_none(axes[0])
    if heading:
        fig.suptitle(heading, fontsize=11, wrap="$" not in heading)  # matplotlib parses what it wraps
    return fig, axes[:count]


def open_axes(
    ax: Axes | None, title: str, xlabel: str = "", ylabel: str = "", width: float = 7.5, height: float = 3.6
) -> Axes:
    """`ax`, or new axes of `width` x `height` inches, with a title that is smaller beside other charts."""
    ax = panels(1, 1, width=width, height=height)[1][0] if ax is None else ax
    alone = len(ax.figure.axes) == 1
    ax.set_title(title, fontsize=11 if alone else 9.5, wrap=alone and "$" not in title)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def as_png(fig: Figure) -> bytes:
    """The bytes of a PNG file of a figure, twice its size so that a widget shows it sharp; the figure is closed."""
    png = _drawn(fig)
    plt.close(fig)
    return png


def in_notebook(fig: Figure) -> tuple[bytes, dict[str, Any]]:
    """A figure as notebooks show it: a PNG file without a background, sharp on fine screens; size and titles of it."""
    png = _drawn(fig, bbox_inches="tight")
    width, height = struct.unpack(">II", png[16:24])
    alt = fig.get_suptitle() or "; ".join(filter(None, (ax.get_title() for ax in fig.axes)))
    return png, {"width": width // 2, "height": height // 2, "alt": alt}


def _drawn(fig: Figure, **more: Any) -> bytes:
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=2 * fig.dpi, **more)
    return file.getvalue()


if kernel:
    Figure._repr_png_ = in_notebook
    InlineBackend.instance(parent=kernel.shell).figure_formats = set()  # else IPython's own picture comes first


def say_none(ax: Axes) -> Axes:
    """Where there is nothing to draw, say so."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, "none to show", ha="center", va="center", transform=ax.transAxes)
    return ax
