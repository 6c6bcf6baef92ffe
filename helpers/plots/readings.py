"""What a network reads, how sure it is, and where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.basics import BLUE, GREY, VERMILION
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


def mistakes(
    images: Sequence[Any], probabilities: np.ndarray, labels: np.ndarray, classes: str, columns: int = 2
) -> Figure:
    """Misread captchas, each beside the probabilities of the position that went wrong.

    Of several wrong positions it is the one that the network was surest of. What was read is hatched
    and marked "read", the truth "true".

    Args:
        probabilities: [captchas, positions, classes].
        labels: the true classes, [captchas, positions].
    """
    rows = max(1, -(-len(images) // columns))
    fig, axes = plt.subplots(
        rows, 2 * columns, figsize=(4.4 * columns, 1.25 * rows), layout="constrained", squeeze=False,
        width_ratios=(1.35, 1) * columns,
    )  # fmt: skip
    for ax in axes.flat:
        ax.set_axis_off()
    for index, (image, rows_of, truth) in enumerate(zip(images, probabilities, labels, strict=True)):
        left, right = axes[index // columns, 2 * (index % columns) :][:2]
        read = rows_of.argmax(axis=1)
        wrong = np.flatnonzero(read != truth)
        worst = wrong[rows_of[wrong].max(axis=1).argmax()]
        texts = ["".join(classes[label] for label in text) for text in (truth, read)]
        left.set_axis_on()
        show_image(image, f"true {texts[0]}, read {texts[1]}: {rows_of.max(axis=1).prod():.1%} sure", left)
        left.title.set_fontsize(9)
        right.set_axis_on()
        _bars_of_a_mistake(right, rows_of[worst], int(truth[worst]), int(read[worst]), classes)
        right.set_title(f"position {worst + 1}", fontsize=9)
    if not len(images):
        axes[0, 0].text(0.5, 0.5, "no mistake to show", ha="center", va="center")
    return fig


def _bars_of_a_mistake(ax: Axes, probabilities: np.ndarray, true: int, read: int, classes: str) -> None:
    bars = ax.bar(range(len(classes)), 100 * probabilities, color=GREY)
    near = abs(true - read) < 0.25 * len(classes)  # then the two words would lie over each other
    aside = {True: ("left", "right"), False: ("right", "left")}[true > read] if near else ("center", "center")
    words = ((true, "true", BLUE, "", aside[0]), (read, "read", VERMILION, "////", aside[1]))
    for label, name, color, hatch, side in words:
        bars[label].set(facecolor=color, hatch=hatch, edgecolor="white" if hatch else color)
        ax.annotate(name, (label, 100 * probabilities[label]), ha=side, fontsize=8,
                    textcoords="offset points", xytext=(0, 2))  # fmt: skip
    ax.set_xticks(range(len(classes)), list(classes), fontsize=8 if len(classes) < 16 else 5)
    ax.set_ylim(0, 125)
    ax.set_yticks([0, 100], ["0", "100 %"], fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def confusion_maps(counts: np.ndarray, classes: str) -> Figure:
    """For each position: which character was read as which, right answers left out; logarithmic shades.

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
        shades, darkest = np.log10(1 + wrong[position]), np.log10(1 + max(1, wrong.max()))
        ax.imshow(shades, cmap="Oranges", vmin=0, vmax=darkest)
        for true, read in zip(*np.nonzero(wrong[position]), strict=True):
            color = "white" if shades[true, read] > 0.6 * darkest else "black"
            ax.text(read, true, wrong[position, true, read], ha="center", va="center", fontsize=8, color=color)
        ax.set_xticks(range(len(classes)), list(classes), fontsize=7 if wide else 8)
        ax.set_yticks(range(len(classes)), list(classes), fontsize=7 if wide else 8)
        ax.set_title(f"position {position + 1}: {wrong[position].sum()} wrong", fontsize=10)
        ax.set_xlabel("read as")
    axes[0, 0].set_ylabel("true character")
    fig.suptitle(f"{wrong.sum():,} wrong characters among {counts.sum():,}", fontsize=11)
    return fig


def confusion_matrix(counts: np.ndarray, classes: str, ax: Axes | None = None) -> Axes:
    """Which character was read as which, over all positions, shaded by the logarithm of the count.

    Args:
        counts: [true class, read class].
    """
    if ax is None:
        side = 1.6 + 0.36 * len(classes)
        _, ax = plt.subplots(figsize=(side, side), layout="constrained")
    ax.imshow(np.log10(np.maximum(counts, 0.5)), cmap="Blues", vmin=-0.3, vmax=np.log10(max(10, counts.max())))
    darkest = np.log10(max(10, counts.max()))
    for (true, read), count in np.ndenumerate(counts):
        if count:
            color = "white" if np.log10(count) > 0.6 * darkest else "black"
            ax.text(read, true, f"{count:,}", ha="center", va="center", fontsize=7, color=color)
    ax.set_xticks(range(len(classes)), list(classes))
    ax.set_yticks(range(len(classes)), list(classes))
    ax.set_xlabel("read as")
    ax.set_ylabel("true character")
    wrong = counts.sum() - np.trace(counts)
    ax.set_title(f"{wrong:,} wrong among {counts.sum():,} characters", fontsize=11)
    return ax


def occlusion_maps(image: np.ndarray, lost: np.ndarray, text: str) -> Figure:
    """For each position, the captcha with the parts shaded that its answer depends on.

    Args:
        image: grey, uint8 [height, width].
        lost: probability lost where a part is hidden, [positions, rows, columns].
        text: the true text.
    """
    positions = len(lost)
    columns = min(2, positions)
    rows = -(-positions // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(3.8 * columns, 1.75 * rows), layout="constrained", squeeze=False)
    for ax in axes.flat[positions:]:
        ax.set_axis_off()
    for position, (ax, one) in enumerate(zip(axes.flat, lost, strict=False)):
        character = text[position] if position < len(text) else "nothing"
        show_image(image, f"position {position + 1}: {character}, loses up to {100 * max(0, one.max()):.0f} %", ax)
        height, width = image.shape
        ax.imshow(np.clip(one, 0, 1), cmap="Oranges", vmin=0, vmax=max(0.05, one.max()), alpha=0.55,
                  extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="bilinear")  # fmt: skip
    fig.suptitle("Hide a part, and see whose answer suffers", fontsize=11)
    return fig


def activations(stages: Mapping[str, np.ndarray], channels: int = 6) -> Figure:
    """What layers hand on for one captcha: a row for each layer, some of its channels in it.

    Args:
        stages: layer -> values [height, width, channels].
    """
    fig, axes = plt.subplots(
        len(stages),
        channels,
        figsize=(1.5 * channels + 1, 0.82 * len(stages) + 0.3),
        layout="constrained",
        squeeze=False,
    )
    for row, (name, values) in zip(axes, stages.items(), strict=True):
        strongest = np.argsort(-values.std(axis=(0, 1)), kind="stable")[:channels]
        for ax in row[len(strongest) :]:
            ax.set_axis_off()
        for ax, channel in zip(row, strongest, strict=False):
            ax.imshow(values[:, :, channel], cmap="magma")
            ax.set_xticks([])
            ax.set_yticks([])
        size = " × ".join(map(str, values.shape))
        row[0].set_ylabel(f"{name}\n{size}", rotation=0, ha="right", va="center", fontsize=8)
    sizes = [" × ".join(map(str, values.shape[:2])) for values in stages.values()]
    fig.suptitle(f"From {sizes[0]} points to {sizes[-1]}", fontsize=11)
    return fig
