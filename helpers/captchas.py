"""Text + style + seed -> image. The drawing is done by the `captcha` package.

Since version 0.7.1 that package takes its random numbers from `secrets`, the operating system's
unpredictable source: right for guarding a login, wrong for a lesson that you want to repeat. So we
lend it a seeded generator while it draws.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from contextlib import contextmanager

import captcha.image
from captcha.image import ImageCaptcha, random_color
from PIL import Image, ImageDraw, ImageFilter

from helpers.fonts import find_font
from helpers.styles import CaptchaStyle


class SeededSecrets:
    """The three functions of `secrets` that `captcha` calls, answered by a seeded generator."""

    def __init__(self, seed: int) -> None:
        generator = random.Random(seed)
        self.randbelow = generator.randrange
        self.randbits = generator.getrandbits
        self.choice = generator.choice


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let `captcha` draw the same picture every time, for as long as the block lasts.

    The swap holds for the whole process, so do not draw from several threads at once.
    """
    original = captcha.image.secrets
    captcha.image.secrets = SeededSecrets(seed)
    try:
        yield
    finally:
        captcha.image.secrets = original


class Generator(ImageCaptcha):
    """The `captcha` package's generator, without its work on blanks.

    It puts a blank before about half of the characters, and turns and warps it like a digit, though
    there is nothing to be seen. That was a fifth of the time. Ours draws the same random numbers,
    so all other pixels stay what they were.
    """

    def _draw_character(self, c: str, draw: ImageDraw.ImageDraw, color: tuple[int, ...]) -> Image.Image:
        if c != " ":
            return super()._draw_character(c, draw, color)
        secrets = captcha.image.secrets
        _, _, width, height = draw.multiline_textbbox((1, 1), c, font=secrets.choice(self.truefonts))
        for lowest, highest in (self.character_offset_dx, self.character_offset_dy):
            secrets.randbelow(highest - lowest + 1)
        for _ in range(7):  # one for the angle, six for the warp
            secrets.randbits(32)
        return Image.new("RGBA", (int(width), int(height)))


@functools.lru_cache(maxsize=32)
def captcha_generator(style: CaptchaStyle) -> ImageCaptcha:
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

    Raises:
        StyleError: a text that this style cannot draw.
    """
    style.check_text(text)
    generator = captcha_generator(style)
    with seeded(seed):
        background = random_color(*style.background_color)
        lowest, highest = style.text_opacity
        opacity = captcha.image.secrets.randbelow(highest - lowest + 1) + lowest
        color = random_color(*style.text_color, opacity)

        image = generator.create_captcha_image(text, color, background)
        generator.create_noise_dots(image, color, style.dot_width, style.noise_dots)
        for _ in range(style.noise_curves):
            generator.create_noise_curve(image, color)
    return image.filter(ImageFilter.SMOOTH)
