"""Two things that compute otherwise are told apart; the same thing, built twice, is not."""

import copy
import dataclasses
import functools
import operator
import pathlib
import re
from collections import deque
from fractions import Fraction

import numpy as np
import pytest

import helpers.experiments.distortion
from helpers.captchas.drawing import draw_captcha
from helpers.captchas.styles import CaptchaStyle
from helpers.files.fingerprints import Fingerprints, described
from helpers.quiet_tensorflow import keras, tf

layers = keras.layers


def once(value):
    return value


def twice(value):
    return value * 2


class Focal(keras.losses.Loss):
    def __init__(self, gamma):
        super().__init__(name="focal")
        self.gamma = gamma

    def call(self, truth, answer):
        return (truth - answer) * self.gamma


class Constant(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, step):
        return self.rate


class Scaled(layers.Layer):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor


@dataclasses.dataclass(frozen=True, slots=True)
class Darker:
    by: int

    def __call__(self, images, labels):
        return images - self.by, labels


def around(value):
    """A function that keeps a value."""
    return lambda images, labels: (images, labels, value)


def network(factor=1, activation=None, crossed=False):
    """A network whose layers Keras names and counts by itself."""
    inputs = keras.Input((4,))
    first = layers.Dense(4, activation=activation)(inputs)
    second = layers.Dense(4)(first if crossed else inputs)
    inner = keras.Sequential([layers.Dense(3), Scaled(factor)])
    return keras.Model(inputs, inner(keras.ops.relu(first + second)))


MADE = {  # name: a function that makes it from a number
    "own loss": Focal,
    "own schedule": lambda n: keras.optimizers.SGD(Constant(n)),
    "rate by a function": lambda n: keras.optimizers.SGD([lambda: 0.1, lambda: 0.2, lambda: 0.3][n]),
    "optimizer": lambda n: keras.optimizers.AdamW(0.1 * (n + 1)),
    "activation": lambda n: layers.Conv2D(2, 3, activation=[once, twice, abs][n]),
    "regularizer": lambda n: layers.Dense(2, kernel_regularizer=[once, twice, abs][n]),
    "initializer": lambda n: layers.Dense(2, kernel_initializer=keras.initializers.Constant(n)),
    "lambda layer": lambda n: layers.Lambda(functools.partial(operator.mul, n)),
    "wrapped layer": lambda n: layers.TimeDistributed(Scaled(n)),
    "nested layer": network,
    "wiring": lambda n: network(crossed=bool(n)),
    "augmenting layers": lambda n: keras.Sequential([layers.RandomRotation(0.1 * (n + 1), seed=1)]),
    "slots": Darker,
    "array": lambda n: np.full(3, n),
    "tensor": lambda n: tf.constant([1.0, n]),
    "texts": lambda n: tf.constant(["a", str(n)]),
    "objects": lambda n: np.array(["a", n], object),
    **{kind.__name__: kind for kind in (Fraction, complex, slice, bytearray, operator.itemgetter)},
    "range": range,
    "path": lambda n: pathlib.Path(str(n)),
    "pattern": lambda n: re.compile(str(n)),
    "deque": lambda n: deque([n]),
    "dict": lambda n: {"a": n, "b": 1},
}


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("name", MADE)
def test_what_differs_is_told_apart_and_what_is_built_twice_is_not(name):
    make = MADE[name]
    for value, same, other in ((make(1), make(1), make(0)), (around(make(1)), around(make(1)), around(make(0)))):
        assert described(value) == described(same)
        assert described(value) != described(other)


def test_generators_of_chance_are_not_told_by_their_state():
    used = np.random.default_rng(1)
    used.random()
    assert described(around(used)) == described(around(np.random.default_rng(1)))
    generator = tf.random.Generator.from_seed(1)
    generator.normal([2])
    assert described(around(generator)) == described(around(tf.random.Generator.from_seed(1)))


def test_the_order_of_a_dict_counts_and_that_of_a_set_does_not():
    assert described({"a": 1, "b": 2}) != described({"b": 2, "a": 1})
    assert described({"a", "b"}) == described({"b", "a"})


def through_a_module(images, labels):
    return helpers.experiments.distortion.uniform(images, 0, 1), labels


def test_functions_behind_a_module_count(monkeypatch):
    in_closure = around(helpers.experiments.distortion)

    def using(module):
        return lambda images: module.uniform(images, 0, 1)

    before = [described(each) for each in (through_a_module, using(helpers.experiments.distortion))]
    alone = described(in_closure)
    monkeypatch.setattr(helpers.experiments.distortion, "uniform", lambda count, lowest, highest: count)
    after = [described(each) for each in (through_a_module, using(helpers.experiments.distortion))]
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert described(in_closure) == alone  # it names nothing of the module


def test_a_global_that_is_only_called_like_an_attribute_does_not_count(monkeypatch):
    def brighter(images, labels):
        return tf.image.random_brightness(images, 0.1), labels

    before = described(brighter)
    monkeypatch.setitem(globals(), "image", 17)
    assert described(brighter) == before


def test_each_object_is_described_once(monkeypatch):
    """Once it took minutes, because what many functions share was described again for each of them."""
    met = []
    parts = Fingerprints._parts
    monkeypatch.setattr(Fingerprints, "_parts", lambda self, value: met.append(value) or parts(self, value))
    for value in (CaptchaStyle(), draw_captcha, functools.reduce, np, keras):
        met.clear()
        described(around(value))
        assert len({id(each) for each in met}) == len(met) < 5_000


def test_a_data_set_in_a_closure_does_no_harm():
    batches = tf.data.Dataset.range(3)
    assert described(around(batches)) == described(around(copy.copy(batches)))
