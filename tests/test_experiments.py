"""Experiments side by side, and one that starts from another's weights."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import copy_experiment

from helpers import files
from helpers.captchas.pictures import open_image
from helpers.captchas.styles import CaptchaStyle
from helpers.data.images import renderings
from helpers.errors import StepError
from helpers.experiments import list_experiments
from helpers.experiments.start import start_from
from helpers.files.results import RESULTS
from helpers.quiet_tensorflow import keras
from helpers.reading import Reader
from helpers.settings import open_experiment
from helpers.training.fit import compile_model, train


@pytest.fixture
def trained(finished, tmp_path):
    """A copy of a trained experiment."""
    return copy_experiment(finished[0], tmp_path)


def second(settings, name, accuracy):
    """The same experiment under another name and with another score."""
    other = dataclasses.replace(settings, experiment=name)
    shutil.copytree(settings.folder, other.folder)
    metrics = files.read_sealed(other.metrics_path, "notebook 04")
    files.write_json(other.metrics_path, files.sealed({**metrics, "captcha_accuracy": accuracy}))
    return other


def test_experiments_are_listed_best_first(trained, capsys):
    second(trained, "worse", 0.0)
    second(trained, "best", 1.0)
    second(trained, "untested", 0.5).metrics_path.unlink()
    found = list_experiments(trained)
    assert [experiment.name for experiment in found] == ["best", "tiny", "worse"]
    assert [experiment.settings.folder.name for experiment in found] == ["best", "tiny", "worse"]
    assert found[0].metrics["captcha_accuracy"] == 1.0
    assert "not listed: untested. It is not scored yet. Run notebook 04" in capsys.readouterr().out


def spoil(settings, **changes):
    """Other values in metrics.json, which is sealed again."""
    metrics = files.read_sealed(settings.metrics_path, "notebook 04")
    kept = {name: value for name, value in {**metrics, **changes}.items() if value is not None}
    files.write_json(settings.metrics_path, files.sealed(kept))


BROKEN = {
    "a copy": lambda other: other.folder.rename(other.folder.with_name("other (copy)")),
    "a hidden copy": lambda other: other.folder.rename(other.folder.with_name(".backup")),
    "a score of 7": lambda other: spoil(other, captcha_accuracy=7),
    "a score that is no number": lambda other: spoil(other, captcha_accuracy=float("nan")),
    "a score in words": lambda other: spoil(other, digit_accuracy="good"),
    "a score without a key": lambda other: spoil(other, test_count=None),
    "a score changed by hand": lambda other: other.metrics_path.write_text(
        other.metrics_path.read_text().replace('"test_count": 60', '"test_count": 600')
    ),
    "no JSON": lambda other: other.metrics_path.write_text("{"),
    "JSON that is too deep": lambda other: other.metrics_path.write_text("[" * 100_000),
    "an empty curve": lambda other: (other.progress_path.write_text(""), spoil(other, curve_digest=None)),
    "a folder for a file": lambda other: (other.metrics_path.unlink(), other.metrics_path.mkdir()),
    "another network": lambda other: shutil.copyfile(RESULTS / "default.keras", other.model_path),
    "no network": lambda other: other.model_path.unlink(),
    "many images": lambda other: (other.folder / "experiment.json").write_text(
        json.dumps({**other.describe(), "train_count": 2 * 10**9})
    ),
    "no images": lambda other: (other.folder / "experiment.json").write_text("{}"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_neighbour_is_named_and_hides_nothing(trained, capsys, broken):
    other = second(trained, "other", 0.5)
    BROKEN[broken](other)
    assert [experiment.name for experiment in list_experiments(trained)] == ["tiny"]
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"not listed: (other|other \(copy\)|\.backup)\. .{20,}", "\n".join(lines)), lines
    assert len(lines) <= 2


def test_images_may_be_deleted_and_a_curve_of_another_training_is_not_drawn(trained, capsys):
    other = second(trained, "other", 0.9)
    shutil.rmtree(other.images_folder)
    curve = other.progress_path.read_text().splitlines()
    other.progress_path.write_text("\n".join(curve[:-1]))
    found = {experiment.name: experiment for experiment in list_experiments(trained)}
    assert np.asarray(found["other"].sample).shape == np.asarray(found["tiny"].sample).shape == (60, 160, 3)
    assert found["other"].accuracies == [] != found["tiny"].accuracies
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("not listed: the curve of other. progress.csv is not that of the training that was scored")


def test_an_experiment_tells_its_curve_sample_and_size(trained, finished):
    (found,) = list_experiments(trained)
    points = finished[1].points
    assert found.seconds == [point["seconds"] for point in points]
    assert found.accuracies == [point["validation captchas"] for point in points]
    assert found.sample == open_image(next(renderings(trained, "test")).path)
    before = found.megabytes
    (trained.folder / "more").write_bytes(bytes(3_000_000))
    assert list_experiments(trained)[0].megabytes == pytest.approx(before + 3)


def test_a_network_starts_with_the_weights_of_another(trained, tiny):
    old = tiny(trained.style)
    started = start_from(tiny(trained.style), trained, str(trained.model_path))
    assert started.name == "alexnet_from_tiny"
    images = np.random.default_rng(0).integers(0, 256, (5, 60, 160, 1), dtype=np.uint8)
    reference = Reader.load(trained.model_path).model
    assert np.array_equal(started(images), reference(images))
    assert not np.array_equal(started(images), old(images))


@pytest.mark.parametrize("kind", [Path, str])
def test_a_network_in_a_folder_with_blanks_and_other_letters_starts_another(finished, recorded, tiny, tmp_path, kind):
    place = tmp_path / "für mich (2)" / "model.keras"
    place.parent.mkdir()
    shutil.copy(finished[0].model_path, place)
    started = start_from(tiny(recorded.style), recorded, kind(place))
    assert started.name == "alexnet_from_f-r-mich--2-"  # which TensorFlow takes as the name of a scope
    assert train(compile_model(started, recorded), recorded, until=1).rows


def test_a_stopped_cold_start_is_not_taken_for_a_warm_one(finished, recorded, tiny):
    train(compile_model(tiny(recorded.style), recorded), recorded, until=1)
    warm = start_from(tiny(recorded.style), recorded, str(finished[0].model_path))
    training = train(compile_model(warm, recorded), recorded, until=1)
    assert training.points[0]["images"] == 0
    assert int(warm.optimizer.iterations) == 7  # began anew: 200 captchas in batches of 32


@pytest.mark.parametrize(
    ("style", "difference", "anew"),
    [
        (CaptchaStyle(alphabet="ABCDEFGHIJ"), "its classes: 0123456789, not ABCDEFGHIJ", ["dense3"]),  # of equal shapes
        (CaptchaStyle(length=5, width=160), "its positions: 4, not 5", ["dense3"]),
        (CaptchaStyle(length=(3, 4)), "its classes: 0123456789, not 0123456789␣", ["dense3"]),
        (
            CaptchaStyle(height=120),
            "its pictures [pixels]: 160x60, not 160x120",
            ["dense1", "dense1_norm", "dense3"],
        ),
    ],
)
def test_for_other_texts_and_sizes_what_does_not_fit_begins_anew(trained, tiny, style, difference, anew, capsys):
    settings = dataclasses.replace(trained, experiment="other", style=style)
    fresh = tiny(style)
    before = {layer.name: layer.get_weights() for layer in fresh.layers}
    started = start_from(fresh, settings, str(trained.model_path))
    assert f"({difference}), so these layers begin anew: {', '.join(anew)}." in capsys.readouterr().out
    old = Reader.load(trained.model_path).model
    for layer in started.layers:
        expected = before[layer.name] if layer.name in anew else old.get_layer(layer.name).get_weights()
        assert all(map(np.array_equal, layer.get_weights(), expected))
    wider = tiny(style, filters=16)
    with pytest.raises(StepError, match=re.escape(difference)):
        start_from(wider, settings, str(trained.model_path))


def test_a_network_that_comes_along_is_taken_where_there_is_none_of_that_name(
    trained, tiny, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("helpers.experiments.start.RESULTS", tmp_path)
    shutil.copy(trained.model_path, tmp_path / "robust.keras")
    started = start_from(tiny(trained.style), trained, "robust")
    assert started.name == "alexnet_from_robust"
    assert "the network 'robust' that comes along" in capsys.readouterr().out
    second(trained, "robust", 0.5)
    start_from(tiny(trained.style), trained, "robust")
    assert "comes along" not in capsys.readouterr().out


def test_other_layers_and_a_missing_network_are_refused(trained, tiny):
    other = tiny(trained.style, filters=16)
    with pytest.raises(StepError, match=r"the weights of its layer 'conv2': 3x3x4x8, not 3x3x4x16\. Train without it"):
        start_from(other, trained, str(trained.model_path))
    deeper = keras.Sequential([tiny(trained.style), keras.layers.Dense(10)])
    with pytest.raises(StepError, match=r"its layer 'conv1': 11x11x1x4.*, not 11x11x1x4 and "):
        start_from(deeper, trained, str(trained.model_path))
    shorter = keras.Sequential([keras.Input((60, 160, 1)), *tiny(trained.style).layers[1:4]])
    with pytest.raises(StepError, match=r"these captchas need one that"):
        start_from(shorter, trained, str(trained.model_path))
    with pytest.raises(StepError, match=r"no experiment 'tini' yet\. Did you mean 'tiny'\?"):
        start_from(tiny(trained.style), trained, "tini")
    trained.model_path.unlink()
    with pytest.raises(StepError, match="no trained network"):
        start_from(tiny(trained.style), trained, "tiny")


def test_the_settings_of_a_listed_experiment_are_its_own(trained):
    other = second(trained, "other", 0.0)
    stored = json.loads((other.folder / "experiment.json").read_text())
    assert open_experiment("other", data_dir=trained.data_dir).counts == list_experiments(trained)[1].settings.counts
    assert stored["train_count"] == 200


def test_a_name_is_looked_up_beside_the_experiment_itself(trained, tiny):
    other = dataclasses.replace(trained, experiment="new")  # its data folder and profile are not the environment's
    started = start_from(tiny(trained.style), other, "tiny")
    assert started.name == "alexnet_from_tiny"
    with pytest.raises(StepError, match="no experiment 'tiny' yet"):
        start_from(tiny(trained.style), dataclasses.replace(other, profile="full"), "tiny")
    third = dataclasses.replace(other, network="mine")  # a further network starts from the other's own
    assert start_from(tiny(trained.style), third, "tiny").name == "alexnet_from_tiny"


@pytest.mark.parametrize("name", ["a blank/mine.keras", "größe/mein netz.keras", "日本.keras"])
def test_a_network_of_any_path_can_be_started_from(finished, recorded, tmp_path, tiny, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(finished[0].model_path, path)
    for given in (path, str(path)):
        started = start_from(tiny(recorded.style), recorded, given)
        assert all(np.array_equal(*pair) for pair in zip(started.get_weights(),
                   keras.models.load_model(path, compile=False).get_weights(), strict=True))  # fmt: skip
    settings = dataclasses.replace(recorded, epochs=1)
    assert train(compile_model(started, settings), settings).rows


def test_both_calls_are_found_beside_the_list():
    import helpers.experiments as experiments
    from helpers.experiments import run_experiment, try_style

    assert (try_style.__module__, run_experiment.__module__) == (
        "helpers.experiments.tries",
        "helpers.experiments.whole",
    )
    with pytest.raises(AttributeError, match="no attribute 'try_stile'"):
        _ = experiments.try_stile
