"""Accuracies and their intervals, against figures worked out by hand."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.scores import (
    captcha_accuracy,
    confusion,
    cross_entropy,
    digit_accuracy,
    percent,
    position_accuracy,
    proportion,
    wilson_interval,
)

COUNTS = st.integers(1, 10**6).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count)))
LABELS = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 0, 1, 2]])
PREDICTED = np.array([[1, 2, 3, 4], [5, 6, 7, 9], [0, 9, 1, 3]])  # all, three and one of four right


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        (0, 10, 0.0, 0.277533),  # z² / (n + z²)
        (10, 10, 0.722467, 1.0),  # n / (n + z²)
        (5, 10, 0.236593, 0.763407),
        (1, 1, 0.206549, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8, table I, method 3
        (15, 148, 0.0624, 0.1605),  # likewise
        (1, 29, 0.0061, 0.1718),  # likewise
    ],
)
def test_known_wilson_intervals(right, count, low, high):
    assert wilson_interval(right, count) == pytest.approx((low, high), abs=6e-5)


def test_the_formula_by_hand():
    z = 1.959964
    low, high = wilson_interval(8, 10)
    assert low == pytest.approx(
        (0.8 + z**2 / 20 - z * math.sqrt(0.8 * 0.2 / 10 + z**2 / 400)) / (1 + z**2 / 10), abs=1e-12
    )
    assert high == pytest.approx(
        (0.8 + z**2 / 20 + z * math.sqrt(0.8 * 0.2 / 10 + z**2 / 400)) / (1 + z**2 / 10), abs=1e-12
    )


@given(COUNTS)
def test_an_interval_holds_the_share_and_stays_between_0_and_1(counts):
    right, count = counts
    low, high = wilson_interval(right, count)
    assert 0 <= low <= right / count <= high <= 1
    assert high - low > 0
    assert (low == 0) == (right == 0)
    assert (high == 1) == (right == count)


@given(COUNTS)
def test_intervals_are_monotone_and_symmetric(counts):
    right, count = counts
    low, high = wilson_interval(right, count)
    if right < count:
        next_low, next_high = wilson_interval(right + 1, count)
        assert next_low > low
        assert next_high > high
    mirrored_low, mirrored_high = wilson_interval(count - right, count)
    assert (mirrored_low, mirrored_high) == pytest.approx((1 - high, 1 - low), abs=1e-12)
    more_low, more_high = wilson_interval(10 * right, 10 * count)
    assert more_high - more_low < high - low


@pytest.mark.parametrize(("right", "count"), [(0, 0), (-1, 5), (6, 5), (1, -1)])
def test_what_is_no_proportion_is_refused(right, count):
    with pytest.raises(ValueError, match=f"{right} right of {count}"):
        wilson_interval(right, count)


def test_accuracies_by_hand():
    assert digit_accuracy(LABELS, PREDICTED) == pytest.approx(8 / 12)
    score = captcha_accuracy(LABELS, PREDICTED)
    assert (score.right, score.count, score.value) == (1, 3, pytest.approx(1 / 3))
    assert (score.low, score.high) == wilson_interval(1, 3)
    assert position_accuracy(LABELS, PREDICTED).tolist() == pytest.approx([2 / 3, 2 / 3, 1.0, 1 / 3])


def test_confusion_by_hand():
    counts = confusion(LABELS, PREDICTED, classes=10)
    assert counts.shape == (4, 10, 10)
    assert counts.sum() == LABELS.size
    assert counts[0, 9, 0] == counts[1, 0, 9] == counts[3, 8, 9] == counts[3, 2, 3] == counts[0, 1, 1] == 1
    repeated = confusion(np.array([[1], [1], [1]]), np.array([[2], [2], [1]]), classes=3)
    assert repeated[0].tolist() == [[0, 0, 0], [0, 1, 2], [0, 0, 0]]


def test_cross_entropy_is_the_logarithm_of_what_the_truth_was_given():
    probabilities = np.array([[[0.5, 0.5], [0.9, 0.1]], [[0.2, 0.8], [1.0, 0.0]]]) + 1e-12
    expected = -(np.log(0.5) + np.log(0.1) + np.log(0.8) + np.log(1.0)) / 4
    assert cross_entropy(np.array([[0, 1], [1, 0]]), np.log(probabilities)) == pytest.approx(expected)
    guessing = np.full((3, 4, 10), np.log(0.1))
    assert cross_entropy(np.zeros((3, 4), int), guessing) == pytest.approx(np.log(10))


@given(
    st.integers(1, 20).flatmap(
        lambda n: st.tuples(
            *[st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=n, max_size=n)] * 2
        )
    )
)
def test_the_scores_agree_with_each_other(pair):
    labels, predicted = map(np.array, pair)
    digits = digit_accuracy(labels, predicted)
    whole = captcha_accuracy(labels, predicted).value
    assert 0 <= whole <= digits + 1e-12
    assert position_accuracy(labels, predicted).mean() == pytest.approx(digits)
    counts = confusion(labels, predicted, classes=5)
    assert np.trace(counts, axis1=1, axis2=2).sum() == (labels == predicted).sum()


@pytest.mark.parametrize("score", [digit_accuracy, captcha_accuracy, position_accuracy])
@pytest.mark.parametrize(
    ("labels", "predicted"),
    [(LABELS, PREDICTED[:2]), (LABELS, PREDICTED[:, :3]), (LABELS[0], PREDICTED[0]), (LABELS[:0], PREDICTED[:0])],
)
def test_shapes_that_do_not_fit_are_refused(score, labels, predicted):
    with pytest.raises(ValueError, match="Cannot compare"):
        score(labels, predicted)


def test_a_proportion_is_shown_with_its_count_and_interval():
    assert str(proportion(981, 1000)) == "98.1 % (981 of 1,000; 95 % interval 97.1–98.8)"
    assert str(proportion(9984, 10_000)) == "99.84 % (9,984 of 10,000; 95 % interval 99.74–99.90)"


@pytest.mark.parametrize(
    ("right", "count", "text"),
    [
        (9_991, 10_000, "99.91 % (9,991 of 10,000; 95 % interval 99.83–99.95)"),
        (10, 10, "100.0 % (10 of 10; 95 % interval 72.2–100.0)"),
        (0, 200, "0.0 % (0 of 200; 95 % interval 0.0–1.9)"),
        (998, 1_000, "99.8 % (998 of 1,000; 95 % interval 99.3–99.9)"),
        (999, 1_000, "99.90 % (999 of 1,000; 95 % interval 99.44–99.98)"),
        (1_999, 2_000, "99.95 % (1,999 of 2,000; 95 % interval 99.72–99.99)"),
        (29_999, 30_000, "99.997 % (29,999 of 30,000; 95 % interval 99.981–99.999)"),
        (1, 30_000, "0.003 % (1 of 30,000; 95 % interval 0.001–0.019)"),
    ],
)
def test_a_proportion_rounds_no_mistake_away(right, count, text):
    assert str(proportion(right, count)) == text


@given(COUNTS)
def test_a_proportion_is_shown_as_0_or_100_only_where_it_is(counts):
    right, count = counts
    score = proportion(right, count)
    share, shown_right, shown_count, low, high = (
        float(number.replace(",", ""))
        for number in re.fullmatch(r"(\S+) % \((\S+) of (\S+); 95 % interval (\S+)–(\S+)\)", str(score)).groups()
    )
    assert (shown_right, shown_count) == counts
    for shown, true in ((share, score.value), (low, score.low), (high, score.high)):
        assert (shown == 0, shown == 100) == (true == 0, true == 1)
        assert shown == pytest.approx(100 * true, abs=0.0501)
    assert low <= share <= high
    assert len({len(number.partition(".")[2]) for number in (score.percent, *score.interval.split("–"))}) == 1


@given(st.floats(0, 1))
def test_a_probability_is_never_shown_as_certain(probability):
    shown = percent(probability)
    assert shown not in ("0.0", "100.0")
    if shown == "over 99.9":
        assert probability > 0.999
    elif shown == "under 0.1":
        assert probability < 0.001
    else:
        assert float(shown) == pytest.approx(100 * probability, abs=0.0501)
