"""Captchas of another generator, wheezy.captcha, where that is installed (`pip install wheezy.captcha`)."""

from __future__ import annotations

import importlib.util
import random

from PIL import Image

from helpers.captchas.fonts import find_font

FONTS = ("DejaVuSans-BoldOblique", "DejaVuSerif-BoldItalic", "STIXGeneralBolIta")  # none is in "many fonts"
SIZE = (200, 75)
DESIGNS = ("as documented", "without curve", "without noise", "without warp")


def foreign_captchas(texts: list[str], design: str, seed: int = 0) -> list[Image.Image] | None:
    """One RGB picture for each text; None where the generator is not installed.

    Args:
        design: one of `DESIGNS`; the first takes all steps of the package's documentation.
    """
    if importlib.util.find_spec("wheezy") is None:
        return None
    from wheezy.captcha.image import background, captcha, curve, noise, offset, rotate, smooth, text, warp

    random.seed(seed)  # it draws from the global generator
    glyph = [step() for name, step in {"warp": warp, "rotate": rotate, "offset": offset}.items() if name not in design]
    fonts = [str(find_font(font)) for font in FONTS]
    steps = [background(), text(fonts=fonts, font_sizes=(50, 55, 60), drawings=glyph)]
    steps += [step() for name, step in {"curve": curve, "noise": noise}.items() if name not in design]
    draw = captcha(drawings=[*steps, smooth()], width=SIZE[0], height=SIZE[1])
    return [draw(characters) for characters in texts]
