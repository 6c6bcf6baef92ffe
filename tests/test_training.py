"""Training can be stopped and continued, keeps what was finished, and writes down what it reached."""

import csv
import dataclasses
import itertools
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import copy_experiment
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import files
from helpers.captchas.styles import CaptchaStyle
from helpers.data.images import list_images
from helpers.errors import SettingsError, StepError
from helpers.experiments.distortion import Distortion
from helpers.files import read_rows, write_rows
from helpers.network.alexnet import build_alexnet
from helpers.network.saved import STYLE_MEMBER
from helpers.quiet_tensorflow import keras, tf
from helpers.scores import captcha_accuracy
from helpers.settings import Settings
from helpers.training.augmentation import SHIFT_X, SHIFT_Y, shift_batch
from helpers.training.checkpoint import fingerprint
from helpers.training.fit import TrainingStopped, compile_model, first_captchas, save_model, train, whole_captcha
from helpers.training.live import LivePlot
from helpers.training.optimizer import smoothed_cross_entropy

STEPS = 7  # an epoch: 200 images in batches of 32


def without_seconds(row: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != "seconds"}


def state(settings: Settings) -> dict:
    """The newest one."""
    return json.loads(max(settings.checkpoint_folder.glob("epoch-*.json")).read_text())


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
    live = LivePlot(dataclasses.replace(recorded, train_count=128_000, epochs=1), probes)  # 4,000 batches, 40 points
    live.set_model(model)
    live.on_train_begin()
    live.on_epoch_begin(0)
    for batch in range(600):
        live.on_train_batch_end(batch)
    batches = [point["images"] // 32 for point in live.points]
    assert batches == [*range(0, 401, 20), 500, 600]


def test_the_saved_network_carries_its_style_and_no_optimizer(finished):
    settings, _, _ = finished
    with zipfile.ZipFile(settings.model_path) as archive:
        assert archive.testzip() is None
        fields = json.loads(archive.read(STYLE_MEMBER))
        assert b"optimizer" not in archive.read("model.weights.h5")
    assert CaptchaStyle.from_dict(fields) == settings.style
    assert {path.name for path in settings.folder.iterdir()} - {".lock"} == {
        *("experiment.json", "images", "images.sha256", "manifest.json", "records", "checkpoint"),
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
        if next(batches) == STEPS + 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LivePlot, "on_train_batch_end", interrupt)
        with pytest.raises(
            TrainingStopped, match=r"in epoch 2; 1 finished epochs are kept\. Build and compile .* goes on"
        ):
            train(fresh(recorded), recorded)
    kept = state(recorded)
    assert [row["epoch"] for row in kept["rows"]] == [1]
    assert [files.file_digest(path) for path in recorded.checkpoint_folder.glob("*.h5")] == [kept["weights"]]
    assert not recorded.history_path.exists()

    # A checkpoint of other settings, another network or other images is not continued.
    model = fresh(recorded)
    fitting = fingerprint(model, recorded, shift_batch)
    assert kept["fingerprint"] == fitting
    for change in ({"epochs": 3}, {"batch_size": 16}, {"learning_rate": 0.01}, {"seed": 1}):
        assert fingerprint(model, dataclasses.replace(recorded, **change), shift_batch) != fitting
    assert len({fitting, *(fingerprint(model, recorded, Distortion(lines=n)) for n in (1, 2))}) == 3
    started = []

    def remember_start(_model, *_arguments, initial_epoch, **_options):
        started.append(initial_epoch)

    monkeypatch.setattr(keras.Model, "fit", remember_start)
    train(fresh(recorded), recorded)
    other = dataclasses.replace(recorded, learning_rate=0.01)
    assert train(fresh(other), other).rows == []
    assert started == [1, 0, 1]
    manifest = files.read_sealed(recorded.folder / "manifest.json", "notebook 02")
    files.write_json(recorded.folder / "manifest.json", files.sealed({**manifest, "images_digest": "0" * 64}))
    assert fingerprint(model, recorded, shift_batch) != fitting


def test_a_finished_training_is_remembered_and_says_so(finished, fresh, tmp_path, monkeypatch, capsys):
    settings = copy_experiment(finished[0], tmp_path)
    saved = keras.models.load_model(settings.model_path, compile=False).get_weights()
    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "fit", lambda *_arguments, **_options: pytest.fail("trained again"))
        model = fresh(settings)
        assert train(model, settings).rows == finished[1].rows  # also after save_model
        said = r"trained before, on \d{4}-\d\d-\d\d; pass again=True to train anew\n"
        assert re.fullmatch(said, capsys.readouterr().out)
        assert all(map(np.array_equal, model.get_weights(), saved))
        assert train(model, settings) == finished[1]  # the same cell run again
        capsys.readouterr()
        first = train(fresh(settings), settings, until=1)
        assert "(the network has the weights of epoch 2)" in capsys.readouterr().out
        assert [row["epoch"] for row in first.rows] == [1]
        assert first.points[-1]["images"] == 200
        other = dataclasses.replace(settings, learning_rate=0.01)
        with pytest.raises(pytest.fail.Exception, match="trained again"):
            train(fresh(other), other)
    capsys.readouterr()
    anew = train(fresh(settings), settings, again=True)
    assert "trained before" not in capsys.readouterr().out
    assert [without_seconds(row) for row in anew.rows] == [without_seconds(row) for row in finished[1].rows]
    assert anew.rows != finished[1].rows
    with pytest.raises(StepError, match="was trained before"):
        train(model, settings, again=True)


def test_what_was_remembered_is_written_again_where_it_is_missing(finished, fresh, tmp_path):
    settings = copy_experiment(finished[0], tmp_path)
    settings.history_path.unlink()
    train(fresh(settings), settings)
    assert read_rows(settings.history_path) == finished[1].rows


def test_half_a_training_is_remembered_too(recorded, fresh, capsys):
    train(fresh(recorded), recorded, until=1)
    assert "trained before" not in capsys.readouterr().out
    assert len(train(fresh(recorded), recorded, until=1).rows) == 1
    assert "trained before, on" in capsys.readouterr().out
    untouched = fresh(recorded)
    before = untouched.get_weights()
    assert train(untouched, recorded, until=0).rows == []
    assert all(map(np.array_equal, untouched.get_weights(), before))


@pytest.mark.parametrize("damage", ["a bit", "cut", "missing", "another's", "a bit of the state", "keys of the state"])
def test_training_starts_at_the_last_state_that_can_be_trusted(finished, fresh, tmp_path, capsys, damage):
    settings = copy_experiment(finished[0], tmp_path)
    last, before = (sorted(settings.checkpoint_folder.glob("*.h5"))[number] for number in (1, 0))
    told = last.with_name(last.name.replace(".weights.h5", ".json"))

    def flip(path):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    def without_rows():
        value = {name: item for name, item in json.loads(told.read_text()).items() if name not in ("rows", "digest")}
        files.write_json(told, files.sealed(value))

    {
        "a bit": lambda: flip(last),
        "cut": lambda: last.write_bytes(last.read_bytes()[:500]),
        "missing": last.unlink,
        "another's": lambda: shutil.copyfile(before, last),
        "a bit of the state": lambda: flip(told),
        "keys of the state": without_rows,
    }[damage]()
    model = fresh(settings)
    training = train(model, settings)
    assert f"checkpoint/{told.name} is damaged or of an early version; it was set aside" in capsys.readouterr().out
    assert (settings.checkpoint_folder / f"damaged-{told.name}").exists()
    assert training.rows[0] == finished[1].rows[0]  # the first epoch was not trained again
    assert training.rows[1]["seconds"] != finished[1].rows[1]["seconds"]
    saved = keras.models.load_model(settings.model_path, compile=False).get_weights()
    assert all(map(np.array_equal, model.get_weights(), saved))  # to the bit


@pytest.mark.parametrize("stop", [1, 2])
def test_a_stop_between_epochs_changes_no_bit_of_the_weights(recorded, stop):
    """With dropout and moved captchas, too: what chance decides in an epoch depends on its number alone."""
    three = dataclasses.replace(recorded, epochs=3)

    def network():
        keras.utils.set_random_seed(1)
        small = {"filters": (4, 4, 4, 4, 4), "dense_units": (8, 8), "dropout": 0.3}
        return compile_model(build_alexnet(three.style, **small), three)

    straight, stopped = network(), network()
    train(straight, dataclasses.replace(three, network="straight"))
    train(stopped, three, until=stop)
    resumed = network()
    resumed.optimizer.build(resumed.trainable_variables)
    train(resumed, three)
    assert all(map(np.array_equal, straight.get_weights(), resumed.get_weights()))
    assert not all(map(np.array_equal, stopped.get_weights(), resumed.get_weights()))


def test_a_failing_disk_does_not_mix_two_recipes(recorded, fresh, monkeypatch):
    first = fresh(recorded)
    train(first, recorded, until=1)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(files, "write_json", full_disk)
        train(fresh(recorded), recorded, until=1, augment=lambda images, labels: (255 - images, labels))
    again = fresh(recorded)
    train(again, recorded, until=1)
    assert all(map(np.array_equal, again.get_weights(), first.get_weights()))


def test_an_uncompiled_network_is_told(recorded, tiny):
    with pytest.raises(StepError, match="compile_model"):
        train(tiny(recorded.style), recorded)


def test_nothing_is_trained_until_epoch_0_and_no_other_number_is_taken_for_all(recorded, fresh):
    model = fresh(recorded)
    before = model.get_weights()
    assert train(model, recorded, until=0).rows == []
    assert all(map(np.array_equal, model.get_weights(), before))
    assert not recorded.checkpoint_folder.exists()
    for until in (-1, 1.5, "1", True):
        with pytest.raises(SettingsError, match=r"^until: .* must be a whole number from 0 to"):
            train(model, recorded, until=until)


def test_saving_half_a_training_keeps_its_checkpoint(recorded, fresh):
    model = fresh(recorded)
    train(model, recorded, until=1)
    save_model(model, recorded)
    training = train(fresh(recorded), recorded)
    assert [row["epoch"] for row in training.rows] == [1, 2]


def test_the_live_plot_tells_how_many_captchas_are_read(recorded, fresh, monkeypatch):
    probes = {"training": first_captchas(recorded, "train", 8), "validation": first_captchas(recorded, "validation", 3)}
    live, shown = LivePlot(recorded, probes), []
    monkeypatch.setattr(live, "show", shown.append)
    live.set_model(fresh(recorded))
    live.on_train_begin()
    assert "of 3 validation captchas" in shown[0].get_suptitle()


@pytest.mark.parametrize("every", [1, 7])
def test_the_live_curve_never_runs_backward(recorded, fresh, every, monkeypatch):
    monkeypatch.setattr("helpers.training.live.EARLY_EVERY", every)
    probes = dict.fromkeys(("training", "validation"), first_captchas(recorded, "validation", 8))
    live = LivePlot(recorded, probes)
    live.set_model(fresh(recorded))
    live.on_train_begin()
    for epoch in range(2):
        live.on_epoch_begin(epoch)
        for batch in range(STEPS):  # the last one holds 8 captchas
            live.on_train_batch_end(batch)
        live.on_epoch_end(epoch)
    images = [point["images"] for point in live.points]
    assert images == sorted(set(images))
    assert images[-1] == 400
    assert 200 in images


def scaled(factor):
    return lambda images, labels: (images * factor, labels)


def with_docstring(images, labels):
    """Says what it does."""
    return images + 1, labels


def without_docstring(images, labels):
    return images + 1, labels


SCALE = 2


def using_a_global(images, labels):
    return images * SCALE, labels


def using_a_helper(images, labels):
    return using_a_global(images, labels)


class Shifter:
    step = 1

    def __init__(self, size):
        self.size = size

    def __call__(self, images, labels):
        return images + self.size * self.step, labels


def test_optimizer_loss_network_and_augmentation_belong_to_the_recipe(recorded, fresh, tiny):
    model = fresh(recorded)
    told = {fingerprint(model, recorded, shift_batch)}
    assert fingerprint(fresh(recorded), recorded, shift_batch) in told  # built a second time
    told.add(fingerprint(model, recorded, lambda images, labels: (images, labels)))
    model.compile(keras.optimizers.AdamW(0.008), loss=model.loss)
    told.add(fingerprint(model, recorded, shift_batch))
    model.compile(keras.optimizers.AdamW(0.008, weight_decay=0.1), loss=model.loss)
    told.add(fingerprint(model, recorded, shift_batch))
    model.compile(keras.optimizers.AdamW(0.008), loss="sparse_categorical_crossentropy")
    told.add(fingerprint(model, recorded, shift_batch))
    told.add(fingerprint(model, recorded, shift_batch, bfloat16=False))
    wider = compile_model(build_alexnet(recorded.style, filters=(4, 8, 8, 8, 16), dense_units=(16, 16)), recorded)
    told.add(fingerprint(wider, recorded, shift_batch))
    assert len(told) == 7


def test_layers_without_names_of_their_own_are_the_same_network_when_built_again(recorded):
    def build():
        images = keras.Input((60, 160, 1))
        hidden = keras.layers.Dense(40)(keras.layers.Flatten()(images))
        return compile_model(keras.Model(images, keras.layers.Reshape((4, 10))(hidden)), recorded)

    assert fingerprint(build(), recorded, shift_batch) == fingerprint(build(), recorded, shift_batch)


def test_an_optimizer_changed_unseen_does_not_continue_a_training(recorded, fresh):
    train(fresh(recorded), recorded, until=1)
    model = fresh(recorded)
    model.compile(keras.optimizers.SGD(0.01), loss=model.loss, metrics=["accuracy"])
    assert train(model, recorded, until=1).points[0]["images"] == 0
    assert int(model.optimizer.iterations) == STEPS


def test_each_training_batch_is_changed_and_no_other(recorded, fresh):
    seen = []

    def blacken(images, labels):
        seen.append(images.shape)
        return tf.zeros_like(images), labels

    training = train(fresh(recorded), recorded, augment=blacken)
    assert {tuple(shape) for shape in seen} == {(None, 60, 160, 1)} and len(seen) < 5  # traced, for all batches
    losses = [row["loss"] for row in training.rows]
    assert losses == pytest.approx([np.log(10)] * 2, abs=0.2)  # nothing to be learned from black pictures
    assert training.rows[-1]["validation_loss"] != training.rows[-1]["loss"]


@pytest.mark.parametrize(("bfloat16", "policy"), [(True, "bfloat16"), (False, "float32")])
def test_only_fitting_multiplies_16_bit_numbers(recorded, fresh, monkeypatch, request, bfloat16, policy):
    if bfloat16:
        request.getfixturevalue("possible_bfloat16")
    model, seen, fit = fresh(recorded), [], keras.Model.fit

    def remember(network, *arguments, **options):
        seen.append(network.get_layer("conv2").compute_dtype)
        return fit(network, *arguments, **options)

    monkeypatch.setattr(keras.Model, "fit", remember)
    rows = train(model, recorded, bfloat16=bfloat16).rows
    assert seen == [policy, policy]  # in each epoch
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


def test_the_loss_asks_for_less_than_certainty():
    truth = tf.constant([[3, 0]])

    def of(right: float) -> np.ndarray:
        """The loss where the right one of ten classes gets so much, and the others share the rest."""
        spread = np.full((1, 2, 10), (1 - right) / 9)
        spread[0, 0, 3] = spread[0, 1, 0] = right
        return smoothed_cross_entropy(truth, tf.constant(np.log(spread), tf.float32)).numpy()

    assert of(0.1) == pytest.approx(np.full((1, 2), np.log(10)), abs=1e-5)
    given_to_the_right = np.arange(0.85, 0.999, 0.005)
    losses = [float(of(right).mean()) for right in given_to_the_right]
    assert given_to_the_right[np.argmin(losses)] == pytest.approx(0.91)
    expected = -(0.91 * np.log(0.99) + 9 * 0.01 * np.log(0.01 / 9))
    assert of(0.99) == pytest.approx(np.full((1, 2), expected), abs=1e-5)
    logits = np.random.default_rng(0).normal(size=(4, 2, 10)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 10, (4, 2))
    plain = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True).numpy()
    assert smoothed_cross_entropy(labels, logits, share=0.0).numpy() == pytest.approx(plain, abs=1e-6)


def test_a_network_is_compiled_with_that_loss(recorded, fresh):
    assert fresh(recorded).loss is smoothed_cross_entropy
