"""TensorFlow and Keras without their start-up log lines.

TensorFlow writes to the process's error stream before any setting of its own can stop it, so that
stream is closed off while it is imported. Set TF_CPP_MIN_LOG_LEVEL=0 to see every line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_start() -> Iterator[None]:
    """Send the process's error stream (file descriptor 2) nowhere while the block runs."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
    with quiet_start():
        import keras
        import tensorflow as tf

        tf.constant(0)  # its devices report themselves at the first operation
else:
    import keras
    import tensorflow as tf

__all__ = ["keras", "tf"]
