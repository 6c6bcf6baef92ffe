"""Captchas are upstream's own, to the byte, and the same every time."""

import ast
import dataclasses
import inspect
import secrets

import captcha.image
import numpy as np
import pytest
from captcha.image import ImageCaptcha
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from helpers.captchas import seeding
from helpers.captchas.drawing import draw_captcha, drawer_of, read_note, save_captcha
from helpers.captchas.fonts import find_font
from helpers.captchas.pictures import to_grey
from helpers.captchas.seeding import NotingCaptcha, SeededSecrets, seeded
from helpers.captchas.styles import PRESETS, CaptchaStyle
from helpers.errors import ImageError, StyleError

SEEDS = st.integers(0, 2**64 - 1)
KNOBS = {  # every one with a changed value; ranges keep their span where the random numbers would shift otherwise
    "length": (3, 5),
    "width": 200,
    "height": 80,
    "fonts": ("DejaVuSerif",),
    "font_sizes": (30,),
    "rotation": (-60, 60),
    "warp_x": (0.1, 0.9),
    "warp_y": (0.2, 0.9),
    "space_probability": 0.0,
    "plain": 1.0,
    "overlap": 0.6,
    "noise_dots": 31,
    "dot_width": 6,
    "noise_curves": 2,
    "text_color": (0, 190),
    "text_opacity": (1, 36),
    "background_color": (230, 247),
}


def pixels(text: str, style: CaptchaStyle, seed: int) -> bytes:
    image = draw_captcha(text, style, seed)
    return f"{image.size}".encode() + image.tobytes()


@settings(max_examples=25)
@given(st.text("0123456789", min_size=4, max_size=4), SEEDS)
def test_the_default_style_is_upstreams_own_to_the_byte(text, seed):
    with seeded(seed):
        upstream = ImageCaptcha().generate_image(text)
    ours = draw_captcha(text, CaptchaStyle(), seed)
    assert (ours.mode, ours.size) == (upstream.mode, upstream.size) == ("RGB", (160, 60))
    assert ours.tobytes() == upstream.tobytes()


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_blanks_drawn_quickly_change_no_pixel(preset, monkeypatch):
    style = CaptchaStyle.preset(preset)
    text = style.alphabet[-1] * style.max_length
    quick = [pixels(text, style, seed) for seed in range(8)]
    monkeypatch.setattr(NotingCaptcha, "_draw_character", ImageCaptcha._draw_character)
    monkeypatch.setattr(NotingCaptcha, "note", lambda *_: {"fonts": []})
    assert [pixels(text, style, seed) for seed in range(8)] == quick


@settings(max_examples=15)
@given(st.text("0123456789", min_size=4, max_size=4), SEEDS)
def test_the_same_seed_draws_the_same_picture_and_another_seed_another(text, seed):
    style = CaptchaStyle()
    first = pixels(text, style, seed)
    pixels("0000", style, seed + 1)
    assert pixels(text, style, seed) == first
    assert pixels(text, style, seed + 1) != first


def test_upstream_draws_its_random_numbers_only_from_the_three_functions_we_answer():
    tree = ast.parse(inspect.getsource(captcha.image))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "secrets"
    }
    assert used == {"randbelow", "randbits", "choice"}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "secrets" in imported
    assert not imported & {"random", "numpy", "numpy.random"}
    assert not any(isinstance(node, ast.Attribute) and node.attr == "urandom" for node in ast.walk(tree))
    module_names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not module_names & {"SystemRandom", "token_bytes"}


def test_the_seeded_numbers_stay_in_their_ranges():
    numbers = SeededSecrets(1)
    assert {numbers.randbelow(3) for _ in range(100)} == {0, 1, 2}
    assert all(0 <= numbers.randbits(8) < 256 for _ in range(100))
    assert {numbers.choice("ab") for _ in range(50)} == {"a", "b"}


def test_upstreams_own_source_of_randomness_comes_back():
    with seeded(1):
        assert captcha.image.secrets is not secrets
    assert captcha.image.secrets is secrets
    draw_captcha("5020", CaptchaStyle(), 1)
    assert captcha.image.secrets is secrets


def test_it_comes_back_after_an_error_too(monkeypatch):
    with pytest.raises(RuntimeError), seeded(1):
        raise RuntimeError

    def fail(*_args):
        assert captcha.image.secrets is not secrets
        raise RuntimeError("in the middle")

    monkeypatch.setattr(ImageCaptcha, "create_noise_dots", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        draw_captcha("5020", CaptchaStyle(), 1)
    assert captcha.image.secrets is secrets


@pytest.mark.parametrize("knob", KNOBS)
def test_every_knob_changes_the_picture(knob):
    changed = dataclasses.replace(CaptchaStyle(), **{knob: KNOBS[knob]})
    assert any(pixels("5020", changed, seed) != pixels("5020", CaptchaStyle(), seed) for seed in range(4))


@pytest.mark.parametrize("knob", ["offset_x", "offset_y"])
def test_offsets_are_cropped_away_again_by_this_version_of_upstream(knob):
    lowest, highest = getattr(CaptchaStyle(), knob)
    moved = dataclasses.replace(CaptchaStyle(), **{knob: (lowest + 30, highest + 30)})
    for seed in range(4):
        assert pixels("5020", moved, seed) == pixels("5020", CaptchaStyle(), seed)


def test_no_knob_was_forgotten():
    fields = {field.name for field in dataclasses.fields(CaptchaStyle)}
    assert fields == {*KNOBS, "offset_x", "offset_y", "alphabet"}


def test_the_alphabet_decides_which_texts_can_be_drawn():
    letters = CaptchaStyle(alphabet="ABC")
    assert draw_captcha("CABA", letters, 1).size == (160, 60)
    with pytest.raises(StyleError, match="5"):
        draw_captcha("5020", letters, 1)


def test_a_clean_picture_holds_only_text_and_background():
    clean = to_grey(draw_captcha("1111", CaptchaStyle.preset("clean", font_sizes=20), 3))
    assert np.unique(clean[:10]).size == 1  # above the text there is neither dot nor curve
    assert np.unique(clean).size > 1
    noisy = to_grey(draw_captcha("1111", CaptchaStyle.preset("noisy", font_sizes=20), 3))
    assert np.unique(noisy[:10]).size > 1


def test_each_character_gets_a_font_of_its_own_when_there_are_several(monkeypatch):
    chosen = []

    class Spy(SeededSecrets):
        def choice(self, fonts):
            chosen[-1].append(super().choice(fonts).path)
            return self.chosen

    monkeypatch.setattr(seeding, "SeededSecrets", Spy)
    style = CaptchaStyle(fonts=("DroidSansMono", "DejaVuSans", "DejaVuSerif"), space_probability=0.0)
    for seed in range(20):
        chosen.append([])
        draw_captcha("0000", style, seed)
    assert all(len(fonts) == 4 for fonts in chosen)
    assert any(len(set(fonts)) > 1 for fonts in chosen)
    assert len({font for fonts in chosen for font in fonts}) == 3


@settings(max_examples=30)
@given(st.data())
def test_every_style_gives_a_picture_of_its_size(data):
    low = data.draw(st.integers(1, 3))
    style = CaptchaStyle(
        length=(low, data.draw(st.integers(low, 4))),
        width=data.draw(st.none() | st.integers(16, 240)),
        height=data.draw(st.integers(16, 90)),
        font_sizes=data.draw(st.lists(st.integers(8, 60), min_size=1, max_size=2)),
        rotation=data.draw(st.sampled_from([(-180, 180), (0, 0), (-30, 30), (45, 90)])),
        warp_x=data.draw(st.sampled_from([(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)])),
        warp_y=data.draw(st.sampled_from([(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)])),
        space_probability=data.draw(st.floats(0, 1)),
        plain=data.draw(st.floats(0, 1)),
        overlap=data.draw(st.floats(0, 1)),
        noise_dots=data.draw(st.integers(0, 50)),
        dot_width=data.draw(st.integers(1, 10)),
        noise_curves=data.draw(st.integers(0, 5)),
        text_opacity=data.draw(st.sampled_from([(1, 1), (1, 255), (255, 255)])),
    )
    text = "8" * data.draw(st.integers(*style.length))
    image = draw_captcha(text, style, data.draw(SEEDS))
    assert image.size == (style.image_width, style.height)
    assert image.mode == "RGB"
    assert captcha.image.secrets is secrets


def test_grey_is_brightness():
    picture = Image.new("RGB", (3, 2), "white")
    picture.putpixel((1, 0), (0, 0, 0))
    picture.putpixel((2, 1), (255, 0, 0))
    grey = to_grey(picture)
    assert grey.dtype == np.uint8
    assert grey.tolist() == [[255, 0, 255], [255, 255, 76]]


def angle_of(picture: np.ndarray) -> float:
    """The angle of the longest axis of what is dark, in degrees, counter-clockwise."""
    rows, columns = np.nonzero(picture < 200)
    values, vectors = np.linalg.eigh(np.cov(columns, -rows))
    x, y = vectors[:, values.argmax()]
    return np.degrees(np.arctan2(y, x)) % 180


PLAIN = {"noise_dots": 0, "noise_curves": 0, "text_opacity": (255, 255), "text_color": (150, 150)}
STILL = {"warp_x": (0.0, 0.0), "warp_y": (0.0, 0.0), "space_probability": 0.0}


def test_the_note_tells_the_angle_that_is_seen():
    upright = CaptchaStyle(**PLAIN, **STILL, length=1, width=100, rotation=(0, 0), alphabet="lI")
    straight = angle_of(to_grey(draw_captcha("l", upright, seed=1)))
    for seed in range(20):
        image = draw_captcha("l", dataclasses.replace(upright, rotation=(-60, 60)), seed)
        (angle,) = image.info["drawn"]["angles"]
        seen = (angle_of(to_grey(image)) - straight + 90) % 180 - 90
        # `captcha` makes a turned glyph fit its old box, so what is seen is less than what was drawn.
        assert abs(angle) < 8 or 0.2 < seen / angle < 1.1
    (exact,) = draw_captcha("l", dataclasses.replace(upright, rotation=(25, 25)), seed=1).info["drawn"]["angles"]
    assert exact == 25


def ink_box(image):
    """Width and height of the text [px]."""
    dark = to_grey(image) < 200
    return tuple(int(np.ptp(np.flatnonzero(dark.any(axis=axis)))) + 1 for axis in (0, 1))


@pytest.mark.parametrize("text", ["1", "8"])
def test_a_plain_character_looks_as_its_font_has_it(text):
    style = CaptchaStyle(**PLAIN, length=1, width=100, alphabet="18", font_sizes=42, rotation=(90, 90), warp_x=(1, 1))
    font = ImageFont.truetype(str(find_font("DroidSansMono")), 42)
    blank = Image.new("L", (100, 60), 255)
    ImageDraw.Draw(blank).text((20, 5), text, font=font, fill=0)
    image = draw_captcha(text, dataclasses.replace(style, plain=1.0), seed=1)
    assert ink_box(image) == pytest.approx(ink_box(blank), abs=2)
    assert image.info["drawn"]["angles"] == [0.0]
    stretched = ink_box(draw_captcha(text, CaptchaStyle(**{**PLAIN, **STILL}, length=1, width=100, font_sizes=42), 1))
    assert text == "8" or stretched[0] > 1.5 * ink_box(blank)[0]


def test_so_large_a_share_of_the_captchas_is_plain():
    style, mixed = (CaptchaStyle(rotation=(10, 30), plain=share) for share in (0.0, 0.25))
    plain = 0
    for seed in range(200):
        image, other = draw_captcha("5024", mixed, seed), draw_captcha("5024", style, seed)
        upright = image.info["drawn"]["angles"] == [0.0] * 4
        assert upright or image.tobytes() == other.tobytes()
        plain += upright
    assert 30 < plain < 70


def test_the_note_tells_fonts_and_sizes():
    style = CaptchaStyle(fonts=("DroidSansMono", "DejaVuSerif"), font_sizes=(30, 60))
    notes = [draw_captcha("5020", style, seed).info["drawn"] for seed in range(20)]
    assert all(len(note["fonts"]) == len(note["sizes"]) == len(note["angles"]) == 4 for note in notes)
    assert {font for note in notes for font in note["fonts"]} == {"DroidSansMono", "DejaVuSerif"}
    assert {size for note in notes for size in note["sizes"]} == {30, 60}
    assert len({angle for note in notes for angle in note["angles"]}) > 60


@pytest.mark.parametrize("seed", range(6))
def test_the_note_tells_the_gap_between_two_boxes(seed):
    style = CaptchaStyle(
        **{**PLAIN, **STILL}, length=2, width=400, rotation=(0, 0), overlap=0.9, font_sizes=40, alphabet="HI"
    )
    still = dataclasses.replace(style, overlap=0.0)
    (gap,) = draw_captcha("HH", style, seed).info["drawn"]["gaps"]
    assert draw_captcha("HH", still, seed).info["drawn"]["gaps"] == [0.0]
    ends = [np.flatnonzero((to_grey(draw_captcha("HH", s, seed)) < 200).any(axis=0))[-1] for s in (style, still)]
    assert ends[0] - ends[1] == gap <= 0


def test_a_blank_is_a_gap():
    style = CaptchaStyle(space_probability=1.0, overlap=0.0, font_sizes=20)
    assert all(gap > 5 for gap in draw_captcha("5020", style, 1).info["drawn"]["gaps"])


def test_the_note_tells_how_much_a_text_was_squashed():
    wide, narrow = (draw_captcha("5020", CaptchaStyle(width=w), 1).info["drawn"]["squash"] for w in (100, 50))
    assert 1 < wide == pytest.approx(narrow / 2, abs=0.001)
    assert draw_captcha("5020", CaptchaStyle(font_sizes=20, space_probability=0.0), 1).info["drawn"]["squash"] == 1


def test_the_note_tells_the_contrast_that_is_seen():
    for seed in range(5):
        color = (20 + 30 * seed, 45 + 30 * seed)
        style = CaptchaStyle(length=1, noise_dots=0, noise_curves=0, font_sizes=56, text_color=color)
        image = draw_captcha("8", style, seed)
        grey = to_grey(image).astype(int)
        background = np.bincount(grey.ravel()).argmax()
        text = np.median(grey[grey < background - 30])
        assert image.info["drawn"]["contrast"] == pytest.approx(background - text, abs=9)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_file_keeps_its_note_and_its_pixels(tmp_path, kind):
    image = draw_captcha("5020", CaptchaStyle(), 1)
    save_captcha(image, tmp_path / f"captcha.{kind}")
    assert read_note(tmp_path / f"captcha.{kind}") == image.info["drawn"]
    if kind == "png":
        assert Image.open(tmp_path / "captcha.png").tobytes() == image.tobytes()


def test_a_picture_without_a_note_is_refused_by_name(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "plain.png")
    with pytest.raises(ImageError, match=r"plain\.png holds no note"):
        read_note(tmp_path / "plain.png")


def test_the_note_counts_gaps_over_blanks_to_the_pixel():
    style = CaptchaStyle(space_probability=0.5, font_sizes=30, width=300)
    drawer = drawer_of(style)
    with seeded(5) as numbers:
        drawer.create_captcha_image("5020", (100, 100, 100, 255), (255, 255, 255))
        steps, widths = numbers.below[-len(drawer._widths) :], drawer._widths
        gaps = drawer.note((100, 100, 100, 255), (255, 255, 255))["gaps"]
    assert any(blank for _, blank in widths[1:])
    expected, distance = [], None  # walking from glyph to glyph
    for (width, blank), step in zip(widths, steps, strict=True):
        if not blank:
            expected += [] if distance is None else [distance]
            distance = -step
        elif distance is not None:
            distance += width - step
    assert gaps == expected
