"""Kinds of pictures: every mode in every format that can hold it, arrays of every type and shape, animations.

Each shows one captcha. An outcome is "read"; "refused", in a sentence of the project's own; "warned", when another text
was read, but the picture was called unfamiliar; "wrong", when it was not; "ugly", for an error that is not ours.
"""

import collections
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import ImageError
from helpers.files.results import RESULTS
from helpers.reading import Reader

TEXT = "5020"
OUTCOMES = ("read", "refused", "warned", "wrong", "ugly")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16",
         "I;16B")  # fmt: skip
FORMATS = ("png", "jpeg", "gif", "bmp", "tiff", "webp", "avif", "jpeg2000", "ppm", "tga", "ico", "icns", "pcx", "sgi",
           "dds", "qoi", "msp", "xbm", "blp", "spider", "eps", "pdf", "dib")  # fmt: skip
NUMBERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "float16", "float32", "float64", "bool",
           "complex64")  # fmt: skip
TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90", 7: "TRANSVERSE",
         8: "ROTATE_270"}  # fmt: skip  # how a picture lies in a file that has each orientation


def captcha(seed: int = 11) -> Image.Image:
    """A captcha that the network surely reads, in RGB."""
    return draw_captcha(TEXT, CaptchaStyle.preset("clean"), seed)


def in_mode(picture: Image.Image, mode: str) -> Image.Image:
    """The picture in any mode, with the same grey levels as near as the mode allows."""
    grey = picture.convert("L")
    if mode.startswith("I;16"):
        values = np.asarray(grey).astype(np.uint16) * 257
        return Image.frombytes(mode, grey.size, values.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    if mode in ("PA", "RGBa"):
        return grey.convert("P" if mode == "PA" else "RGBA").convert(mode)
    if mode == "LAB":
        from PIL import ImageCms

        to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        return ImageCms.applyTransform(picture.convert("RGB"), to_lab)
    return (grey.convert("RGB") if mode == "HSV" else grey).convert(mode)


def as_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every mode in every format that Pillow writes it in."""
    for kind in FORMATS:
        for mode in MODES:
            path = folder / f"{kind}-{mode.replace(';', '')}.{'jp2' if kind == 'jpeg2000' else kind}"
            try:
                more = {"quality": 95} if kind in ("jpeg", "webp", "avif") else {}
                in_mode(captcha(), mode).save(path, kind, **more)
            except Exception:  # Pillow does not write this mode in this format
                path.unlink(missing_ok=True)
                continue
            yield f"{kind} {mode}", path


def turned(folder: Path) -> Iterator[tuple[str, Any]]:
    """The eight orientations of EXIF, in files and in memory."""
    for kind in ("jpeg", "png", "tiff", "webp"):
        for number in range(1, 9):
            picture = captcha() if number == 1 else captcha().transpose(getattr(Image.Transpose, TURNS[number]))
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = number
            picture.save(path := folder / f"turned-{number}.{kind}", exif=exif)
            yield f"{kind}, orientation {number}", path
            yield f"{kind} in memory, orientation {number}", Image.open(path)


def arrays() -> Iterator[tuple[str, Any]]:
    """Arrays of every type of number and of many shapes."""
    rgb = np.asarray(captcha())
    grey = np.asarray(captcha().convert("L"))
    for kind in NUMBERS:
        for name, values in (("0..255", grey), ("0..1", grey / 255), ("-1..1", grey / 127.5 - 1)):
            yield f"array of {kind}, {name}", values.astype(kind)
    for fault in (np.nan, np.inf, -1.0):
        broken = grey / 255
        broken[0, 0] = fault
        yield f"fractions with {fault}", broken
        yield f"picture of fractions with {fault}", Image.fromarray(broken.astype(np.float32))
    yield "array of objects", grey.astype(object)
    opaque, two = np.full_like(grey, 255), rgb[..., :2]
    kept = np.frombuffer(grey.tobytes(), np.uint8).reshape(grey.shape)
    shapes = {
        "[h, w]": grey, "[h, w, 1]": grey[..., None], "[h, w, 2]": np.dstack([grey, opaque]),
        "[h, w, 3]": rgb, "[h, w, 4]": np.dstack([rgb, opaque]), "[h, w, 5]": np.dstack([rgb, two]),
        "[3, h, w]": np.moveaxis(rgb, 2, 0), "[4, h, w]": np.stack([grey] * 4), "[1, h, w]": grey[None],
        "[1, h, w, 1]": grey[None, ..., None], "[1, h, w, 3]": rgb[None], "[1, 3, h, w]": np.moveaxis(rgb, 2, 0)[None],
        "[w, h]": grey.T, "[h * w]": grey.ravel(), "[1, 1, h, w, 3]": rgb[None, None], "[]": np.array(7, np.uint8),
        "[0, w]": grey[:0], "[h, 0]": grey[:, :0], "[h, w, 0]": rgb[..., :0], "[1, 1]": grey[:1, :1],
        "every second row": np.repeat(grey, 2, axis=0)[::2], "backwards in memory": grey[::-1][::-1],
        "columns first in memory": np.asfortranarray(grey), "read only": kept,
    }  # fmt: skip
    yield from shapes.items()


def transparent(folder: Path) -> Iterator[tuple[str, Any]]:
    """Ink of every kind on transparency: black shows over white, white does not."""
    grey = np.asarray(captcha().convert("L")).astype(float)
    ink = np.round(255 * (grey.max() - grey) / (grey.max() - grey.min())).astype(np.uint8)
    for name, level in (("black", 0), ("white", 255)):
        rgba = np.dstack([np.full((*ink.shape, 3), level, np.uint8), ink])
        for kind in ("png", "webp", "tiff", "ico"):
            Image.fromarray(rgba).save(path := folder / f"{name}-ink.{kind}")
            yield f"{name} ink on transparency, {kind}", path
        yield f"{name} ink on transparency, in memory", Image.fromarray(rgba)
    wide = Image.fromarray(np.where(ink > 128, 0, 65535).astype(np.uint16))
    for name, key in (("background", 65535), ("ink", 0)):
        wide.save(path := folder / f"sixteen-{name}.png", transparency=key)
        yield f"16-bit PNG, transparent {name}", path
    sharp = Image.fromarray(np.where(ink > 128, 0, 255).astype(np.uint8))
    for mode in ("L", "P", "RGB", "1"):
        for name, level in (("background", 255), ("ink", 0)):
            picture, inked = sharp.convert(mode), tuple(map(int, np.argwhere(ink.T > 128)[0]))
            key = picture.getpixel((0, 0) if level else inked)
            picture.save(path := folder / f"key-{mode}-{name}.png", transparency=key)
            yield f"PNG {mode}, transparent {name}", path


def frames(folder: Path) -> Iterator[tuple[str, Any]]:
    """Animations and files of several pages whose text comes first, or later."""
    blank = Image.new("RGB", captcha().size, "white")
    for kind in ("gif", "png", "webp", "tiff", "avif"):
        for name, order in (("first", [captcha(), blank]), ("later", [blank, captcha()]), ("alone", [captcha()])):
            path = folder / f"frames-{name}.{kind}"
            order[0].save(path, save_all=True, append_images=order[1:])
            yield f"{kind}, text {name}", path
            yield f"{kind} in memory, text {name}", Image.open(path)
            if name == "later":
                opened = Image.open(path)
                opened.seek(1)
                yield f"{kind}, its second frame", opened.copy()
                yield f"{kind}, set to its second frame", opened
    captcha().save(path := folder / "two.mpo", save_all=True, append_images=[captcha().resize((80, 30))])
    yield "a photo with a small copy", path


def others(folder: Path) -> Iterator[tuple[str, Any]]:
    """Huge, empty, cut and misnamed ones, and what is no picture at all."""
    Image.new("L", (20_000, 20_000), 255).save(path := folder / "huge.png")
    yield "400 million pixels", path
    Image.new("1", (12_000, 8_000), 1).save(path := folder / "large.png")
    yield "96 million pixels", path
    whole = (buffer := io.BytesIO(), captcha().save(buffer, "png"))[0].getvalue()
    spoilt = {"empty": b"", "cut": whole[: len(whole) // 2], "no-head": whole[8:], "words": b"5020\n" * 40}
    for name, content in spoilt.items():
        (path := folder / f"{name}.png").write_bytes(content)
        yield f"{name} file", path
    (path := folder / "named.jpg").write_bytes(whole)
    yield "a PNG named .jpg", path
    (folder / "folder.png").mkdir()
    yield "a folder", folder / "folder.png"
    yield "a missing file", folder / "missing.png"
    yield "a name with $", captcha().save(path := folder / "a$b_{x}.png") or path
    yield "a name with a zero byte", "a\0b.png"
    yield from (("None", None), ("a number", 7), ("bytes", whole), ("an object", object()))
    yield "a file object", io.BytesIO(whole)
    yield "a picture of no width", Image.new("L", (0, 60))
    yield "a path as string", str(captcha().save(path := folder / "plain.png") or path)


def tried(reader: Reader, folder: Path) -> list[tuple[str, str, str]]:
    """(kind, outcome, sentence): "read", "refused", "wrong" in silence, or "ugly" for an error that is not ours."""
    rows = []
    sources = (as_files(folder), turned(folder), arrays(), transparent(folder), frames(folder), others(folder))
    for kind, picture in (pair for source in sources for pair in source):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                readings = reader.read(picture)
            right = [reading.text for reading in readings] == [TEXT]
            found = "read" if right else "wrong" if any(reading.familiar for reading in readings) else "warned"
            rows.append((kind, found, ", ".join(reading.text for reading in readings[:4])))
        except ImageError as reason:
            rows.append((kind, "refused", str(reason)))
        except Exception as reason:
            rows.append((kind, "ugly", f"{type(reason).__name__}: {reason}"))
        if isinstance(picture, Image.Image):
            picture.close()
    return rows


def report(count: int, seed: int, folder: Path) -> str:
    """How many kinds had which outcome, and a line for each that was read wrongly or was ugly."""
    rows = tried(Reader.load(RESULTS / "default.keras"), folder)
    counts = collections.Counter(outcome for _, outcome, _ in rows)
    first = f"{len(rows)} kinds of pictures: {', '.join(f'{counts[name]} {name}' for name in OUTCOMES)}"
    return "\n".join([first, *(f"{found}: {kind}: {said}" for kind, found, said in rows if found in OUTCOMES[3:])])
