"""Mixed precision: train faster on processors that multiply 16-bit numbers.

A bfloat16 number is a float32 cut to its first 16 bits: the same range, two to three decimal digits. Keras casts the
input and the weights of the layers that are told to, and keeps the weights themselves, normalisation, loss and all
else in float32. Sources: Micikevicius and others 2018, arXiv:1710.03740; Kalamkar and others 2019, arXiv:1905.12322.
Processors without such instructions only imitate them, which is slower than float32 (oneDNN, "Data Types").
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
    """While the block runs, convolutions of `model` multiply in bfloat16; after it, in float32 again.

    All but the first, which has little to gain: only the layers that take the time are lowered.
    `wanted` None asks `has_bfloat16`.
    """
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)][1:]
    lowered = has_bfloat16() if wanted is None else wanted
    _compute_in("mixed_bfloat16" if lowered else "float32", convolutions, model)
    try:
        yield
    finally:
        _compute_in("float32", convolutions, model)


def _compute_in(policy: str, layers: list[keras.Layer], model: keras.Model) -> None:
    for layer in layers:
        layer.dtype_policy = policy
    model.train_function = model.test_function = model.predict_function = None  # their graphs know the old policy
