"""Amounts and shares as bars."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from helpers.plots.basics import BLUE, CAPTCHAS, open_axes, say_none


def horizontal_bars(
    values: Mapping[str, float], xlabel: str, title: str, ax: Axes | None = None, unit: str = "",
    logarithmic: bool = False,
) -> Axes:  # fmt: skip
    """One bar for each name, its value written at its end; with a unit, to two digits."""
    ax = open_axes(ax, title, xlabel, height=0.45 * len(values) + 1.3)
    if not values:
        return say_none(ax)
    for index, value in enumerate(values.values()):
        ax.barh(index, value, color=BLUE, height=0.6)
        written = f"{value:,.0f}" if value >= 100 and not unit else f"{value:.{2 if unit else 3}g}"
        ax.annotate(f" {written}{unit}", (max(0, value), index), va="center", fontsize=9,
                    textcoords="offset points", xytext=(2, 0))  # fmt: skip
    ax.set_yticks(range(len(values)), list(values))
    ax.invert_yaxis()
    least, most = min(values.values()), max(1e-9, *values.values())
    ax.set_xlim(1.18 * min(0, least), 1.18 * most)
    if logarithmic:
        ax.set(xscale="log", xlim=(least / 3, 8 * most))
        ax.xaxis.set_major_formatter("{x:,.9g}")
    return ax


def shares(
    scores: Mapping[str, tuple[int, int, float, float, float]], xlabel: str, title: str, ax: Axes | None = None,
    mistakes: bool = False, pictures: Sequence[Any] = (),
) -> Axes:  # fmt: skip
    """A bar for each share, with a line for its 95 % interval and its count beside it; none is rounded to 0 or 100 %.

    Args:
        scores: name -> (right, count, share, low, high), as `scores.proportion` gives.
        mistakes: instead of bars, a dot for what is missing to 100 %, on a logarithmic axis; 0 stands at its lower end.
        pictures: one for each score, shown to the left of the axis.
    """
    row = 0.62 if pictures else 0.42
    ax = open_axes(ax, title, xlabel, width=8.5 if pictures else 8, height=row * len(scores) + 1.3)
    if not scores:
        return say_none(ax)
    ends = [100 * (1 - end) for *_, low, high in scores.values() for end in (low, high)]
    least = 10.0 ** np.floor(np.log10(min((end for end in ends if end > 0), default=1.0)))  # where 0 is drawn
    for index, (right, count, share, low, high) in enumerate(scores.values()):
        interval = np.maximum(100 * (1 - np.array([high, low])), least) if mistakes else [100 * low, 100 * high]
        if mistakes:
            ax.plot(max(100 * (1 - share), least), index, "o", color=CAPTCHAS, markersize=8, zorder=3, clip_on=False)
        else:
            ax.barh(index, 100 * share, color=CAPTCHAS, alpha=0.4, height=0.6)
        ax.plot(interval, [index, index], color=CAPTCHAS, linewidth=3)
        decimals = next((d for d in range(1, 6) if share in (0, 1) or round(100 * share, d) not in (0, 100)), 6)
        written = f"{100 * share:.{decimals}f} %{' right' * mistakes}, {right:,} of {count:,}"
        ax.annotate(written, (1.02, index), va="center", fontsize=9, xycoords=("axes fraction", "data"))
    zooms = [min(32 / height, 130 / width) for height, width, *_ in map(np.shape, pictures)]
    for index, (picture, zoom) in enumerate(zip(pictures, zooms, strict=True)):
        box = OffsetImage(np.asarray(picture), zoom=zoom, cmap="gray", clim=(0, 255))
        ax.add_artist(AnnotationBbox(box, (-0.01, index), xycoords=("axes fraction", "data"), frameon=False,
                                     box_alignment=(1, 0.5)))  # fmt: skip
    ax.set_yticks(range(len(scores)), list(scores))
    widest = max((zoom * np.shape(picture)[1] for picture, zoom in zip(pictures, zooms, strict=True)), default=-7)
    ax.tick_params(axis="y", pad=14 + widest, length=0)
    ax.set_ylim(len(scores) - 0.5, -0.5)
    ax.set(xscale="log", xlim=(least, 100)) if mistakes else ax.set_xlim(0, 101)
    none = mistakes and any(right == count for right, count, *_ in scores.values())
    ax.xaxis.set_major_formatter(lambda x, _: "0" if none and x <= least else f"{x:g}")
    return ax
