"""What the drawings share: colours, empty axes, plain bars."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito 2008: told apart with every common kind of colour blindness.
BLUE, VERMILION, GREEN, GREY, YELLOW = "#0072B2", "#D55E00", "#009E73", "#7F7F7F", "#E69F00"
DIGITS, CAPTCHAS = BLUE, VERMILION


def new_axes(width: float = 7.5, height: float = 3.6) -> tuple[Figure, Axes]:
    """A figure of one chart, `width` x `height` inches, without the upper and right frame."""
    fig, ax = plt.subplots(figsize=(width, height), layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return fig, ax


def horizontal_bars(
    values: Mapping[str, float],
    xlabel: str,
    title: str,
    ax: Axes | None = None,
    unit: str = "",
) -> Axes:
    """One bar for each name, its value written at its end."""
    if ax is None:
        _, ax = new_axes(7.5, 0.45 * len(values) + 1.3)
    names = list(values)
    ax.barh(names, list(values.values()), color=BLUE, height=0.6)
    for index, name in enumerate(names):
        value = f"{values[name]:,.0f}" if values[name] >= 100 and not unit else f"{values[name]:.{4 if unit else 3}g}"
        ax.annotate(f" {value}{unit}", (values[name], index), va="center", fontsize=9,
                    textcoords="offset points", xytext=(2, 0))  # fmt: skip
    ax.invert_yaxis()
    ax.set_xlim(0, 1.18 * max([*values.values(), 1e-9]))
    ax.set_xlabel(xlabel)
    ax.set_title(title)
    return ax
