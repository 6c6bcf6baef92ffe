"""Convolutions multiply 16-bit numbers where the processor can, and BatchNorm is fused, both only in the block."""

import numpy as np
import pytest

from helpers import precision
from helpers.captchas.styles import CaptchaStyle
from helpers.network.alexnet import build_alexnet
from helpers.precision import has_bfloat16, quick_layers
from helpers.quiet_tensorflow import keras


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16\n", True),
        ("processor\t: 0\nflags\t\t: fpu amx_bf16\nbugs\t\t: none\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16x\nbugs\t\t: amx_bf16\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", False),  # not a processor of this kind
        ("", False),
    ],
)
def test_the_processor_says_whether_it_multiplies_bfloat16(tmp_path, monkeypatch, text, there):
    monkeypatch.setattr(precision, "ISA_LIMIT", "")
    monkeypatch.setattr(precision, "uses_onednn", lambda: True)
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert has_bfloat16(file) == there


@pytest.mark.parametrize(
    ("limit", "there"),
    [
        ("SSE41", False),
        ("AVX2", False),
        ("AVX2_VNNI_2", False),
        ("AVX512_CORE", False),
        ("AVX512_CORE_VNNI", False),
        ("AVX512_CORE_BF16", True),
        ("AVX512_CORE_AMX", True),
        ("AVX10_1_512", True),
        ("DEFAULT", True),
        ("", True),
    ],
)
def test_a_limit_of_onednn_may_exclude_bfloat16(tmp_path, monkeypatch, limit, there):
    monkeypatch.setattr(precision, "uses_onednn", lambda: True)
    file = tmp_path / "cpuinfo"
    file.write_text("flags\t\t: fpu avx512_bf16 amx_bf16\n")
    monkeypatch.setattr(precision, "ISA_LIMIT", limit)
    assert has_bfloat16(file) == there
    monkeypatch.setattr(precision, "uses_onednn", lambda: False)
    assert not has_bfloat16(file)


def test_a_system_that_does_not_say_gets_float32(tmp_path):
    assert not has_bfloat16(tmp_path / "missing")


@pytest.fixture
def model():
    """Compiled, with a last layer that does not answer zero whatever it sees."""
    model = build_alexnet(CaptchaStyle(), filters=(16, 16, 16, 16, 16), dense_units=(32, 32))
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    kernel = model.get_layer("dense3").kernel
    kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
    return model


IMAGES = np.random.default_rng(2).integers(0, 256, (4, 60, 160, 1), np.uint8)


def lowered(model):
    """The layers that compute in bfloat16."""
    return [layer.name for layer in model.layers if layer.compute_dtype == "bfloat16"]


def test_only_convolutions_after_the_first_are_lowered_and_only_in_the_block(possible_bfloat16, model):
    with quick_layers(model, bfloat16=True):
        assert lowered(model) == ["conv2", "conv3", "conv4", "conv5"]
        assert {weights.dtype for weights in model.weights} == {"float32"}
        assert model.get_layer("conv2")(np.ones((1, 4, 4, 16), np.float32)).dtype == "bfloat16"
    assert lowered(model) == []


def test_what_is_predicted_in_the_block_is_rounded_and_what_follows_is_not(possible_bfloat16, model):
    exact = model.predict(IMAGES, verbose=0)
    with quick_layers(model, bfloat16=True):
        rounded = model.predict(IMAGES, verbose=0)
    assert 1e-4 < np.abs(rounded - exact).max() < 0.1 * np.abs(exact).max()
    assert np.array_equal(model.predict(IMAGES, verbose=0), exact)


def test_without_such_a_processor_nothing_is_lowered(model, monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    with quick_layers(model):
        assert lowered(model) == []
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    with quick_layers(model):
        assert len(lowered(model)) == 4
    with quick_layers(model, bfloat16=False):
        assert lowered(model) == []


def test_an_error_in_the_block_ends_it(model):
    with pytest.raises(KeyboardInterrupt), quick_layers(model, bfloat16=True):
        raise KeyboardInterrupt
    assert lowered(model) == []


def batch_norms(model):
    """The layers that compute by the fused operation."""
    return [layer.name for layer in model.layers if "call" in vars(layer)]


@pytest.fixture
def uneven():
    """A function that builds BatchNorm for inputs of some shape, with other values than it starts from."""

    def build(shape, **options):
        inputs = keras.Input(shape)
        norm = keras.layers.BatchNormalization(momentum=0.9, **options)
        model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(norm(inputs)))
        random = np.random.default_rng(3)
        norm.set_weights([random.uniform(0.5, 2, weights.shape) for weights in norm.get_weights()])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        return model

    return build


@pytest.mark.parametrize("shape", [(5,), (4, 6, 5)])
@pytest.mark.parametrize("count", [2, 7])
def test_batch_norm_does_the_same_in_one_operation(uneven, shape, count):
    inputs = (3 + 2 * np.random.default_rng(4).normal(size=(count, *shape))).astype(np.float32)
    truth = np.random.default_rng(5).normal(size=(count, *shape[:-1], 1)).astype(np.float32)
    plain, quick = uneven(shape), uneven(shape)
    with quick_layers(quick, bfloat16=False):
        assert len(batch_norms(quick)) == 1
        for _ in range(3):
            losses = [float(model.train_on_batch(inputs, truth)) for model in (plain, quick)]
            assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert batch_norms(quick) == []
    for theirs, ours in zip(plain.get_weights(), quick.get_weights(), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)
    assert quick.predict(inputs, verbose=0) == pytest.approx(plain.predict(inputs, verbose=0), rel=1e-3, abs=1e-4)


def test_a_frozen_batch_norm_stays_as_it_is(uneven):
    model = uneven((5,))
    model.layers[1].trainable = False
    model.compile(keras.optimizers.SGD(0.0), "mse")
    before = model.layers[1].get_weights()
    with quick_layers(model, bfloat16=False):
        loss = model.train_on_batch(np.ones((4, 5), np.float32), np.zeros((4, 1), np.float32))
    outputs = model.predict(np.ones((4, 5), np.float32), verbose=0)
    assert float(loss) == pytest.approx(float(np.mean(outputs**2)), rel=1e-5)
    assert all(np.array_equal(*pair) for pair in zip(before, model.layers[1].get_weights(), strict=True))


@pytest.mark.parametrize("options", [{"axis": 1}, {"scale": False}, {"center": False}, {"dtype": "mixed_bfloat16"}])
def test_a_batch_norm_of_another_kind_is_left_alone(uneven, options):
    model = uneven((4, 6, 5), **options)
    with quick_layers(model):
        assert batch_norms(model) == []


def test_validation_in_the_block_uses_what_training_found(uneven):
    """In the fit loop, where the same layers train and validate in turn."""
    inputs, truth = np.full((8, 5), 3, np.float32), np.zeros((8, 1), np.float32)
    model = uneven((5,))
    with quick_layers(model, bfloat16=False):
        history = model.fit(inputs, truth, validation_data=(inputs, truth), verbose=0).history
    assert history["val_loss"][0] == pytest.approx(float(np.mean(model.predict(inputs, verbose=0) ** 2)), rel=1e-4)
