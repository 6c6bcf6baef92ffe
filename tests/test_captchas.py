"""Captchas are upstream's own, to the byte, and the same every time."""

import ast
import dataclasses
import functools
import inspect
import itertools
import json
import platform
import secrets
from random import Random

import captcha.image
import numpy as np
import pytest
from captcha.image import ImageCaptcha, random_color
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from helpers import files
from helpers.captchas import seeding
from helpers.captchas.drawing import draw_captcha, read_note, save_captcha
from helpers.captchas.fonts import FAMILIES, FOLDERS, find_font, missing_characters
from helpers.captchas.pictures import to_grey
from helpers.captchas.seeding import SeededSecrets, seeded
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


@functools.lru_cache
def package_drawer(style: CaptchaStyle) -> ImageCaptcha:
    """The package's own drawer; its fonts are loaded once."""
    fonts = [str(find_font(font)) for font in style.fonts]
    drawer = ImageCaptcha(style.image_width, style.height, fonts, style.font_sizes)
    drawer.character_rotate = style.rotation
    drawer.character_offset_dx, drawer.character_offset_dy = style.offset_x, style.offset_y
    drawer.character_warp_dx, drawer.character_warp_dy = style.warp_x, style.warp_y
    drawer.word_space_probability, drawer.word_offset_dx = 1 - style.space_probability, style.overlap
    return drawer


def drawn_by_the_package(text: str, style: CaptchaStyle, seed: int) -> Image.Image:
    """What `draw_captcha` must give for a style that is not plain, with nothing but the package's own methods."""
    drawer = package_drawer(style)
    lowest, highest = style.text_opacity
    with seeded(seed) as numbers:
        background = random_color(*style.background_color)
        opacity = numbers.randbelow(highest - lowest + 1) + lowest
        color = random_color(*style.text_color, opacity)
        image = drawer.create_captcha_image(text, color, background)
        drawer.create_noise_dots(image, color, style.dot_width, style.noise_dots)
        for _ in range(style.noise_curves):
            drawer.create_noise_curve(image, color)
    return image.filter(ImageFilter.SMOOTH)


def any_style(random: Random) -> CaptchaStyle:
    """A style in which every knob may have any value, ends included, but no character is plain."""
    fonts = [file.stem for folder in FOLDERS for file in folder.glob("*.[to]tf") if file.stem.startswith(FAMILIES)]
    fonts = [font for font in fonts if "Display" not in font and not missing_characters(font, "0123456789Wfgj")]
    angles = [0, 90, 180, -90, -180, random.randint(-180, 180), random.randint(-30, 30)]
    return CaptchaStyle(
        alphabet="0123456789Wfgj",
        length=(1, 6),
        width=random.choice([None, 60, 160, 400]),
        height=random.choice([30, 60, 61, 90]),
        fonts=random.sample(fonts, random.choice([1, 3])),
        font_sizes=random.sample(range(8, 70), random.choice([1, 3])),
        rotation=sorted(random.choices(angles, k=2)),
        offset_x=random.choice([(0, 0), (0, 4), (3, 20)]),
        offset_y=random.choice([(0, 0), (0, 6), (3, 20)]),
        warp_x=sorted(random.choices([0.0, 0.1, 0.3, random.random(), 1.0], k=2)),
        warp_y=sorted(random.choices([0.0, 0.2, 0.3, random.random(), 1.0], k=2)),
        space_probability=random.choice([0.0, 0.5, 1.0]),
        overlap=random.choice([0.0, 0.25, 1.0]),
        noise_dots=random.choice([0, 1, 30]),
        dot_width=random.randint(1, 8),
        noise_curves=random.choice([0, 1, 3]),
        text_color=random.choice([(10, 200), (0, 40), (200, 218)]),
        text_opacity=random.choice([(1, 1), (1, 60), (220, 255), (255, 255)]),
        background_color=random.choice([(238, 255), (255, 255)]),
    )


def test_any_style_gives_the_pixels_of_the_package_itself():
    random = Random(1)
    for seed in range(300):
        style = any_style(random)
        text = "".join(random.choices(style.alphabet, k=random.randint(1, 6)))
        assert draw_captcha(text, style, seed).tobytes() == drawn_by_the_package(text, style, seed).tobytes(), style


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_gives_the_pixels_of_the_package_itself(preset):
    style = CaptchaStyle.preset(preset)
    text = style.alphabet[-1] * style.max_length
    for seed in range(8):
        assert draw_captcha(text, style, seed).tobytes() == drawn_by_the_package(text, style, seed).tobytes()


def test_the_mask_is_that_of_the_packages_table():
    every_level = Image.frombytes("L", (256, 1), bytes(range(256)))
    table = every_level.point(ImageCaptcha.lookup_table)
    assert ImageChops.add(every_level, every_level, 2 / 1.97).tobytes() == table.tobytes()


@given(SEEDS, st.lists(st.integers(1, 2**40), max_size=30))
def test_the_seeded_numbers_are_those_of_pythons_own_generator(seed, ends):
    numbers, own = SeededSecrets(seed), Random(seed)
    assert [numbers.randbelow(end) for end in ends] == [own.randrange(end) for end in ends]
    assert (numbers.randbits(32), numbers.choice("abc")) == (own.getrandbits(32), own.choice("abc"))


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
        def __init__(self, seed, steady):
            super().__init__(seed, steady)
            choose = self.choice
            self.choice = lambda fonts: chosen[-1].append(choose(fonts)) or chosen[-1][-1]

    monkeypatch.setattr(seeding, "SeededSecrets", Spy)
    style = CaptchaStyle(fonts=("DroidSansMono", "DejaVuSans", "DejaVuSerif"), space_probability=0.0)
    for seed in range(20):
        chosen.append([])
        draw_captcha("0000", style, seed)
    assert all(len(fonts) == 4 for fonts in chosen)
    assert any(len(set(fonts)) > 1 for fonts in chosen)
    assert len({font.path for fonts in chosen for font in fonts}) == 3


@pytest.mark.parametrize(
    ("knob", "value", "same"),
    [
        ("text_color", (60, 120), ("fonts", "sizes", "angles", "gaps", "squash")),
        ("text_color", (120, 190), ("fonts", "sizes", "angles", "gaps", "squash")),
        ("background_color", (225, 230), ("fonts", "sizes", "angles", "gaps", "squash")),
        ("text_opacity", (1, 2), ("fonts", "sizes", "angles", "gaps", "squash")),
        ("warp_x", (0.1, 0.9), ("fonts", "sizes", "angles", "gaps", "squash", "contrast")),
        ("rotation", (-60, 60), ("fonts", "sizes", "gaps", "squash", "contrast")),
        ("space_probability", 0.0, ("fonts", "sizes", "angles", "contrast")),
        ("noise_dots", 400, ("fonts", "sizes", "angles", "gaps", "squash", "contrast")),
        ("fonts", "DejaVuSans", ("sizes", "angles", "contrast")),
    ],
)
def test_steadily_drawn_only_the_knob_that_is_turned_changes(knob, value, same):
    for seed in range(5):
        usual, turned = (
            draw_captcha("4728", style, seed, steady=True) for style in (CaptchaStyle(), CaptchaStyle(**{knob: value}))
        )
        assert usual.tobytes() != turned.tobytes()
        assert [usual.info["drawn"][name] for name in same] == [turned.info["drawn"][name] for name in same]


def test_steadily_drawn_curves_stay_where_dots_are_added():
    pictures = [
        np.asarray(draw_captcha("4728", CaptchaStyle(noise_dots=dots), 3, steady=True)).astype(int) for dots in (0, 9)
    ]
    assert ((pictures[0] - pictures[1]) != 0).any(axis=2).mean() < 0.05


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


def test_the_note_counts_gaps_over_blanks_to_the_pixel(monkeypatch):
    """From the places where characters were pasted, each as wide as its picture."""
    pasted, paste = [], Image.Image.paste

    def spy(image, glyph, box=None, mask=None):
        if mask is not None and isinstance(glyph, Image.Image):
            pasted.append((box[0], box[0] + glyph.width))
        paste(image, glyph, box, mask)

    monkeypatch.setattr(Image.Image, "paste", spy)
    image = draw_captcha("5020", CaptchaStyle(space_probability=0.5, font_sizes=30, width=300), 5)
    gaps = [start - end for (_, end), (start, _) in itertools.pairwise(pasted)]
    assert image.info["drawn"]["gaps"] == gaps
    assert max(gaps) > 5 > 0 >= min(gaps)  # with a blank between, and without


# Notes of what was drawn, as they were when the package's own methods drew it.
NOTES = {
    "many fonts": "fa1ccc6e478bc615",
    "hard": "e65ed8d4153c700c",
    "lengths 3 to 6": "41389dd6fe10f44f",
}


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="FreeType may measure differently elsewhere"
)
@pytest.mark.parametrize("preset", NOTES)
def test_the_notes_stay_what_they_were(preset):
    style = CaptchaStyle.preset(preset)
    notes = [draw_captcha(style.alphabet[seed % 10] * style.max_length, style, seed).info["drawn"] for seed in range(9)]
    assert files.text_digest(json.dumps(notes))[:16] == NOTES[preset]
