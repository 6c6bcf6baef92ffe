"""What captchas look like (`CaptchaStyle`), and its presets.

A style checks itself when it is made (`_style_checks`), so that a typing error costs a sentence,
not an hour of training.
"""

from __future__ import annotations

import dataclasses
from dataclasses import InitVar, dataclass
from typing import Any

from helpers._style_checks import NOTHING, RANGES, check_fields
from helpers.errors import StyleError

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
        check_fields(vars(self), check_fonts)

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
