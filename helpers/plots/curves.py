"""Curves and points: over time, along a knob, or against another number."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from helpers.plots.basics import GREY, open_axes, say_none, series_styles

Points = Sequence[Sequence[float]]
DOTS = (":", (0, (1, 3)), (0, (1, 5)))
MOST_MARKED = 25  # with more points than that, a curve is drawn without markers


def curves(
    lines: Mapping[str, Points], title: str, xlabel: str, ylabel: str, ax: Axes | None = None, legend: bool = True,
    joined: bool = True, ordered: bool = False, colors: Sequence[str] = (), dashed: Sequence[str] = (),
    references: Mapping[str, float | Points] | None = None, notes: Sequence[tuple[float, str]] = (),
    write: str = "", **limits: Any,
) -> Axes:  # fmt: skip
    """Any number of curves, with their intervals if they have any; a logarithmic axis shows 0 at its lower end, as "0".

    Args:
        lines: name -> (x, y), or (x, y, low, high).
        legend: whether their names are written; many of them stand beside the axes.
        joined: False for points without a line between them.
        ordered: shades from dark to light, for curves that have an order, such as positions.
        colors: of the curves, instead of the palette.
        dashed: names of the curves that belong to held-out captchas.
        references: name -> y of a level, or (x, y): what the curves are compared with, grey and dotted.
        notes: (x, text), written at the lower edge.
        write: how each y is written beside its point, such as "{:.1f} %".
        limits: of the axes, as `Axes.set` takes them: xlim, ylim, xscale, yscale, xticks.
    """
    ax = open_axes(ax, title, xlabel, ylabel, height=max(3.6, 0.22 * len(lines)))
    drawn = {name: [np.asarray(xs, float) for xs in [*points] or ((), ())] for name, points in lines.items()}
    if not any(len(x) for x, *_ in drawn.values()):
        return say_none(ax)
    ax.set(**{scale: limits.pop(scale) for scale in ("xscale", "yscale") if scale in limits})
    styles = series_styles(len(drawn), ordered, colors)
    for (name, points), style in zip(drawn.items(), styles, strict=True):
        style["linestyle"] = "--" if name in dashed else style["linestyle"] if joined else "none"
        lowest = [_lowest(scale, drawn, first) for scale, first in ((ax.get_xscale(), True), (ax.get_yscale(), False))]
        _draw(ax, name, points, style, lowest, write)
    for (name, where), dots in zip((references or {}).items(), cycle(DOTS), strict=False):
        look = {"linestyle": dots, "color": GREY, "zorder": 1.9, "label": name}
        _ = ax.axhline(where, **look) if np.isscalar(where) else ax.plot(*where, **look)
    for x, text in notes:
        ax.annotate(text, (x, 0.02), xycoords=("data", "axes fraction"), fontsize=8, ha="center")
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter("{x:,.9g}")
    ticks = np.unique(np.concatenate([x for x, *_ in drawn.values()]))
    if ax.get_xscale() == "log" and len(ticks) < 10:
        ax.set_xticks(np.maximum(ticks, _lowest("log", drawn, True)), [f"{tick:,.9g}" for tick in ticks])
        ax.xaxis.set_minor_locator(NullLocator())
    ax.set(**limits)
    if legend and (named := ax.get_legend_handles_labels()[1]):
        many = len(named) > 8
        beside = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "ncols": -(-len(named) // 20)} if many else {}
        ax.legend(fontsize=9 - many, **beside)
    return ax


def _lowest(scale: str, drawn: Mapping[str, Sequence[np.ndarray]], across: bool) -> float:
    """Where 0 is drawn on a logarithmic axis: at half of the smallest number that it can show."""
    columns = [column for points in drawn.values() for column in (points[:1] if across else points[1:])]
    values = np.concatenate(columns)
    return 0.5 * min(values[values > 0], default=1.0) if scale == "log" else -np.inf


def _draw(
    ax: Axes, name: str, points: list[np.ndarray], style: Mapping[str, Any], lowest: Sequence[float], write: str
) -> None:
    x, y, *bounds = np.maximum(points[0], lowest[0]), *(np.maximum(column, lowest[1]) for column in points[1:])
    marker = style["marker"] if len(x) <= MOST_MARKED or style["linestyle"] == "none" else ""
    errors = [abs(y - bound) for bound in bounds] or None
    ax.errorbar(x, y, errors, label=name, marker=marker, markersize=4, capsize=3,
                color=style["color"], linestyle=style["linestyle"])  # fmt: skip
    for at, shown, value in zip(x, y, points[1], strict=True):
        if write or shown > value:
            ax.annotate((write or "{:g}").format(value), (at, shown), fontsize=8, color=style["color"],
                        textcoords="offset points", xytext=(6, 4))  # fmt: skip
