"""Any picture becomes the grey levels that the network reads; what is none is refused by name."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.pictures import fit_to_style, open_image, to_grey, to_picture
from helpers.captchas.styles import CaptchaStyle
from helpers.data.images import list_images
from helpers.errors import ImageError
from tests.faults.pictures import in_mode

STYLE = CaptchaStyle()
MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F", "I;16", "I;16B"]


def captcha(seed: int = 1, text: str = "5020") -> Image.Image:
    return draw_captcha(text, STYLE, seed)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_the_same_grey(mode):
    picture = in_mode(captcha(), mode)
    assert picture.mode == mode
    expected = to_grey(in_mode(captcha(), "1") if mode == "1" else captcha())
    assert np.abs(fit_to_style(picture, STYLE).astype(int) - expected).max() <= 2


@settings(max_examples=80)
@given(st.sampled_from(MODES), st.integers(1, 400), st.integers(1, 200), st.integers(0, 255))
def test_any_size_and_mode_fits(mode, width, height, level):
    picture = in_mode(Image.new("L", (width, height), level), mode)
    fitted = fit_to_style(picture, STYLE)
    assert fitted.shape == (60, 160)
    assert fitted.dtype == np.uint8
    if mode != "1":
        expected = 255 if (mode, level) == ("F", 1) else level  # fractions up to 1 are grey levels too
        assert np.abs(fitted.astype(int) - expected).max() <= 2  # padded with its own background


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "RGB", "L"])
def test_transparency_is_laid_over_white(mode):
    picture = Image.new("L", (160, 60), 0)
    picture.paste(100, (20, 10, 60, 50))
    if mode in ("RGBA", "LA", "PA"):
        alpha = picture.point(lambda level: 255 if level else 0)
        picture = picture.convert("RGBA" if mode == "RGBA" else "LA")
        picture.putalpha(alpha)
        picture = picture.convert("RGBA").convert("PA") if mode == "PA" else picture
    else:
        picture = picture.convert(mode)
        picture.info["transparency"] = (0, 0, 0) if mode == "RGB" else picture.getpixel((0, 0))
    assert picture.mode == mode
    fitted = fit_to_style(picture, STYLE)
    assert fitted[0, 0] == fitted[30, 100] == 255
    assert abs(int(fitted[30, 40]) - 100) <= 2


def test_half_transparent_black_is_grey():
    assert fit_to_style(Image.new("RGBA", (160, 60), (0, 0, 0, 128)), STYLE)[30, 80] == pytest.approx(127, abs=1)


def test_a_16_bit_picture_of_low_values_keeps_them():
    values = np.full((60, 160), 200, np.int32)
    assert (fit_to_style(Image.fromarray(values), STYLE) == 200).all()
    values[0, 0] = 200 * 257
    assert fit_to_style(Image.fromarray(values), STYLE)[0, 0] == 200


@pytest.mark.parametrize(("width", "height"), [(320, 120), (100, 100), (40, 300), (600, 30), (80, 60), (160, 61)])
def test_another_size_keeps_its_proportions_and_is_padded_with_its_own_background(width, height):
    picture = Image.new("L", (width, height), 210)
    box = (width // 4, height // 4, width - width // 4, height - height // 4)
    picture.paste(10, box)
    fitted = fit_to_style(picture, STYLE)
    scale = min(60 / height, 160 / width)
    rows, columns = np.nonzero(fitted < 110)
    assert np.ptp(columns) + 1 == pytest.approx((box[2] - box[0]) * scale, abs=2)
    assert np.ptp(rows) + 1 == pytest.approx((box[3] - box[1]) * scale, abs=2)
    assert (columns.max() + columns.min()) / 2 == pytest.approx(79.5, abs=1.5)  # in the middle
    assert (rows.max() + rows.min()) / 2 == pytest.approx(29.5, abs=1.5)
    outside = np.ones((60, 160), bool)
    outside[rows.min() - 4 if rows.min() > 4 else 0 : rows.max() + 5] = False
    outside[:, : max(0, columns.min() - 4)] = True
    outside[:, columns.max() + 5 :] = True
    assert (fitted[outside] == 210).all()


def test_a_picture_of_the_right_size_is_not_touched():
    assert (fit_to_style(captcha(), STYLE) == to_grey(captcha())).all()


def test_a_picture_array_keeps_its_pixels():
    colours = np.asarray(captcha())
    assert (np.asarray(to_picture(colours)) == colours).all()
    assert to_picture(colours[..., :1]).mode == "L"


def test_an_opened_image_is_whole(shared_drawn, tmp_path):
    path = list_images(shared_drawn, "test")[0].path
    assert open_image(path).size == open_image(str(path)).size == (160, 60)
    cut = tmp_path / "cut.png"
    cut.write_bytes(path.read_bytes()[:2000])
    text = tmp_path / "text.png"
    text.write_text("no picture")
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    for broken in (cut, text, empty, tmp_path):
        with pytest.raises(ImageError, match=f"{broken.name} is no readable image"):
            open_image(broken)
    with pytest.raises(ImageError, match=r"gone\.png does not exist"):
        open_image(tmp_path / "gone.png")


@settings(max_examples=30)
@given(
    st.binary(max_size=60), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"P5 "])
)
def test_bytes_that_are_no_picture_never_raise_anything_else(tmp_path_factory, content, start):
    path = tmp_path_factory.mktemp("noise") / "noise.png"
    path.write_bytes(start + content)
    try:
        image = open_image(path)
    except ImageError as reason:
        assert "noise.png" in str(reason)
    else:
        assert image.width * image.height > 0


TURNS = {  # orientation: what a camera did to the picture that is meant
    1: lambda array: array,
    2: np.fliplr,
    3: lambda array: np.rot90(array, 2),
    4: np.flipud,
    5: lambda array: array.transpose(1, 0),
    6: np.rot90,
    7: lambda array: np.rot90(array, 2).transpose(1, 0),
    8: lambda array: np.rot90(array, -1),
}


def turned_file(orientation: int, kind: str) -> bytes:
    """A captcha as a camera that was held so stores it."""
    picture = Image.fromarray(np.ascontiguousarray(TURNS[orientation](to_grey(captcha()))))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    picture.save(file, kind, exif=exif, **({"quality": 100} if kind == "JPEG" else {}))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", TURNS)
def test_a_picture_is_turned_upright_once(tmp_path, orientation, kind):
    expected = to_grey(captcha()).astype(int)
    content = turned_file(orientation, kind)
    path = tmp_path / f"turned.{kind.lower()}"
    path.write_bytes(content)
    opened = open_image(io.BytesIO(content), "turned")
    lazy = Image.open(path)
    assert to_picture(lazy).size == (160, 60)
    assert lazy.filename == str(path)
    for picture in (
        opened,
        open_image(path),
        to_picture(path),
        to_picture(str(path)),
        to_picture(Image.open(path)),
        to_picture(to_picture(opened)),
        to_picture(opened.copy()),
        Image.fromarray(to_grey(Image.open(path))),
        Image.fromarray(fit_to_style(path, STYLE)),
        Image.fromarray(fit_to_style(to_picture(open_image(path)), STYLE)),
    ):
        assert picture.size == (160, 60)
        assert np.abs(to_grey(picture).astype(int) - expected).max() <= (4 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", TURNS)
def test_a_picture_in_memory_is_turned_too_and_stays_what_it_was(orientation):
    stored = np.ascontiguousarray(TURNS[orientation](to_grey(captcha())))
    picture = Image.fromarray(stored)
    picture.getexif()[0x0112] = orientation
    for _ in range(2):
        assert (np.asarray(to_picture(picture)) == to_grey(captcha())).all()
    assert (np.asarray(picture) == stored).all()


def test_a_note_survives_the_turn(tmp_path):
    picture, exif = captcha(), Image.Exif()
    exif[0x0112] = 3
    picture.save(tmp_path / "note.jpg", exif=exif, comment="noted")
    assert open_image(tmp_path / "note.jpg").info["comment"] == b"noted"


BROKEN_EXIF = {
    "no TIFF": b"Exif\0\0nonsense and more",
    "nothing": b"Exif\0\0",
    "cut": b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0",
    "a text": b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI4s", 0x0112, 2, 4, b"six\0") + b"\0" * 4,
    "99": b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x0112, 3, 1, 99) + b"\0" * 4,
    "far away": b"Exif\0\0II*\0" + b"\xff" * 4,
}


@pytest.mark.parametrize("block", BROKEN_EXIF)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:.*EXIF.*:UserWarning", "ignore:Truncated File Read")
def test_a_broken_exif_block_turns_nothing(tmp_path, block, kind):
    path = tmp_path / "broken"
    captcha().save(path, kind, exif=BROKEN_EXIF[block], **({"quality": 100} if kind == "JPEG" else {}))
    for picture in (open_image(path), to_picture(path), to_picture(Image.open(path))):
        assert picture.size == (160, 60)
        assert np.abs(to_grey(picture).astype(int) - to_grey(captcha())).max() <= 4


@pytest.mark.parametrize(("tag", "kind"), [(0x0110, 5), (0x0131, 12), (0x011A, 2), (0x0128, 10), (0x0213, 11)])
def test_odd_entries_beside_the_orientation_do_not_stop_the_turn(tag, kind):
    entries = [struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0), struct.pack("<HHII", tag, kind, 1, 38)]
    picture = Image.new("L", (20, 10))
    picture.info["exif"] = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + b"".join(sorted(entries)) + b"\0" * 4 + b"\xff" * 16
    upright = to_picture(picture)
    assert upright.size == to_picture(upright.convert("RGB")).size == (10, 20)


@settings(max_examples=60)
@given(
    block=st.binary(max_size=60),
    start=st.sampled_from([b"", b"II*\0\x08\0\0\0\x02\0\x12\x01", b"MM\0*\0\0\0\x08\0\x01"]),
)
def test_no_exif_block_raises_anything(block, start):
    picture = captcha()
    picture.info["exif"] = b"Exif\0\0" + start + block
    assert sorted(to_picture(picture).size) == [60, 160]


@pytest.mark.parametrize(
    ("mode", "scale"),
    [("F", 1 / 255), ("F", 1.0), ("F", 257.0), ("I", 1), ("I", 257), ("I;16", 1), ("I;16", 257)],
)
def test_numbers_of_more_than_8_bits_become_the_same_grey(tmp_path, mode, scale):
    grey = to_grey(captcha())
    values = (grey.astype(float) * scale).astype({"F": np.float32, "I": np.int32, "I;16": np.uint16}[mode])
    picture = Image.fromarray(values)
    assert picture.mode == mode
    for each in (picture, to_picture(picture)):
        assert (fit_to_style(each, STYLE) == grey).all()
        assert (to_grey(each) == grey).all()
    picture.save(tmp_path / "deep.tif")
    assert (fit_to_style(tmp_path / "deep.tif", STYLE) == grey).all()
    assert (to_grey(open_image(tmp_path / "deep.tif")) == grey).all()


@pytest.mark.parametrize(
    "values",
    [
        np.full((60, 160), np.nan, np.float32),
        np.where(np.arange(160) == 5, np.nan, np.ones((60, 160))).astype(np.float32),
        np.where(np.arange(160) == 5, np.inf, np.ones((60, 160))).astype(np.float32),
        np.where(np.arange(160) == 5, -np.inf, np.ones((60, 160))).astype(np.float32),
        np.linspace(-0.2, 1.0, 9600).reshape(60, 160).astype(np.float32),
        np.linspace(0, 70_000, 9600).reshape(60, 160).astype(np.float32),
        np.linspace(-40, 200, 9600).reshape(60, 160).astype(np.int32),
        np.linspace(0, 65_536, 9600).reshape(60, 160).astype(np.int32),
        np.linspace(0, 1.02, 9600).reshape(60, 160).astype(np.float32),  # fractions that overshoot: 0 or 1 of 255
        np.linspace(0, 260, 9600).reshape(60, 160).astype(np.float32),  # grey levels that do: 0 or 1 of 65535
        np.tile([0, 1], (60, 80)).astype(np.int32),  # a mask
        np.tile([0, 1], (60, 80)).astype(np.uint16),
    ],
)
def test_numbers_that_are_no_grey_levels_are_refused_by_name(tmp_path, values):
    picture = Image.fromarray(values)
    for look in (to_picture, to_grey, lambda image: fit_to_style(image, STYLE)):
        with pytest.raises(ImageError, match="picture has values from"):
            look(picture)
    picture.save(tmp_path / "odd.tif")
    with pytest.raises(ImageError, match=r"odd\.tif has values from"):
        fit_to_style(to_picture(tmp_path / "odd.tif"), STYLE)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, bool, np.int64, np.int32, np.uint16, np.int8])
def test_an_array_that_is_not_uint8_is_refused_by_its_kind(kind):
    with pytest.raises(ImageError, match=rf"An array of {np.dtype(kind)} \[60, 160\] is no picture"):
        to_picture(np.ones((60, 160), kind))


def test_black_and_white_is_read():
    picture = Image.fromarray(np.tile([False, True], (60, 80)))
    assert picture.mode == "1"
    assert np.unique(fit_to_style(picture, STYLE)).tolist() == [0, 255]
