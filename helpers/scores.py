"""How good a reading is. Knows arrays only: labels and predictions [captchas, positions]."""

import itertools
import math
from typing import NamedTuple

import numpy as np


class Proportion(NamedTuple):
    """A count of right answers among so many, and the share and its 95 % interval between 0 and 1."""

    right: int
    count: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.percent} % ({self.right:,} of {self.count:,}; 95 % interval {self.interval})"

    @property
    def percent(self) -> str:
        """The share in per cent, such as "97.6": 100 and 0 only where all or none are right."""
        return f"{100 * self.value:.{self._decimals()}f}"

    @property
    def interval(self) -> str:
        """The interval in per cent, such as "96.5–98.4", with as many decimals as the share."""
        decimals = self._decimals()
        return f"{100 * self.low:.{decimals}f}–{100 * self.high:.{decimals}f}"

    def _decimals(self) -> int:
        """As many as it takes to tell the share and its interval from 0 and 100 %, where they are neither."""
        between = [share for share in self[2:] if 0 < share < 1]
        least = 2 if self.high - self.low < 0.002 else 1
        return next(d for d in itertools.count(least) if all(0 < round(100 * share, d) < 100 for share in between))


def percent(probability: float) -> str:
    """A probability in per cent with one decimal; what is nearly certain is "over 99.9", never "100.0"."""
    written = f"{100 * probability:.1f}"
    return {"100.0": "over 99.9", "0.0": "under 0.1"}.get(written, written)


def wilson_interval(right: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a proportion, 95 % for the default z.

    Unlike the textbook "p ± 1.96 standard errors" it stays inside 0 to 1 and keeps a width when every answer was
    right; ValueError for counts of which none is a share. Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    if count < 1 or not 0 <= right <= count:
        raise ValueError(f"{right} right of {count} is no proportion.")
    share = right / count
    scale = 1 + z * z / count
    centre = (share + z * z / (2 * count)) / scale
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / scale
    return (centre - half if right else 0.0), (centre + half if right < count else 1.0)


def proportion(right: int, count: int) -> Proportion:
    """A count of right answers with its share and Wilson interval."""
    interval = wilson_interval(right, count)  # first: it refuses what is no proportion
    return Proportion(right, count, right / count, *interval)


def digit_accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """The share of positions that were read right, 0 to 1."""
    return float(_right(labels, predicted).mean())


def captcha_accuracy(labels: np.ndarray, predicted: np.ndarray) -> Proportion:
    """The share of captchas with every position right: whole-captcha accuracy."""
    right = _right(labels, predicted).all(axis=1)
    return proportion(int(right.sum()), len(right))


def position_accuracy(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The share read right at each position, [positions]."""
    return _right(labels, predicted).mean(axis=0)


def cross_entropy(labels: np.ndarray, logarithms: np.ndarray) -> float:
    """The mean negative logarithm of the truth's probability [nats]; all are in `logarithms`, [..., classes]."""
    return float(-np.take_along_axis(logarithms, np.asarray(labels)[..., None], axis=-1).mean())


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts [positions, true class, read class]."""
    positions = _right(labels, predicted).shape[1]
    counts = np.zeros((positions, classes, classes), dtype=int)
    np.add.at(counts, (np.arange(positions), labels, predicted), 1)
    return counts


def confusions(counts: np.ndarray, classes: str) -> list[tuple[str, str, int, int]]:
    """(true, read, how often, of how many) for every confusion in `counts`, as `confusion` gives, commonest first."""
    total = counts.sum(axis=0)
    pairs = [(true, read) for true, read in np.argwhere(total) if true != read]
    found = [(classes[true], classes[read], int(total[true, read]), int(total[true].sum())) for true, read in pairs]
    return sorted(found, key=lambda pair: -pair[2])


def _right(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Which positions were read right, bool [captchas, positions]; ValueError unless both have that shape."""
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.ndim != 2 or labels.shape != predicted.shape or not len(labels):
        raise ValueError(f"Cannot compare labels {labels.shape} with predictions {predicted.shape}.")
    return labels == predicted
