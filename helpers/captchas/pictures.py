"""Any picture -> the grey levels that the network reads: files, modes, transparency, sizes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps

from helpers.captchas.styles import CaptchaStyle
from helpers.errors import ImageError

ImageLike = str | os.PathLike | Image.Image | np.ndarray
MOST_PIXELS = 50_000_000  # of a picture; a file of 0.4 MB may hold a thousand times as many, which need gigabytes
FLAT = 8  # grey levels from the darkest to the lightest pixel, below which no text is seen
SMALLER = "Cut the captcha out of it, or make it smaller."
REFUSED = {  # what is told instead of these errors
    FileNotFoundError: "does not exist. Check the file's name.",
    IsADirectoryError: "is no readable image: it is a folder. Give a picture in it.",
    PermissionError: "is no readable image: it may not be read. Change its permissions.",
    Image.DecompressionBombError: f"has more than {MOST_PIXELS:,} pixels. {SMALLER}",
    Image.DecompressionBombWarning: f"has more than {MOST_PIXELS:,} pixels. {SMALLER}",
}
ONE_PICTURE = ("MPO", "PSD", "ICNS", "ICO")  # formats whose further frames are small copies or layers of the first


def open_image(file: Path | str | BinaryIO, name: Path | str = "") -> Image.Image:
    """The picture in a file, completely loaded and upright; or an ImageError with its `name`."""
    name = name or (os.fspath(file) if isinstance(file, (str, os.PathLike)) else "the file")
    with _refused_as(name), Image.open(file) as image:
        return _whole(image, name)


def to_picture(image: ImageLike) -> Image.Image:
    """A path, picture or uint8 array [height, width] or [height, width, 1, 3 or 4], upright; or an ImageError."""
    if isinstance(image, (str, os.PathLike)):
        return _in_8_bits(open_image(image), image)
    if isinstance(image, Image.Image):
        name = getattr(image, "filename", "") or "picture"
        with _refused_as(name):
            return _in_8_bits(_whole(image, name), name)
    if not isinstance(image, np.ndarray):
        kind = f"{type(image).__name__}{' object' * (image is not None)}"
        raise ImageError(f"A {kind} is no picture. Give a path, a PIL image or a uint8 array.")
    good_shape = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4))
    if image.dtype != np.uint8 or not good_shape or not image.size:
        why = f"An array of {image.dtype} {list(image.shape)} is no picture."
        raise ImageError(f"{why} Give uint8 values, [height, width] or [height, width, channels].")
    if image.max() == 1 and image.min() == 0:
        raise ImageError("An array of uint8 from 0 to 1 is no picture. Multiply it by 255: white is 255.")
    return Image.fromarray(image[:, :, 0] if image.shape[2:] == (1,) else image)


@contextmanager
def _refused_as(name: str | Path) -> Iterator[None]:
    """Turn Pillow's errors into one sentence about `name`."""
    try:
        yield
    except ImageError:
        raise
    except Exception as reason:  # decoders raise errors of many kinds
        other = f"is no readable image ({type(reason).__name__}). Give a whole PNG or JPEG."
        raise ImageError(f"{name} {REFUSED.get(type(reason), other)}") from None


def _whole(picture: Image.Image, name: str) -> Image.Image:
    """`picture` with its pixels loaded, turned as its EXIF block says, if there is one that can be read."""
    if picture.width * picture.height > MOST_PIXELS:
        raise ImageError(f"{name} has {picture.width}x{picture.height} pixels, more than {MOST_PIXELS:,}. {SMALLER}")
    frames = 1 if getattr(picture, "format", "") in ONE_PICTURE else getattr(picture, "n_frames", 1)
    if frames > 1 and picture.tell() == 0:
        why = f"{name} has {frames} frames, and the text may be in any of them."
        raise ImageError(f"{why} Open it with PIL.Image.open, choose one by its seek(number), and give its copy().")
    file, picture.filename = getattr(picture, "filename", ""), ""  # by its name, Pillow 13 misreads turned TIFF files
    try:
        picture.load()
    finally:
        picture.filename = file
    with suppress(Exception):  # on a damaged block Pillow raises errors of many kinds
        if (orientation := picture.getexif().get(ExifTags.Base.Orientation, 1)) != 1:
            turned = picture.copy()
            turned.info = {name: value for name, value in picture.info.items() if "exif" not in name}
            turned.getexif()[ExifTags.Base.Orientation] = orientation
            return ImageOps.exif_transpose(turned)
    return picture


def _in_8_bits(picture: Image.Image, name: str | Path) -> Image.Image:
    """`picture` itself, or one of 8 bits made from whole numbers up to 65535 or from fractions up to 1."""
    if picture.mode in ("LAB", "La") or not picture.width * picture.height:
        why = f"{name} has mode {picture.mode} and {picture.width}x{picture.height} pixels,"
        raise ImageError(f"{why} which cannot be turned into grey. Give a picture in RGB.")
    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.asarray(picture, dtype=np.float64)
    lowest, highest = values.min(), values.max()
    fractions = picture.mode == "F" and highest <= 1.001  # resizing may round beyond 1
    scale = 255 if fractions else 1 / 257 if highest > 255 else 1
    if not 0 <= lowest <= highest <= 65535 or 0 < scale * (highest - lowest) < FLAT:
        why = f"{name} has values from {lowest:g} to {highest:g}, which do not tell black from white."
        raise ImageError(f"{why} Give values from 0 to 1 (fractions), to 255 or to 65535.")
    return Image.fromarray((scale * values).round().clip(0, 255).astype(np.uint8))


def to_grey(image: Image.Image) -> np.ndarray:
    """What the network sees of a picture: its brightness, uint8 [height, width], 0 is black."""
    return np.asarray(to_picture(image).convert("L"))


def over_white(image: Image.Image, name: str | os.PathLike) -> Image.Image:
    """A transparent picture laid over white; an ImageError for light ink, which would vanish there."""
    layer = image.convert("RGBA")
    laid, bare = (Image.alpha_composite(Image.new("RGBA", image.size, page), layer) for page in ("white", "black"))
    contrasts = [highest - lowest for lowest, highest in (each.convert("L").getextrema() for each in (laid, bare))]
    if contrasts[0] < FLAT <= contrasts[1]:
        why = f"{name} has light ink on transparency, of which nothing is seen over white."
        raise ImageError(f"{why} Lay it over a dark background, and invert it: PIL.ImageOps.invert.")
    return laid


def fit_to_style(image: ImageLike, style: CaptchaStyle) -> np.ndarray:
    """A picture of any mode and size as the network needs it, uint8 [height, width]; or an ImageError.

    Transparency is laid over white. It is scaled to fit, and the rest filled with the median of its border.
    """
    picture = to_picture(image)
    name = image if isinstance(image, (str, os.PathLike)) else getattr(image, "filename", "") or "This picture"
    with _refused_as(name):
        grey = to_grey(over_white(picture, name) if picture.has_transparency_data else picture)
    height, width = style.height, style.image_width
    if grey.shape == (height, width):
        return grey
    scale = min(height / grey.shape[0], width / grey.shape[1])
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    fitted = Image.new("L", (width, height), int(np.median(border)))
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    fitted.paste(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC), (left, top))
    return np.asarray(fitted)
