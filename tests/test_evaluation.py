"""A whole split read, the test score written down, and what calibration looks at."""

import json
import re

import numpy as np
import pytest
from conftest import copy_experiment

from helpers import files
from helpers.data.images import list_images
from helpers.data.records import load_batches
from helpers.errors import StepError
from helpers.network.calibration import fit_temperature, looked_at, observed
from helpers.quiet_tensorflow import keras
from helpers.scores import captcha_accuracy, digit_accuracy, wilson_interval
from helpers.training import evaluation
from helpers.training.augmentation import unchanged
from helpers.training.evaluation import calibrate, read_split, score_test
from helpers.training.fit import save_model


def test_the_metrics_are_those_of_the_test_split(finished):
    settings, training, score = finished
    metrics = json.loads(settings.metrics_path.read_text())
    assert metrics.keys() >= {
        *("captcha_accuracy", "captcha_accuracy_low", "captcha_accuracy_high", "digit_accuracy"),
        *("test_count", "train_seconds", "train_images", "parameters"),
    }
    model = keras.models.load_model(settings.model_path, compile=False)
    labels, logarithms = read_split(model, settings, "test")
    predicted = logarithms.argmax(axis=-1)
    texts = [settings.style.labels_to_text(row) for row in labels]
    assert texts == [image.text for image in list_images(settings, "test")]
    expected = captcha_accuracy(labels, predicted)
    assert expected == score
    assert metrics["captcha_accuracy"] == expected.value
    low, high = wilson_interval(expected.right, 60)
    assert (metrics["captcha_accuracy_low"], metrics["captcha_accuracy_high"]) == (low, high)
    assert metrics["digit_accuracy"] == digit_accuracy(labels, predicted)
    assert metrics["test_count"] == 60
    assert metrics["train_images"] == 200
    assert metrics["parameters"] == model.count_params()
    assert metrics["train_seconds"] == pytest.approx(training.seconds, abs=0.06)
    assert metrics["model_digest"] == files.file_digest(settings.model_path)


def test_a_split_is_read_with_its_labels(finished):
    settings, _, _ = finished
    model = keras.models.load_model(settings.model_path, compile=False)
    labels, logarithms = read_split(model, settings, "validation")
    assert logarithms.shape == (60, 4, 10)
    assert np.exp(logarithms).sum(axis=-1) == pytest.approx(1, abs=0.05)
    assert np.array_equal(labels, [settings.style.text_to_labels(i.text) for i in list_images(settings, "validation")])


def test_calibration_uses_the_validation_captchas_and_nothing_else(finished, monkeypatch):
    settings, _, _ = finished
    model = keras.models.load_model(settings.model_path, compile=False)
    random = np.random.default_rng(0)
    logarithms = np.log(random.dirichlet(np.ones(10), size=(500, 4)))
    labels = np.where(random.random((500, 4)) < 0.7, logarithms.argmax(axis=-1), 0)
    read, loaded = [], []
    monkeypatch.setattr(evaluation, "read_split", lambda *arguments: read.append(arguments) or (labels, logarithms))
    monkeypatch.setattr(evaluation, "load_batches", lambda *a, **k: loaded.append(a[:2]) or load_batches(*a, **k))
    found = calibrate(model, settings)
    assert read == [(model, settings, "validation", unchanged)]
    assert loaded == [(settings, "validation")]
    assert 0.3 < found.temperature == fit_temperature(logarithms, labels) < 3
    images, _ = next(iter(load_batches(settings, "validation", batch_size=60)))
    filtered = keras.Model(model.input, model.get_layer("pool1").output)(images).numpy()
    assert found.means == pytest.approx([*filtered.mean(axis=(0, 1, 2)), *filtered.std(axis=(1, 2)).mean(0)], rel=1e-3)


def test_few_validation_captchas_tell_no_temperature_and_training_captchas_help_them(finished, monkeypatch):
    settings, _, _ = finished
    model = keras.models.load_model(settings.model_path, compile=False)
    enough = calibrate(model, settings)
    monkeypatch.setattr(evaluation, "ENOUGH", settings.validation_count + 1)
    few = calibrate(model, settings)
    assert few.temperature == evaluation.USUAL != enough.temperature
    observer = observed(model)
    images = [images for split in ("train", "validation") for images, _ in load_batches(settings, split, 50)]
    looks = [looked_at(*observer(each)) for each in images]
    responses = np.concatenate([each.numpy() for _, each in looks])
    assert few.means == pytest.approx(responses.mean(axis=0), rel=1e-3)
    assert few.means != pytest.approx(enough.means, rel=1e-3)
    certainties = np.concatenate([each.numpy() for each, _ in looks])
    assert few.familiar(certainties, responses).mean() > 0.97


def invert(images, labels):
    return 255 - images, labels


def test_calibration_may_change_the_captchas_first(finished):
    settings, _, _ = finished
    model = keras.models.load_model(settings.model_path, compile=False)
    drawn = calibrate(model, settings)
    inverted = calibrate(model, settings, invert)
    assert inverted.means != pytest.approx(drawn.means, rel=0.05)
    (labels, before), (same, after) = (read_split(model, settings, "validation", each) for each in (unchanged, invert))
    assert np.array_equal(labels, same)
    assert not np.allclose(before, after)


def test_a_score_belongs_to_the_network_on_disk(finished, tmp_path, tiny):
    settings, training, score = finished
    copy = copy_experiment(settings, tmp_path)
    copy.metrics_path.unlink()
    model = keras.models.load_model(copy.model_path, compile=False)
    save_model(tiny(copy.style), copy)
    with pytest.raises(StepError, match=r"model\.keras holds another network .*Run save_model"):
        score_test(model, copy, training)
    save_model(model, copy)
    with pytest.raises(StepError, match="another network"):  # the same weights, but other answers
        score_test(keras.Model(model.input, -1.0 * model.output), copy, training)
    copy.model_path.unlink()
    with pytest.raises(StepError, match="no trained network"):
        score_test(model, copy, training)
    assert not copy.metrics_path.exists()
    save_model(model, copy)
    assert score_test(model, copy, training) == score
    assert json.loads(copy.metrics_path.read_text())["model_digest"] == files.file_digest(copy.model_path)


@pytest.mark.parametrize(("patience", "shown"), [(0, True), (100, False)])
def test_a_step_that_takes_long_shows_a_bar_with_its_rate(finished, monkeypatch, capsys, patience, shown):
    settings, _, _ = finished
    model = keras.models.load_model(settings.model_path, compile=False)
    capsys.readouterr()
    monkeypatch.setattr(evaluation, "PATIENCE", patience)
    read_split(model, settings, "validation")
    said = capsys.readouterr().out
    assert bool(re.search(r"100%.* 60/60 \[.* images/s\]", said)) is shown
    assert bool(said) is shown
