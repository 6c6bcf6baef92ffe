"""Any picture becomes the grey levels that the network reads; what is none is refused by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.captchas import draw_captcha
from helpers.dataset import list_images
from helpers.errors import ImageError
from helpers.pictures import fit_to_style, open_image, to_grey, to_picture
from helpers.styles import CaptchaStyle

STYLE = CaptchaStyle()
MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F", "I;16", "I;16B"]


def captcha(seed: int = 1, text: str = "5020") -> Image.Image:
    return draw_captcha(text, STYLE, seed)


def in_mode(picture: Image.Image, mode: str) -> Image.Image:
    """A picture in any mode, with the same grey levels as near as the mode allows."""
    grey = picture.convert("L")
    if mode.startswith("I;16"):
        values = np.asarray(grey).astype(np.uint16) * 257
        return Image.frombytes(mode, grey.size, values.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    if mode in ("PA", "RGBa"):
        return grey.convert("P" if mode == "PA" else "RGBA").convert(mode)
    if mode == "HSV":
        return grey.convert("RGB").convert("HSV")
    return grey.convert(mode)


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
        assert np.abs(fitted.astype(int) - level).max() <= 2  # padded with its own background


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
