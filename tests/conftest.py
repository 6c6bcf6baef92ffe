"""The tests run on the quick profile and in a temporary data folder, however pytest is started."""
# ruff: noqa: E402  (the environment is set before anything reads it)

import atexit
import dataclasses
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

folder = tempfile.mkdtemp(prefix="captcha-tests-")
atexit.register(shutil.rmtree, folder, ignore_errors=True)
os.environ["CAPTCHA_DATA_DIR"] = folder
os.environ["CAPTCHA_PROFILE"] = "quick"
os.environ["CAPTCHA_UNATTENDED"] = "1"  # no person sits here
os.environ["MPLBACKEND"] = "agg"

import hypothesis
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from helpers.captchas.styles import CaptchaStyle
from helpers.data import records
from helpers.data.generate import generate
from helpers.data.records import write_records
from helpers.network.alexnet import build_alexnet, convolution, dense
from helpers.quiet_tensorflow import keras, tf
from helpers.reading import Reader
from helpers.settings import Settings, load_settings
from helpers.training.evaluation import score_test
from helpers.training.fit import compile_model, save_model, train

set_hypothesis_home_dir(Path(folder) / "hypothesis")
hypothesis.settings.register_profile("tests", deadline=None, database=None, derandomize=True, max_examples=40)
hypothesis.settings.load_profile("tests")

COUNTS = {"train_count": 200, "validation_count": 60, "test_count": 60, "epochs": 2, "batch_size": 32}


def copy_experiment(settings: Settings, data_dir: Path) -> Settings:
    """The same experiment in another data folder, so that a test may damage it."""
    copy = dataclasses.replace(settings, data_dir=data_dir)
    shutil.copytree(settings.folder, copy.folder)
    return copy


def tiny_network(style: CaptchaStyle, filters: int = 8):
    """An untrained network of a few thousand parameters, with two of AlexNet's convolutions and one dense layer."""
    images = keras.Input((style.height, style.image_width, 1), name="images")
    x = keras.layers.LayerNormalization(axis=[1, 2, 3], center=False, scale=False, name="standardise")(images)
    x = convolution(x, "conv1", 4, kernel=11, stride=2, pool="pool1")
    x = convolution(x, "conv2", filters, kernel=3, pool="pool2")
    x = dense(keras.layers.Flatten(name="flatten")(x), "dense1", 16, batch_norm=True)
    x = keras.layers.Dropout(0.05, name="dense1_dropout")(x)
    x = keras.layers.Dense(style.positions * len(style.classes), kernel_initializer="zeros", name="dense3")(x)
    logits = keras.layers.Reshape((style.positions, len(style.classes)), name="logits")(x)
    return keras.Model(images, logits, name="alexnet")


@pytest.fixture(autouse=True)
def close_figures():
    """Figures do not pile up."""
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def tiny() -> Callable:
    """Builds a tiny network for a style."""
    return tiny_network


@pytest.fixture(scope="session")
def shared_drawn(tmp_path_factory) -> Settings:
    """An experiment as notebook 2 leaves it. Shared: only to be read."""
    settings = load_settings("tiny", data_dir=tmp_path_factory.mktemp("drawn"), **COUNTS)
    generate(settings, processes=1)
    return settings


@pytest.fixture(scope="session")
def shared_recorded(shared_drawn, tmp_path_factory) -> Settings:
    """An experiment as notebook 3 leaves it, in shards of 50 records. Shared: only to be read."""
    settings = copy_experiment(shared_drawn, tmp_path_factory.mktemp("recorded"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "RECORDS_PER_SHARD", 50)
        write_records(settings)
    return settings


@pytest.fixture(scope="session")
def finished(shared_recorded, tmp_path_factory):
    """An experiment as notebook 4 leaves it: (settings, training, score). Shared: only to be read."""
    settings = copy_experiment(shared_recorded, tmp_path_factory.mktemp("finished"))
    keras.utils.set_random_seed(1)
    model = compile_model(tiny_network(settings.style), settings)
    training = train(model, settings)
    save_model(model, settings)
    return settings, training, score_test(model, settings, training)


@pytest.fixture
def drawn(shared_drawn, tmp_path) -> Settings:
    """A copy of an experiment as notebook 2 leaves it."""
    return copy_experiment(shared_drawn, tmp_path)


@pytest.fixture
def recorded(shared_recorded, tmp_path) -> Settings:
    """A copy of an experiment as notebook 3 leaves it, in shards of 50 records."""
    return copy_experiment(shared_recorded, tmp_path)


@pytest.fixture(scope="session")
def possible_bfloat16() -> None:
    """Skips where TensorFlow cannot multiply 16-bit numbers at all, as oneDNN on processors with AVX2 alone."""
    try:
        tf.nn.conv2d(tf.ones((1, 4, 4, 1), tf.bfloat16), tf.ones((3, 3, 1, 1), tf.bfloat16), 1, "SAME")
    except tf.errors.OpError:
        pytest.skip("no 16-bit convolutions here")


@pytest.fixture(scope="session")
def reader() -> Reader:
    """A reader with random weights: untrained, but every picture gets other probabilities."""
    style = CaptchaStyle()
    keras.utils.set_random_seed(0)
    model = build_alexnet(style, filters=(4, 8, 8, 8, 8), dense_units=(16, 16))
    last = model.get_layer("dense3")
    random = np.random.default_rng(0)
    last.set_weights([random.normal(0, 3, weights.shape) for weights in last.get_weights()])
    return Reader(model, style)
