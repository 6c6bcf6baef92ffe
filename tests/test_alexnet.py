"""The network's shapes and sizes, worked out by hand, and that it begins by guessing."""

import math

import numpy as np
import pytest

from helpers.captchas.styles import CaptchaStyle
from helpers.errors import SettingsError
from helpers.network.alexnet import ORIGINAL, build_alexnet, layer_shapes
from helpers.network.views import VIEWS, averaged_logits, careful_logits
from helpers.quiet_tensorflow import keras, tf

SHAPES = {"default": (4, 10), "five digits": (5, 10), "lengths 3 to 6": (6, 11), "capitals and digits": (4, 36)}


@pytest.mark.parametrize(("preset", "shape"), list(SHAPES.items()))
def test_output_shape_and_first_loss(tiny, preset, shape):
    style = CaptchaStyle.preset(preset)
    model = tiny(style)
    assert model.output_shape == (None, *shape)
    assert model.input_shape == (None, style.height, style.image_width, 1)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (3, style.height, style.image_width, 1), dtype=np.uint8)
    labels = random.integers(0, shape[1], (3, shape[0]))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for training in (False, True):
        logits = model(images, training=training)
        assert logits.shape == (3, *shape)
        assert float(loss(labels, logits)) == pytest.approx(math.log(shape[1]), abs=1e-5)


def test_the_original_has_46_million_parameters():
    style = CaptchaStyle()
    model = build_alexnet(style, **ORIGINAL)
    height = (224 - 11) // 4 + 1  # conv1: 11x11, stride 4, no padding
    for _ in range(2):
        height = (height - 3) // 2 + 1  # pool1, pool2: 3x3, stride 2
    height = (height - 3) // 2 + 1  # pool3
    assert height == 5
    channels, kernels = (1, 64, 192, 384, 384, 256), (11, 5, 3, 3, 3)
    expected = sum(
        kernel * kernel * channels[i] * channels[i + 1] + channels[i + 1] for i, kernel in enumerate(kernels)
    )
    expected += (height * height * 256 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 4 * 10
    assert model.count_params() == expected
    assert round(expected / 1e6, 1) == 46.4
    assert model.get_layer("stretch").output.shape == (None, 224, 224, 1)
    assert not any("norm" in layer.name for layer in model.layers)
    assert {layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)} == {0.5}


def test_it_is_recognisably_alexnet():
    model = build_alexnet(CaptchaStyle(), filters=(4, 6, 8, 10, 12), dense_units=(16, 16))

    def of(kind):
        return [layer for layer in model.layers if isinstance(layer, kind)]

    convolutions = of(keras.layers.Conv2D)
    assert [layer.kernel_size[0] for layer in convolutions] == [11, 3, 3, 3, 3]
    assert [layer.filters for layer in convolutions] == [4, 6, 8, 10, 12]
    assert [(layer.pool_size, layer.strides) for layer in of(keras.layers.MaxPooling2D)] == [((3, 3), (2, 2))] * 3
    norms = {layer.name for layer in of(keras.layers.BatchNormalization)}
    assert norms >= {f"{convolution.name}_norm" for convolution in convolutions}
    assert [layer.units for layer in of(keras.layers.Dense)] == [16, 16, 40]
    assert len(of(keras.layers.Dropout)) == 2


def test_options_reach_their_layers():
    style = CaptchaStyle(height=32, width=64)
    model = build_alexnet(
        style,
        (4, 4, 4, 4, 4),
        (8, 8),
        first_stride=4,
        batch_norm=False,
        dropout=0.4,
        padding="valid",
        input_size=(96, 96),
    )
    assert model.get_layer("conv1").strides == (4, 4)
    assert model.get_layer("conv1").use_bias
    assert model.get_layer("dense1_dropout").rate == 0.4
    assert model.get_layer("conv1").output.shape == (None, 22, 22, 4)
    assert model(np.zeros((2, 32, 64, 1), np.uint8)).shape == (2, 4, 10)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        *[({"filters": given}, "filters: .* five whole numbers above 0, such as") for given in
          ((4, 4, 4), (4, 4, 4, 4, 0), (4, 4, 4, 4, 4.0), (4, 4, 4, 4, True), 4, "abcde", None)],
        *[({"dense_units": given}, "dense_units: .* two whole numbers above 0") for given in ((4,), 4, (4, -1), ())],
        *[({"first_stride": given}, "first_stride: .* a whole number above 0") for given in (0, 1.5, "2", None, True)],
        *[({"dropout": given}, "dropout: .* at least 0 and less than 1") for given in (1, -0.1, "0.2", None)],
        *[({"padding": given}, "padding: .* 'same' or 'valid'") for given in ("full", None)],
        *[({"input_size": given}, "input_size: .* None or .height, width.") for given in (9, (9,), (0, 9), (9, 9, 1))],
        ({"padding": "valid", "first_stride": 4}, "padding: with 'valid' a picture of 60x160 pixels is too small"),
        ({"padding": "valid", "input_size": (90, 24)}, "padding: with 'valid' a picture of 90x24 pixels is too small"),
    ],
)  # fmt: skip
def test_an_argument_that_cannot_be_used_is_told_by_its_name(arguments, told):
    with pytest.raises(SettingsError, match=f"^{told}"):
        build_alexnet(CaptchaStyle(), **arguments)


@pytest.mark.parametrize("side", range(24, 80, 3))
def test_a_picture_is_too_small_where_keras_finds_it_too_small(side, monkeypatch):
    few = {"filters": (1,) * 5, "dense_units": (1, 1), "padding": "valid", "input_size": (side, 99)}

    def refused():
        try:
            build_alexnet(CaptchaStyle(), **few)
        except (SettingsError, ValueError):
            return True
        return False

    told = refused()
    monkeypatch.setattr("helpers.network.alexnet.check_arguments", lambda *_: None)
    assert refused() == told


def test_a_faint_captcha_is_as_strong_as_a_bold_one(tiny):
    standardise = tiny(CaptchaStyle()).get_layer("standardise")
    random = np.random.default_rng(0).random((1, 60, 160, 1)).astype(np.float32)
    faint, bold = standardise(200 + 20 * random), standardise(255 * random)
    assert np.allclose(faint, bold, atol=1e-2)
    assert float(tf.reduce_mean(bold)) == pytest.approx(0, abs=1e-4)
    assert float(tf.math.reduce_std(bold)) == pytest.approx(1, abs=1e-2)


def test_an_empty_picture_gives_numbers(tiny):
    logits = tiny(CaptchaStyle())(np.full((1, 60, 160, 1), 255, np.uint8))
    assert np.isfinite(logits.numpy()).all()


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_list_of_layers_counts_every_parameter(batch_norm):
    model = build_alexnet(CaptchaStyle(), filters=(4, 8, 8, 8, 8), dense_units=(16, 16), batch_norm=batch_norm)
    shapes = layer_shapes(model)
    names = [name for name, _, _ in shapes]
    for name in ("conv1", "pool1", "conv5", "pool3", "dense1", "dense2", "dense3", "logits"):
        assert name in names
    assert sum(parameters for _, _, parameters in shapes) == model.count_params()
    by_name = {name: (shape, parameters) for name, shape, parameters in shapes}
    assert by_name["conv1"] == ((30, 80, 4), 11 * 11 * 4 + (4 * 4 if batch_norm else 4))
    assert by_name["pool1"] == ((15, 40, 4), 0)
    assert by_name["pool3"][0] == (4, 10, 8)
    assert by_name["dense1"] == ((16,), 4 * 10 * 8 * 16 + (4 * 16 if batch_norm else 16))
    assert by_name["logits"][0] == (4, 10)


def test_the_average_is_over_the_picture_as_drawn_and_moved(reader):
    images = np.random.default_rng(3).integers(0, 256, (2, 60, 160, 1), dtype=np.uint8)
    wide = np.pad(images, [(0, 0), (4, 4), (4, 4), (0, 0)], "symmetric")
    views = [wide[:, 4 + y : 64 + y, 4 + x : 164 + x] for y, x in VIEWS]
    assert (views[0] == images).all()
    expected = np.mean([tf.nn.log_softmax(reader.model(view)) for view in views], axis=0)
    averaged = averaged_logits(reader.model, tf.constant(images)).numpy()
    assert averaged == pytest.approx(expected, abs=1e-4)
    assert not np.allclose(averaged, tf.nn.log_softmax(reader.model(images)), atol=1e-3)


def test_only_doubtful_pictures_are_read_again(reader, monkeypatch):
    images = tf.constant(np.random.default_rng(4).integers(0, 256, (20, 60, 160, 1), dtype=np.uint8))
    once = tf.nn.log_softmax(reader.model(images)).numpy()
    probability = np.exp(once.max(axis=-1).min(axis=-1))  # of the digit of which it is least sure
    sure = float(np.sort(probability)[14:16].mean())  # between two values: the last bit decides nothing
    assert (np.exp(once.max(axis=-1).sum(axis=-1)) < sure).sum() > 15  # of whole texts, more are below
    monkeypatch.setattr("helpers.network.views.SURE", sure)
    for read in (careful_logits, tf.function(careful_logits)):
        logits = read(reader.model, images).numpy()
        again = averaged_logits(reader.model, images).numpy()
        doubtful = probability < sure
        assert doubtful.sum() == 15
        assert logits[~doubtful] == pytest.approx(once[~doubtful], abs=1e-5)
        assert logits[doubtful] == pytest.approx(again[doubtful], abs=1e-4)
    monkeypatch.setattr("helpers.network.views.SURE", 0.0)
    assert careful_logits(reader.model, images).numpy() == pytest.approx(once, abs=1e-5)


class Residual(keras.Model):
    """A network with a sum of two ways, which TensorFlow joins with the convolution into one operation."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.one = keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(4, 5, strides=4, padding="same")
        self.two, self.dense = keras.layers.Conv2D(4, 3, padding="same"), keras.layers.Dense(40)

    def call(self, images):
        x = self.one(self.scale(images))
        x = tf.nn.relu(x + self.two(x))
        return tf.reshape(self.dense(tf.reshape(x, (-1, 15 * 40 * 4))), (-1, 4, 10))


def test_the_views_of_a_residual_network_are_read_one_after_another():
    """When oneDNN runs its joined operation twice at a time, some 3 of 100 calls are wrong, or the process ends."""
    images = tf.constant(np.random.default_rng(5).integers(0, 256, (60, 60, 160, 1), dtype=np.uint8))
    for seed in range(5):
        keras.utils.set_random_seed(seed)
        model = Residual()
        read = tf.function(lambda images, model=model: averaged_logits(model, images))
        loops = [node for node in read.get_concrete_function(images).graph.as_graph_def().node if "While" in node.op]
        assert [node.attr["parallel_iterations"].i for node in loops] == [1]
        expected = averaged_logits(model, images).numpy()
        for _ in range(4):
            assert read(images).numpy() == pytest.approx(expected, abs=1e-4)
