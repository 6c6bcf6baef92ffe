"""Text + style + seed -> image. The drawing is done by the `captcha` package."""

import functools
import io
import json
import random
from pathlib import Path
from typing import Any

from captcha.image import random_color
from PIL import Image, ImageFilter
from PIL.PngImagePlugin import PngInfo

from helpers.captchas.fonts import find_font
from helpers.captchas.pictures import open_image
from helpers.captchas.seeding import NotingCaptcha, seeded
from helpers.captchas.styles import CaptchaStyle, check_style
from helpers.errors import ImageError
from helpers.files import short


@functools.lru_cache(maxsize=32)
def drawer_of(style: CaptchaStyle) -> NotingCaptcha:
    """The `captcha` package's own drawer, set to `style`; its fonts are loaded once."""
    fonts = [str(find_font(font)) for font in style.fonts]
    drawer = NotingCaptcha(style.image_width, style.height, fonts, style.font_sizes)
    drawer.character_rotate = style.rotation
    drawer.character_offset_dx, drawer.character_offset_dy = style.offset_x, style.offset_y
    drawer.character_warp_dx, drawer.character_warp_dy = style.warp_x, style.warp_y
    drawer.word_space_probability = 1 - style.space_probability  # in the package it is the chance of no space
    drawer.word_offset_dx = style.overlap
    return drawer


def draw_captcha(text: str, style: CaptchaStyle, seed: int, steady: bool = False) -> Image.Image:
    """A captcha that shows `text`, RGB, style.image_width x style.height pixels; StyleError for a text it cannot draw.

    The same text, style and seed give the same pixels, in the steps of `ImageCaptcha.generate_image`. What chance
    decided is in `image.info["drawn"]`, see `NotingCaptcha.note`. With `steady`, chance is asked in another way: then
    a field that changes leaves all else in the picture as it is.
    """
    check_style(style).check_text(text)
    drawer = drawer_of(style)
    lowest, highest = style.text_opacity
    with seeded(seed, steady) as numbers:
        drawer.plain = style.plain > 0 and random.Random(f"plain {seed}").random() < style.plain
        background = random_color(*style.background_color)
        opacity = numbers.randbelow(highest - lowest + 1) + lowest
        color = random_color(*style.text_color, opacity)
        image = drawer.create_captcha_image(text, color, background)
        drawn = drawer.note(color, background)
        numbers.begin("dots")
        drawer.create_noise_dots(image, color, style.dot_width, style.noise_dots)
        for index in range(style.noise_curves):
            numbers.begin(f"curve {index}")
            drawer.create_noise_curve(image, color)
    image = image.filter(ImageFilter.SMOOTH)
    image.info["drawn"] = drawn
    return image


def encoded(image: Image.Image, suffix: str) -> bytes:
    """What a .png or .jpg file of a captcha holds: its pixels, and the note of what was drawn."""
    note, content, text = json.dumps(image.info["drawn"], separators=(",", ":")), io.BytesIO(), PngInfo()
    text.add_text("drawn", note)
    form = "jpeg" if suffix == ".jpg" else "png"  # each takes the settings that it knows
    image.save(content, form, quality=90, comment=note, compress_level=1, pnginfo=text)
    return content.getvalue()


def save_captcha(image: Image.Image, file: Path) -> None:
    """Write a captcha as .png or .jpg, in one go, with the note of what was drawn in the same file."""
    file.write_bytes(encoded(image, file.suffix))


def read_note(file: Path) -> dict[str, Any]:
    """The note in a file that `save_captcha` wrote; ImageError if there is none."""
    info = open_image(file).info
    try:
        return json.loads(info.get("drawn") or info["comment"])
    except (KeyError, ValueError):
        raise ImageError(f"{short(file)} holds no note of what was drawn. Draw it again in notebook 2.") from None
