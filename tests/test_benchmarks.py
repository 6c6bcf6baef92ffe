"""The benchmarks run, at toy size. Whether they are quick is no test's business."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from helpers.captchas.styles import CaptchaStyle
from helpers.network.alexnet import build_alexnet
from helpers.quiet_tensorflow import keras, tf
from helpers.training.optimizer import smoothed_cross_entropy
from tests.benchmarks import compute, frontier, labels, measured, torch_alexnet

CHANGES = {"augment", "loss", "average", "shape", "batch_size", "network"}


def toy(variant: str) -> dict:
    """A variant with a network of a few thousand parameters."""
    changes = dict(frontier.VARIANTS[variant])
    small = {"filters": (4, 8, 8, 8, 8), "dense_units": (16, 16)}
    return {"captchas": 96, "epochs": 2, **changes, "network": {**changes.get("network", {}), **small}} | (
        {"captchas": 96} if "captchas" in changes else {}
    )


@pytest.mark.parametrize("variant", ["as in notebook 4", "the earlier recipe", "averaged weights", "held, then linear"])
def test_a_variant_learns_and_is_counted(shared_recorded, variant):
    found = frontier.learn(shared_recorded, 1, toy(variant))
    assert found["of"] == shared_recorded.validation_count and 0 <= found["misread"] <= found["of"]
    assert found["training [TFLOP]"] > 0 and found["training [s]"] > 0


def test_a_recipe_is_compiled_as_its_variant_says(shared_recorded):
    small = {"filters": (4, 8, 8, 8, 8), "dense_units": (16, 16)}
    settings = dataclasses.replace(shared_recorded, epochs=10)
    usual, averaged, held, plain = (
        frontier.recipe(settings, small, **changes)
        for changes in ({}, {"average": 0.9}, {"shape": frontier.held}, {"loss": frontier.USUAL})
    )
    assert (usual.optimizer.use_ema, averaged.optimizer.use_ema, averaged.optimizer.ema_momentum) == (False, True, 0.9)
    for model in (usual, averaged, held):
        model.optimizer.iterations.assign(30)  # of 70: past the warm-up, before the middle
    rates = [float(model.optimizer.learning_rate) for model in (usual, averaged, held)]
    assert rates[0] == pytest.approx(rates[1]) and rates[0] < rates[2] == pytest.approx(settings.learning_rate)
    assert plain.loss is frontier.USUAL and usual.loss is smoothed_cross_entropy


def test_the_time_of_each_variant_is_measured(monkeypatch):
    monkeypatch.setattr(frontier, "ROUNDS", 1)
    monkeypatch.setattr(frontier, "STEPS", 1)
    names = ["conv2 of 5x5", "batches of 128"]
    assert all(value > 0 for value in frontier.milliseconds(names)) and len(frontier.milliseconds(names[:1])) == 1


def test_every_variant_changes_what_is_known():
    for name, changes in frontier.VARIANTS.items():
        assert set(changes) <= CHANGES | {"captchas", "epochs", "learning_rate"}, name
    assert {name for name, _ in frontier.WHOLE} <= set(frontier.VARIANTS)


def test_each_captcha_of_a_batch_is_shifted_by_itself(shared_recorded):
    one = np.random.default_rng(0).integers(0, 256, (1, 60, 160, 1), np.uint8)
    tf.random.set_seed(1)
    shifted, _ = frontier.shift_each(tf.constant(one.repeat(16, axis=0)), tf.zeros((16, 4), tf.int32))
    assert shifted.shape == (16, 60, 160, 1)
    assert len({picture.tobytes() for picture in shifted.numpy()}) > 8
    inner = one[0, 4:-4, 8:-8, 0]  # each holds the middle of the picture, somewhere
    for picture in shifted.numpy()[..., 0]:
        places = np.lib.stride_tricks.sliding_window_view(picture, inner.shape)[:, :, ::20, ::20]
        assert (places == inner[::20, ::20]).all(axis=(-2, -1)).sum() == 1


@pytest.mark.parametrize(("shape", "half"), [(frontier.linear, 0.5), (frontier.held, 1.0)])
def test_the_learning_rate_descends_to_nothing(shared_recorded, shape, half):
    settings = dataclasses.replace(shared_recorded, epochs=10)
    rate = frontier.Descent(settings, shape)
    steps, highest = rate.usual.warmup_steps + rate.usual.decay_steps, settings.learning_rate
    found = [float(rate(tf.constant(step))) for step in (0, rate.usual.warmup_steps, steps)]
    assert found == pytest.approx([highest / 20, highest, 0.0])
    middle = rate.usual.warmup_steps + rate.usual.decay_steps // 2
    assert float(rate(tf.constant(middle))) == pytest.approx(half * highest, rel=0.05)


def test_compute_measures_a_step_and_its_layers(monkeypatch):
    for name, value in {"ROUNDS": 1, "STEPS": 1, "SIZE": 64, "PRODUCTS": 1}.items():
        monkeypatch.setattr(compute, name, value)
    found, layers = compute.rates()
    rows = compute.figures_of(found)
    assert [row["what"] for row in rows][:2] == [compute.PRODUCT, compute.STEP]
    assert rows[0]["of the product [%]"] == 100 and all(row["GFLOP/s"] > 0 for row in rows)
    network = build_alexnet(CaptchaStyle())
    assert sum(row["training MFLOP"] for row in layers) == pytest.approx(compute.training_flop(network) / 1e6)


def test_pytorch_is_told_every_layer():
    parts = torch_alexnet.torch_parts(build_alexnet(CaptchaStyle()))
    kinds = [kind for kind, _ in parts]
    assert kinds.count("Conv2d") == 5 and kinds.count("Linear") == 3 and kinds.count("MaxPool2d") == 3
    assert kinds.count("BatchNorm2d") == 5 and kinds.count("BatchNorm1d") == 2 and kinds[0] == "LayerNorm"
    assert json.loads(json.dumps(parts))
    with pytest.raises(ValueError, match="GRU"):
        torch_alexnet.torch_parts(keras.Sequential([keras.layers.GRU(2)]))


def limits() -> list[str | None]:
    """What a process is told."""
    import os

    return [os.environ.get(name) for name in measured.ISA_LIMITS["AVX2"]]


def test_a_process_may_be_limited_to_older_instructions(monkeypatch):
    for name in measured.ISA_LIMITS["AVX2"]:
        monkeypatch.delenv(name, raising=False)
    assert measured.in_own_process(limits, isa="AVX2")[0] == list(measured.ISA_LIMITS["AVX2"].values())
    assert limits() == [None] * 3
    assert measured.limited(None).get("ONEDNN_MAX_CPU_ISA") is None


def test_labelled_pictures_are_counted_once_for_each_package_number_start_and_draw():
    found = labels.cells()
    runs = [(*key.values(), start) for key, starts in found for start in starts]
    assert len(set(runs)) == len(runs)
    for package in labels.packages.PACKAGES:
        for count in labels.COUNTS:
            for start in labels.STARTS:
                assert {(package, count, draw, "random", "grey", start) for draw in range(3)} <= set(runs)


@pytest.mark.parametrize(("colour", "contrast"), [("grey", 40), ("best channel", 200), ("main component", 250)])
def test_colour_is_turned_into_grey_in_three_ways(tmp_path, colour, contrast):
    picture = Image.new("RGB", (40, 20), (200, 20, 20))
    picture.paste((20, 100, 200), (10, 5, 30, 15))  # about as bright as what lies behind it
    picture.save(tmp_path / "0_12.png")
    grey = np.asarray(labels.in_colour(tmp_path / "0_12.png", colour)).astype(int)
    assert grey.shape == (20, 40)
    assert np.ptp(grey) == pytest.approx(contrast, abs=60 if colour == "grey" else 25)
    assert labels.text_of(tmp_path / "0_12.png") == "12"


def test_what_a_reader_makes_of_pictures_is_counted(reader, tmp_path):
    paths = [tmp_path / f"{number}_{text}.png" for number, text in enumerate(("5020", "1234", "9999"))]
    for path in paths:
        Image.fromarray(np.zeros((60, 160), np.uint8)).save(path)
    readings = reader.read(paths)
    paths[0] = paths[0].rename(tmp_path / f"0_{readings[0].text}.png")
    found = labels.counted(reader, paths, "grey")
    texts = [reading.text for reading in readings]
    assert (found["right"], found["of"]) == (sum(labels.text_of(p) == t for p, t in zip(paths, texts, strict=True)), 3)
    assert found["expected"] == pytest.approx(sum(reading.confidence for reading in readings), abs=0.06)
    assert found["familiar"] == sum(reading.familiar for reading in readings) >= found["familiar, right"]
