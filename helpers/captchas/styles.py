"""What captchas look like. A style checks itself when it is made: a typing error costs no hour of training."""

import dataclasses
from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import Any, Self

from helpers import files
from helpers.captchas.fonts import kept_fonts, kept_name
from helpers.captchas.style_checks import NOTHING, check_fields, check_names, plain_field, within
from helpers.errors import SettingsError, StyleError


@dataclass(frozen=True, kw_only=True)
class CaptchaStyle:
    """What captchas look like; ranges are (lowest, highest). The default is what `captcha.image.ImageCaptcha()` draws.

    For `length`, `fonts` and `font_sizes`, one value may stand for a tuple; numbers may be numpy's, fonts paths.
    """

    alphabet: str = "0123456789"
    length: tuple[int, int] = within((4, 4), 1, 12)  # characters
    width: int | None = within(None, 16, 2000)  # pixels; None: 40 for each character of the longest text
    height: int = within(60, 16, 500)  # pixels
    fonts: tuple[str, ...] = ("DroidSansMono",)  # one is chosen at random for each character
    font_sizes: tuple[int, ...] = (42, 50, 56)  # pixels; likewise
    rotation: tuple[int, int] = within((-30, 30), -180, 180)  # degrees, anticlockwise
    offset_x: tuple[int, int] = within((0, 4), 0, 100)  # pixels (captcha 0.7.1 crops this away again)
    offset_y: tuple[int, int] = within((0, 6), 0, 100)  # pixels (likewise)
    warp_x: tuple[float, float] = within((0.1, 0.3), 0.0, 1.0)  # of its width; captcha 0.7.1: up to highest - lowest
    warp_y: tuple[float, float] = within((0.2, 0.3), 0.0, 1.0)  # of its height; likewise
    plain: float = within(0.0, 0.0, 1.0)  # share of captchas whose characters are neither turned, warped nor stretched
    space_probability: float = within(0.5, 0.0, 1.0)  # of a gap before a character
    overlap: float = within(0.25, 0.0, 1.0)  # at most this share of a character's width is moved back
    noise_dots: int = within(30, 0, 10_000)
    dot_width: int = within(3, 1, 50)  # pixels
    noise_curves: int = within(1, 0, 100)
    text_color: tuple[int, int] = within((10, 200), 0, 255)  # each of red, green and blue, 0 to 255
    text_opacity: tuple[int, int] = within((220, 255), 1, 255)  # 0 to 255
    background_color: tuple[int, int] = within((238, 255), 0, 255)  # each of red, green and blue
    check_fonts: InitVar[bool] = True  # False: only read this style, do not draw it

    min_length = property(lambda style: style.length[0], doc="Characters in the shortest text.")
    max_length = property(lambda style: style.length[1], doc="Characters in the longest text.")
    positions = max_length  # how many characters the network answers for
    image_width = property(lambda style: style.width or 40 * style.max_length, doc="Pixels across.")

    def __new__(cls, *_: Any, **fields: Any) -> Self:
        check_names(fields, cls.__dataclass_fields__)
        return super().__new__(cls)

    def __post_init__(self, check_fonts: bool) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, plain_field(field, getattr(self, field.name)))
        check_fields(self, check_fonts)

    @property
    def classes(self) -> str:
        """What each position may be: the alphabet, and "nothing here" where lengths vary."""
        return self.alphabet + (NOTHING if self.min_length < self.max_length else "")

    def check_text(self, text: str) -> str:
        """`text` itself, if this style can draw it; otherwise a StyleError."""
        if not isinstance(text, str):
            raise StyleError(f"A text must be a string; {text!r} is a {type(text).__name__}.")
        if not self.min_length <= len(text) <= self.max_length:
            wanted = " to ".join(str(n) for n in sorted(set(self.length)))
            raise StyleError(f"'{text}' has {len(text)} characters; this style draws {wanted}. Give such a text.")
        if unknown := sorted(set(text) - set(self.alphabet)):
            raise StyleError(f"'{text}' contains {' '.join(unknown)}, which is not in the alphabet '{self.alphabet}'.")
        return text

    def text_to_labels(self, text: str) -> list[int]:
        """The class of each position, [positions]; short texts are padded on the right."""
        padded = self.check_text(text).ljust(self.positions, NOTHING)
        return [self.classes.index(character) for character in padded]

    def labels_to_text(self, labels: Any) -> str:
        """The text of class numbers [positions], "nothing here" left out."""
        return "".join(self.classes[int(label)] for label in labels).replace(NOTHING, "")

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON values; a font that is a file of one's own by its name, without its folder."""
        fields = {**dataclasses.asdict(self), "fonts": tuple(map(kept_name, self.fonts))}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}

    def to_python(self) -> str:
        """The expression that makes this style: a preset's name, or what differs from the default."""
        for name in list(PRESETS)[1:]:
            if self == CaptchaStyle.preset(name):
                return f'CaptchaStyle.preset("{name}")'
        changed = {n: v for n, v in dataclasses.asdict(self).items() if v != getattr(CaptchaStyle, n)}
        return f"CaptchaStyle({', '.join(f'{name}={value!r}' for name, value in changed.items())})"

    @classmethod
    def from_dict(cls, fields: dict[str, Any], check_fonts: bool = True, own_fonts: Path | None = None) -> Self:
        """The style whose `to_dict` gave `fields`; fonts of one's own lie in the folder `own_fonts`."""
        style = cls(**fields, check_fonts=False)
        return dataclasses.replace(style, fonts=kept_fonts(style.fonts, own_fonts), check_fonts=check_fonts)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A ready-made style by name, see `PRESETS`."""
        if not isinstance(name, str) or name not in PRESETS:
            raise StyleError(f"There is no preset '{name}'. There are: {', '.join(PRESETS)}.")
        return cls(**{**PRESETS[name], **changes})

    def differences(self, other: Self) -> list[str]:
        """What differs, field by field, in the form `noise_dots: 30, not 200`."""
        return files.differences(self.to_dict(), other.to_dict())


def check_style(style: Any) -> CaptchaStyle:
    """`style` itself; a SettingsError if it is something else."""
    if not isinstance(style, CaptchaStyle):
        raise SettingsError(f"style: {style!r} must be a CaptchaStyle, such as CaptchaStyle.preset('noisy').")
    return style


MANY_FONTS = (
    "DroidSansMono DejaVuSans DejaVuSans-Bold DejaVuSans-Oblique DejaVuSansMono DejaVuSansMono-BoldOblique "
    "DejaVuSerif DejaVuSerif-Bold DejaVuSerif-Italic STIXGeneral STIXGeneralBol STIXGeneralItalic"
)
PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "clean": {"noise_dots": 0, "noise_curves": 0},
    "noisy": {"noise_dots": 200, "noise_curves": 4},
    "many fonts": {"fonts": tuple(MANY_FONTS.split())},
    "tilted": {"rotation": (-60, 60)},
    "hard": {"noise_dots": 80, "rotation": (-45, 45), "overlap": 0.4},
    "five digits": {"length": 5},
    "capitals and digits": {"alphabet": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    "lengths 3 to 6": {"length": (3, 6)},
}
