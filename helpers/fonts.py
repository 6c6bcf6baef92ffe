"""The fonts there are, and which characters they can draw."""

from __future__ import annotations

import functools
from pathlib import Path

import captcha
import matplotlib
from PIL import ImageFont

from helpers.errors import StyleError


def find_font(name: str) -> Path:
    """The file of a font: a name such as "DejaVuSans", or the path of a .ttf or .otf file.

    Names are looked up in the `captcha` package (DroidSansMono) and in matplotlib (the DejaVu and
    STIX families), so they work on every machine.

    Raises:
        StyleError: no such font.
    """
    folders = (
        Path(captcha.__file__).parent / "data",
        Path(matplotlib.get_data_path()) / "fonts" / "ttf",
    )
    for folder in folders:
        if (folder / f"{name}.ttf").is_file():
            return folder / f"{name}.ttf"
    path = Path(name).expanduser()
    if path.is_file():
        return path
    known = sorted(file.stem for folder in folders for file in folder.glob("[DS]*.ttf"))
    raise StyleError(
        f"fonts: there is no font '{name}'. Give the path of a .ttf or .otf file, or one of: "
        + ", ".join(name for name in known if "Display" not in name and "Siz" not in name)
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
