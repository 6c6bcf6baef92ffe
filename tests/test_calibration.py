"""What is usual, on numbers that were worked out by hand."""

import json

import numpy as np
import pytest

from helpers.network import calibration
from helpers.network.calibration import UNCALIBRATED, Calibration, find_usual, looked_at, observed
from helpers.quiet_tensorflow import tf

BOUNDS = Calibration(temperature=1.4, least_certain=-0.2, means=(1.0, 2.0), deviations=(0.5, 1.0), farthest=2.5)


def test_the_two_signs():
    logits = tf.constant([[[1.0, 3.0, 2.0], [5.0, 0.0, 0.0]]])
    filtered = tf.constant([[[[1.0, 0.0], [3.0, 0.0]]]])  # one picture of 1 x 2 places, two filters
    certainties, responses = looked_at(logits, filtered)
    first, second = 1 / (1 + np.exp(-1) + np.exp(-2)), 1 / (1 + 2 * np.exp(-5))  # probabilities of what is read
    assert certainties.numpy() == pytest.approx([np.log(first * second) / 2])
    assert responses.numpy() == pytest.approx(np.array([[2.0, 0.0, 1.0, 0.0]]), abs=1e-5)


def test_distance_counts_deviations():
    usual = Calibration(means=(1.0, 2.0), deviations=(0.5, 1.0))
    distances = usual.distances(np.array([[1.0, 2.0], [2.0, 2.0]]))
    assert distances == pytest.approx([0.0, 2.0])  # two deviations in one of two responses: 4 / 2


@pytest.mark.parametrize(
    ("certainty", "responses", "familiar"),
    [
        (-0.1, [1.0, 2.0], True),
        (-0.2, [1.0, 2.0], True),
        (-0.21, [1.0, 2.0], False),
        (-0.1, [2.0, 2.0], True),
        (-0.1, [2.2, 2.0], False),
    ],
)
def test_an_uncertain_answer_or_a_foreign_response_gives_a_picture_away(certainty, responses, familiar):
    assert BOUNDS.familiar(np.array([certainty]), np.array([responses])).tolist() == [familiar]


def test_nothing_looks_foreign_to_what_was_not_calibrated():
    assert UNCALIBRATED.familiar(np.array([-99.0, 0.0]), np.zeros((2, 5))).tolist() == [True, True]


def test_without_filters_an_uncertain_answer_still_counts():
    assert Calibration(least_certain=-0.2).familiar(np.array([-0.21, -0.2]), np.zeros((2, 0))).tolist() == [False, True]
    found = find_usual(1.4, np.linspace(0, 10, 1_000), np.zeros((1_000, 0)))
    assert found == Calibration(1.4, pytest.approx(0.05, abs=0.01))


@pytest.mark.parametrize("given", [UNCALIBRATED, Calibration(1.4), Calibration(1.4, least_certain=-0.2), BOUNDS])
def test_it_survives_json_that_knows_no_infinity(given):
    assert Calibration.from_dict(json.loads(json.dumps(given.to_dict(), allow_nan=False))) == given


def test_a_bound_of_an_earlier_version_is_left_out():
    assert Calibration.from_dict({"temperature": 1.4, "weakest": 5.0}) == Calibration(1.4)


def test_each_sign_takes_a_few_of_many_for_foreign(monkeypatch):
    monkeypatch.setattr(calibration, "ALARM", 0.02)
    random = np.random.default_rng(0)
    certainties, responses = random.normal(-1, 0.2, 5_000), random.normal(3, 0.5, (5_000, 8))
    found = find_usual(1.4, certainties, responses)
    assert found.temperature == 1.4
    assert found.means == pytest.approx([3.0] * 8, abs=0.05)
    assert found.deviations == pytest.approx([0.5] * 8, abs=0.05)
    assert (certainties < found.least_certain).mean() == pytest.approx(0.02, abs=0.002)
    foreign = ~found.familiar(np.full(5_000, 99.0), responses)
    assert foreign.mean() == pytest.approx(0.02, abs=0.002)


def test_a_network_is_observed_without_changing_its_answer(reader):
    images = np.random.default_rng(1).integers(0, 256, (3, 60, 160, 1), dtype=np.uint8)
    logits, filtered = observed(reader.model)(images)
    assert logits.numpy() == pytest.approx(reader.model(images).numpy(), abs=1e-5)
    first, pool = (reader.model.get_layer(name) for name in ("conv1", "pool1"))
    standardised = reader.model.get_layer("standardise")(images.astype(np.float32))
    assert filtered.numpy() == pytest.approx(pool(first(standardised)).numpy(), abs=1e-4)
