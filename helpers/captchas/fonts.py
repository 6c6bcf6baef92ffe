"""Which fonts there are, and which characters they can draw."""

import functools
from importlib.util import find_spec
from pathlib import Path

import captcha
import font_hanken_grotesk
from fontTools.ttLib import TTFont
from PIL import ImageFont

from helpers.errors import StyleError

FOLDERS = (  # these packages are on every machine that runs the notebooks
    Path(captcha.__file__).parent / "data",
    Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf",  # importing it takes long
    Path(font_hanken_grotesk.__file__).parent / "files",
)
FAMILIES = ("DejaVu", "DroidSans", "HankenGrotesk", "STIXGeneral")  # with digits and letters


def find_font(name: str) -> Path:
    """The file of a font: a name such as "DejaVuSans", or the path of a .ttf, .otf or .ttc file.

    Names are those in `captcha` (DroidSansMono), matplotlib (DejaVu, STIX) and `font-hanken-grotesk`.
    """
    files = [folder / f"{name}{suffix}" for folder in FOLDERS for suffix in (".ttf", ".otf")]
    for file in (*files, Path(name).expanduser()):
        if file.is_file():
            return file
    known = ", ".join(known_fonts())
    raise StyleError(f"fonts: there is no font '{name}'. Give the path of a .ttf or .otf file, or one of: {known}")


def known_fonts() -> list[str]:
    """The names of the fonts with digits and letters that are on every machine."""
    stems = {file.stem for folder in FOLDERS for file in folder.glob("*.[to]tf")}
    return sorted(stem for stem in stems if stem.startswith(FAMILIES) and "Display" not in stem)


@functools.lru_cache(maxsize=256)
def missing_characters(font: str, alphabet: str) -> str:
    """The characters of `alphabet` for which `font` has no glyph, or an empty one."""
    path = find_font(font)
    try:
        face = ImageFont.truetype(path, 24)
        with TTFont(path, fontNumber=0, lazy=True) as tables:
            glyphs = tables.getBestCmap() or {}
        known = [c for c in alphabet if glyphs.get(ord(c), ".notdef") != ".notdef" and face.getmask(c).getbbox()]
    except Exception as reason:  # on damaged files both packages raise errors of many kinds
        raise StyleError(f"fonts: '{font}' cannot be read as a font ({reason!r}). Give a .ttf or .otf file.") from None
    return "".join(c for c in alphabet if c not in known)
