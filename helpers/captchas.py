"""Text + style + seed -> image. The drawing is done by the `captcha` package."""

from __future__ import annotations

import functools
import json
import random
from pathlib import Path
from typing import Any

import captcha.image
from captcha.image import random_color
from PIL import Image, ImageFilter
from PIL.PngImagePlugin import PngInfo

from helpers._storage import short
from helpers.errors import ImageError
from helpers.fonts import find_font
from helpers.generator import Generator, seeded
from helpers.pictures import open_image
from helpers.styles import CaptchaStyle


@functools.lru_cache(maxsize=32)
def captcha_generator(style: CaptchaStyle) -> Generator:
    """The `captcha` package's own generator, set to `style`; its fonts are loaded once."""
    generator = Generator(
        width=style.image_width,
        height=style.height,
        fonts=[str(find_font(font)) for font in style.fonts],
        font_sizes=style.font_sizes,
    )
    generator.character_rotate = style.rotation
    generator.character_offset_dx = style.offset_x
    generator.character_offset_dy = style.offset_y
    generator.character_warp_dx = style.warp_x
    generator.character_warp_dy = style.warp_y
    generator.word_space_probability = 1 - style.space_probability  # upstream: of no space
    generator.word_offset_dx = style.overlap
    return generator


def draw_captcha(text: str, style: CaptchaStyle, seed: int) -> Image.Image:
    """A captcha that shows `text`: an RGB picture of style.image_width x style.height pixels.

    The same text, style and seed give the same pixels. The steps and their order are those of
    `ImageCaptcha.generate_image`, which fixes the number of dots and curves that are free here.
    What was drawn by chance is noted in `image.info["drawn"]`, see `Generator.note`.

    Raises:
        StyleError: a text that this style cannot draw.
    """
    style.check_text(text)
    generator = captcha_generator(style)
    generator.plain = random.Random(f"plain {seed}").random() < style.plain
    with seeded(seed):
        background = random_color(*style.background_color)
        lowest, highest = style.text_opacity
        opacity = captcha.image.secrets.randbelow(highest - lowest + 1) + lowest
        color = random_color(*style.text_color, opacity)

        image = generator.create_captcha_image(text, color, background)
        drawn = generator.note(color, background)
        generator.create_noise_dots(image, color, style.dot_width, style.noise_dots)
        for _ in range(style.noise_curves):
            generator.create_noise_curve(image, color)
    image = image.filter(ImageFilter.SMOOTH)
    image.info["drawn"] = {**drawn, "fonts": [Path(font).stem for font in drawn["fonts"]]}
    return image


def save_captcha(image: Image.Image, file: Path) -> None:
    """Write a captcha as .png or .jpg, with the note of what was drawn inside the file."""
    note = json.dumps(image.info["drawn"], separators=(",", ":"))
    if file.suffix == ".jpg":
        image.save(file, quality=90, comment=note)
    else:
        text = PngInfo()
        text.add_text("drawn", note)
        image.save(file, compress_level=1, pnginfo=text)


def read_note(file: Path) -> dict[str, Any]:
    """The note of what was drawn in a file of `save_captcha`, see `Generator.note`.

    Raises:
        ImageError: no picture, or one without a note.
    """
    info = open_image(file).info
    try:
        return json.loads(info.get("drawn") or info["comment"])
    except (KeyError, ValueError):
        raise ImageError(f"{short(file)} holds no note of what was drawn. Draw it again in notebook 2.") from None
