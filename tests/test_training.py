"""Training can be stopped and continued, keeps what was finished, and writes down what it reached."""

import csv
import dataclasses
import itertools
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import _storage
from helpers._callbacks import LivePlot, read_rows, write_rows
from helpers.dataset import list_images
from helpers.distortion import SHIFT_X, SHIFT_Y, Distortion, shift_batch
from helpers.errors import StepError
from helpers.quiet_tensorflow import keras, tf
from helpers.scores import captcha_accuracy
from helpers.settings import Settings
from helpers.styles import CaptchaStyle
from helpers.training import (
    STYLE_MEMBER,
    TrainingStopped,
    _fingerprint,
    compile_model,
    first_captchas,
    save_model,
    train,
    whole_captcha,
)

STEPS = 7  # an epoch: 200 images in batches of 32


def without_seconds(row: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != "seconds"}


def state(settings: Settings) -> dict:
    return json.loads((settings.folder / "checkpoint" / "state.json").read_text())


@pytest.fixture
def fresh(tiny):
    """Makes an untrained, compiled network for settings; the same one as that of `finished`."""

    def build(settings: Settings) -> keras.Model:
        keras.utils.set_random_seed(1)
        return compile_model(tiny(settings.style), settings)

    return build


def test_whole_captcha_by_hand():
    labels = np.array([[1, 2], [1, 2], [0, 0], [2, 1]])
    read = np.array([[1, 2], [1, 0], [0, 0], [1, 2]])
    logits = np.eye(3, dtype=np.float32)[read]
    assert whole_captcha(labels, logits).numpy().tolist() == [1, 0, 1, 0]
    metric = keras.metrics.MeanMetricWrapper(whole_captcha)
    metric.update_state(labels, logits)
    assert float(metric.result()) == 0.5


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(2, 6), st.integers(0, 99))
def test_the_metrics_agree_with_the_scores(count, positions, classes, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, (count, positions))
    logits = random.normal(size=(count, positions, classes)).astype(np.float32)
    right = whole_captcha(tf.constant(labels), tf.constant(logits)).numpy()
    assert right.mean() == pytest.approx(captcha_accuracy(labels, logits.argmax(-1)).value)


@pytest.mark.parametrize("seed", range(6))
def test_shifting_keeps_the_shape_and_only_moves_pixels(seed):
    keras.utils.set_random_seed(seed)
    height, width = 24, 40
    images = np.random.default_rng(1).integers(0, 256, (3, height, width, 1), dtype=np.uint8)
    labels = np.arange(3)
    shifted, same_labels = shift_batch(tf.constant(images), labels)
    assert same_labels is labels
    assert shifted.shape == images.shape
    assert shifted.dtype == tf.uint8
    mirrored = np.pad(images, [(0, 0), (SHIFT_Y, SHIFT_Y), (SHIFT_X, SHIFT_X), (0, 0)], "symmetric")
    matches = [
        (top, left)
        for top, left in itertools.product(range(2 * SHIFT_Y + 1), range(2 * SHIFT_X + 1))
        if (mirrored[:, top : top + height, left : left + width] == shifted.numpy()).all()
    ]
    assert len(matches) == 1  # the whole batch was moved by one step, within its limits


def test_shifts_differ_and_reach_both_ways():
    keras.utils.set_random_seed(0)
    ramp = tf.constant(np.tile(np.arange(40, dtype=np.uint8), (1, 24, 1))[..., None])
    middles = {int(shift_batch(ramp, None)[0][0, 12, 20, 0]) for _ in range(150)}
    assert min(middles) < 20 < max(middles)
    assert middles <= set(range(20 - SHIFT_X, 20 + SHIFT_X + 1))


def test_the_first_captchas_are_the_first_images(shared_recorded):
    images, labels = first_captchas(shared_recorded, "validation", 10)
    assert images.shape == (10, 60, 160, 1)
    texts = [shared_recorded.style.labels_to_text(row) for row in labels]
    assert texts == [image.text for image in list_images(shared_recorded, "validation")[:10]]
    assert len(first_captchas(shared_recorded, "test", 1000)[0]) == 60


def test_the_history_has_a_row_for_each_epoch(finished):
    settings, training, _ = finished
    rows = read_rows(settings.history_path)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows == training.rows
    assert rows[0].keys() == {
        *("epoch", "seconds", "loss", "digit_accuracy", "captcha_accuracy"),
        *("validation_loss", "validation_digit_accuracy", "validation_captcha_accuracy"),
    }
    assert training.seconds == sum(row["seconds"] for row in rows) > 0
    assert all(0 <= row["captcha_accuracy"] <= row["digit_accuracy"] <= 1 for row in rows)
    with open(settings.history_path, newline="") as file:
        assert len(list(csv.reader(file))) == 3


def test_the_live_curve_begins_at_nothing_and_ends_at_all_images(finished):
    settings, training, _ = finished
    assert read_rows(settings.folder / "progress.csv") == training.points
    images = [point["images"] for point in training.points]
    assert images[0] == 0
    assert images[-1] == 400
    assert images == sorted(images)
    measured = {f"{split} {what}" for split in ("training", "validation") for what in ("digits", "captchas", "loss")}
    assert training.points[0].keys() == {"images", "seconds", *measured, *(f"position {n}" for n in (1, 2, 3, 4))}
    first, last = training.points[0], training.points[-1]
    assert first["validation loss"] == pytest.approx(np.log(10))
    assert 0.25 * sum(last[f"position {n}"] for n in (1, 2, 3, 4)) == pytest.approx(last["validation digits"])


def test_there_is_more_to_see_at_first(recorded, tiny):
    model = compile_model(tiny(recorded.style), recorded)
    probes = dict.fromkeys(("training", "validation"), first_captchas(recorded, "validation", 8))
    live = LivePlot(probes, batch_size=32, every=100, images_per_epoch=32_000, epochs=1)
    live.set_model(model)
    live.on_train_begin()
    for batch in range(600):
        live.on_train_batch_end(batch)
    batches = [point["images"] // 32 for point in live.points]
    assert batches == [*range(0, 401, 20), 500, 600]


def test_the_saved_network_carries_its_style_and_the_checkpoint_is_gone(finished):
    settings, _, _ = finished
    with zipfile.ZipFile(settings.model_path) as archive:
        assert archive.testzip() is None
        fields = json.loads(archive.read(STYLE_MEMBER))
        assert b"optimizer" not in archive.read("model.weights.h5")
    assert CaptchaStyle.from_dict(fields) == settings.style
    assert not (settings.folder / "checkpoint").exists()
    assert {path.name for path in settings.folder.iterdir()} - {".lock"} == {
        *("experiment.json", "images", "manifest.json", "records"),
        *("history.csv", "progress.csv", "model.keras", "metrics.json"),
    }


def test_stopping_and_continuing_goes_on_where_it_stopped(recorded, fresh, finished, monkeypatch):
    first = fresh(recorded)
    stopped = train(first, recorded, until=1)
    assert [row["epoch"] for row in stopped.rows] == [1]
    assert not recorded.history_path.exists()
    assert int(first.optimizer.iterations) == STEPS

    second = fresh(recorded)
    restored = {}
    remember = LivePlot.on_train_begin

    def look(live, logs=None):
        restored["weights"] = [np.array(weights) for weights in live.model.get_weights()]
        restored["iterations"] = int(live.model.optimizer.iterations)
        remember(live, logs)

    monkeypatch.setattr(LivePlot, "on_train_begin", look)
    continued = train(second, recorded)
    assert restored["iterations"] == STEPS
    for before, after in zip(first.get_weights(), restored["weights"], strict=True):
        assert (before == after).all()
    assert int(second.optimizer.iterations) == 2 * STEPS
    assert continued.rows[0] == stopped.rows[0]
    assert [row["epoch"] for row in continued.rows] == [1, 2]
    assert read_rows(recorded.history_path) == continued.rows
    assert continued.points[0]["images"] == 0
    assert continued.points[-1]["images"] == 400
    # The first epoch is that of a training that was not stopped.
    assert without_seconds(continued.rows[0]) == pytest.approx(without_seconds(finished[1].rows[0]), rel=1e-4)

    monkeypatch.setattr(keras.Model, "fit", lambda *_args, **_options: pytest.fail("trained again"))
    again = train(fresh(recorded), recorded)
    assert [without_seconds(row) for row in again.rows] == [without_seconds(row) for row in continued.rows]


def test_an_interruption_keeps_the_finished_epochs(recorded, fresh, monkeypatch):
    batches = itertools.count(1)

    def interrupt(live, batch, logs=None):
        live.batch += 1
        if next(batches) == STEPS + 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LivePlot, "on_train_batch_end", interrupt)
        with pytest.raises(TrainingStopped, match=r"in epoch 2; 1 finished epochs are kept\. Run this cell again"):
            train(fresh(recorded), recorded)
    kept = state(recorded)
    assert [row["epoch"] for row in kept["rows"]] == [1]
    assert [path.name for path in (recorded.folder / "checkpoint").glob("*.h5")] == [kept["weights"]]
    assert not recorded.history_path.exists()

    # A checkpoint of other settings, another network or other images is not continued.
    model = fresh(recorded)
    fitting = _fingerprint(model, recorded, shift_batch)
    assert kept["fingerprint"] == fitting
    for change in ({"epochs": 3}, {"batch_size": 16}, {"learning_rate": 0.01}, {"seed": 1}):
        assert _fingerprint(model, dataclasses.replace(recorded, **change), shift_batch) != fitting
    assert len({fitting, *(_fingerprint(model, recorded, Distortion(lines=n)) for n in (1, 2))}) == 3
    started = []

    def remember_start(_model, *_arguments, initial_epoch, **_options):
        started.append(initial_epoch)

    monkeypatch.setattr(keras.Model, "fit", remember_start)
    train(fresh(recorded), recorded)
    other = dataclasses.replace(recorded, learning_rate=0.01)
    assert train(fresh(other), other).rows == []
    assert started == [1, 0]
    manifest = _storage.read_sealed(recorded.folder / "manifest.json", "notebook 02")
    _storage.write_json(recorded.folder / "manifest.json", _storage.sealed({**manifest, "images_digest": "0" * 64}))
    assert _fingerprint(model, recorded, shift_batch) != fitting


def test_each_training_batch_is_changed_and_no_other(recorded, fresh):
    seen = []

    def blacken(images, labels):
        seen.append(images.shape)
        return tf.zeros_like(images), labels

    training = train(fresh(recorded), recorded, augment=blacken)
    assert seen == [(None, 60, 160, 1)]  # traced once, for all batches
    losses = [row["loss"] for row in training.rows]
    assert losses == pytest.approx([np.log(10)] * 2, abs=0.2)  # nothing to be learned from black pictures
    assert training.rows[-1]["validation_loss"] != training.rows[-1]["loss"]


@pytest.mark.parametrize(("bfloat16", "policy"), [(True, "bfloat16"), (False, "float32")])
def test_only_fitting_multiplies_16_bit_numbers(recorded, fresh, monkeypatch, bfloat16, policy):
    model, seen, fit = fresh(recorded), [], keras.Model.fit

    def remember(network, *arguments, **options):
        seen.append(network.get_layer("conv2").compute_dtype)
        return fit(network, *arguments, **options)

    monkeypatch.setattr(keras.Model, "fit", remember)
    rows = train(model, recorded, bfloat16=bfloat16).rows
    assert seen == [policy]
    assert rows[-1]["loss"] < 3
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    save_model(model, recorded)
    saved = keras.models.load_model(recorded.model_path, compile=False)
    assert {layer.compute_dtype for layer in saved.layers} == {"float32"}


def test_training_without_records_names_notebook_3(drawn, fresh):
    with pytest.raises(StepError, match="notebook 03_write_tfrecords"):
        train(fresh(drawn), drawn)
    shutil.rmtree(drawn.images_folder)
    with pytest.raises(StepError, match="notebook 03_write_tfrecords"):
        train(fresh(drawn), drawn)


def test_rows_survive_the_round_trip(tmp_path):
    rows = [{"epoch": 1, "loss": 2.302585092994046}, {"epoch": 2, "loss": 1e-9}]
    path = Path(tmp_path / "rows.csv")
    write_rows(path, rows)
    assert read_rows(path) == rows
