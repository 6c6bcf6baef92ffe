"""What a network reads, how sure it is, and where it fails."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.basics import BLUE, VERMILION, new_axes
from helpers.plots.pictures import show_image


def probability_table(probabilities: np.ndarray, classes: str, ax: Axes | None = None) -> Axes:
    """Probabilities as numbers in a shaded table; of many classes, the ten most probable.

    Args:
        probabilities: [positions, classes].
    """
    kept = np.sort(np.argsort(-probabilities.max(axis=0), kind="stable")[:10])
    shown = probabilities[:, kept]
    if ax is None:
        _, ax = plt.subplots(figsize=(8.5, 0.42 * len(shown) + 0.9), layout="constrained")
    ax.imshow(shown, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(shown):
        color = "white" if value > 0.6 else "black"
        ax.text(column, row, f"{value:.4f}", ha="center", va="center", fontsize=8, color=color)
    ax.set_xticks(range(len(kept)), [classes[index] for index in kept])
    ax.set_yticks(range(len(shown)), [f"position {i + 1}" for i in range(len(shown))])
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    ax.set_title("Probability of each character at each position", fontsize=10)
    return ax


def probability_bars(image: Any, probabilities: np.ndarray, classes: str, title: str = "") -> Figure:
    """A captcha, and below it one small bar chart for each position.

    Args:
        probabilities: [positions, classes].
    """
    positions = len(probabilities)
    fig = plt.figure(figsize=(max(6.0, (2.1 if len(classes) < 16 else 4) * positions), 3.5), layout="constrained")
    grid = fig.add_gridspec(2, positions, height_ratios=(1, 1.3))
    show_image(image, title, fig.add_subplot(grid[0, :]))
    for position, row in enumerate(probabilities):
        ax = fig.add_subplot(grid[1, position])
        best = int(row.argmax())
        colors = [VERMILION if c == best else BLUE for c in range(len(classes))]
        ax.bar(range(len(classes)), 100 * row, color=colors)
        ax.set_xticks(range(len(classes)), list(classes), fontsize=8 if len(classes) < 16 else 7)
        ax.set_ylim(0, 118)
        ax.set_yticks([0, 50, 100])
        ax.annotate(f"{classes[best]}: {100 * row[best]:.1f} %", (0.5, 0.98), xycoords="axes fraction",
                    ha="center", va="top", fontsize=9)  # fmt: skip
        ax.set_title(f"position {position + 1}", fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
        if position == 0:
            ax.set_ylabel("probability [%]")
    return fig


def confusion_maps(counts: np.ndarray, classes: str) -> Figure:
    """For each position: which character was read as which, right answers left out.

    Args:
        counts: [positions, true class, read class].
    """
    wrong = counts.copy()
    wrong[:, range(len(classes)), range(len(classes))] = 0
    positions = len(counts)
    wide = len(classes) > 16
    size = (5.0 * positions, 5.8) if wide else (2.5 * positions, 3.2)
    fig, axes = plt.subplots(1, positions, figsize=size, layout="constrained", squeeze=False)
    for position, ax in enumerate(axes[0]):
        ax.imshow(wrong[position], cmap="Oranges", vmin=0, vmax=max(1, wrong.max()))
        for true, read in zip(*np.nonzero(wrong[position]), strict=True):
            ax.text(read, true, wrong[position, true, read], ha="center", va="center", fontsize=8)
        ax.set_xticks(range(len(classes)), list(classes), fontsize=7 if wide else 8)
        ax.set_yticks(range(len(classes)), list(classes), fontsize=7 if wide else 8)
        ax.set_title(f"position {position + 1}: {wrong[position].sum()} wrong", fontsize=10)
        ax.set_xlabel("read as")
    axes[0, 0].set_ylabel("true character")
    fig.suptitle(f"{wrong.sum()} wrong characters among {counts.sum():,}", fontsize=11)
    return fig


def confidence_histogram(confidence: np.ndarray, right: np.ndarray, ax: Axes | None = None) -> Axes:
    """How sure the network was, of right and of wrong readings; a logarithmic count.

    Args:
        confidence: 0 to 1, [captchas].
        right: whether each was read right, bool [captchas].
    """
    if ax is None:
        _, ax = new_axes()
    bins = np.linspace(0, 1, 21)
    ax.hist(confidence[right], bins, color=BLUE, alpha=0.6, label=f"read right ({right.sum():,})")
    ax.hist(confidence[~right], bins, histtype="step", linewidth=2, color=VERMILION, hatch="///",
            label=f"read wrong ({(~right).sum():,})")  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(bottom=0.7)
    ax.set_xlabel("confidence: probability that the whole text is right")
    ax.set_ylabel("captchas")
    ax.legend(loc="upper left", fontsize=9)
    return ax
