"""What captchas look like (`CaptchaStyle`), and its presets.

A style checks itself when it is made, so that a typing error costs a sentence, not an hour of
training.
"""

from __future__ import annotations

import dataclasses
from dataclasses import InitVar, dataclass
from typing import Any

from helpers.errors import StyleError
from helpers.fonts import missing_characters

NOTHING = "\N{OPEN BOX}"
"""How the class "nothing here" is written where lengths vary: ␣"""

PIXELS_PER_CHARACTER = 40


@dataclass(frozen=True, kw_only=True)
class CaptchaStyle:
    """What captchas look like. The default is what `captcha.image.ImageCaptcha()` draws.

    Ranges are (lowest, highest), both included. `length` may be given as one number.
    """

    alphabet: str = "0123456789"
    length: tuple[int, int] = (4, 4)  # characters
    width: int | None = None  # pixels; None: 40 for each character of the longest text
    height: int = 60  # pixels
    fonts: tuple[str, ...] = ("DroidSansMono",)  # one is drawn for each character
    font_sizes: tuple[int, ...] = (42, 50, 56)  # pixels; likewise
    rotation: tuple[int, int] = (-30, 30)  # degrees, anticlockwise
    offset_x: tuple[int, int] = (0, 4)  # pixels (captcha 0.7.1 crops this away again)
    offset_y: tuple[int, int] = (0, 6)  # pixels (likewise)
    warp_x: tuple[float, float] = (0.1, 0.3)  # captcha 0.7.1: up to highest - lowest of the character's width
    warp_y: tuple[float, float] = (0.2, 0.3)  # likewise, of its height
    plain: float = 0.0  # share of captchas whose characters are neither turned, warped nor stretched
    space_probability: float = 0.5  # of a gap before a character
    overlap: float = 0.25  # at most this share of a character's width is moved back
    noise_dots: int = 30
    dot_width: int = 3  # pixels
    noise_curves: int = 1
    text_color: tuple[int, int] = (10, 200)  # each of red, green and blue, 0 to 255
    text_opacity: tuple[int, int] = (220, 255)  # 0 to 255
    background_color: tuple[int, int] = (238, 255)  # each of red, green and blue
    check_fonts: InitVar[bool] = True  # False: only read this style, do not draw it

    def __post_init__(self, check_fonts: bool) -> None:
        for name in ("fonts", "font_sizes", *RANGES):
            value = getattr(self, name)
            if name == "length" and isinstance(value, int):
                value = (value, value)
            if name == "fonts" and isinstance(value, str):
                value = (value,)
            if name == "font_sizes" and isinstance(value, int):
                value = (value,)
            if not isinstance(value, (list, tuple)):
                raise StyleError(f"{name}: {value!r} is not a tuple of values.")
            object.__setattr__(self, name, tuple(value))
        _check_text_fields(self)
        _check_ranges(self)
        _check_colors(self)
        for font in self.fonts if check_fonts else ():
            if missing := missing_characters(font, self.alphabet):
                raise StyleError(
                    f"fonts: '{font}' has no picture for {' '.join(missing)}. "
                    "Choose another font, or leave these characters out of the alphabet."
                )

    @property
    def min_length(self) -> int:
        """Characters in the shortest text."""
        return self.length[0]

    @property
    def max_length(self) -> int:
        """Characters in the longest text."""
        return self.length[1]

    @property
    def image_width(self) -> int:
        """Pixels across."""
        return self.width or PIXELS_PER_CHARACTER * self.max_length

    @property
    def positions(self) -> int:
        """How many characters the network answers for: the longest text's."""
        return self.max_length

    @property
    def classes(self) -> str:
        """What each position may be: the alphabet, and "nothing here" where lengths vary."""
        return self.alphabet + (NOTHING if self.min_length < self.max_length else "")

    def check_text(self, text: str) -> str:
        """`text` itself, if this style can draw it.

        Raises:
            StyleError: too long, too short, or a character outside the alphabet.
        """
        if not isinstance(text, str):
            raise StyleError(f"A text must be a string; {text!r} is a {type(text).__name__}.")
        if not self.min_length <= len(text) <= self.max_length:
            wanted = " to ".join(str(n) for n in sorted(set(self.length)))
            raise StyleError(
                f"'{text}' has {len(text)} characters; this style draws {wanted}. "
                "Give a text of that length, or change the style's length."
            )
        if unknown := sorted(set(text) - set(self.alphabet)):
            raise StyleError(
                f"'{text}' contains {' '.join(unknown)}, which is not in the alphabet "
                f"'{self.alphabet}'. Use its characters only, or change the style's alphabet."
            )
        return text

    def text_to_labels(self, text: str) -> list[int]:
        """The class of each position, [positions]; short texts are padded on the right."""
        padded = self.check_text(text).ljust(self.positions, NOTHING)
        return [self.classes.index(character) for character in padded]

    def labels_to_text(self, labels: Any) -> str:
        """The text of class numbers [positions], "nothing here" left out."""
        return "".join(self.classes[int(label)] for label in labels).replace(NOTHING, "")

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON values."""
        fields = dataclasses.asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}

    def to_python(self) -> str:
        """The expression that makes this style: a preset's name, or what differs from the default."""
        for name in list(PRESETS)[1:]:
            if self == CaptchaStyle.preset(name):
                return f'CaptchaStyle.preset("{name}")'
        default = CaptchaStyle()
        fields = [field.name for field in dataclasses.fields(self)]
        changed = [name for name in fields if getattr(self, name) != getattr(default, name)]
        return f"CaptchaStyle({', '.join(f'{name}={getattr(self, name)!r}' for name in changed)})"

    @classmethod
    def from_dict(cls, fields: dict[str, Any], check_fonts: bool = True) -> CaptchaStyle:
        """The style whose `to_dict` gave `fields`."""
        unknown = sorted(set(fields) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise StyleError(f"A captcha style has no field {', '.join(unknown)}.")
        return cls(**fields, check_fonts=check_fonts)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> CaptchaStyle:
        """A ready-made style by name, see `PRESETS`."""
        if name not in PRESETS:
            raise StyleError(f"There is no preset '{name}'. There are: {', '.join(PRESETS)}.")
        return cls(**{**PRESETS[name], **changes})

    def differences(self, other: CaptchaStyle) -> list[str]:
        """What differs, field by field, as sentences such as `noise_dots: 30, not 200`."""
        mine, theirs = self.to_dict(), other.to_dict()
        return [f"{name}: {mine[name]}, not {theirs[name]}" for name in mine if mine[name] != theirs[name]]


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

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "clean": {"noise_dots": 0, "noise_curves": 0},
    "noisy": {"noise_dots": 200, "noise_curves": 4},
    "many fonts": {
        "fonts": (
            "DroidSansMono",
            "DejaVuSans",
            "DejaVuSans-Bold",
            "DejaVuSans-Oblique",
            "DejaVuSansMono",
            "DejaVuSansMono-BoldOblique",
            "DejaVuSerif",
            "DejaVuSerif-Bold",
            "DejaVuSerif-Italic",
            "STIXGeneral",
            "STIXGeneralBol",
            "STIXGeneralItalic",
        )
    },
    "tilted": {"rotation": (-60, 60)},
    "hard": {"noise_dots": 80, "rotation": (-45, 45), "overlap": 0.4},
    "five digits": {"length": 5},
    "capitals and digits": {"alphabet": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    "lengths 3 to 6": {"length": (3, 6)},
}


def _check_text_fields(style: CaptchaStyle) -> None:
    if not isinstance(style.alphabet, str) or len(style.alphabet) < 2:
        raise StyleError(f"alphabet: {style.alphabet!r} needs at least two characters.")
    if twice := sorted({c for c in style.alphabet if style.alphabet.count(c) > 1}):
        raise StyleError(f"alphabet: {' '.join(twice)} stands in it twice. Name each once.")
    if bad := [c for c in style.alphabet if not c.isprintable() or c in '/\\:*?"<>|._ ' + NOTHING]:
        raise StyleError(f"alphabet: {bad[0]!r} cannot stand in a file name on every system. Leave it out.")
    if not style.fonts or not all(isinstance(font, str) and font for font in style.fonts):
        raise StyleError("fonts: name at least one font, such as 'DroidSansMono'.")
    if not style.font_sizes or not all(isinstance(s, int) and 8 <= s <= 400 for s in style.font_sizes):
        raise StyleError(f"font_sizes: {style.font_sizes} must be whole pixels from 8 to 400.")


def _check_ranges(style: CaptchaStyle) -> None:
    for name, (lowest, highest) in RANGES.items():
        value = getattr(style, name)
        kind = int if isinstance(lowest, int) else (int, float)
        if len(value) != 2 or not all(isinstance(v, kind) and not isinstance(v, bool) for v in value):
            what = "whole numbers" if kind is int else "numbers"
            raise StyleError(f"{name}: {value} must be two {what}, (lowest, highest).")
        if value[0] > value[1]:
            raise StyleError(f"{name}: {value} begins above its end. Write {value[::-1]}.")
        if not (lowest <= value[0] and value[1] <= highest):
            raise StyleError(f"{name}: {value} must lie between {lowest} and {highest}.")
    for name, (lowest, highest) in NUMBERS.items():
        value = getattr(style, name)
        if name == "width" and value is None:
            continue
        kind = int if isinstance(lowest, int) else (int, float)
        if not isinstance(value, kind) or isinstance(value, bool) or not lowest <= value <= highest:
            what = "a whole number" if kind is int else "a number"
            raise StyleError(f"{name}: {value!r} must be {what} from {lowest} to {highest}.")


def _check_colors(style: CaptchaStyle) -> None:
    """Refuse text that cannot be seen.

    `captcha` pastes each character through a mask of its own brightness, so black text is fully
    transparent: the brightest colour in the range has to reach a fair opacity.
    """
    text, background = style.text_color, style.background_color
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
