"""The `captcha` package's drawer with seeded random numbers, not those of `secrets`; it also notes what it draws."""

import functools
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import captcha.image
from captcha.image import ImageCaptcha
from PIL import Image, ImageChops, ImageDraw
from PIL.ImageFont import FreeTypeFont

from helpers.captchas.fonts import kept_name
from helpers.errors import whole_number

Color = tuple[int, ...]
ONE_THREAD = threading.Lock()


class SeededSecrets:
    """The three functions of `secrets` that `captcha` calls, answered from a seed; `begin` tells the next part."""

    def __init__(self, seed: int, steady: bool = False) -> None:
        generator = random.Random(seed)
        self.randbits, self.randbelow, self.choice = generator.getrandbits, generator.randrange, generator.choice
        self.begin = lambda part: None
        if steady:  # each part of the picture has numbers of its own, whatever was drawn before it
            self.randbelow = lambda end: int(generator.random() * end)
            self.choice = lambda values: values[self.randbelow(len(values))]
            self.begin = lambda part: generator.seed(f"{seed} {part}")


@contextmanager
def seeded(seed: int, steady: bool = False) -> Iterator[SeededSecrets]:
    """In this block `captcha` draws the same picture every time. It affects all threads: the others wait here."""
    seed = whole_number("seed", seed, least=0, most=2**64)  # None would be another one each time
    with ONE_THREAD:
        original, captcha.image.secrets = captcha.image.secrets, SeededSecrets(seed, steady)
        try:
            yield captcha.image.secrets
        finally:
            captcha.image.secrets = original


@functools.lru_cache(maxsize=4096)
def _shape(font: FreeTypeFont, character: str) -> tuple[str, tuple[int, int], tuple[int, int], Image.Image]:
    """The font's name, a character's width and height, the left and upper edge of its ink, and the ink, 0 to 255."""
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    left, top, right, bottom = (int(edge) for edge in draw.multiline_textbbox((0, 0), character, font=font))
    ink = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(ink).text((-left, -top), character, 255, font)
    box = ink.getbbox() or (0, 0, 0, 0)
    return Path(kept_name(font.path)).stem, (right + 1, bottom + 1), (left + box[0], top + box[1]), ink.crop(box)


class NotingCaptcha(ImageCaptcha):
    """An `ImageCaptcha` that notes what it draws, and draws the same pixels quicker. Use it only inside `seeded`."""

    plain = False  # if not, characters are turned, warped, and stretched over all the room that their font reserves

    def _draw_character(self, c: str, color: Color) -> tuple[int, Image.Image | None]:
        """The width of a character [px] and its picture, turned and warped; a blank has none."""
        numbers, bits = captcha.image.secrets, captcha.image.secrets.randbits
        font = numbers.choice(self.truefonts)
        name, (w, h), (left, top), ink = _shape(font, c)
        (x_lowest, x_highest), (y_lowest, y_highest) = self.character_offset_dx, self.character_offset_dy
        left += numbers.randbelow(x_highest - x_lowest + 1) + x_lowest
        top += numbers.randbelow(y_highest - y_lowest + 1) + y_lowest
        turn, warp_x, warp_y, *corners = [bits(32) / 2**32 for _ in range(7)]
        if c == " ":
            return w, None
        angle = self.character_rotate[0] + turn * (self.character_rotate[1] - self.character_rotate[0])
        self._characters.append((name, int(font.size), 0.0 if self.plain else round(angle, 1)))
        if self.plain:
            glyph = Image.new("RGBA", (w, h))
            ImageDraw.Draw(glyph).text((w / 2, h / 2), c, color, font, anchor="mm")
            return w, glyph
        glyph = Image.new("RGBA", ink.size)
        glyph.paste(color, (min(0, left), min(0, top)), ink)  # what lies further to the left or above is lost
        glyph = glyph.crop(glyph.getbbox()).rotate(angle, Image.Resampling.BILINEAR, expand=True)
        (x_lowest, x_highest), (y_lowest, y_highest) = self.character_warp_dx, self.character_warp_dy
        x = w * warp_x * (x_highest - x_lowest) + x_lowest
        y = h * warp_y * (y_highest - y_lowest) + y_lowest
        x1, y1, x2, y2 = [int(share * (d + d) - d) for share, d in zip(corners, (x, y, x, y), strict=True)]
        w2, h2 = w + abs(x1) + abs(x2), h + abs(y1) + abs(y2)
        data = (x1, y1, -x1, h2 - y2, w2 + x2, h2 + y2, w2 - x2, -y1)
        return w, glyph.resize((w2, h2)).transform((w, h), Image.Transform.QUAD, data)

    def create_captcha_image(self, chars: str, color: Color, background: Color) -> Image.Image:
        """The package's picture of `chars`, still without dots and curves."""
        numbers = captcha.image.secrets
        glyphs, self._characters, self._boxes = [], [], []  # a box is where a character begins and ends [px]
        for index, c in enumerate(chars):
            numbers.begin(f"gap {index}")
            if numbers.randbits(32) / 2**32 > self.word_space_probability:
                glyphs.append(self._draw_character(" ", color))
            numbers.begin(f"character {index}")
            glyphs.append(self._draw_character(c, color))
        text_width = sum(width for width, _ in glyphs)
        average = text_width // len(chars)
        furthest, start = int(self.word_offset_dx * average), int(average * 0.1)
        image = Image.new("RGB", (max(text_width, self._width), self._height), background)
        for width, glyph in glyphs:
            if glyph:
                grey = glyph.convert("L")
                mask = ImageChops.add(grey, grey, 2 / 1.97)  # 1.97 times as bright, as in the package's table
                image.paste(glyph, (start, int((self._height - glyph.height) / 2)), mask)
                self._boxes.append((start, start + width))
            start += width - numbers.randbelow(furthest + 1)
        self._squash = image.width / self._width
        return image.resize((self._width, self._height))

    def note(self, color: Color, background: Color) -> dict[str, Any]:
        """What `create_captcha_image` drew: fonts, sizes [px] and angles [degrees] of the characters; gaps between
        them, negative where they overlap [px]; squash, how many times wider the text was before it was made to fit;
        contrast of text and background in grey levels, 0 to 255."""
        fonts, sizes, angles = (list(values) for values in zip(*self._characters, strict=True))
        gaps = [round((start - end) / self._squash, 1) for (_, end), (start, _) in pairwise(self._boxes)]
        pixels = (Image.new("RGB", (1, 1), each[:3]) for each in (color, background))
        grey, behind = (pixel.convert("L").getpixel((0, 0)) for pixel in pixels)
        opacity = min(255, self.lookup_table[grey]) / 255  # `captcha` draws dark colours faintly
        told = {"fonts": fonts, "sizes": sizes, "angles": angles, "gaps": gaps, "squash": round(self._squash, 3)}
        return {**told, "contrast": round(opacity * abs(behind - grey), 1)}
