"""Whoever asks for it multiplies 16-bit numbers where the processor can, and only in the block."""

import numpy as np
import pytest

from helpers import precision
from helpers.precision import has_bfloat16, mixed_precision
from helpers.quiet_tensorflow import tf


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
def test_the_processor_says_whether_it_multiplies_bfloat16(tmp_path, text, there):
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert has_bfloat16(file) == there


def test_a_system_that_does_not_say_gets_float32(tmp_path):
    assert not has_bfloat16(tmp_path / "missing")


def product_error():
    """How far a product of 128 x 128 matrices in a new graph is from float64's, at most."""
    first, second = np.random.default_rng(1).normal(size=(2, 128, 128))
    product = tf.function(lambda a, b: tf.nn.relu(a @ b))
    exact = np.maximum(first @ second, 0)
    return np.abs(product(tf.constant(first, tf.float32), tf.constant(second, tf.float32)) - exact).max()


needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="this processor does not multiply bfloat16 numbers")


@needs_bfloat16
def test_only_what_runs_in_the_block_is_rounded():
    before = product_error()
    with mixed_precision():
        within = product_error()
    assert before == product_error() < 1e-4
    assert 0.01 < within < 1


def test_without_such_a_processor_nothing_is_rounded(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    with mixed_precision():
        assert product_error() < 1e-4


@needs_bfloat16
def test_one_graph_serves_both():
    product = tf.function(lambda a: a @ a)
    matrix = tf.random.stateless_normal((128, 128), (1, 2))
    with mixed_precision():
        rounded = product(matrix).numpy()
    exact = product(matrix).numpy()
    assert np.abs(exact - rounded).max() > 0.01
    assert np.allclose(exact, matrix.numpy().astype(float) @ matrix.numpy(), atol=1e-3)


def test_an_error_in_the_block_ends_it():
    with pytest.raises(KeyboardInterrupt), mixed_precision(wanted=True):
        raise KeyboardInterrupt
    assert not tf.config.optimizer.get_experimental_options().get(precision.SWITCH, False)
