"""Captchas of another generator, wheezy.captcha, where that is installed (`pip install wheezy.captcha`)."""

from __future__ import annotations

import importlib.util
import random

from PIL import Image

from helpers.captchas.fonts import find_font
from tests.benchmarks.packages import DESIGNS, wheezy_captcha

__all__ = ["DESIGNS", "FONTS", "foreign_captchas"]
FONTS = ("DejaVuSans-BoldOblique", "DejaVuSerif-BoldItalic", "STIXGeneralBolIta")  # none is in "many fonts"


def foreign_captchas(texts: list[str], design: str, seed: int = 0) -> list[Image.Image] | None:
    """One RGB picture for each text; None where the generator is not installed.

    Args:
        design: one of `DESIGNS`; the first takes all steps of the package's documentation.
    """
    if importlib.util.find_spec("wheezy") is None:
        return None
    random.seed(seed)  # it draws from the global generator
    draw = wheezy_captcha([str(find_font(font)) for font in FONTS], design)
    return [draw(characters)[1] for characters in texts]
