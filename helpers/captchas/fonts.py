"""Which fonts there are, and which characters they can draw."""

import difflib
import functools
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import captcha
import font_hanken_grotesk
from fontTools.ttLib import TTFont
from PIL import ImageFont

from helpers import files
from helpers.errors import StyleError

FOLDERS = (  # these packages are on every machine that runs the notebooks
    Path(captcha.__file__).parent / "data",
    Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf",  # importing it takes long
    Path(font_hanken_grotesk.__file__).parent / "files",
)
FONT_FILES = (".ttf", ".otf", ".ttc")  # a font that ends so is a file of one's own, named by its path
FAMILIES = ("DejaVu", "DroidSans", "HankenGrotesk", "STIXGeneral")  # with digits and letters
EXAMPLES = ("DejaVuSans", "DroidSansMono", "HankenGrotesk-Regular", "STIXGeneral")


def find_font(name: str) -> Path:
    """The file of a font: a name such as "DejaVuSans", as `known_fonts` lists, or the path of a .ttf, .otf or .ttc."""
    there = [folder / f"{name}{suffix}" for folder in FOLDERS for suffix in (".ttf", ".otf")]
    for file in (*there, Path(name).expanduser()):
        if file.is_file() and file.suffix.lower() in FONT_FILES:
            return file
    if name.lower().endswith(FONT_FILES):
        raise StyleError(f"fonts: there is no font '{name}', or no longer. Give the path where that file is now.")
    near = difflib.get_close_matches(name, known_fonts(), 3) or EXAMPLES
    others = f"a name from helpers.captchas.fonts.known_fonts(), such as {', '.join(near)}"
    raise StyleError(f"fonts: there is no font '{name}'. Give the path of a .ttf or .otf file, or {others}.")


def whole_path(font: str) -> str:
    """A font as a style keeps it: a file of one's own by its whole path, since a notebook may run elsewhere."""
    own = isinstance(font, str) and font.lower().endswith(FONT_FILES) and Path(font).expanduser().is_file()
    return str(Path(font).expanduser().absolute()) if own else font


def kept_name(font: str) -> str:
    """How a font is named in files of ours: a file of one's own by its name and a digest of its bytes."""
    path = Path(font).expanduser()
    if path.suffix.lower() not in FONT_FILES or path.parent in FOLDERS:
        return path.stem if path.parent in FOLDERS else font
    mark = f"-{files.known_digest(path)[:8]}" if path.is_file() else ""
    return path.name if path.stem.endswith(mark) else f"{path.stem}{mark}{path.suffix}"


def keep_fonts(fonts: Iterable[str], folder: Path) -> None:
    """Copy those that are files of one's own into `folder`, under the names by which files of ours know them."""
    for font in fonts:
        own, path = Path(font).expanduser(), folder / kept_name(font)
        if path.suffix.lower() in FONT_FILES and own.is_file() and not path.is_file():
            with files.written_whole(path) as temporary:
                shutil.copyfile(own, temporary)


def kept_fonts(fonts: Iterable[str], folder: Path | None) -> tuple[str, ...]:
    """Fonts named in a file of ours, those that `keep_fonts` copied into `folder` by their paths there."""
    there = {font: folder / font for font in fonts if folder and (folder / font).is_file()}
    return tuple(str(there[font]) if font in there and kept_name(str(there[font])) == font else font for font in fonts)


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
        raise StyleError(f"fonts: '{path.name}' cannot be read as a font ({reason}). Give a .ttf or .otf.") from None
    return "".join(c for c in alphabet if c not in known)
