"""How the data and the network are built: the bytes of a record, the layers of a network."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from helpers.plots.basics import BLUE, GREEN, GREY, VERMILION, open_axes, say_none, series_styles

TINTS = ("#BFD7EA", "#FFE0B3", "#C7E9C0", "#F6C6C0", "#E3D5EE", "#D9D9D9")  # light enough to be written on
FIRST, LAST, ROW = 48, 16, 16  # bytes shown of a long record, and in a row


def byte_map(record: bytes, parts: Sequence[tuple[str, int]], ax: Axes | None = None) -> Axes:
    """A record as coloured cells in hexadecimal; of a long record, its first 48 and last 16 bytes.

    Args:
        parts: (name, bytes) in order; together they make the record.

    Raises:
        ValueError: the parts have more or fewer bytes than the record.
    """
    shown = [index for index in range(len(record)) if index < FIRST or index >= len(record) - LAST]
    skipped = len(record) - len(shown)
    owner = [index for index, (_, size) in enumerate(parts) for _ in range(size)]
    if len(owner) != len(record):
        raise ValueError(f"The parts have {len(owner)} bytes, the record {len(record)}.")
    rows = -(-len(shown) // ROW) + 0.6 * bool(skipped)
    what = f"The first {FIRST} and the last {LAST} bytes" if skipped else f"All {len(record)} bytes"
    height = 0.8 + 0.46 * rows + 0.25 * -(-len(parts) // 4)
    ax = open_axes(ax, f"{what} of the record, in hexadecimal", width=8, height=height)
    if not record:
        return say_none(ax)
    styles = series_styles(len(parts), colors=TINTS)
    looks = [{"facecolor": style["color"], "hatch": style["hatch"], "edgecolor": "white"} for style in styles]
    for place, index in enumerate(shown):
        row, column = divmod(place, ROW)
        row += 0.6 * (skipped > 0 and place >= FIRST)
        ax.add_patch(Rectangle((column, row), 1, 1, **looks[owner[index]]))
        ax.text(column + 0.5, row + 0.5, f"{record[index]:02x}", ha="center", va="center", family="monospace")
    if skipped:
        ax.text(8, 3.3, f"… {skipped:,} more bytes …", ha="center", va="center", fontsize=9)
    handles = [Rectangle((0, 0), 1, 1, label=name, **look) for (name, _), look in zip(parts, looks, strict=True)]
    ax.legend(handles=handles, ncols=4, fontsize=9, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0))
    ax.set(xlim=(0, ROW), ylim=(rows, 0))
    ax.set_axis_off()
    return ax


def network(layers: Sequence[tuple[str, tuple[int, ...], int]], ax: Axes | None = None) -> Axes:
    """A chain of layers as boxes: as high as the picture they hand on, as wide as its channels.

    Args:
        layers: (name, output shape without the batch, parameters).
    """
    total = sum(parameters for _, _, parameters in layers)
    title = f"{total:,} parameters; below each layer the shape it passes on, [height × width × channels], and its own"
    ax = open_axes(ax, title, width=max(11, 0.8 * len(layers)), height=3.4)
    if not layers:
        return say_none(ax)
    tallest = max((shape[0] for _, shape, _ in layers if len(shape) == 3), default=1)
    x = 0.0
    for name, shape, parameters in layers:
        image = len(shape) == 3
        height = 0.35 + 1.65 * (shape[0] / tallest if image else 0.45)
        width = 0.35 + 0.05 * np.sqrt(shape[2]) if image else 0.35
        color = VERMILION if "conv" in name else GREY if "pool" in name else BLUE if "dense" in name else GREEN
        box = {"facecolor": color, "alpha": 0.75, "edgecolor": "none", "boxstyle": "round,pad=0.03"}
        ax.add_patch(FancyBboxPatch((x, -height / 2), width, height, **box))
        ax.text(x + width / 2, height / 2 + 0.12, name.replace(" ", "\n"), ha="center", va="bottom", fontsize=9)
        label = "×".join(map(str, shape)) + (f"\n{parameters:,}" if parameters else "")
        ax.text(x + width / 2, -height / 2 - 0.12, label, ha="center", va="top", fontsize=8, color="#444444")
        x += width + 0.85
    ax.set(xlim=(-0.4, x - 0.2), ylim=(-1.6, 1.4))
    ax.set_axis_off()
    return ax
