"""An experiment in one call: what is missing is made, what is there stays, and a stop loses little."""

import numpy as np
import pytest

from helpers.captchas.styles import CaptchaStyle
from helpers.data.texts import split_of
from helpers.errors import StepError
from helpers.experiments import whole
from helpers.experiments.distortion import ROBUST
from helpers.experiments.whole import AUGMENT, run_experiment
from helpers.network.alexnet import build_alexnet
from helpers.quiet_tensorflow import tf
from helpers.reading import Reader
from helpers.settings import load, load_settings, open_experiment
from helpers.training.augmentation import shift_batch, unchanged

DOTS = CaptchaStyle(noise_dots=60)
SMALL = {"train_count": 96, "validation_count": 40, "test_count": 50, "epochs": 1, "batch_size": 32}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, tiny):
    """An empty data folder, and a profile of few captchas."""
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    monkeypatch.setitem(load.PROFILES, "quick", SMALL)
    monkeypatch.setattr(whole, "build_alexnet", tiny)
    return tmp_path


def test_it_draws_packs_trains_and_tests(folder):
    metrics = run_experiment("dots", DOTS, profile="quick")
    assert metrics["test_count"] == 50 and metrics["train_images"] == 96
    assert metrics["captcha_accuracy_low"] <= metrics["captcha_accuracy"] <= metrics["captcha_accuracy_high"]
    assert Reader.load("dots").style == DOTS
    assert not (folder / "dots").exists()  # of the quick profile


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_tested_network_comes_back_as_it_is(monkeypatch):
    first = run_experiment("dots", DOTS)
    settings = load_settings("dots")
    before = content(settings.folder)
    monkeypatch.setattr(whole, "score_test", lambda *_: pytest.fail("tested again"))
    assert run_experiment("dots", DOTS) == run_experiment("dots") == first
    assert content(settings.folder) == before


@pytest.mark.parametrize("step", ["generate", "write_records", "train", "calibrate", "save_model", "score_test"])
def test_it_goes_on_where_it_was_stopped(monkeypatch, step):
    with monkeypatch.context() as stopped:
        done = getattr(whole, step)

        def stop(*arguments, **options):
            if step in ("generate", "train"):  # after it, else before it
                done(*arguments, **options)
            raise KeyboardInterrupt

        stopped.setattr(whole, step, stop)
        with pytest.raises(KeyboardInterrupt):
            run_experiment("dots", DOTS)
    assert run_experiment("dots")["test_count"] == 50


def test_a_tested_network_of_other_layers_stays_and_the_metrics_are_the_new_ones(monkeypatch, tiny):
    first = run_experiment("dots", DOTS)
    monkeypatch.setattr(whole, "build_alexnet", lambda style: build_alexnet(style, (4, 8, 8, 8, 16), (16, 16)))
    second = run_experiment("dots", DOTS)
    assert second["parameters"] != first["parameters"]
    monkeypatch.setattr(whole, "build_alexnet", tiny)
    assert run_experiment("dots") == first


def test_a_network_whose_file_is_gone_is_saved_again():
    run_experiment("dots", DOTS)
    load_settings("dots").model_path.unlink()
    assert run_experiment("dots")["test_count"] == 50
    assert load_settings("dots").model_path.is_file()


def test_it_can_begin_with_another_network(monkeypatch):
    run_experiment("default", CaptchaStyle())
    models = []
    compile_model = whole.compile_model
    monkeypatch.setattr(
        whole, "compile_model", lambda model, settings: models.append(model.name) or compile_model(model, settings)
    )
    run_experiment("dots", DOTS, start_from="default")
    assert models == ["alexnet_from_default"]


def test_names_that_cannot_be_used_are_told():
    with pytest.raises(StepError, match="There is no experiment 'dots' yet"):
        run_experiment("dots")
    run_experiment("many-dots", DOTS)
    with pytest.raises(StepError, match=r"'many-dot' yet\. Did you mean 'many-dots'\?"):
        run_experiment("many-dot")
    with pytest.raises(StepError, match=r"Did you mean 'many-dots'\?"):
        run_experiment("other", DOTS, start_from="many-dot")
    with pytest.raises(StepError, match=r"exists with other settings \(noise_dots: 60, not 30"):
        run_experiment("many-dots", CaptchaStyle())


def test_robust_is_known_by_its_name(monkeypatch):
    augments = []
    train, calibrate, kept = whole.train, whole.calibrate, augments.append
    monkeypatch.setattr(
        whole, "train", lambda *given, augment, **more: kept(augment) or train(*given, augment=augment, **more)
    )
    monkeypatch.setattr(whole, "calibrate", lambda *given: kept(given[2]) or calibrate(*given))
    assert run_experiment("robust")["train_images"] == 96  # of the quick profile
    assert augments == [AUGMENT, AUGMENT] and AUGMENT.spared
    assert open_experiment("robust").style == ROBUST
    augments.clear()
    run_experiment("plain", DOTS)
    assert augments == [shift_batch, unchanged]


def test_on_the_full_profile_robust_has_counts_of_its_own(monkeypatch):
    found = []
    monkeypatch.setattr(whole, "generate", lambda settings: found.append(settings) or pytest.fail("far enough"))
    with pytest.raises(pytest.fail.Exception):
        run_experiment("robust", profile="full")
    assert (found[0].train_count, found[0].epochs, found[0].style) == (60_000, whole.MORE["epochs"], ROBUST)


@pytest.mark.parametrize("alphabet", ["0123456789", "ABCDEFGHIJ"])
def test_few_pictures_get_drawn_captchas_of_their_characters_beside_them(monkeypatch, alphabet):
    monkeypatch.setattr(whole, "DRAWN", 40)
    style = CaptchaStyle(alphabet=alphabet, length=(2, 3), check_fonts=False)
    augment = whole.beside_drawn(style)
    own = np.full((4, 60, 120, 1), 255, np.uint8), np.zeros((4, 3), np.int32)
    images, labels = augment(*map(tf.constant, own))
    assert images.shape == (8, 60, 120, 1) and labels.shape == (8, 3)
    texts = {style.labels_to_text(label) for label in labels.numpy()[4:]}
    assert all(split_of(text) == "train" and 2 <= len(text) <= 3 for text in texts)


def test_where_no_font_has_the_characters_pictures_are_only_moved():
    assert whole.beside_drawn(CaptchaStyle(alphabet="漢字仮名", check_fonts=False)) is shift_batch


@pytest.mark.parametrize(("count", "beside"), [(199, True), (200, False)])
def test_what_is_chosen_depends_on_how_many_pictures_there_are(monkeypatch, count, beside):
    settings, found = load_settings("mine", adopted=True, train_count=count), []
    monkeypatch.setattr(whole, "beside_drawn", lambda style: found.append(style))
    monkeypatch.setattr(whole, "open_experiment", lambda *_: settings)
    monkeypatch.setattr(whole, "write_records", lambda settings: found.append(settings) or pytest.fail("far enough"))
    with pytest.raises(pytest.fail.Exception):
        run_experiment("mine", start_from="robust")
    assert found[:-1] == [settings.style] * beside
    assert (found[-1].batch_size, found[-1].learning_rate) == (16 if beside else 32, 0.002)
    steps = found[-1].epochs * found[-1].passes * -(-count // found[-1].batch_size)
    assert abs(steps - whole.STEPS) <= 0.05 * whole.STEPS
