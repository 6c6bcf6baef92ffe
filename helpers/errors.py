"""The one family of errors. A message says what is wrong, where, and what to do next."""

import contextlib
import operator
from typing import Any


class TutorialError(Exception):
    """Something that a learner can put right. In a notebook only the message is shown."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of a traceback: one readable line."""
        return [f"{type(self).__name__}: {self}"]


class StyleError(TutorialError):
    """A captcha style, or a text, that cannot be drawn."""


class SettingsError(TutorialError):
    """A setting or an experiment name that cannot be used."""


class StepError(TutorialError):
    """A step found the one before it missing, incomplete or made differently."""


class Stopped(TutorialError):
    """A person stopped the work; the message says what is kept."""


class ImageError(TutorialError):
    """An image file that cannot be read."""


def whole_number(name: str, value: Any, least: int, most: int = 10**8 - 1) -> int:
    """`value` as an int, which may be a whole number of numpy's; SettingsError if it is none, or out of bounds."""
    with contextlib.suppress(TypeError):
        if not isinstance(value, bool) and least <= operator.index(value) <= most:
            return operator.index(value)
    raise SettingsError(f"{name}: {value!r} must be a whole number from {least} to {most:,}.")
