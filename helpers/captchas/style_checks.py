"""What each field of a `CaptchaStyle` may be, and the sentence that says what is wrong with it."""

import dataclasses
import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from helpers.captchas.fonts import find_font, missing_characters, whole_path
from helpers.errors import StyleError

NOTHING = "\N{OPEN BOX}"  # how the class "nothing here" is written where lengths vary: ␣


def within(default: Any, lowest: float, highest: float) -> Any:
    """A field of a style: a number, or the two ends of a range, from `lowest` to `highest`."""
    return dataclasses.field(default=default, metadata={"limits": (lowest, highest)})


def as_plain(value: Any) -> Any:
    """A value of numpy's as Python's own, a list as a tuple, a path as a string."""
    value = value.tolist() if hasattr(value, "tolist") else os.fspath(value) if isinstance(value, Path) else value
    return tuple(map(as_plain, value)) if isinstance(value, (list, tuple)) else value


def plain_field(field: dataclasses.Field, value: Any) -> Any:
    """The value of a style's field as the style keeps it; a StyleError for one value where a tuple is needed."""
    name, value = field.name, as_plain(value)
    if isinstance(value, {"length": int, "fonts": str, "font_sizes": int}.get(name, ())):
        value = (value, value) if name == "length" else (value,)
    if isinstance(field.default, tuple) and not isinstance(value, tuple):
        raise StyleError(f"{name}: {value!r} is not a tuple of values.")
    if name == "alphabet" and isinstance(value, tuple) and all(isinstance(c, str) for c in value):
        return "".join(value)
    return tuple(map(whole_path, value)) if name == "fonts" else value


def check_names(fields: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a field that a style does not have, and name the nearest that it has."""
    if unknown := [name for name in fields if name not in known]:
        near = difflib.get_close_matches(unknown[0], known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
        raise StyleError(f"A captcha style has no field {unknown[0]}. {hint}")


def check_fields(style: Any, check_fonts: bool) -> None:
    """Refuse a style that cannot be drawn, and name the field; with `check_fonts`, also one whose fonts are missing."""
    _check_texts(style.alphabet, style.fonts, style.font_sizes)
    for field in dataclasses.fields(style):
        if field.metadata and not (field.name == "width" and style.width is None):
            _check_numbers(field, getattr(style, field.name))
    text, background = style.text_color, style.background_color
    if text[1] < 40:  # `captcha` pastes text through a mask of its own brightness
        why = f"text_color: {text} vanishes, because `captcha` draws dark text nearly transparent."
        raise StyleError(f"{why} Let it reach 40 at least, such as (10, 200).")
    if max(background[0] - text[1], text[0] - background[1]) < 20:
        raise StyleError(f"text_color: {text} is too near to background_color {background}. Leave 20 levels between.")
    for font in style.fonts if check_fonts else ():
        if missing := missing_characters(str(find_font(font)), style.alphabet):
            raise StyleError(f"fonts: '{Path(font).name}' has no picture for {' '.join(missing)}. Use another font.")


def _check_texts(alphabet: Any, fonts: tuple[Any, ...], font_sizes: tuple[Any, ...]) -> None:
    if not isinstance(alphabet, str) or len(alphabet) < 2:
        raise StyleError(f"alphabet: {alphabet!r} needs at least two characters.")
    if twice := sorted({c for c in alphabet if alphabet.count(c) > 1}):
        raise StyleError(f"alphabet: {' '.join(twice)} occurs more than once. Name each character once.")
    if bad := [c for c in alphabet if not c.isprintable() or c in '/\\:*?"<>|._ ' + NOTHING]:
        raise StyleError(f"alphabet: {bad[0]!r} cannot be part of a file name on every system. Leave it out.")
    if not fonts or not all(isinstance(font, str) and font for font in fonts):
        raise StyleError("fonts: name at least one font, such as 'DroidSansMono'.")
    if not font_sizes or not all(isinstance(size, int) and 8 <= size <= 400 for size in font_sizes):
        raise StyleError(f"font_sizes: {font_sizes} must be whole pixels from 8 to 400.")


def _check_numbers(field: dataclasses.Field, value: Any) -> None:
    (lowest, highest), is_range = field.metadata["limits"], isinstance(field.default, tuple)
    kind, types = ("whole number", int) if isinstance(lowest, int) else ("number", (int, float))
    ends = value if is_range else (value,)
    numbers = [end for end in ends if isinstance(end, types) and not isinstance(end, bool)]
    if len(ends) != 1 + is_range or len(numbers) != len(ends) or not all(lowest <= n <= highest for n in numbers):
        wanted = f"two {kind}s, (lowest, highest)," if is_range else f"a {kind}"
        raise StyleError(f"{field.name}: {value!r} must be {wanted} from {lowest} to {highest}.")
    if ends[0] > ends[-1]:
        raise StyleError(f"{field.name}: {value} begins above its end. Write {value[::-1]}.")
