"""When to believe a reading: how far confidence and accuracy differ, and what refusing buys. Knows arrays only."""

from typing import NamedTuple

import numpy as np

from helpers.scores import Proportion, proportion


class Bin(NamedTuple):
    """Readings of similar confidence."""

    low: float  # the bounds of their confidence
    high: float
    confidence: float  # its mean
    score: Proportion  # how many of them are right


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> list[Bin]:
    """Readings sorted into equally wide bins of confidence; empty bins are left out.

    Args:
        confidence: 0 to 1, [captchas].
        right: whether each was read right, bool [captchas].
    """
    edges = np.linspace(0, 1, bins + 1)
    owner = np.clip(np.digitize(confidence, edges) - 1, 0, bins - 1)
    found = []
    for index in np.unique(owner):
        inside = owner == index
        score = proportion(int(right[inside].sum()), int(inside.sum()))
        found.append(Bin(float(edges[index]), float(edges[index + 1]), float(confidence[inside].mean()), score))
    return found


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """The expected calibration error: how far confidence and accuracy differ, averaged over all readings.

    Source: Guo, Pleiss, Sun, Weinberger 2017, arXiv:1706.04599, equation 5.
    """
    return sum(
        each.score.count / len(confidence) * abs(each.score.value - each.confidence)
        for each in reliability(confidence, right, bins)
    )


def coverage(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What refusing buys: answer only the most confident share of all captchas.

    Returns:
        For each number of answers from 1 to all: the share of captchas answered, and the share of
        these answers that is right; both [captchas].
    """
    order = np.argsort(-confidence, kind="stable")
    answers = np.arange(1, len(order) + 1)
    return answers / len(order), np.cumsum(right[order]) / answers


def without_mistakes(confidence: np.ndarray, right: np.ndarray) -> tuple[float, int]:
    """The confidence above which no reading is wrong, and how many readings lie above it."""
    limit = float(confidence[~right].max(initial=0.0))
    return limit, int((confidence > limit).sum())
