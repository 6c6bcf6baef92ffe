"""The explorer of notebook 2, driven as its sliders would."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from helpers.captchas import draw_captcha
from helpers.explorer import GAP, OWN, Explorer, preview
from helpers.styles import PRESETS, CaptchaStyle


@pytest.fixture(autouse=True)
def new_kernel(monkeypatch):
    """No style was used yet."""
    monkeypatch.setattr(Explorer, "last_used", CaptchaStyle())


def shown(explorer):
    return np.asarray(Image.open(io.BytesIO(explorer.picture.value)))


def test_preview_draws_always_the_same_texts():
    second = []
    for style in (CaptchaStyle(alphabet="78"), CaptchaStyle(alphabet="78", noise_dots=0)):
        grid = preview(style, columns=3, rows=2)
        assert grid.size == (3 * 160 + 2 * GAP, 2 * 60 + GAP)
        pixels = grid.crop((160 + GAP, 0, 320 + GAP, 60)).tobytes()
        texts = map("".join, itertools.product("78", repeat=4))
        second += [text for text in texts if draw_captcha(text, style, seed=1).tobytes() == pixels]
    assert len(second) == 2
    assert second[0] == second[1]


def test_a_slider_changes_the_picture_and_nothing_else():
    explorer = Explorer()
    before = shown(explorer)
    explorer.knobs["noise_dots"].value += 10
    assert explorer.drawn == CaptchaStyle(noise_dots=40)
    assert shown(explorer).shape == before.shape
    assert (shown(explorer) != before).any()
    assert np.array_equal(shown(explorer), np.asarray(preview(CaptchaStyle(noise_dots=40))))
    explorer.knobs["noise_dots"].value -= 10
    assert np.array_equal(shown(explorer), before)


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_can_be_shown_and_survives_its_own_sliders(name):
    explorer = Explorer()
    explorer.preset.value = name
    assert explorer.drawn == CaptchaStyle.preset(name)
    assert explorer._read() == CaptchaStyle.preset(name)
    assert explorer.refusal.value == ""


def test_the_style_is_handed_on_only_when_asked():
    explorer = Explorer()
    explorer.preset.value = "noisy"
    assert explorer.style == CaptchaStyle()
    explorer.button.click()
    assert explorer.style == CaptchaStyle.preset("noisy")
    assert 'STYLE = CaptchaStyle.preset("noisy")' in explorer.line.value.replace("&quot;", '"')


def test_a_used_style_is_remembered_when_the_cell_runs_again():
    explorer = Explorer()
    explorer.preset.value = "clean"
    assert Explorer().style == CaptchaStyle()  # only shown so far
    explorer.button.click()
    again = Explorer()
    assert again.style == again.drawn == CaptchaStyle.preset("clean")
    assert again.preset.value == "clean"
    assert Explorer(CaptchaStyle(noise_dots=7)).style == CaptchaStyle(noise_dots=7)


def test_the_drop_down_follows_the_sliders():
    explorer = Explorer()
    assert explorer.preset.value == "default"
    explorer.knobs["noise_dots"].value = 200
    assert explorer.preset.value == OWN
    explorer.knobs["noise_curves"].value = 4
    assert explorer.preset.value == "noisy"
    explorer.preset.value = OWN
    assert explorer.drawn == CaptchaStyle.preset("noisy")


@pytest.mark.parametrize(
    ("knob", "value", "reason"),
    [
        ("text_color", (0, 20), "text_color"),
        ("alphabet", "A", "alphabet"),
        ("alphabet", "", "alphabet"),
        ("alphabet", "AA", "alphabet"),
        ("alphabet", "<b>", "&lt;"),
        ("background_color", (100, 255), "background_color"),
        ("fonts", (), "fonts"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_place_and_the_explorer_goes_on(knob, value, reason):
    explorer = Explorer()
    before, good = shown(explorer), explorer.knobs[knob].value
    explorer.knobs[knob].value = value
    assert reason in explorer.refusal.value
    assert np.array_equal(shown(explorer), before)
    assert explorer.drawn == CaptchaStyle()
    explorer.knobs[knob].value = good
    assert explorer.refusal.value == ""
    explorer.knobs["noise_dots"].value = 100
    assert explorer.drawn == CaptchaStyle(noise_dots=100)


def test_a_style_of_ones_own_is_shown_first():
    style = CaptchaStyle(fonts=("DejaVuSans-BoldOblique",), font_sizes=(30, 33), warp_x=(0.3, 0.7))
    explorer = Explorer(style)
    assert explorer.style == explorer.drawn == style
    explorer.knobs["overlap"].value = 0.5
    assert explorer.drawn.font_sizes == (30, 33)
    assert explorer.drawn.fonts == style.fonts
    explorer.knobs["font_sizes"].value = (40, 60)
    assert explorer.drawn.font_sizes == (40, 50, 60)
