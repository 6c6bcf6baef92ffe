"""Pictures with four digits from other packages that draw captchas, each named as its text is: 000017_5020.png.

It runs with a Python of its own, in which these packages are installed: `django-simple-captcha` has a module
`captcha`, as the package has that this project draws with, and the two cannot be in one environment. So nothing of
this project is imported here.

python packages.py PACKAGE COUNT FOLDER FONT...     the fonts are files, for wheezy.captcha, which has none
"""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

from PIL import Image

VERSIONS = {"wheezy.captcha": "3.2.2", "django-simple-captcha": "0.7.0", "multicolorcaptcha": "1.2.0"}
SIZE = (200, 75)
DESIGNS = ("as documented", "without curve", "without noise", "without warp")
Draw = Callable[[str], tuple[str, Image.Image]]  # a text -> the text that was drawn, and its picture


def wheezy_captcha(fonts: Sequence[str], design: str = DESIGNS[0]) -> Draw:
    """wheezy.captcha with all steps of its documentation, or without one of them."""
    from wheezy.captcha.image import background, captcha, curve, noise, offset, rotate, smooth, text, warp

    glyph = [step() for name, step in {"warp": warp, "rotate": rotate, "offset": offset}.items() if name not in design]
    steps = [background(), text(fonts=fonts, font_sizes=(50, 55, 60), drawings=glyph)]
    steps += [step() for name, step in {"curve": curve, "noise": noise}.items() if name not in design]
    draw = captcha(drawings=[*steps, smooth()], width=SIZE[0], height=SIZE[1])
    return lambda characters: (characters, draw(characters))


def django_simple_captcha(fonts: Sequence[str]) -> Draw:
    """django-simple-captcha as it comes, but with digits: the picture that a page would show."""
    import django
    from django.conf import settings

    settings.configure(INSTALLED_APPS=["captcha"])
    django.setup()
    from captcha.views import _captcha_image as answer

    def draw(text: str) -> tuple[str, Image.Image]:
        row = SimpleNamespace(challenge=text)  # what the view takes from its table
        return text, Image.open(io.BytesIO(answer(row, 1).content))

    return draw


def multicolorcaptcha(fonts: Sequence[str]) -> Draw:
    """multicolorcaptcha as it comes, 640x160; it chooses its own text."""
    from multicolorcaptcha import CaptchaGenerator

    generator = CaptchaGenerator()

    def draw(text: str) -> tuple[str, Image.Image]:
        made = generator.gen_captcha_image(margin=False)
        return made.characters, made.image

    return draw


PACKAGES = {
    "wheezy.captcha": wheezy_captcha,
    "django-simple-captcha": django_simple_captcha,
    "multicolorcaptcha": multicolorcaptcha,
}


def main() -> None:
    """Draw them; the same each time, for all of these packages draw from Python's own random numbers."""
    package, count, folder, *fonts = sys.argv[1:]
    random.seed(2026)
    draw = PACKAGES[package](fonts)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for index in range(int(count)):
        text, picture = draw(f"{random.randrange(10_000):04}")
        picture.convert("RGB").save(Path(folder) / f"{index:06}_{text}.png", compress_level=3)


if __name__ == "__main__":
    main()
