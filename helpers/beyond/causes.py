"""Why a captcha is misread: accuracy along a fact, and the parts of a picture that matter. Knows arrays only."""

from collections.abc import Callable

import numpy as np

from helpers.scores import Proportion, proportion


def sliced(values: np.ndarray, right: np.ndarray, slices: int = 5) -> dict[str, Proportion]:
    """Accuracy in slices of `values` with equally many captchas each, or for each value if there are few.

    Args:
        values: a number for each captcha, such as its contrast, [captchas].
        right: whether each was read right, bool [captchas].
    """
    values, right = np.asarray(values, float), np.asarray(right)
    known = np.isfinite(values)
    if not known.all():  # captchas without a number are a slice of their own
        rest = sliced(values[known], right[known], slices) if known.any() else {}
        return {**rest, "unknown": proportion(int(right[~known].sum()), int((~known).sum()))}
    distinct = np.unique(values)
    if len(distinct) <= slices:
        groups = dict(zip(_written(distinct), (values == value for value in distinct), strict=True))
    else:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, slices + 1)))
        owner = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
        names = _written(edges)
        groups = {f"{names[i]} to {names[i + 1]}": owner == i for i in np.unique(owner)}
    return {name: proportion(int(right[group].sum()), int(group.sum())) for name, group in groups.items()}


def _written(values: np.ndarray) -> list[str]:
    """Different numbers as texts, with as many digits as it takes to tell them apart."""
    several = ([f"{value:.{digits}g}" for value in values] for digits in range(6, 18))
    return next(names for names in several if len(set(names)) == len(names))


def occlusion(
    read: Callable[[np.ndarray], np.ndarray], image: np.ndarray, labels: np.ndarray, size: int = 12, step: int = 4
) -> np.ndarray:
    """How much each part of a picture matters to each position.

    A square of the background's grey hides a part of the picture. How much the true character's
    probability falls is the importance of that part. Source: Zeiler and Fergus 2014,
    arXiv:1311.2901, section 4.2.

    Args:
        read: pictures, uint8 [batch, height, width] -> probabilities [batch, positions, classes].
        image: grey, uint8 [height, width].
        labels: the true classes, [positions].
        size, step: side of the square, and distance from one square to the next [px].

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
