"""The plateau on which a network is guessing, and how it is left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.basics import BLUE, GREEN, GREY, YELLOW, new_axes

LAST = 10  # batches whose loss is taken as the end of a curve


def first_steps(points: Sequence[Mapping[str, float]], positions: int, ax: Axes | None = None) -> Axes:
    """Accuracy of each position while the network leaves the plateau, the first tenth of the training.

    Args:
        points: images seen and an accuracy, 0 to 1, "position 1" and so on.
    """
    if ax is None:
        _, ax = new_axes()
    end = max(points[-1]["images"] / 10, points[min(8, len(points) - 1)]["images"])
    early = [point for point in points if point["images"] <= end]
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, positions))
    for index, (color, marker) in enumerate(zip(shades, "osD^v<>ph*Xd", strict=False)):
        y = [100 * point[f"position {index + 1}"] for point in early]
        ax.plot([point["images"] for point in early], y, marker=marker, markersize=4, color=color,
                label=f"position {index + 1}")  # fmt: skip
    ax.set_ylim(-2, 102)
    ax.set_xlabel("training images seen")
    ax.set_ylabel("validation digits read right [%]")
    ax.set_title(_order_of_leaving(points, positions), fontsize=11)
    ax.legend(fontsize=9)
    return ax


def _order_of_leaving(points: Sequence[Mapping[str, float]], positions: int) -> str:
    """Which positions are first and last read right more often than not."""
    names = [f"position {index + 1}" for index in range(positions)]
    left = {name: next((point["images"] for point in points if point[name] > 0.5), math.inf) for name in names}
    first, last = min(left.values()), max(left.values())
    if last == math.inf:
        return f"{sum(images < last for images in left.values())} of {positions} positions pass 50 %"
    if first == last:
        return "All positions pass 50 % together"
    early, late = (" and ".join(name for name in names if left[name] == images) for images in (first, last))
    return f"{early.capitalize()} first: above 50 % after {first:,.0f} images, {late} after {last:,.0f}"


def loss_curves(curves: Mapping[str, Sequence[float]], classes: int, ax: Axes | None = None) -> Axes:
    """Loss after each batch, with the line ln(classes) on which a network is guessing.

    Args:
        curves: name -> loss of each batch.
    """
    if ax is None:
        _, ax = new_axes()
    for (name, losses), color in zip(curves.items(), (GREY, GREEN, YELLOW, BLUE), strict=False):
        ax.plot(range(1, len(losses) + 1), losses, color=color, label=name)
    ax.axhline(np.log(classes), color="black", linewidth=1, linestyle=":")
    ax.annotate(f"ln {classes} = {np.log(classes):.3f}: guessing", (1, np.log(classes)), fontsize=9,
                textcoords="offset points", xytext=(4, 4))  # fmt: skip
    ax.set_ylim(0, 1.35 * np.log(classes))
    ax.set_xlabel("batch")
    ax.set_ylabel("loss (cross entropy) [nats]")
    ends = [f"{np.mean(losses[-LAST:]):.2f} {name}" for name, losses in curves.items()]
    ax.set_title(f"Mean loss of the last {LAST} batches: {', '.join(ends)}", fontsize=11)
    ax.legend(loc="lower left", fontsize=9)
    return ax


def remedies(curves: Mapping[str, Sequence[Sequence[float]]], mean_of: int, classes: int) -> Figure:
    """Loss of several recipes side by side, each beside the first, with the line of guessing.

    Args:
        curves: recipe -> for each seed, the mean losses of successive batches [nats].
        mean_of: batches behind each mean.
        classes: guessing has a loss of ln(classes).
    """
    columns = 4
    rows = -(-len(curves) // columns)
    fig, axes = plt.subplots(
        rows, columns, figsize=(9.5, 0.4 + 2.1 * rows), layout="constrained", sharex=True, sharey=True, squeeze=False
    )
    first = next(iter(curves.values()))
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (name, several) in zip(axes.flat, curves.items(), strict=False):
        ax.set_axis_on()
        for shown, color, width in ((first, GREY, 1.0), (several, GREEN, 2.0)):
            for losses in shown:
                ax.plot(mean_of * np.arange(1, len(losses) + 1), losses, color=color, linewidth=width)
        ax.axhline(math.log(classes), color="black", linewidth=1, linestyle=":")
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_ylim(0, 1.35 * math.log(classes))
        ax.set_title(name, fontsize=9)
    for row in axes:
        row[0].set_ylabel("loss [nats]", fontsize=9)
    fig.supxlabel("batches", fontsize=9)
    lowest = min(curves, key=lambda name: np.mean([losses[-1] for losses in curves[name]]))
    batches = mean_of * len(first[0])
    fig.suptitle(
        f"Lowest loss after {batches} batches: {lowest} "
        f"(green; grey: {next(iter(curves))}; dotted: guessing, ln {classes})",
        fontsize=10,
    )
    return fig
