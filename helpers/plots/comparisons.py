"""Several experiments side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.basics import BLUE, CAPTCHAS, GREEN, GREY, VERMILION, new_axes
from helpers.plots.pictures import show_image


def experiments(
    names: Sequence[str],
    samples: Sequence[Any],
    curves: Sequence[tuple[Sequence[float], Sequence[float]]],
    scores: Sequence[tuple[float, float, float, int]],
) -> Figure:
    """A row for each experiment: one of its captchas, its training, its held-out score.

    Args:
        curves: (seconds, share of validation captchas read whole) of each.
        scores: (share, low, high, count) of each on its test split.
    """
    rows = max(1, len(names))
    fig, axes = plt.subplots(
        rows, 3, figsize=(9.5, 1.15 * rows + 1), width_ratios=[1, 1.3, 1.3], layout="constrained", squeeze=False,
        sharex="col", sharey="col",
    )  # fmt: skip
    for row, name, sample, (seconds, shares), (share, low, high, count) in zip(
        axes, names, samples, curves, scores, strict=True
    ):
        show_image(sample, name, row[0])
        row[1].plot(seconds, 100 * np.asarray(shares), "--", color=CAPTCHAS)
        row[1].set_title(f"{seconds[-1]:,.0f} s of training", fontsize=9)
        row[2].barh([0], [100 * share], color=CAPTCHAS, height=0.5)
        bounds = [[100 * (share - low)], [100 * (high - share)]]
        row[2].errorbar([100 * share], [0], xerr=bounds, fmt="none", color="black", linewidth=3, capsize=8)
        row[2].set_title(f"{100 * share:.2f} % of {count:,} ({100 * low:.2f}–{100 * high:.2f})", fontsize=9)
    for row in axes:
        row[1].set_ylim(-5, 105)
        row[1].set_ylabel("[%]")
        row[2].set_xlim(0, 101)
        row[2].set_ylim(-0.6, 0.6)
        row[2].set_yticks([])
        for ax in row[1:]:
            ax.spines[["top", "right"]].set_visible(False)
    axes[-1, 1].set_xlabel("time in training [s]")
    axes[-1, 2].set_xlabel("test captchas read whole [%]\n(black: the 95 % interval)")
    fig.suptitle("A captcha of each, validation captchas read whole during training, and the test", fontsize=11)
    return fig


def accuracy_matrix(
    rows: Sequence[str], columns: Sequence[str], shares: np.ndarray, count: int, ax: Axes | None = None
) -> Axes:
    """Whole-captcha accuracy of each network (row) on each style (column).

    Args:
        shares: [rows, columns], 0 to 1.
        count: captchas behind each share.
    """
    if ax is None:
        _, ax = new_axes(0.85 * len(columns) + 2.2, 0.5 * len(rows) + 1.9)
    percent = 100 * np.asarray(shares)
    ax.imshow(percent, cmap="viridis", vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(percent):
        ax.text(column, row, f"{value:.1f}", ha="center", va="center", color="black" if value > 60 else "white")
    ax.set_xticks(range(len(columns)), columns, rotation=30, ha="right")
    ax.set_yticks(range(len(rows)), rows)
    ax.set_xlabel("read")
    ax.set_ylabel("trained on")
    ax.set_title(f"Read whole, of {count:,} held-out captchas each [%]")
    return ax


def knob_curves(
    curves: Mapping[str, Sequence[tuple[float, float, float, float]]],
    xlabel: str,
    trained: Mapping[str, float],
    ax: Axes | None = None,
) -> Axes:
    """Whole-captcha accuracy along one knob of the style, with intervals, a curve for each network.

    Args:
        curves: network -> (value, share, low, high) of each point.
        trained: network -> the value that it was trained with, marked on the curve.
    """
    if ax is None:
        _, ax = new_axes()
    for (name, points), color, marker in zip(curves.items(), (BLUE, VERMILION, GREEN), "osD", strict=False):
        x, share, low, high = (100 * np.array(column) for column in zip(*points, strict=True))
        x = x / 100
        ax.fill_between(x, low, high, color=color, alpha=0.2)
        ax.plot(x, share, marker=marker, color=color, label=f"trained with {trained[name]:g}: {name}")
        ax.axvline(trained[name], color=color, linewidth=1, linestyle=":")
    ax.set_ylim(-3, 103)
    ax.set_xlabel(xlabel)
    ax.set_ylabel("read whole [%]")
    ax.set_title("How far each network reads along this knob (dotted: what it was trained with)")
    ax.legend(fontsize=9)
    return ax


def shares(
    scores: Mapping[str, tuple[int, int, float, float, float]], xlabel: str, title: str, ax: Axes | None = None
) -> Axes:
    """A bar for each share, with its 95 % interval in black and its count written beside it.

    Args:
        scores: name -> (right, count, share, low, high), as `scores.proportion` gives.
    """
    if ax is None:
        _, ax = new_axes(8, 0.42 * len(scores) + 1.3)
    names = list(scores)
    for index, (right, count, share, low, high) in enumerate(scores.values()):
        ax.barh(index, 100 * share, color=CAPTCHAS, alpha=0.75, height=0.6)
        ax.plot([100 * low, 100 * high], [index, index], color="black", linewidth=3)
        percent = f"{100 * share:.1f}"
        if percent == "100.0" and right < count:
            percent = f"{100 * share:.2f}"
        ax.annotate(f"{percent} %, {right:,} of {count:,}", (1.02, index), va="center", fontsize=9,
                    xycoords=("axes fraction", "data"))  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlim(0, 101)
    ax.set_xlabel(xlabel)
    ax.set_title(title, fontsize=11)
    return ax


def growth(
    counts: Sequence[int], seconds: Mapping[str, Sequence[float]], slopes: Mapping[str, float], ax: Axes | None = None
) -> Axes:
    """Time against the number of captchas, both logarithmic, so that a power law is a straight line.

    Args:
        seconds: step -> time at each count [s].
        slopes: step -> exponent of the power law; 1 is linear.
    """
    if ax is None:
        _, ax = new_axes(7.5, 4)
    for (step, times), color, marker in zip(seconds.items(), (BLUE, VERMILION, GREEN), "osD", strict=True):
        ax.loglog(counts, times, marker=marker, color=color, label=f"{step}: slope {slopes[step]:.2f}")
    ax.loglog(counts, [counts[i] / counts[0] for i in range(len(counts))], ":", color=GREY, label="slope 1: linear")
    ax.set_xticks(counts, [f"{count:,}" for count in counts])
    ax.minorticks_off()
    ax.set_xlabel("captchas")
    ax.set_ylabel("time [s]")
    ax.set_title("Ten times the captchas cost about ten times the time")
    ax.legend(fontsize=9)
    return ax


def amounts(
    curves: Mapping[int, Sequence[tuple[int, float, float, float]]], count: int, ax: Axes | None = None
) -> Axes:
    """Share read wrong against the number of different captchas, both logarithmic, a curve for each number of epochs.

    Args:
        curves: epochs -> (captchas, share, low, high) of whole captchas read right, 0 to 1.
        count: validation captchas behind each point.
    """
    if ax is None:
        _, ax = new_axes(8, 4)
    ticks: dict[int, None] = {}
    for (epochs, points), color, marker in zip(curves.items(), (VERMILION, BLUE, GREEN), "osD", strict=False):
        x, share, low, high = np.array(points).T
        ticks |= dict.fromkeys(x.astype(int))
        wrong, bounds = 100 * (1 - share), 100 * np.abs([share - high, share - low])
        name = f"{epochs} epoch{'s' * (epochs > 1)}"
        ax.errorbar(x, wrong, bounds, color=color, marker=marker, capsize=3, label=name)
        for at, value in zip(x, wrong, strict=True):
            ax.annotate(
                f"{value:.3g} %", (at, value), fontsize=8, color=color, textcoords="offset points", xytext=(6, 4)
            )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(sorted(ticks), [f"{tick:,}" for tick in sorted(ticks)])
    ax.minorticks_off()
    ax.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    ax.set_xlabel("different training captchas")
    ax.set_ylabel(f"read wrong, of {count:,}\nvalidation captchas [%]")
    ax.set_title("More captchas help more than more passes over the same ones")
    ax.legend(fontsize=9)
    return ax


def slices(facts: Mapping[str, Mapping[str, tuple[int, int, float, float, float]]], mean: float) -> Figure:
    """Whole-captcha accuracy in slices of several facts, with intervals and counts, and its mean as a line.

    Args:
        facts: name -> slice -> (right, count, share, low, high), as `analysis.sliced` gives.
        mean: accuracy of all, 0 to 1.
    """
    columns = min(2, len(facts))
    rows = -(-len(facts) // columns)
    fig, axes = plt.subplots(
        rows, columns, figsize=(4.6 * columns, 2.7 * rows), layout="constrained", squeeze=False, sharey=True
    )
    for ax in axes.flat[len(facts) :]:
        ax.set_axis_off()
    for ax, (name, scores) in zip(axes.flat, facts.items(), strict=False):
        for index, (_, _, share, low, high) in enumerate(scores.values()):
            bounds = [[100 * abs(share - low)], [100 * abs(high - share)]]
            ax.errorbar(index, 100 * share, bounds, color=CAPTCHAS, marker="o", capsize=4)
        ax.axhline(100 * mean, color=GREY, linewidth=1, linestyle=":")
        labels = [f"{part}\n{score[1]:,}" for part, score in scores.items()]
        ax.set_xticks(range(len(scores)), labels, fontsize=7.5)
        ax.margins(x=0.12)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_title(name, fontsize=10)
    for row in axes:
        row[0].set_ylabel("read whole [%]")
    fig.suptitle(_what_differs_most(facts), fontsize=11)
    return fig


def _what_differs_most(facts: Mapping[str, Mapping[str, tuple[int, int, float, float, float]]]) -> str:
    """The fact whose slices lie furthest apart, with its lowest and its highest slice."""
    shares = {name: [100 * score[2] for score in scores.values()] for name, scores in facts.items() if scores}
    most = max(shares, key=lambda name: max(shares[name]) - min(shares[name]))
    what = most.split(";")[0].split(" [")[0]
    return (
        f"Furthest apart: {what}, {min(shares[most]):.0f} to {max(shares[most]):.0f} % (below each slice its captchas)"
    )
