"""Layers that compute faster while they are trained: 16-bit multiplications, and BatchNorm in one operation.

A bfloat16 number is a float32 cut to its first 16 bits: the same range, two to three decimal digits. Weights, loss
and all but multiplications stay in float32. Processors without such instructions only imitate them, slowly.
Sources: Micikevicius and others 2018, arXiv:1710.03740; Kalamkar and others 2019, arXiv:1905.12322.
"""

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.quiet_tensorflow import ISA_LIMIT, keras, make_deterministic, tf, uses_onednn

LIMITED = r"(AVX2|AVX512_CORE)(_VNNI(_2)?)?|SSE41|AVX"  # values of ONEDNN_MAX_CPU_ISA that rule bfloat16 out
AMPERE = (8, 0)  # the compute capability from which on GPUs multiply bfloat16 numbers


def gpus() -> list[tuple[int, int]]:
    """The compute capability of each GPU that TensorFlow sees. Float32 numbers they multiply as TF32, if they can."""
    found = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [tuple(each.get("compute_capability", (0, 0))) for each in found]


def has_bfloat16(cpu_info: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the GPUs, or oneDNN on the processor, have instructions that multiply bfloat16 numbers."""
    if capabilities := gpus():
        return min(capabilities) >= AMPERE
    if not (uses_onednn() and cpu_info.is_file()) or re.fullmatch(LIMITED, ISA_LIMIT):
        return False
    text = cpu_info.read_text(encoding="utf-8", errors="replace")
    return re.search(r"^flags.*\b(avx512_bf16|amx_bf16)\b", text, re.MULTILINE) is not None


@contextmanager
def quick_layers(model: keras.Model, bfloat16: bool | None = None) -> Iterator[None]:
    """While the block runs, layers of `model` compute as they do best here; afterwards as before.

    Convolutions but the first multiply in bfloat16; None asks `has_bfloat16`. BatchNorm is one operation, not ten.
    """
    layers = model.layers if hasattr(model, "inputs") else []  # a class of one's own may not bear mixed types
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)][1:]
    policies = [layer.dtype_policy for layer in convolutions]
    lowered = has_bfloat16() if bfloat16 is None else bfloat16
    norms = [layer for layer in layers if type(layer) is keras.layers.BatchNormalization and _is_plain(layer)]
    _compute_in(["mixed_bfloat16"] * len(convolutions) if lowered else policies, convolutions, model)
    for layer in norms:
        layer.call = functools.partial(_fused_batch_norm, layer)
    try:
        yield
    finally:
        for layer in norms:
            del layer.call
        _compute_in(policies, convolutions, model)


def repeatable(work: Callable) -> None:
    """Do `work` so that it gives the same numbers again; otherwise, and that is told, where an operation cannot."""
    try:
        work()
    except tf.errors.UnimplementedError as reason:
        if "determinis" not in str(reason):
            raise
        make_deterministic(False)
        print(f"A second training run may give other weights here: {str(reason).partition('. ')[0]}.")
        work()


def _compute_in(policies: list, layers: list[keras.Layer], model: keras.Model) -> None:
    for policy, layer in zip(policies, layers, strict=True):
        layer.dtype_policy = policy
    model.train_function = model.test_function = model.predict_function = None  # their graphs know the old layers


def _is_plain(norm: keras.layers.BatchNormalization) -> bool:
    """Whether the fused operation does all that this layer does."""
    last = norm.axis in (-1, len(norm.input.shape) - 1)
    return last and norm.scale and norm.center and not norm.synchronized and norm.compute_dtype == "float32"


def _fused_batch_norm(
    layer: keras.layers.BatchNormalization, inputs: tf.Tensor, training: bool = False, mask: tf.Tensor | None = None
) -> tf.Tensor:
    """What `layer` makes of a batch [..., channels], equal to Keras' own up to rounding."""
    if not (training and layer.trainable and mask is None):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    flat = tf.reshape(inputs, [-1, 1, 1, inputs.shape[-1]])
    normalised, mean, variance = tf.compat.v1.nn.fused_batch_norm(flat, layer.gamma, layer.beta, epsilon=layer.epsilon)
    count = tf.cast(tf.shape(flat)[0], tf.float32)
    variance *= (count - 1) / count  # the operation divides by one less, Keras by all
    for moving, found in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(layer.momentum * moving + (1 - layer.momentum) * found)
    return tf.reshape(normalised, tf.shape(inputs))
