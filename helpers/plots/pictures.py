"""Captchas as they are, and pictures of how the data and the network are built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from helpers.plots.basics import BLUE, GREEN, GREY, VERMILION, new_axes


def show_image(image: Any, title: str = "", ax: Axes | None = None) -> Axes:
    """One picture, grey or coloured, without ticks."""
    if ax is None:
        _, ax = plt.subplots(figsize=(4, 1.9), layout="constrained")
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color("#CCCCCC")
    if title:
        ax.set_title(title, fontsize=10)
    return ax


def gallery(
    images: Sequence[Any],
    titles: Sequence[str] | None = None,
    columns: int = 5,
    heading: str = "",
    colors: Sequence[str] | None = None,
) -> Figure:
    """Pictures in rows, each under its title.

    Args:
        colors: of the titles; the titles themselves must tell what a colour tells.
    """
    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    fig, axes = plt.subplots(
        rows, columns, figsize=(1.65 * columns, (0.9 if titles else 0.7) * rows + 0.35 * bool(heading)),
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for ax in axes.flat:
        ax.set_axis_off()
    for index, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        ax.set_axis_on()
        show_image(image, titles[index] if titles else "", ax)
        ax.title.set_fontsize(9)
        if colors:
            ax.title.set_color(colors[index])
    if not len(images):
        axes[0, 0].text(0.5, 0.5, "none to show", ha="center", va="center")
    if heading:
        fig.suptitle(heading, fontsize=11)
    return fig


def mosaic(pictures: np.ndarray, columns: int, title: str = "", ax: Axes | None = None) -> Axes:
    """Many small pictures of the same size as tiles, each stretched from its darkest to its lightest.

    Args:
        pictures: [count, height, width].
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7, 0.35 + 7 * -(-len(pictures) // columns) / columns), layout="constrained")
    lowest, highest = (edge(pictures, axis=(1, 2), keepdims=True) for edge in (np.min, np.max))
    shown = 255 * (pictures - lowest) / np.maximum(highest - lowest, 1e-12)
    missing = -len(shown) % columns
    tiles = np.pad(shown, ((0, missing), (1, 1), (1, 1)), constant_values=255)
    rows = tiles.reshape(-1, columns, *tiles.shape[1:]).transpose(0, 2, 1, 3)
    return show_image(rows.reshape(-1, columns * tiles.shape[2]), title, ax)


def knob_strips(strips: Mapping[str, tuple[Sequence[str], Sequence[Any]]], heading: str = "") -> Figure:
    """A row of pictures for each knob, its values from low to high.

    Args:
        strips: knob -> (values as text, pictures).
    """
    columns = max(len(values) for values, _ in strips.values())
    fig, axes = plt.subplots(
        len(strips), columns, figsize=(1.6 * columns + 1.1, 0.86 * len(strips) + 0.3), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for row, (knob, (values, images)) in zip(axes, strips.items(), strict=True):
        for ax in row[len(values) :]:
            ax.set_axis_off()
        for ax, value, image in zip(row, values, images, strict=False):
            show_image(image, value, ax)
            ax.title.set_fontsize(8.5)
        row[0].set_ylabel(knob.replace("_", "\n"), rotation=0, ha="right", va="center", fontsize=10)
    if heading:
        fig.suptitle(heading, fontsize=11)
    return fig


def class_balance(counts: np.ndarray, classes: str, texts: int, ax: Axes | None = None) -> Axes:
    """How often each class stands at each position, with the spread that chance explains.

    Chance comes in twice: a split got four fifths of all texts, and each captcha draws one of these.
    No band is drawn where lengths vary, because "nothing here" cannot stand everywhere.

    Args:
        counts: [positions, classes].
        texts: different texts in the split.
    """
    if ax is None:
        _, ax = new_axes()
    positions = len(counts)
    total = counts.sum(axis=1).mean()
    expected = total / counts.shape[1]
    spread = 2 * np.sqrt(expected * (1 - 1 / counts.shape[1]) * (1 + 0.2 * total / texts))
    shades = plt.get_cmap("viridis")(np.linspace(0.1, 0.85, positions))
    x = np.arange(counts.shape[1])
    for position, row in enumerate(counts):
        offset = (position - (positions - 1) / 2) * 0.8 / positions
        ax.bar(x + offset, row, 0.8 / positions, color=shades[position], label=f"position {position + 1}")
    title = f"How often each character stands at each position ({total:,.0f} captchas)"
    if "␣" not in classes:
        low, high = expected - spread, expected + spread
        inside = ((counts >= low) & (counts <= high)).sum()
        title = f"{inside} of {counts.size} counts lie within two deviations ({total:,.0f} captchas)"
        ax.axhspan(low, high, color=GREY, alpha=0.3, zorder=3, label="expected ± 2 deviations")
    ax.set_xticks(x, list(classes))
    ax.set_xlabel("character")
    ax.set_ylabel("captchas")
    ax.set_title(title, fontsize=11)
    ax.legend(fontsize=8, ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.18), frameon=False)
    return ax


def byte_map(record: bytes, parts: Sequence[tuple[str, int]], ax: Axes | None = None) -> Axes:
    """The first 48 and the last 16 bytes of a record as coloured cells in hexadecimal.

    Args:
        parts: (name, bytes) in order.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(8, 3), layout="constrained")
    colors = ["#BFD7EA", "#FFE0B3", "#C7E9C0", "#F6C6C0"]
    owner = [part for part, (_, size) in enumerate(parts) for _ in range(size)]
    for row, start in enumerate([0, 16, 32, len(record) - 16]):
        y = row if row < 3 else 3.6
        for column in range(16):
            index = start + column
            ax.add_patch(plt.Rectangle((column, y), 1, 1, facecolor=colors[owner[index]], edgecolor="white"))
            ax.text(
                column + 0.5, y + 0.5, f"{record[index]:02x}", ha="center", va="center", fontsize=9, family="monospace"
            )
    ax.text(8, 3.3, f"… {len(record) - 64:,} more bytes …", ha="center", va="center", fontsize=9)
    handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in colors[: len(parts)]]
    names = [name for name, _ in parts]
    ax.legend(handles, names, ncols=4, fontsize=9, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0))
    ax.set_xlim(0, 16)
    ax.set_ylim(4.6, 0)
    ax.set_axis_off()
    ax.set_title("The first 48 and the last 16 bytes of the record, in hexadecimal", fontsize=10)
    return ax


def network(layers: Sequence[tuple[str, tuple[int, ...], int]], ax: Axes | None = None) -> Axes:
    """A chain of layers as boxes: as high as the picture they hand on, as wide as its channels.

    Args:
        layers: (name, output shape without the batch, parameters).
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(11, 3.4), layout="constrained")
    tallest = max(shape[0] for _, shape, _ in layers if len(shape) == 3)
    x = 0.0
    for name, shape, parameters in layers:
        image = len(shape) == 3
        height = 0.35 + 1.65 * (shape[0] / tallest if image else 0.45)
        width = 0.35 + 0.05 * np.sqrt(shape[2]) if image else 0.35
        color = VERMILION if "conv" in name else GREY if "pool" in name else BLUE if "dense" in name else GREEN
        box = FancyBboxPatch((x, -height / 2), width, height, boxstyle="round,pad=0.03",
                             facecolor=color, alpha=0.75, edgecolor="none")  # fmt: skip
        ax.add_patch(box)
        ax.text(x + width / 2, height / 2 + 0.12, name.replace(" ", "\n"), ha="center", va="bottom", fontsize=9)
        label = "×".join(map(str, shape)) + (f"\n{parameters:,}" if parameters else "")
        ax.text(x + width / 2, -height / 2 - 0.12, label, ha="center", va="top", fontsize=8, color="#444444")
        x += width + 0.85
    ax.set_xlim(-0.4, x - 0.2)
    ax.set_ylim(-1.6, 1.4)
    ax.set_axis_off()
    total = sum(parameters for _, _, parameters in layers)
    shape = "[height × width × channels]"
    ax.set_title(f"{total:,} parameters; below each layer the shape it hands on, {shape}, and its own", fontsize=10)
    return ax
