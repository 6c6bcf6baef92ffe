"""TensorFlow starts quietly and with oneDNN; what cannot work is told as what it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.errors import TutorialError
from helpers.quiet_tensorflow import OLDEST_KERAS, check_keras, keras


def in_a_new_process(code: str, **environment: str | None) -> subprocess.CompletedProcess:
    """Run Python with other environment variables; None takes one away."""
    kept = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={name: value for name, value in kept.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=120,
    )


SHOW = (
    "import os; from helpers.quiet_tensorflow import keras, uses_onednn\n"
    "print(os.environ['TF_ENABLE_ONEDNN_OPTS'], uses_onednn(), keras.backend.backend())"
)


@pytest.mark.parametrize(("variable", "on"), [(None, True), ("1", True), ("0", False)])
def test_onednn_is_on_unless_it_is_switched_off(variable, on):
    result = in_a_new_process(SHOW, TF_ENABLE_ONEDNN_OPTS=variable)
    assert result.stdout.split() == ["1" if on else "0", str(on), "tensorflow"]  # newer processors need no switch
    assert result.stderr == ""


def test_another_backend_in_keras_own_settings_does_no_harm(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    assert in_a_new_process(SHOW, KERAS_HOME=str(tmp_path), KERAS_BACKEND=None).stdout.split()[-1] == "tensorflow"
    assert in_a_new_process(SHOW, KERAS_BACKEND="torch").stdout.split()[-1] == "tensorflow"


def test_this_keras_will_do():
    check_keras(keras.__version__, "tensorflow")
    check_keras("3.15.0", "tensorflow")
    check_keras("4.0", "tensorflow")


@pytest.mark.parametrize(
    ("version", "backend", "message"),
    [
        ("2.15.0", "tensorflow", r"Keras 3\.15 or newer is needed, this is Keras 2\.15\.0\. Run `pip install"),
        ("3.5.0.dev1", "tensorflow", r"this is Keras 3\.5\.0\.dev1"),
        ("3.14rc1", "tensorflow", r"this is Keras 3\.14rc1"),
        ("3.15.1", "jax", r"computes with jax here.*Restart the kernel"),
    ],
)
def test_a_keras_that_will_not_do_is_told_with_what_to_do(version, backend, message):
    assert OLDEST_KERAS == (3, 15)
    with pytest.raises(TutorialError, match=message):
        check_keras(version, backend)


OLD_KERAS = """
import sys, types
class Old(types.ModuleType):
    __version__ = "2.12.0"
    backend = types.SimpleNamespace(backend=lambda: "tensorflow")
sys.modules["keras"] = Old("keras")
import helpers.training.optimizer
"""
INTERRUPTED = """
import sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow.python.data.ops.dataset_ops":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
try:
    import helpers.quiet_tensorflow
except KeyboardInterrupt:
    print("interrupted")
sys.meta_path.pop(0)
for _ in range(2):
    try:
        import helpers.quiet_tensorflow
    except Exception as reason:
        last = reason
raise last
"""
MISSING = """
import sys
sys.modules["tensorflow"] = None
import helpers.quiet_tensorflow
"""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (OLD_KERAS, "TutorialError: Keras 3.15 or newer is needed, this is Keras 2.12.0"),
        (INTERRUPTED, "was interrupted or failed. Restart the kernel"),
        (MISSING, "TutorialError: TensorFlow cannot be imported"),
    ],
    ids=["old Keras", "interrupted", "missing"],
)
def test_an_import_that_fails_is_told_as_what_it_is(code, message):
    result = in_a_new_process(code)
    assert result.returncode == 1
    assert message in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("limits", "found"),
    [({}, ""), ({"DNNL_MAX_CPU_ISA": "avx512_core"}, "AVX512_CORE"), ({"ONEDNN_MAX_CPU_ISA": "avx2"}, "AVX2")],
)
def test_the_limit_of_onednn_is_read_from_the_environment(limits, found):
    none = dict.fromkeys(("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"))
    code = "from helpers.quiet_tensorflow import ISA_LIMIT; print(ISA_LIMIT)"
    assert in_a_new_process(code, **{**none, **limits}).stdout.strip() == found


def fake_tensorflow(folder: Path, code: str) -> str:
    """A folder with a TensorFlow of this code, as PYTHONPATH takes it."""
    for name in ("tensorflow", "keras"):
        (folder / f"{name}.py").write_text(code)
    return os.pathsep.join([str(folder), str(Path(__file__).parents[1])])


def test_what_tensorflow_says_when_it_aborts_is_heard(tmp_path):
    path = fake_tensorflow(tmp_path, "import os; os.write(2, b'F: this processor lacks AVX\\n'); os.abort()")
    result = in_a_new_process("import helpers.quiet_tensorflow", PYTHONPATH=path)
    assert result.returncode not in (0, 1)
    assert "this processor lacks AVX" in result.stderr


def test_what_it_says_otherwise_is_not_heard():
    code = "import os, time; from helpers.quiet_tensorflow import quiet_start\n"
    for heard in (False, True):
        words = f"with quiet_start(heard={heard}): os.write(2, b'a log line\\n')\nos.write(2, b'after\\n')"
        assert in_a_new_process(code + words).stderr == "after\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such numbers")
def test_a_closed_error_stream_stops_nothing():
    command = f"{sys.executable} -c 'from helpers.quiet_tensorflow import tf; print(int(tf.constant(7)))' 2>&-"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout) == (0, "7\n")
