"""The one family of errors. A message says what is wrong, where, and what to do next."""


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
