"""The learning rate rises and falls, and Muon steps equally far in all directions of a convolution."""

import dataclasses
import inspect
import itertools

import numpy as np
import pytest

from helpers.quiet_tensorflow import keras, tf
from helpers.training.optimizer import WEIGHT_DECAY, Muon, learning_rate_schedule, one_cycle_muon

STEPS = 7  # an epoch: 200 images in batches of 32


def test_the_learning_rate_goes_up_and_then_down_to_nearly_nothing(shared_recorded):
    settings = dataclasses.replace(shared_recorded, epochs=10)
    steps = 10 * STEPS
    rates = [float(learning_rate_schedule(settings)(step)) for step in range(steps + 1)]
    highest = int(np.argmax(rates))
    assert highest == steps // 10
    assert rates[highest] == pytest.approx(settings.learning_rate)
    assert rates[0] == pytest.approx(settings.learning_rate / 20)
    assert rates[-1] < settings.learning_rate / 100
    assert all(a < b for a, b in itertools.pairwise(rates[: highest + 1]))
    assert all(a > b for a, b in itertools.pairwise(rates[highest:]))


def step(optimizer, shape: tuple[int, ...]) -> np.ndarray:
    """How far one step moves a variable that starts at zero, for a random gradient with one large direction."""
    random = np.random.default_rng(0)
    matrix = random.normal(size=(np.prod(shape[:-1], dtype=int), shape[-1])) * np.logspace(0, 1, shape[-1])
    variable = keras.Variable(np.zeros(shape, np.float32))
    optimizer.build([variable])
    optimizer.apply([tf.constant(matrix.reshape(shape), tf.float32)])
    return variable.numpy().reshape(-1, shape[-1])


def test_a_convolution_moves_equally_far_in_all_directions():
    lengths = np.linalg.svd(step(Muon(0.01), (3, 3, 8, 6)), compute_uv=False)
    expected = 0.01 * 0.2 * np.sqrt(3 * 3 * 8)  # the scale of Liu et al. 2025
    assert lengths.max() / lengths.min() < 2  # five iterations come that close
    assert 0.6 < lengths.mean() / expected < 1.3


def test_the_unchanged_gradient_is_not_that_even():
    lengths = np.linalg.svd(step(keras.optimizers.SGD(0.01), (3, 3, 8, 6)), compute_uv=False)
    assert lengths.max() / lengths.min() > 5


@pytest.mark.parametrize("shape", [(16, 8), (8,)])
def test_what_is_no_convolution_moves_as_with_adamw(shape):
    ours, adamw = Muon(0.01, adam_weight_decay=0.0), keras.optimizers.AdamW(0.01, weight_decay=0.0)
    assert step(ours, shape) == pytest.approx(step(adamw, shape), abs=1e-6)


def stepped(optimizer: keras.Optimizer, steps: int = 5) -> list[np.ndarray]:
    """Variables of several shapes, and all that the optimizer keeps of them, after some steps."""
    random = np.random.default_rng(0)
    shapes = {"kernel": (40, 30), "bias": (30,), "filters": (3, 3, 4, 6), "scale": ()}
    variables = [
        keras.Variable(random.normal(size=shape), dtype="float32", name=name) for name, shape in shapes.items()
    ]
    optimizer.build(variables)
    take = tf.function(optimizer.apply)
    for _ in range(steps):
        scales = np.logspace(-6, 2, len(variables))  # as uneven as in training
        take([tf.constant(s * random.normal(size=v.shape), tf.float32) for s, v in zip(scales, variables, strict=True)])
    return [variable.numpy() for variable in (*variables, *optimizer.variables)]


class PlainMuon(Muon):
    """Muon, but its steps for all else are Keras' own lines."""

    _adamw_update_step = keras.optimizers.Muon._adamw_update_step


@pytest.mark.parametrize("decays", [{"weight_decay": 0.1, "adam_weight_decay": 0.3}, {"weight_decay": None}, {}])
def test_the_quick_step_equals_that_of_keras(decays):
    schedule = keras.optimizers.schedules.CosineDecay(0.001, 10, warmup_target=0.1, warmup_steps=3)
    quick, plain = (stepped(kind(schedule, **decays)) for kind in (Muon, PlainMuon))
    assert len(quick) == len(plain) > 8
    for ours, theirs in zip(quick, plain, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("optimizer", [Muon, PlainMuon])
def test_an_embedding_is_trained_too(optimizer):
    """Its gradients are sparse."""
    inputs = keras.Input((3,), dtype="int32")
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Embedding(5, 4)(inputs)))
    before = model.layers[1].get_weights()[0]
    model.compile(optimizer(0.1), "mse")
    model.train_on_batch(np.array([[0, 1, 1]] * 8), np.ones((8, 3, 1)))
    moved = np.abs(model.layers[1].get_weights()[0] - before).max(axis=1)
    assert moved[:2].min() > 0.05  # the first step of Adam is as long as the rate
    assert moved[2:].max() < 1e-3  # only the decay


@pytest.mark.parametrize("shape", [(3, 3, 2, 2), (16, 8)])
def test_weights_shrink_where_the_gradient_is_zero(shared_recorded, shape):
    settings = dataclasses.replace(shared_recorded, learning_rate=0.8)  # the first step's rate is 0.04
    variable = keras.Variable(np.ones(shape, np.float32), name="kernel")
    optimizer = one_cycle_muon(settings)
    optimizer.build([variable])
    optimizer.apply([tf.zeros(shape)])
    assert variable.numpy() == pytest.approx(1 - 0.04 * WEIGHT_DECAY, abs=1e-6)


def test_keras_still_has_what_muon_overrides_and_uses():
    """Muon overrides private methods of Keras. Another version may call them otherwise: look before moving this pin."""
    assert keras.__version__ == "3.15.1"
    used = "zeropower_via_newtonschulz5", "lr_adjust"
    for name in ("_should_use_adamw", "_muon_update_step", "_adamw_update_step", *used):
        assert callable(getattr(keras.optimizers.Muon, name))
    for name in ("_muon_update_step", "_adamw_update_step"):
        assert name in inspect.getsource(keras.optimizers.Muon.update_step)
    assert "_should_use_adamw" in inspect.getsource(keras.optimizers.Muon)


def test_the_optimizer_can_be_stored_and_loaded(shared_recorded):
    optimizer = one_cycle_muon(shared_recorded)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, Muon)
    assert again.get_config() == optimizer.get_config()
