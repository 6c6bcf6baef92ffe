"""Sixteen captchas of a style as one picture, and below each what a network reads in it."""

import io
import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.fonts import find_font
from helpers.captchas.pictures import to_grey
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import StyleError

GAP, LINE = 6, 20  # pixels between two captchas, and for what was read
RIGHT, WRONG = "#0072B2", "#D55E00"
Read = Callable[[Sequence[Image.Image]], list[str]]


def samples(style: CaptchaStyle, count: int = 16) -> tuple[list[str], list[Image.Image]]:
    """Texts and captchas. Texts and seeds are always the same, so that only the style changes."""
    chances = [random.Random(index) for index in range(count)]
    texts = ["".join(chance.choices(style.alphabet, k=chance.randint(*style.length))) for chance in chances]
    return texts, [draw_captcha(text, style, seed) for seed, text in enumerate(texts)]


def sample_of(style: CaptchaStyle) -> Image.Image:
    """One captcha; a blank picture if a font of one's own is no longer there."""
    try:
        return samples(style, 1)[1][0]
    except StyleError:
        return Image.new("L", (style.image_width, style.height), 255)


def arranged(images: Sequence[Image.Image], columns: int = 4, marks: Sequence[tuple[str, str]] = ()) -> Image.Image:
    """Pictures of one size in rows, RGB; `marks` are a text and its colour for each, written below it."""
    width, height = images[0].width + GAP, images[0].height + GAP + LINE * bool(marks)
    grid = Image.new("RGB", (columns * width - GAP, -(-len(images) // columns) * height - GAP), "#888888")
    font, pen = ImageFont.truetype(find_font("DejaVuSans-Bold"), 15), ImageDraw.Draw(grid)
    for index, image in enumerate(images):
        x, y = index % columns * width, index // columns * height
        grid.paste(image, (x, y))
        for text, color in marks[index : index + 1]:
            below = y + image.height
            pen.rectangle((x, below, x + image.width - 1, below + LINE - 1), "white")
            pen.text((x + image.width // 2, below + LINE // 2), text, color, font, anchor="mm")
    return grid


def preview(style: CaptchaStyle, columns: int = 4, rows: int = 4, read: Read | None = None) -> Image.Image:
    """A grid of captchas, RGB, with a tick or a cross and what is read below each, if somebody reads them."""
    texts, images = samples(style, columns * rows)
    return arranged(images, columns, marked(texts, read(images)) if read else ())


def specimen(font: str, alphabet: str) -> Image.Image:
    """All characters of an alphabet in a font, in a row, RGB."""
    characters, text = ImageFont.truetype(find_font(font), 40), "  ".join(alphabet)
    image = Image.new("RGB", (20 + round(characters.getlength(text)), 70), "white")
    ImageDraw.Draw(image).text((10, 35), text, "black", characters, anchor="lm")
    return image


def as_png(image: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


# A widget without a picture shows the sign of a broken one. This one stays a line, however wide it is stretched.
NOTHING = as_png(Image.new("LA", (1_000, 1)))


def marked(texts: Sequence[str], readings: Sequence[str]) -> list[tuple[str, str]]:
    """A tick or a cross with what was read, and the colour of each."""
    pairs = zip(texts, readings, strict=True)
    return [(f"✓ {said}", RIGHT) if said == text else (f"✗ {said or 'nothing'}", WRONG) for text, said in pairs]


@lru_cache(maxsize=8)
def glance(path: Path, changed: float = 0.0) -> Read:
    """A function that reads captchas by a model.keras, `changed` at that time, but takes no second look at any."""
    from helpers.network.saved import load_network  # TensorFlow is imported only where somebody reads
    from helpers.quiet_tensorflow import tf

    model, style, _ = load_network(path)
    answer = tf.function(lambda images: tf.argmax(model(images, training=False), axis=-1))

    def read(images: Sequence[Image.Image]) -> list[str]:
        greys = np.stack([to_grey(image) for image in images])[..., None]
        return [style.labels_to_text(labels) for labels in answer(greys).numpy()]

    return read
