"""Any picture -> the grey levels that the network reads: files, modes, transparency, sizes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps

from helpers.captchas.styles import CaptchaStyle
from helpers.errors import ImageError

ImageLike = str | Path | Image.Image | np.ndarray


def open_image(file: Path | str | BinaryIO, name: Path | str = "") -> Image.Image:
    """The picture in a file, completely loaded and upright; or an ImageError with its `name`."""
    with _refused_as(name or (file if isinstance(file, (str, Path)) else "the file")), Image.open(file) as image:
        return _whole(image)


def to_picture(image: ImageLike) -> Image.Image:
    """A path, picture or uint8 array [height, width] or [height, width, 1, 3 or 4], upright; or an ImageError."""
    if isinstance(image, (str, Path)):
        return _in_8_bits(open_image(image), image)
    if isinstance(image, Image.Image):
        name = getattr(image, "filename", "") or "picture"
        with _refused_as(name):
            return _in_8_bits(_whole(image), name)
    if not isinstance(image, np.ndarray):
        raise ImageError(f"A {type(image).__name__} is no picture. Give a path, a PIL image or a uint8 array.")
    good_shape = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4))
    if image.dtype != np.uint8 or not good_shape or not image.size:
        why = f"An array of {image.dtype} {list(image.shape)} is no picture."
        raise ImageError(f"{why} Give uint8 values, [height, width] or [height, width, channels].")
    return Image.fromarray(image[:, :, 0] if image.shape[2:] == (1,) else image)


@contextmanager
def _refused_as(name: str | Path) -> Iterator[None]:
    """Turn Pillow's errors into one sentence about `name`."""
    try:
        yield
    except FileNotFoundError:
        raise ImageError(f"{name} does not exist. Check the file's name.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as reason:
        reason = type(reason).__name__
        raise ImageError(f"{name} is no readable image ({reason}). Give a whole PNG or JPEG.") from None


def _whole(picture: Image.Image) -> Image.Image:
    """`picture` with its pixels loaded, turned as its EXIF block says, if there is one that can be read."""
    file, picture.filename = getattr(picture, "filename", ""), ""  # by its name, Pillow 13 misreads turned TIFF files
    try:
        picture.load()
    finally:
        picture.filename = file
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        if orientation == 1:
            return picture
        turned = picture.copy()
        turned.info = {name: value for name, value in picture.info.items() if "exif" not in name}
        turned.getexif()[ExifTags.Base.Orientation] = orientation
        return ImageOps.exif_transpose(turned)
    except Exception:  # on a damaged block Pillow raises errors of many kinds
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
    if not 0 <= lowest <= highest <= 65535 or 0 < scale * (highest - lowest) < 8:
        why = f"{name} has values from {lowest:g} to {highest:g}, which do not tell black from white."
        raise ImageError(f"{why} Give values from 0 to 1 (fractions), to 255 or to 65535.")
    return Image.fromarray((scale * values).round().clip(0, 255).astype(np.uint8))


def to_grey(image: Image.Image) -> np.ndarray:
    """What the network sees of a picture: its brightness, uint8 [height, width], 0 is black."""
    return np.asarray(to_picture(image).convert("L"))


def fit_to_style(image: ImageLike, style: CaptchaStyle) -> np.ndarray:
    """A picture of any mode and size as the network needs it, uint8 [height, width].

    Transparency is laid over white. A picture of another size is scaled to fit, with its
    proportions kept, and the rest is filled with its own background, the median of its border.
    """
    image = to_picture(image)
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    grey = to_grey(image)
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
