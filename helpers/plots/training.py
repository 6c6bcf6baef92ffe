"""How a training goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.basics import BLUE, CAPTCHAS, DIGITS, GREEN, GREY, VERMILION, YELLOW, new_axes


def live_display() -> Callable[[Figure], None]:
    """A function that shows a figure, each new one in the place of the last.

    Outside a notebook it shows nothing.
    """
    from IPython import get_ipython
    from IPython.display import display

    handle = None

    def show(fig: Figure) -> None:
        nonlocal handle
        if get_ipython() is None:
            return
        if handle is None:
            handle = display(fig, display_id=True)
        else:
            handle.update(fig)

    return show


def draw_progress(points: Sequence[Mapping[str, float]], total_images: int, probe_size: int, classes: int) -> Figure:
    """The live figure: accuracies and loss on training and validation captchas, and how far the training is.

    Args:
        points: images seen, seconds, four accuracies (0 to 1) and two losses [nats] each.
        total_images: images that the whole training will see.
        probe_size: captchas behind each point of a curve.
        classes: guessing reads one digit in so many right, and has a loss of ln(classes).
    """
    fig, (ax, below) = plt.subplots(2, figsize=(8, 5.2), height_ratios=(3, 1.3), sharex=True, layout="constrained")
    plt.close(fig)  # shown by its caller, not by the cell
    x = [point["images"] for point in points]
    for split, style in (("training", "-"), ("validation", "--")):
        for thing, color in (("digits", DIGITS), ("captchas", CAPTCHAS)):
            y = [100 * point[f"{split} {thing}"] for point in points]
            ax.plot(x, y, style, color=color, label=f"{thing}, {split}")
        below.plot(x, [point[f"{split} loss"] for point in points], style, color=GREEN, label=split)
    guessing = {ax: (100 / classes, "guessing a digit"), below: (math.log(classes), f"ln {classes}: guessing")}
    for axes, (level, name) in guessing.items():
        axes.axhline(level, color=GREY, linewidth=0.8, linestyle=":")
        axes.annotate(name, (total_images, level), fontsize=8, color="#555555", ha="right",
                      textcoords="offset points", xytext=(0, 3))  # fmt: skip
        axes.spines[["top", "right"]].set_visible(False)
    last = points[-1]
    done = last["images"] / total_images
    ax.axvspan(0, total_images, ymin=0.985, color="#DDDDDD")  # the progress bar
    ax.axvspan(0, last["images"], ymin=0.985, color=GREEN)
    left = f", about {last['seconds'] * (1 / done - 1):.0f} s left" if 0 < done < 1 else ""
    ax.set_xlim(0, total_images)
    ax.set_ylim(-2, 106)
    ax.set_ylabel(f"read right,\nof {probe_size} captchas [%]")
    ax.set_title(
        f"{done:.0%} of {total_images:,} images, {last['seconds']:.0f} s{left}: "
        f"{100 * last['validation captchas']:.1f} % of {probe_size} validation captchas whole",
        fontsize=10,
    )
    ax.legend(loc="lower right", fontsize=9, frameon=False, bbox_to_anchor=(1, 0.3))
    highest = max(point[f"{split} loss"] for point in points for split in ("training", "validation"))
    below.set_ylim(0, max(1.35 * math.log(classes), 1.05 * highest))
    below.set_ylabel("loss\n[nats per digit]")
    below.set_xlabel("training images seen; the bar at the top is the progress")
    return fig


def digit_against_whole(points: Sequence[Mapping[str, float]], positions: int, ax: Axes | None = None) -> Axes:
    """Whole-captcha accuracy in training against digit accuracy, with the line that independence would give.

    Args:
        points: "validation digits" and "validation captchas", 0 to 1, in the order of the training.
    """
    if ax is None:
        _, ax = new_axes(5.5, 4)
    digits = np.array([point["validation digits"] for point in points])
    whole = np.array([point["validation captchas"] for point in points])
    line = np.linspace(0, 1, 101)
    name = f"p to the power of {positions}: independent digits"
    ax.plot(100 * line, 100 * line**positions, ":", color=GREY, label=name)
    ax.plot(100 * digits, 100 * whole, "o", markersize=4, color=CAPTCHAS, label="a moment of the training")
    ax.set_xlabel("validation digits read right [%]")
    ax.set_ylabel("validation captchas read whole [%]")
    ax.set_title("A captcha is whole only if all of it is right")
    ax.legend(fontsize=9)
    return ax


def learning_rate(rates: Sequence[float], steps: int, ax: Axes | None = None) -> Axes:
    """The learning rate over all steps of a training.

    Args:
        rates: at equal distances from the first step to the last.
    """
    if ax is None:
        _, ax = new_axes(7.5, 2.6)
    ax.plot(np.linspace(0, steps, len(rates)), rates, color=GREEN)
    ax.set_xlim(0, steps)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("training step (one batch each)")
    ax.set_ylabel("learning rate")
    ax.set_title("One cycle: up for a tenth of the steps, then down to nearly nothing")
    return ax


def epochs(rows: Sequence[Mapping[str, float]]) -> Figure:
    """Loss and accuracies after each epoch, training solid and validation dashed.

    Args:
        rows: with epoch, loss, two accuracies (0 to 1), and the same with "validation_".
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    x = [int(row["epoch"]) for row in rows]
    for prefix, style, split in (("", "-o", "training"), ("validation_", "--s", "validation")):
        left.plot(x, [row[f"{prefix}loss"] for row in rows], style, color=GREEN, label=split)
        for thing, color in (("digit", DIGITS), ("captcha", CAPTCHAS)):
            y = [100 * row[f"{prefix}{thing}_accuracy"] for row in rows]
            right.plot(x, y, style, color=color, label=f"{thing}s, {split}")
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_xticks(x)
        ax.set_xlabel("epoch")
        ax.legend(fontsize=9)
    left.set_ylim(bottom=0)
    left.set_ylabel("loss (cross entropy) [nats]")
    left.set_title(f"Validation loss at the end: {rows[-1]['validation_loss']:.3g}")
    right.set_ylabel("read right [%]")
    right.set_title(f"{100 * rows[-1]['validation_captcha_accuracy']:.1f} % of validation captchas whole")
    return fig


def accuracy_over_time(
    curves: Mapping[str, Sequence[Mapping[str, float]]], count: int, title: str, ax: Axes | None = None
) -> Axes:
    """Held-out accuracy of several recipes against the time spent in training, each named at its end.

    Args:
        curves: name -> points with "seconds" and "captchas" (0 to 1).
        count: captchas behind each point.
    """
    if ax is None:
        _, ax = new_axes(8, 4.4)
    colors = (GREY, YELLOW, "#CC79A7", "#56B4E9", GREEN, VERMILION, BLUE)
    ends = sorted((100 * points[-1]["captchas"], name) for name, points in curves.items())
    heights: dict[str, float] = {}
    for end, name in ends:  # names that would overlap are moved apart
        heights[name] = max(end, max(heights.values(), default=-9.0) + 6.5)
    excess = max(0.0, max(heights.values()) - 104)
    for (name, points), color in zip(curves.items(), colors[-len(curves) :], strict=True):
        x = [point["seconds"] for point in points]
        y = [100 * point["captchas"] for point in points]
        ax.plot(x, y, color=color, linewidth=2, marker="o", markersize=3)
        ax.annotate(f"{name}: {y[-1]:.1f} %", (x[-1], y[-1]), xytext=(1.03, heights[name] - excess),
                    textcoords=("axes fraction", "data"), fontsize=9, color=color, va="center",
                    arrowprops={"arrowstyle": "-", "color": color, "linestyle": ":", "relpos": (0, 0.5)})  # fmt: skip
    ax.set_xlim(left=0)
    ax.set_ylim(-3, 104)
    ax.set_xlabel("time in training [s]")
    ax.set_ylabel(f"read whole, of {count:,} validation captchas [%]")
    ax.set_title(title, fontsize=10)
    return ax
