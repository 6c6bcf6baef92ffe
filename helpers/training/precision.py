"""Mixed precision: train faster on processors that multiply 16-bit numbers.

A bfloat16 number is a float32 cut to its first 16 bits: the same range, two to three decimal digits. In the layers
that compute in it, Keras casts the input and a copy of the weights. The weights themselves, normalisation, loss and
all else stay in float32. Processors without such instructions only imitate them, which is slower than float32.
Sources: Micikevicius and others 2018, arXiv:1710.03740; Kalamkar and others 2019, arXiv:1905.12322; oneDNN, "Data
Types".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.quiet_tensorflow import isa_limit, keras, uses_onednn

INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}
WITH_BFLOAT16 = ("BF16", "FP16", "AMX", "AVX10", "DEFAULT", "ALL")  # in the names of oneDNN's limits
CPU_INFO = Path("/proc/cpuinfo")


def has_bfloat16(cpu_info: Path = CPU_INFO) -> bool:
    """Whether TensorFlow multiplies bfloat16 numbers by instructions of the processor.

    False where the system does not say (not Linux), and where oneDNN, which would do it, is switched off
    or may not use these instructions (ONEDNN_MAX_CPU_ISA).
    """
    if not (uses_onednn() and cpu_info.is_file() and any(name in isa_limit() for name in WITH_BFLOAT16)):
        return False
    lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not INSTRUCTIONS.isdisjoint(flags.split())


@contextmanager
def mixed_precision(model: keras.Model, wanted: bool | None = None) -> Iterator[None]:
    """While the block runs, convolutions of `model` multiply in bfloat16; afterwards in float32 again.

    The first convolution, which would gain little, stays in float32. `wanted` None asks `has_bfloat16`.
    """
    layers = model.layers if hasattr(model, "inputs") else []  # a class of one's own may not bear mixed types
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)][1:]
    policies = [layer.dtype_policy for layer in convolutions]
    lowered = has_bfloat16() if wanted is None else wanted
    _compute_in(["mixed_bfloat16"] * len(convolutions) if lowered else policies, convolutions, model)
    try:
        yield
    finally:
        _compute_in(policies, convolutions, model)


def _compute_in(policies: list, layers: list[keras.Layer], model: keras.Model) -> None:
    for policy, layer in zip(policies, layers, strict=True):
        layer.dtype_policy = policy
    model.train_function = model.test_function = model.predict_function = None  # their graphs know the old policy
