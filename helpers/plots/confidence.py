"""How sure a network is, and how often it is right then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from helpers.plots.basics import BLUE, CAPTCHAS, GREY, VERMILION, new_axes


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
    sure = confidence > 0.95
    of_right, of_wrong = (f"{(sure & some).sum():,} of {some.sum():,}" for some in (right, ~right))
    ax.set_title(f"Surer than 95 %: {of_right} right readings, {of_wrong} wrong ones", fontsize=11)
    ax.legend(loc="upper left", fontsize=9)
    return ax


def reliability_curve(
    bins: Mapping[str, Sequence[tuple[float, float, float, tuple[int, int, float, float, float]]]],
    title: str,
    ax: Axes | None = None,
) -> Axes:
    """Accuracy against confidence, with intervals and counts; on the diagonal confidence keeps its word.

    Args:
        bins: name -> (low, high, mean confidence, (right, count, share, low, high)), as
            `analysis.reliability` gives. The counts written are those of the last.
    """
    if ax is None:
        _, ax = new_axes(6.5, 4.6)
    ax.plot([0, 100], [0, 100], ":", color=GREY, label="as sure as right")
    for (name, found), color, marker in zip(bins.items(), (VERMILION, BLUE), "so", strict=False):
        x = [100 * confidence for _, _, confidence, _ in found]
        y = [100 * score[2] for *_, score in found]
        bounds = [[100 * abs(score[2] - score[end]) for *_, score in found] for end in (3, 4)]
        ax.errorbar(x, y, bounds, color=color, marker=marker, capsize=3, linewidth=1.2, label=name)
    for _, _, confidence, score in next(reversed(bins.values()), ()):
        ax.annotate(f"{score[1]:,}", (100 * confidence, -7), fontsize=8, color="#555555", ha="center")
    whose = f",\n{list(bins)[-1]}" if len(bins) > 1 else ""
    ax.set_xlim(-2, 102)
    ax.set_ylim(-9, 104)
    ax.set_yticks(range(0, 101, 20))
    ax.set_xlabel(f"confidence [%]; the numbers above count the captchas of each point{whose}")
    ax.set_ylabel("of these read right [%]")
    ax.set_title(title, fontsize=11)
    ax.legend(loc="upper left", fontsize=9, bbox_to_anchor=(0, 0.95))
    return ax


def coverage_curve(answered: np.ndarray, accuracy: np.ndarray, ax: Axes | None = None) -> Axes:
    """Accuracy of the most confident answers, against the share of captchas that is answered.

    Args:
        answered, accuracy: 0 to 1, as `analysis.coverage` gives.
    """
    if ax is None:
        _, ax = new_axes()
    ax.plot(100 * answered, 100 * accuracy, color=CAPTCHAS)
    ax.annotate("all answered", (100, 100 * accuracy[-1]), ha="right", va="top",
                textcoords="offset points", xytext=(-4, -6), fontsize=9)  # fmt: skip
    ax.set_xlim(0, 101)
    ax.set_ylim(min(99.0, 100 * accuracy[len(accuracy) // 20 :].min() - 3), 100.3)
    ax.set_xlabel("captchas answered, the most confident first [%]")
    ax.set_ylabel("of these read right [%]")
    most = accuracy[round(0.8 * len(accuracy)) - 1]
    ax.set_title(f"{100 * most:.1f} % of the surest 80 % are right, {100 * accuracy[-1]:.1f} % of all", fontsize=11)
    return ax
