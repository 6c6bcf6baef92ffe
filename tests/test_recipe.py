"""Two recipes that compute otherwise are told apart; the same one, built twice, is not."""

import dataclasses
import functools
import os
import subprocess
import sys

import numpy as np
import pytest

import helpers.experiments.distortion
from helpers.captchas.styles import CaptchaStyle
from helpers.experiments.distortion import Distortion
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import load_settings
from helpers.training import checkpoint
from helpers.training.optimizer import Muon

layers = keras.layers
STYLE = CaptchaStyle(alphabet="01234", length=2, width=16, height=16, font_sizes=12)
SCALE = 2


@pytest.fixture(autouse=True)
def images(monkeypatch):
    """As if these were drawn."""
    monkeypatch.setattr(checkpoint, "image_manifest", lambda settings: {"images_digest": "0" * 64})


def network(hidden=(), activation=None, crossed=False, kind=keras.Model, answer=None):
    """A small network whose layers Keras names and counts by itself."""
    inputs = keras.Input((16, 16, 1))
    x = layers.Flatten()(layers.Rescaling(1 / 255)(inputs))
    for layer in hidden:
        x = layer(x)
    first = layers.Dense(4, activation=activation)(x)
    second = layers.Dense(4)(keras.ops.relu(first) if crossed else keras.ops.relu(first) + first)
    return kind(inputs, layers.Reshape((2, 5))((answer or layers.Dense(10))(second)))


def kept(images, labels):
    return images, labels


def told(model=None, augment=kept, optimizer=None, loss=None, **more):
    model = model or network()
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer or keras.optimizers.SGD(0.1), loss)
    return checkpoint.fingerprint(model, load_settings(style=STYLE), augment, **more)


def once(value):
    return value


def twice(value):
    return value * 2


class Focal(keras.losses.Loss):
    def __init__(self, gamma):
        super().__init__(name="focal")
        self.gamma = gamma

    def call(self, truth, answer):
        return tf.reduce_sum(answer, axis=-1) * self.gamma


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


class OwnStep(keras.Model):
    factor = 1

    def train_step(self, data):
        images, labels = data
        return super().train_step((tf.cast(images, tf.float32) * self.factor, labels))


class TwiceAsFar(OwnStep):
    factor = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Darker:
    by: int

    def __call__(self, images, labels):
        return images - tf.cast(self.by, images.dtype), labels


def through_a_module(images, labels):
    drawn = helpers.experiments.distortion.uniform(tf.shape(images)[0], 0, 1)
    return images + tf.cast(drawn, images.dtype), labels


def using_a_global(images, labels):
    return images * SCALE, labels


def using_a_helper(images, labels):
    return using_a_global(images, labels)


def around(value):
    """A function that keeps a value."""
    return lambda images, labels: (images + tf.cast(value, images.dtype), labels)


RECIPES = {  # name: what it gives to `told` for a number from 0 to 2
    "lambda": lambda n: {"augment": [lambda i, y: (i, y), lambda i, y: (i + 1, y), lambda i, y: (i + 2, y)][n]},
    "closure": lambda n: {"augment": around(n)},
    "array": lambda n: {"augment": around(np.full((16, 16, 1), n))},
    "partial": lambda n: {"augment": functools.partial(lambda by, i, y: (i + tf.cast(by, i.dtype), y), n)},
    "object": lambda n: {"augment": Darker(n)},
    "distortion": lambda n: {"augment": Distortion(lines=n)},
    "how much it blurs": lambda n: {"augment": Distortion(blur=0.1 * n)},
    "data set": lambda n: {"augment": lambda i, y: (i + tf.cast(sum(range(n + 1)), i.dtype), y)},
    "own loss": lambda n: {"loss": Focal(n)},
    "smoothing": lambda n: {"loss": lambda y, z: keras.losses.sparse_categorical_crossentropy(y, z * n, True)},
    "own schedule": lambda n: {"optimizer": keras.optimizers.SGD(Constant(n))},
    "rate by a function": lambda n: {"optimizer": keras.optimizers.SGD([lambda: 0.1, lambda: 0.2, lambda: 0.3][n])},
    "rate": lambda n: {"optimizer": keras.optimizers.AdamW(0.1 * (n + 1))},
    "decay": lambda n: {"optimizer": keras.optimizers.AdamW(0.1, weight_decay=0.1 * (n + 1))},
    "optimizer": lambda n: {"optimizer": [keras.optimizers.SGD, keras.optimizers.Adam, Muon][n](0.1)},
    "activation": lambda n: {"model": network(activation=[once, twice, abs][n])},
    "regularizer": lambda n: {"model": network([layers.Dense(4, kernel_regularizer=[tf.norm, twice_norm, None][n])])},
    "initializer": lambda n: {"model": network([layers.Dense(2, kernel_initializer=keras.initializers.Constant(n))])},
    "lambda layer": lambda n: {"model": network([layers.Lambda(lambda x: x * n)])},
    "own layer": lambda n: {"model": network([Scaled(n)])},
    "nested layer": lambda n: {"model": network([keras.Sequential([layers.Dense(3), Scaled(n)])])},
    "order of inputs": lambda n: {"augment": [lambda i, y: (i - i // 2, y), lambda i, y: (i // 2 - i, y)][n]},
    "wiring": lambda n: {"model": network(crossed=bool(n))},
    "augmenting layer": lambda n: {"model": network([layers.Dropout(0.1 * (n + 1))])},
    "frozen": lambda n: {"model": network(answer=layers.Dense(10, trainable=bool(n)))},
    "own step": lambda n: {"model": network(kind=[keras.Model, OwnStep, TwiceAsFar][n])},
    "bfloat16": lambda n: {"bfloat16": [None, False, True][n]},
}


def twice_norm(weights):
    return 2 * tf.norm(weights)


@pytest.mark.parametrize("name", RECIPES)
def test_what_differs_is_told_apart_and_what_is_built_twice_is_not(name):
    make = RECIPES[name]
    first, again, other = (told(**make(n)) for n in (1, 1, 0))
    assert first == again
    assert first != other


def test_code_behind_a_name_counts(monkeypatch):
    augments = through_a_module, using_a_global, using_a_helper
    before = [told(augment=augment) for augment in augments]
    monkeypatch.setattr(
        helpers.experiments.distortion, "uniform", lambda count, lowest, highest: tf.zeros([count, 1, 1, 1])
    )
    monkeypatch.setitem(globals(), "SCALE", 3)
    after = [told(augment=augment) for augment in augments]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_names_docstrings_and_counters_do_not_count():
    def commented(images, labels):
        """The same, with a docstring."""
        return images, labels  # and a comment

    assert told(augment=commented) == told(augment=kept)
    model = network()
    model.name = "another"
    assert told(model) == told()
    model.name = "another_from_base"
    assert told(model) != told()


def test_generators_of_chance_are_not_told_by_their_state():
    generators = [tf.random.Generator.from_seed(1) for _ in range(2)]
    generators[0].normal([2])

    def shaken(generator):
        return lambda images, labels: (images + tf.cast(generator.uniform([]), images.dtype), labels)

    first, other = (told(augment=shaken(generator)) for generator in generators)
    assert first == other


def test_a_recipe_is_the_same_in_another_process():
    code = (
        "from tests.test_recipe import *\n"
        "checkpoint.image_manifest = lambda settings: {'images_digest': '0'}\n"
        "known = lambda images, labels: (images if 'a' in {'a', 'b', 'c', 'd'} else labels, labels)\n"
        "print([told(augment=augment, optimizer=Muon(0.1)) for augment in (known, Distortion())])"
    )
    run = [sys.executable, "-c", code]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    seeds = [{**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root} for seed in ("1", "2")]
    found = {subprocess.run(run, capture_output=True, text=True, check=True, env=seed).stdout for seed in seeds}
    assert len(found) == 1
