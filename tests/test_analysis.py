"""Calibration, slices and occlusion against cases that were computed by hand; what notebooks define comes from them."""

import ast
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import scores
from helpers.network.calibration import fit_temperature, tempered
from helpers.scores import confusions

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def defined_in(name: str, *functions: str) -> dict:
    """What a notebook imports, and these of the functions that it defines, by name; nothing else of it is executed."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    nodes = ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code")).body
    found = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name in functions]
    assert sorted(node.name for node in found) == sorted(functions)
    imports = [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
    exec(compile(ast.Module([*imports, *found], []), name, "exec"), known := {})
    return known


FAILS = defined_in("beyond/where_it_fails", "reliability", "calibration_error", "sliced")
reliability, calibration_error, sliced = (FAILS[name] for name in ("reliability", "calibration_error", "sliced"))

# Ten readings: four at 0.95 of which one is wrong, four at 0.55 of which two, two at 0.15 of which both.
CONFIDENCE = np.array([0.95] * 4 + [0.55] * 4 + [0.15] * 2)
RIGHT = np.array([True, True, True, False, True, True, False, False, False, False])


def test_a_reliability_curve_of_known_calibration():
    means, found = zip(*reliability(CONFIDENCE, RIGHT), strict=True)
    assert means == pytest.approx([0.15, 0.55, 0.95])
    assert [score[:2] for score in found] == [(0, 2), (2, 4), (3, 4)]
    assert calibration_error(CONFIDENCE, RIGHT) == pytest.approx(0.2 * 0.15 + 0.4 * 0.05 + 0.4 * 0.2)


def test_the_ends_of_the_scale_have_a_bin():
    bins = reliability(np.array([0.0, 1.0]), np.array([False, True]))
    assert [(mean, score.right, score.count) for mean, score in bins] == [(0.0, 0, 1), (1.0, 1, 1)]
    assert calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50), st.integers(1, 20))
def test_every_reading_is_in_one_bin(readings, bins):
    confidence, right = map(np.array, zip(*readings, strict=True))
    found = reliability(confidence, right, bins)
    assert sum(score.count for _, score in found) == len(readings)
    assert sum(score.right for _, score in found) == right.sum()
    means = [mean for mean, _ in found]
    assert means == sorted(means) and len(found) <= bins
    assert 0 <= calibration_error(confidence, right) <= 1


def test_temperature_flattens_without_changing_the_order():
    logits = np.array([[2.0, 1.0, 0.0]])
    assert tempered(logits, 1.0) == pytest.approx(np.exp(logits) / np.exp(logits).sum())
    assert tempered(logits, 2.0) == pytest.approx(tempered(logits / 2, 1.0))
    assert tempered(np.log(tempered(logits, 1.0)), 2.0) == pytest.approx(tempered(logits, 2.0))
    assert (np.diff(tempered(logits, 4.0)) < 0).all()
    assert np.isfinite(tempered(np.array([[1000.0, -1000.0]]), 0.2)).all()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_a_network_too_sure_is_found(temperature):
    random = np.random.default_rng(0)
    true = np.log(random.dirichlet(np.full(5, 0.7), size=(20_000, 1)))  # these probabilities are honest
    labels = np.array([[random.choice(5, p=np.exp(row[0]))] for row in true])
    assert fit_temperature(true * temperature, labels) == pytest.approx(temperature, rel=0.03)


def test_a_network_that_is_always_right_becomes_as_sure_as_may_be():
    logarithms = np.log(np.array([[[0.9, 0.1]], [[0.2, 0.8]]]))
    assert fit_temperature(logarithms, np.array([[0], [1]])) == pytest.approx(0.2, rel=0.01)


def test_confusions_of_known_errors():
    labels = np.array([[1, 7], [1, 7], [1, 0], [7, 7]])
    predicted = np.array([[7, 7], [7, 1], [1, 0], [7, 7]])
    counts = scores.confusion(labels, predicted, 10)
    assert confusions(counts, "0123456789") == [("1", "7", 2, 3), ("7", "1", 1, 4)]
    assert confusions(scores.confusion(labels, labels, 10), "0123456789") == []


def test_slices_hold_equally_many():
    right = np.arange(100) >= 20
    found = sliced(np.arange(100.0), right, slices=5)
    assert list(found) == ["0 to 19.8", "19.8 to 39.6", "39.6 to 59.4", "59.4 to 79.2", "79.2 to 99"]
    assert [(s.right, s.count) for s in found.values()] == [(0, 20), (20, 20), (20, 20), (20, 20), (20, 20)]


def test_few_values_are_slices_themselves():
    found = sliced(np.array([42, 50, 42, 56]), np.array([True, False, False, True]))
    assert {name: (s.right, s.count) for name, s in found.items()} == {"42": (1, 2), "50": (0, 1), "56": (1, 1)}


@given(st.lists(st.tuples(st.integers(-50, 50), st.booleans()), min_size=1, max_size=60), st.integers(1, 8))
def test_every_captcha_is_in_one_slice(readings, slices):
    values, right = map(np.array, zip(*readings, strict=True))
    found = sliced(values, right, slices)
    assert sum(s.count for s in found.values()) == len(readings)
    assert sum(s.right for s in found.values()) == right.sum()


def test_the_map_of_a_network_that_looks_at_one_column():
    image = np.full((40, 80), 250, np.uint8)
    image[:, 33] = 0  # the column it looks at

    def read(images):
        share = (images[:, :, 33] < 100).mean(axis=1)  # how much of the dark column is left
        return np.stack([np.stack([share, 1 - share], axis=1), np.full((len(images), 2), 0.5)], axis=1)

    occlusion = defined_in("beyond/what_it_sees", "occlusion")
    occlusion["probabilities"] = read
    lost = occlusion["occlusion"](image, [0, 1], size=8, step=4)
    assert lost.shape == (2, 10, 20)
    columns = np.flatnonzero(lost[0].any(axis=0))
    assert columns.tolist() == [8, 9]  # squares around 32 and 36 reach over column 33
    assert lost[0, 5, 8] == pytest.approx(8 / 40)
    assert not lost[1].any()
    assert image[0, 33] == 0  # the picture itself is left alone
