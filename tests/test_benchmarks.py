"""The benchmarks run, at toy size. Whether they are quick is no test's business."""

import dataclasses
import json

import numpy as np
import pytest

from helpers.captchas.styles import CaptchaStyle
from helpers.network.alexnet import build_alexnet
from helpers.quiet_tensorflow import keras, tf
from helpers.training.optimizer import smoothed_cross_entropy
from tests.benchmarks import compute, frontier, measured, torch_alexnet

CHANGES = {"augment", "loss", "average", "shape", "batch_size", "network"}


def toy(variant: str) -> dict:
    """A variant with a network of a few thousand parameters."""
    changes = dict(frontier.VARIANTS[variant])
    small = {"filters": (4, 8, 8, 8, 8), "dense_units": (16, 16)}
    return {"captchas": 96, "epochs": 2, **changes, "network": {**changes.get("network", {}), **small}} | (
        {"captchas": 96} if "captchas" in changes else {}
    )


@pytest.mark.parametrize(
    "variant", ["as in notebook 4", "the recipe of before", "averaged weights", "held, then linear"]
)
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
