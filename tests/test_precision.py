"""Convolutions multiply 16-bit numbers where the processor can, and only in the block."""

import numpy as np
import pytest

from helpers.captchas.styles import CaptchaStyle
from helpers.network.alexnet import build_alexnet
from helpers.quiet_tensorflow import keras
from helpers.training import precision
from helpers.training.precision import has_bfloat16, mixed_precision


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
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(precision, "uses_onednn", lambda: True)
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert has_bfloat16(file) == there


@pytest.mark.parametrize(
    ("limit", "there"),
    [
        ("AVX2", False),
        ("AVX512_CORE", False),
        ("AVX512_CORE_VNNI", False),
        ("AVX512_CORE_BF16", True),
        ("avx512_core_amx", True),
        ("AVX10_1_512", True),
        ("DEFAULT", True),
        ("", True),
    ],
)
def test_a_limit_of_onednn_may_exclude_bfloat16(tmp_path, monkeypatch, limit, there):
    monkeypatch.setattr(precision, "uses_onednn", lambda: True)
    file = tmp_path / "cpuinfo"
    file.write_text("flags\t\t: fpu avx512_bf16 amx_bf16\n")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
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
    with mixed_precision(model, wanted=True):
        assert lowered(model) == ["conv2", "conv3", "conv4", "conv5"]
        assert {weights.dtype for weights in model.weights} == {"float32"}
        assert model.get_layer("conv2")(np.ones((1, 4, 4, 16), np.float32)).dtype == "bfloat16"
    assert lowered(model) == []


def test_what_is_predicted_in_the_block_is_rounded_and_what_follows_is_not(possible_bfloat16, model):
    exact = model.predict(IMAGES, verbose=0)
    with mixed_precision(model, wanted=True):
        rounded = model.predict(IMAGES, verbose=0)
    assert 1e-4 < np.abs(rounded - exact).max() < 0.1 * np.abs(exact).max()
    assert np.array_equal(model.predict(IMAGES, verbose=0), exact)


def test_without_such_a_processor_nothing_is_lowered(model, monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    with mixed_precision(model):
        assert lowered(model) == []
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    with mixed_precision(model):
        assert len(lowered(model)) == 4
    with mixed_precision(model, wanted=False):
        assert lowered(model) == []


def test_an_error_in_the_block_ends_it(model):
    with pytest.raises(KeyboardInterrupt), mixed_precision(model, wanted=True):
        raise KeyboardInterrupt
    assert lowered(model) == []
