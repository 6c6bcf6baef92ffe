"""The `captcha` package's generator, lent a seeded source of random numbers; it notes what it draws.

Since version 0.7.1 the package takes its random numbers from `secrets`, the operating system's
unpredictable source: right for guarding a login, wrong for a lesson that you want to repeat.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import captcha.image
from captcha.image import ImageCaptcha
from PIL import Image, ImageDraw

Color = tuple[int, ...]
Item = TypeVar("Item")


class SeededSecrets:
    """The three functions of `secrets` that `captcha` calls, answered by a seeded generator.

    It keeps its answers, so that it is known afterwards what was drawn.
    """

    def __init__(self, seed: int) -> None:
        self._generator = random.Random(seed)
        self.below: list[int] = []
        self.bits: list[int] = []
        self.chosen: Any = None

    def randbelow(self, end: int) -> int:
        """A whole number from 0 to end - 1."""
        self.below.append(self._generator.randrange(end))
        return self.below[-1]

    def randbits(self, bits: int) -> int:
        """A whole number of so many bits."""
        self.bits.append(self._generator.getrandbits(bits))
        return self.bits[-1]

    def choice(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        self.chosen = self._generator.choice(items)
        return self.chosen


def brightness(color: Color) -> int:
    """The grey level of a colour, as Pillow converts it (ITU-R 601)."""
    red, green, blue = color[:3]
    return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16


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
    """`ImageCaptcha` without its work on blanks; it notes what it draws. Draws only while `seeded`.

    The package puts a blank before about half of the characters, and turns and warps it like a
    digit, though there is nothing to be seen. That was a fifth of the time. Ours draws the same
    random numbers, so all other pixels stay what they were.

    Attributes:
        plain: whether characters look as their font has them. The package turns and warps them; and
            it crops each to its ink and stretches that to the whole place which the font reserves
            for it, so that a 1 of a monospaced font becomes twice as wide.
        characters: of the last captcha: font file, size [px] and angle [degrees] of each character.
        widths: of the last captcha: width of each glyph or blank [px], and whether it is a blank.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.plain = False
        self.characters: list[dict[str, Any]] = []
        self.widths: list[tuple[int, bool]] = []

    def _draw_character(self, c: str, draw: ImageDraw.ImageDraw, color: Color) -> Image.Image:
        glyph = self._blank(draw) if c == " " else super()._draw_character(c, draw, color)
        if c != " ":
            numbers = captcha.image.secrets
            lowest, highest = self.character_rotate
            angle = lowest + numbers.bits[-7] / 2**32 * (highest - lowest)  # six more are for the warp
            font = numbers.chosen
            if self.plain:
                glyph, angle = Image.new("RGBA", glyph.size), 0.0
                ImageDraw.Draw(glyph).text((glyph.width / 2, glyph.height / 2), c, color, font, anchor="mm")
            self.characters.append({"font": font.path, "size": int(font.size), "angle": round(angle, 1)})
        self.widths.append((glyph.width, c == " "))
        return glyph

    def _blank(self, draw: ImageDraw.ImageDraw) -> Image.Image:
        """An empty glyph, after the random numbers that the package would have drawn for it."""
        numbers = captcha.image.secrets
        _, _, width, height = draw.multiline_textbbox((1, 1), " ", font=numbers.choice(self.truefonts))
        for lowest, highest in (self.character_offset_dx, self.character_offset_dy):
            numbers.randbelow(highest - lowest + 1)
        for _ in range(7):  # one for the angle, six for the warp
            numbers.randbits(32)
        return Image.new("RGBA", (int(width), int(height)))

    def create_captcha_image(self, chars: str, color: Color, background: Color) -> Image.Image:
        """The package's picture of `chars`, before dots and curves."""
        self.characters, self.widths = [], []
        return super().create_captcha_image(chars, color, background)

    def note(self, color: Color, background: Color) -> dict[str, Any]:
        """What was drawn last, to be called right after `create_captcha_image`.

        Returns:
            fonts, sizes [px] and angles [degrees] of each character; gaps, the distance of each
            character's box from the one before, negative where they overlap [px]; squash, how many
            times wider the text was before it was made to fit; contrast, the difference in grey
            levels between text and background, 0 to 255.
        """
        steps = captcha.image.secrets.below[-len(self.widths) :]  # to the left, after each glyph
        squash = max(1.0, sum(width for width, _ in self.widths) / self._width)
        gaps, distance = [], None
        for (width, blank), step in zip(self.widths, steps, strict=True):
            if blank:
                distance = None if distance is None else distance + width - step
                continue
            if distance is not None:
                gaps.append(round(distance / squash, 1))
            distance = -step
        grey, behind = brightness(color), brightness(background)
        opacity = min(255, self.lookup_table[grey]) / 255  # `captcha` draws dark colours faintly
        return {
            "fonts": [character["font"] for character in self.characters],
            "sizes": [character["size"] for character in self.characters],
            "angles": [character["angle"] for character in self.characters],
            "gaps": gaps,
            "squash": round(squash, 3),
            "contrast": round(opacity * abs(behind - grey), 1),
        }
