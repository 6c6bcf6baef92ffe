"""The `captcha` package's drawer with a seeded source of random numbers; it also notes what it draws.

Since version 0.7.1 the package takes its random numbers from `secrets`, the operating system's
unpredictable source: right for guarding a login, wrong for a lesson that you want to repeat.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import captcha.image
from captcha.image import ImageCaptcha
from PIL import Image, ImageDraw

Color = tuple[int, ...]


class SeededSecrets:
    """The three functions of `secrets` that `captcha` calls, answered from a seed. It remembers its answers."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.below, self.bits, self.chosen = [], [], None

    def randbelow(self, end: int) -> int:
        """A whole number from 0 to end - 1."""
        self.below.append(self._random.randrange(end))
        return self.below[-1]

    def randbits(self, bits: int) -> int:
        """A whole number of so many bits."""
        self.bits.append(self._random.getrandbits(bits))
        return self.bits[-1]

    def choice(self, items: Sequence[Any]) -> Any:
        """One of the items."""
        self.chosen = self._random.choice(items)
        return self.chosen


@contextmanager
def seeded(seed: int) -> Iterator[SeededSecrets]:
    """In this block `captcha` draws the same picture every time. All threads are affected, so draw in only one."""
    original, captcha.image.secrets = captcha.image.secrets, SeededSecrets(seed)
    try:
        yield captcha.image.secrets
    finally:
        captcha.image.secrets = original


class NotingCaptcha(ImageCaptcha):
    """An `ImageCaptcha` that notes what it draws, and is quick with blanks. Use it only inside `seeded`.

    The package turns and warps blanks too, which takes a fifth of its time. Here only the same random
    numbers are drawn for a blank, so all other pixels stay what they were.
    """

    plain = False
    """Whether characters look as their font has them. If not, the package turns and warps them. It also
    crops each to its ink and stretches that over the whole place that the font reserves for it, so
    that a 1 of a monospaced font becomes twice as wide."""

    def _draw_character(self, c: str, draw: ImageDraw.ImageDraw, color: Color) -> Image.Image:
        glyph = self._blank(draw) if c == " " else super()._draw_character(c, draw, color)
        if c != " ":
            numbers, (lowest, highest) = captcha.image.secrets, self.character_rotate
            angle = lowest + numbers.bits[-7] / 2**32 * (highest - lowest)  # the six after it are for the warp
            font = numbers.chosen
            if self.plain:
                glyph, angle = Image.new("RGBA", glyph.size), 0.0
                ImageDraw.Draw(glyph).text((glyph.width / 2, glyph.height / 2), c, color, font, anchor="mm")
            self._characters.append((Path(font.path).stem, int(font.size), round(angle, 1)))
        self._widths.append((glyph.width, c == " "))
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
        """The package's picture of `chars`, still without dots and curves."""
        self._characters: list[tuple[str, int, float]] = []
        self._widths: list[tuple[int, bool]] = []  # of each glyph [px], and whether it is a blank
        return super().create_captcha_image(chars, color, background)

    def note(self, color: Color, background: Color) -> dict[str, Any]:
        """What was drawn last. Call it right after `create_captcha_image`.

        fonts, sizes [px] and angles [degrees] of each character; gaps, the distance of each character's
        box from the one before, negative where they overlap [px]; squash, how many times wider the text
        was before it was made to fit; contrast of text and background in grey levels, 0 to 255.
        """
        fonts, sizes, angles = (list(values) for values in zip(*self._characters, strict=True))
        steps = captcha.image.secrets.below[-len(self._widths) :]  # how far the next glyph moves back to the left
        starts = accumulate((w - step for (w, _), step in zip(self._widths, steps, strict=True)), initial=0)
        boxes = [(start, start + w) for start, (w, blank) in zip(starts, self._widths, strict=False) if not blank]
        squash = max(1.0, sum(width for width, _ in self._widths) / self._width)
        gaps = [round((start - end) / squash, 1) for (_, end), (start, _) in pairwise(boxes)]
        colors = (Image.new("RGB", (1, 1), color[:3]), Image.new("RGB", (1, 1), background))
        grey, behind = (picture.convert("L").getpixel((0, 0)) for picture in colors)
        opacity = min(255, self.lookup_table[grey]) / 255  # `captcha` draws dark colours faintly
        contrast = round(opacity * abs(behind - grey), 1)
        return dict(fonts=fonts, sizes=sizes, angles=angles, gaps=gaps, squash=round(squash, 3), contrast=contrast)
