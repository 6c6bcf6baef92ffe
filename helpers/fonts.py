"""The fonts there are, and which characters they can draw."""

from __future__ import annotations

import functools
from pathlib import Path

import captcha
import font_hanken_grotesk
import matplotlib
from PIL import ImageFont

from helpers.errors import StyleError

FOLDERS = (  # these packages are on every machine that runs the notebooks
    Path(captcha.__file__).parent / "data",
    Path(matplotlib.get_data_path()) / "fonts" / "ttf",
    Path(font_hanken_grotesk.__file__).parent / "files",
)
FAMILIES = ("DejaVu", "DroidSans", "HankenGrotesk", "STIXGeneral")  # with digits and letters


def find_font(name: str) -> Path:
    """The file of a font: a name such as "DejaVuSans", or the path of a .ttf or .otf file.

    Names are looked up in the packages `captcha` (DroidSansMono), matplotlib (the DejaVu and STIX
    families) and `font-hanken-grotesk`, so they work on every machine.

    Raises:
        StyleError: no such font.
    """
    for folder in FOLDERS:
        for suffix in (".ttf", ".otf"):
            if (folder / f"{name}{suffix}").is_file():
                return folder / f"{name}{suffix}"
    path = Path(name).expanduser()
    if path.is_file():
        return path
    known = sorted({file.stem for folder in FOLDERS for file in folder.glob("*.[to]tf")})
    raise StyleError(
        f"fonts: there is no font '{name}'. Give the path of a .ttf or .otf file, or one of: "
        + ", ".join(name for name in known if name.startswith(FAMILIES) and "Display" not in name)
    )


@functools.lru_cache(maxsize=256)
def missing_characters(font: str, alphabet: str) -> str:
    """The characters of `alphabet` that `font` draws as nothing or as its "missing" box."""
    try:
        face = ImageFont.truetype(find_font(font), 24)
    except OSError as reason:
        raise StyleError(
            f"fonts: '{font}' cannot be read as a font ({reason}). Give a TrueType or OpenType file (.ttf, .otf)."
        ) from None

    def drawn(character: str) -> tuple[tuple[int, int], bytes]:
        mask = face.getmask(character)
        return mask.size, bytes(mask)

    box = drawn("\U0010fffe")
    return "".join(c for c in alphabet if drawn(c) == box or not any(drawn(c)[1]))
