"""Our network in PyTorch, with the arrays in the order that is quickest there: to be compared with ours, no more.

TensorFlow and PyTorch crash in one process, so this module runs as a program: the network comes as JSON through
standard input, and the seconds go out through standard output.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.benchmarks import measured

Part = tuple[str, dict[str, Any]]  # a module of torch.nn, and its arguments


def torch_parts(model: Any) -> list[Part]:
    """What PyTorch needs to build a Keras model of ours; convolutions and pools pad alike, to within a pixel."""
    parts: list[Part] = []
    for layer in model.layers:
        kind, shape = type(layer).__name__, getattr(layer, "kernel", layer).shape if hasattr(layer, "kernel") else ()
        if kind == "Conv2D":
            size, _, inputs, outputs = shape
            sizes = {"kernel_size": size, "stride": layer.strides, "padding": size // 2}
            parts.append(("Conv2d", {"in_channels": inputs, "out_channels": outputs, "bias": layer.use_bias, **sizes}))
        elif kind == "Dense":
            parts.append(("Linear", {"in_features": shape[0], "out_features": shape[1], "bias": layer.use_bias}))
        elif kind == "BatchNormalization":
            named = f"BatchNorm{len(layer.input.shape) - 2 or 1}d"
            parts.append((named, {"num_features": layer.input.shape[-1]}))
        elif kind == "LayerNormalization":
            _, height, width, channels = layer.input.shape
            parts.append(("LayerNorm", {"normalized_shape": [channels, height, width], "elementwise_affine": False}))
        elif kind == "MaxPooling2D":
            parts.append(("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1}))
        elif kind == "AveragePooling2D":
            parts.append(("AvgPool2d", {"kernel_size": layer.pool_size}))
        elif kind == "ReLU":
            parts.append(("ReLU", {"inplace": True}))
        elif kind == "Flatten":
            parts.append(("Flatten", {}))
        elif kind == "Dropout":
            parts.append(("Dropout", {"p": layer.rate}))
        elif kind not in ("InputLayer", "Reshape"):
            raise ValueError(f"{layer.name}: a {kind} is not known here.")
    return parts


def torch_seconds(isa: str | None, **arguments: Any) -> list[float]:
    """`seconds_of_steps` with these arguments, in a process of its own that has these instructions."""
    command = [sys.executable, "-m", "tests.benchmarks.torch_alexnet"]
    done = subprocess.run(
        command, input=json.dumps(arguments), env=measured.limited(isa), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def seconds_of_steps(
    parts: list[Part], batch: int, picture: tuple[int, int, int], answers: tuple[int, int], rounds: int, steps: int
) -> list[float]:
    """Seconds for so many training steps with AdamW on one batch, in each round.

    Args:
        picture: height, width and channels.
        answers: positions and classes.
    """
    import torch

    network = torch.nn.Sequential(*(getattr(torch.nn, kind)(**arguments) for kind, arguments in parts))
    network = network.to(memory_format=torch.channels_last)
    adam = torch.optim.AdamW(network.parameters(), 0.002, fused=True)
    height, width, channels = picture
    images = torch.randint(0, 256, (batch, channels, height, width), dtype=torch.uint8)
    images = images.contiguous(memory_format=torch.channels_last)
    truth = torch.randint(0, answers[1], (batch, answers[0])).flatten()

    def step() -> None:
        adam.zero_grad()
        logits = network(images.float()).reshape(len(truth), -1)
        torch.nn.functional.cross_entropy(logits, truth).backward()
        adam.step()

    for _ in range(3):
        step()
    return [measured.seconds(lambda: [step() for _ in range(steps)]) for _ in range(rounds)]


if __name__ == "__main__":
    print(json.dumps(seconds_of_steps(**json.load(sys.stdin))))
