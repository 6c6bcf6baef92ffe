"""What each field of a `CaptchaStyle` may be, and the sentence that says what is wrong with it."""

from __future__ import annotations

from typing import Any

from helpers.errors import StyleError
from helpers.fonts import missing_characters

NOTHING = "\N{OPEN BOX}"
"""How the class "nothing here" is written where lengths vary: ␣"""

RANGES = {  # field: (lowest, highest) value that can be drawn
    "length": (1, 12),
    "rotation": (-180, 180),
    "offset_x": (0, 100),
    "offset_y": (0, 100),
    "warp_x": (0.0, 1.0),
    "warp_y": (0.0, 1.0),
    "text_color": (0, 255),
    "text_opacity": (1, 255),
    "background_color": (0, 255),
}

NUMBERS = {
    "width": (16, 2000),
    "height": (16, 500),
    "plain": (0.0, 1.0),
    "space_probability": (0.0, 1.0),
    "overlap": (0.0, 1.0),
    "noise_dots": (0, 10_000),
    "dot_width": (1, 50),
    "noise_curves": (0, 100),
}


def check_fields(fields: dict[str, Any], check_fonts: bool) -> None:
    """Refuse fields of a style that cannot be drawn.

    Args:
        fields: the fields by name, ranges as tuples.
        check_fonts: whether the fonts have to be found, with a picture for each character.

    Raises:
        StyleError: it begins with the name of the field.
    """
    _check_text_fields(fields)
    _check_ranges(fields)
    _check_colors(fields)
    for font in fields["fonts"] if check_fonts else ():
        if missing := missing_characters(font, fields["alphabet"]):
            raise StyleError(
                f"fonts: '{font}' has no picture for {' '.join(missing)}. "
                "Choose another font, or leave these characters out of the alphabet."
            )


def _check_text_fields(fields: dict[str, Any]) -> None:
    alphabet, fonts, sizes = fields["alphabet"], fields["fonts"], fields["font_sizes"]
    if not isinstance(alphabet, str) or len(alphabet) < 2:
        raise StyleError(f"alphabet: {alphabet!r} needs at least two characters.")
    if twice := sorted({c for c in alphabet if alphabet.count(c) > 1}):
        raise StyleError(f"alphabet: {' '.join(twice)} stands in it twice. Name each once.")
    if bad := [c for c in alphabet if not c.isprintable() or c in '/\\:*?"<>|._ ' + NOTHING]:
        raise StyleError(f"alphabet: {bad[0]!r} cannot stand in a file name on every system. Leave it out.")
    if not fonts or not all(isinstance(font, str) and font for font in fonts):
        raise StyleError("fonts: name at least one font, such as 'DroidSansMono'.")
    if not sizes or not all(isinstance(size, int) and 8 <= size <= 400 for size in sizes):
        raise StyleError(f"font_sizes: {sizes} must be whole pixels from 8 to 400.")


def _check_ranges(fields: dict[str, Any]) -> None:
    for name, (lowest, highest) in RANGES.items():
        value, kind = fields[name], _kind(lowest)
        if len(value) != 2 or not all(_is(v, kind) for v in value):
            raise StyleError(f"{name}: {value} must be two {kind}s, (lowest, highest).")
        if value[0] > value[1]:
            raise StyleError(f"{name}: {value} begins above its end. Write {value[::-1]}.")
        if not (lowest <= value[0] and value[1] <= highest):
            raise StyleError(f"{name}: {value} must lie between {lowest} and {highest}.")
    for name, (lowest, highest) in NUMBERS.items():
        value, kind = fields[name], _kind(lowest)
        if name == "width" and value is None:
            continue
        if not _is(value, kind) or not lowest <= value <= highest:
            raise StyleError(f"{name}: {value!r} must be a {kind} from {lowest} to {highest}.")


def _kind(bound: float) -> str:
    """What a value with such a bound has to be."""
    return "whole number" if isinstance(bound, int) else "number"


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, int if kind == "whole number" else (int, float)) and not isinstance(value, bool)


def _check_colors(fields: dict[str, Any]) -> None:
    """Refuse text that cannot be seen.

    `captcha` pastes each character through a mask of its own brightness, so black text is fully
    transparent: the brightest colour in the range has to reach a fair opacity.
    """
    text, background = fields["text_color"], fields["background_color"]
    if text[1] < 40:
        raise StyleError(
            f"text_color: {text} vanishes, because `captcha` draws dark text nearly transparent. "
            "Let it reach 40 at least, such as (10, 200)."
        )
    if max(background[0] - text[1], text[0] - background[1]) < 20:
        raise StyleError(
            f"text_color: {text} cannot be told from background_color {background}. "
            "Leave at least 20 levels between the two ranges."
        )
