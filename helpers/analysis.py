"""What a network reads right and wrong, and when to believe it. Knows arrays only."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from helpers.scores import Proportion, proportion


class Bin(NamedTuple):
    """Readings of similar confidence.

    Attributes:
        low, high: the bounds of their confidence.
        confidence: its mean.
        score: how many of them are right.
    """

    low: float
    high: float
    confidence: float
    score: Proportion


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
    """The expected calibration error: how far confidence is from accuracy, averaged over all readings.

    Source: Guo, Pleiss, Sun, Weinberger 2017, arXiv:1706.04599, equation 5.
    """
    return sum(
        each.score.count / len(confidence) * abs(each.score.value - each.confidence)
        for each in reliability(confidence, right, bins)
    )


def tempered(logarithms: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities whose logarithms were divided by `temperature`: above 1, the network is less sure.

    Args:
        logarithms: of probabilities, or logits, [..., classes].
    """
    scaled = np.asarray(logarithms, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def fit_temperature(logarithms: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, 0.2 to 5, that gives the truth the highest probability.

    Choose it with validation captchas. It changes no reading, only how sure the network is of it.
    Source: Guo and others 2017, section 4.2.

    Args:
        logarithms: of probabilities, [captchas, positions, classes].
        labels: [captchas, positions].
    """

    def loss(temperature: float) -> float:
        given = np.take_along_axis(tempered(logarithms, temperature), labels[..., None], axis=-1)
        return float(-np.log(np.maximum(given, 1e-300)).mean())

    low, high = np.log(0.2), np.log(5.0)
    while high - low > 1e-4:  # the loss has one minimum: the third without it is dropped
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if loss(np.exp(left)) < loss(np.exp(right)) else (left, high)
    return float(np.exp((low + high) / 2))


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


def confusions(counts: np.ndarray, classes: str) -> list[tuple[str, str, int, int]]:
    """(true, read, how often, of how many) for every confusion, the commonest first.

    Args:
        counts: [positions, true class, read class], as `scores.confusion` gives.
    """
    total = counts.sum(axis=0)
    found = [
        (classes[true], classes[read], int(total[true, read]), int(total[true].sum()))
        for true, read in zip(*np.nonzero(total), strict=True)
        if true != read
    ]
    return sorted(found, key=lambda pair: -pair[2])


def sliced(values: np.ndarray, right: np.ndarray, slices: int = 5) -> dict[str, Proportion]:
    """Accuracy in slices of `values` that hold equally many captchas, or for each value if there are few.

    Args:
        values: a number for each captcha, such as its contrast, [captchas].
        right: whether each was read right, bool [captchas].
    """
    values = np.asarray(values)
    distinct = np.unique(values)
    if len(distinct) <= slices:
        groups = {f"{value:g}": values == value for value in distinct}
    else:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, slices + 1)))
        owner = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
        groups = {f"{edges[i]:g} to {edges[i + 1]:g}": owner == i for i in np.unique(owner)}
    return {name: proportion(int(right[group].sum()), int(group.sum())) for name, group in groups.items()}


def occlusion(
    read: Callable[[np.ndarray], np.ndarray], image: np.ndarray, labels: np.ndarray, size: int = 12, step: int = 4
) -> np.ndarray:
    """How much each part of a picture matters to each position.

    A square of the background's grey hides a part of the picture; what then is lost of the true
    character's probability is the importance of that part. Source: Zeiler and Fergus 2014,
    arXiv:1311.2901, section 4.2.

    Args:
        read: pictures, uint8 [batch, height, width] -> probabilities [batch, positions, classes].
        image: grey, uint8 [height, width].
        labels: the true classes, [positions].
        size, step: of the square, and from one to the next [px].

    Returns:
        Lost probability, -1 to 1, for each place of the square's centre, [positions, rows, columns].
    """
    half = size // 2
    rows, columns = range(0, image.shape[0], step), range(0, image.shape[1], step)
    hidden = np.repeat(image[None], len(rows) * len(columns), axis=0)
    background = int(np.median(image))
    for number, (row, column) in enumerate((r, c) for r in rows for c in columns):
        hidden[number, max(0, row - half) : row + half, max(0, column - half) : column + half] = background
    positions = np.arange(len(labels))
    seen = read(image[None])[0][positions, labels]
    left = read(hidden)[:, positions, labels]
    return (seen - left).T.reshape(len(labels), len(rows), len(columns))


def correlations(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How alike each picture is to each other one, pixel by pixel: -1 to 1, [images, others].

    Args:
        images, others: grey, [captchas, height, width].
    """

    def standardised(pictures: np.ndarray) -> np.ndarray:
        flat = pictures.reshape(len(pictures), -1).astype(np.float64)
        flat -= flat.mean(axis=1, keepdims=True)
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)

    return standardised(images) @ standardised(others).T
