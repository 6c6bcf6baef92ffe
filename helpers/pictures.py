"""Any picture -> the grey levels that the network reads: files, modes, transparency, sizes."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from helpers._storage import short
from helpers.errors import ImageError
from helpers.styles import CaptchaStyle

ImageLike = str | Path | Image.Image | np.ndarray


def to_grey(image: Image.Image) -> np.ndarray:
    """What the network sees of a picture: its brightness, uint8 [height, width], 0 is black."""
    return np.asarray(image.convert("L"))


def open_image(file: Path | str | BinaryIO, name: Path | str = "") -> Image.Image:
    """The picture in a file, fully loaded.

    Args:
        name: of a file that is open already, for errors.

    Raises:
        ImageError: the file is missing, or is no picture.
    """
    name = name or (file if isinstance(file, (str, Path)) else "the file")
    try:
        with Image.open(file) as image:
            image.load()
            return image
    except FileNotFoundError:
        raise ImageError(f"{short(Path(name))} does not exist. Check the file's name.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as reason:
        raise ImageError(
            f"{short(Path(name))} is no readable image ({type(reason).__name__}). Give a whole PNG or JPEG file."
        ) from None


def to_picture(image: ImageLike) -> Image.Image:
    """A path, a picture or a uint8 array [height, width] or [height, width, 1, 3 or 4] as a picture.

    Raises:
        ImageError: it is none of these, or holds no picture.
    """
    if isinstance(image, Image.Image):
        return _readable(image, getattr(image, "filename", "") or "picture")
    if isinstance(image, (str, Path)):
        return _readable(open_image(image), image)
    if isinstance(image, np.ndarray):
        if image.ndim == 3 and image.shape[2] == 1:
            image = image[:, :, 0]
        good_shape = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))
        if image.dtype == np.uint8 and good_shape and image.size:
            return Image.fromarray(image)
        raise ImageError(
            f"An array of {image.dtype} {list(image.shape)} is no picture. "
            "Give uint8 values, [height, width] or [height, width, channels]."
        )
    raise ImageError(f"A {type(image).__name__} is no picture. Give a path, a PIL image or a uint8 array.")


def _readable(picture: Image.Image, name: str | Path) -> Image.Image:
    """`picture` itself, if it has pixels and they can be turned into grey."""
    try:
        picture.load()  # a PIL image is read from its file only now
    except (OSError, ValueError, SyntaxError) as reason:
        raise ImageError(
            f"{short(Path(name))} is no readable image ({type(reason).__name__}). Give a whole picture."
        ) from None
    if picture.mode in ("LAB", "La") or not picture.width * picture.height:
        raise ImageError(
            f"{short(Path(name))} has mode {picture.mode} and {picture.width}x{picture.height} pixels, "
            "which cannot be turned into grey. Give a picture in RGB."
        )
    return picture


def fit_to_style(image: Image.Image, style: CaptchaStyle) -> np.ndarray:
    """A picture of any mode and size as the network needs it, uint8 [height, width].

    Transparency is laid over white. Another size is scaled to fit, its proportions kept, and the
    rest is filled with the picture's own background, the median of its border.
    """
    if image.mode.startswith(("I", "F")):  # 16 bits a pixel, or more
        values = np.asarray(image, dtype=np.float64)
        image = Image.fromarray((values / (257 if values.max() > 255 else 1)).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    grey = to_grey(image)
    height, width = style.height, style.image_width
    if grey.shape == (height, width):
        return grey

    scale = min(height / grey.shape[0], width / grey.shape[1])
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    fitted = Image.new("L", (width, height), int(np.median(border)))
    fitted.paste(
        Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC),
        ((width - size[0]) // 2, (height - size[1]) // 2),
    )
    return np.asarray(fitted)
