"""Errors are written to be read: in a notebook only the message is shown."""

import os
import subprocess
import sys

import pytest

from helpers import errors
from helpers.errors import ImageError, SettingsError, StepError, StyleError, TutorialError
from helpers.training.fit import TrainingStopped


@pytest.mark.parametrize("kind", [TutorialError, StyleError, SettingsError, StepError, ImageError, TrainingStopped])
def test_a_notebook_shows_one_line(kind):
    assert issubclass(kind, TutorialError)
    lines = kind("Run notebook 2 first.")._render_traceback_()
    assert lines == [f"{kind.__name__}: Run notebook 2 first."]


def test_ipython_shows_the_message_and_no_stack(tmp_path):
    code = "from helpers.errors import StepError\nraise StepError('Run notebook 2 first.')"
    result = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=nocolor", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        timeout=120,
    )
    shown = result.stdout + result.stderr
    assert "StepError: Run notebook 2 first." in shown
    assert "Traceback" not in shown
    assert "raise StepError" not in shown


def test_every_error_is_one_of_the_family():
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(kinds) >= 5
    assert all(issubclass(kind, TutorialError) for kind in kinds)
