"""TensorFlow and Keras without their start-up log lines, and with the fast kernels of oneDNN.

TensorFlow writes to the process's error stream before any setting of its own can stop it, so during the import that
stream leads to a small process, which passes the words on only if this one ends meanwhile: they then tell why. Set
TF_CPP_MIN_LOG_LEVEL=0 to see every line. By itself TensorFlow uses oneDNN only on the newest processors; older ones,
too, train clearly faster with it. TF_ENABLE_ONEDNN_OPTS=0 switches it off. Take `keras` and `tf` from here only.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from helpers.errors import TutorialError

OLDEST_KERAS = (3, 15)
PUT_RIGHT = "Run `pip install -r requirements.txt`, then restart the kernel."
WELL = "ended well\n"
PASS_ON = "import sys; said = sys.stdin.read(); said.endswith(sys.argv[1]) or sys.stdout.write(said)"


@contextmanager
def quiet_start(heard: bool = False) -> Iterator[None]:
    """Lead the error stream (file descriptor 2) nowhere; `heard`: but tell it if the process ends in the block."""
    try:
        kept = os.dup(2)
    except OSError:  # it is closed: nothing can be said anyway
        yield
        return
    command, listener = [sys.executable, "-ISc", PASS_ON, WELL], None
    with suppress(OSError):
        listener = heard and subprocess.Popen(command, stdin=subprocess.PIPE, stdout=kept, text=True, errors="replace")
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2((listener.stdin if listener else nowhere).fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        if listener:
            listener.communicate(WELL)


def check_keras(version: str, backend: str) -> None:
    """Refuse a Keras that is too old for these notebooks, or that does not compute with TensorFlow."""
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST_KERAS:
        wanted = ".".join(map(str, OLDEST_KERAS))
        raise TutorialError(f"Keras {wanted} or newer is needed, this is Keras {version}. {PUT_RIGHT}")
    if backend != "tensorflow":
        why = f"Keras computes with {backend} here, not with TensorFlow, because it was imported before `helpers` was."
        raise TutorialError(f"{why} Restart the kernel, and take keras from helpers.quiet_tensorflow.")


def uses_onednn() -> bool:
    """Whether TensorFlow computes with oneDNN's kernels."""
    from tensorflow.python.util import _pywrap_util_port as built

    return bool(built.IsMklEnabled())


def make_deterministic(wanted: bool = True) -> None:
    """Whether operations give the same numbers each time; one that cannot then raises an UnimplementedError."""
    from tensorflow.python.framework import config

    (config.enable_op_determinism if wanted else config.disable_op_determinism)()


# The newest instructions that oneDNN may use, such as AVX2, where a limit is set.
ISA_LIMIT = (os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "").upper()
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
if "keras" not in sys.modules:
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever keras.json says
quiet = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3"
HALF = "helpers.quiet_tensorflow, half imported"  # kept among the modules, since this one is forgotten if it fails
if HALF in sys.modules:
    raise TutorialError("An earlier import of TensorFlow was interrupted or failed. Restart the kernel, begin anew.")
try:
    with quiet_start(heard=True) if quiet else nullcontext():
        import keras
        import tensorflow as tf

        if "TF_CONFIG" not in os.environ:  # several computers have to meet before the first operation
            tf.constant(0)  # at which the devices report themselves
except BaseException as reason:  # also an interruption by hand
    sys.modules[HALF] = os
    if isinstance(reason, ImportError):
        raise TutorialError(f"TensorFlow cannot be imported: {reason}. {PUT_RIGHT}") from None
    raise
check_keras(keras.__version__, keras.backend.backend())
if quiet:  # such as the warning that a function is traced again, for another network
    tf.get_logger().setLevel("ERROR")
