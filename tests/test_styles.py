"""A style checks itself, and comes back from disk as it was."""

import dataclasses
import json
import re
from pathlib import Path

import matplotlib
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.fonts import find_font, missing_characters
from helpers.captchas.style_checks import NOTHING
from helpers.captchas.styles import PRESETS, CaptchaStyle
from helpers.errors import StyleError

LIMITS = {field.name: field.metadata["limits"] for field in dataclasses.fields(CaptchaStyle) if field.metadata}
FIELDS = [field.name for field in dataclasses.fields(CaptchaStyle)]
CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def ranges(lowest, highest):
    values = st.integers(lowest, highest) if isinstance(lowest, int) else st.floats(lowest, highest)
    return st.tuples(values, values).map(lambda pair: tuple(sorted(pair)))


def numbers(lowest, highest):
    return st.integers(lowest, highest) if isinstance(lowest, int) else st.floats(lowest, highest)


def styles():
    """Every style that can be drawn."""
    fields = {
        name: (ranges if isinstance(getattr(CaptchaStyle, name), tuple) else numbers)(*limits)
        for name, limits in LIMITS.items()
    }
    fields["width"] = st.none() | fields["width"]
    fields["alphabet"] = st.lists(st.sampled_from(CHARACTERS), min_size=2, unique=True).map("".join)
    fields["font_sizes"] = st.lists(st.integers(8, 400), min_size=1, max_size=4)
    fields["fonts"] = st.lists(st.sampled_from(PRESETS["many fonts"]["fonts"]), min_size=1, max_size=3)
    fields["text_color"] = st.tuples(st.integers(0, 40), st.integers(40, 200))
    fields["background_color"] = ranges(220, 255)
    return st.fixed_dictionaries({}, optional=fields).map(lambda chosen: CaptchaStyle(**chosen))


@given(styles())
def test_a_style_survives_json(style):
    fields = json.loads(json.dumps(style.to_dict()))
    assert list(fields) == FIELDS
    assert CaptchaStyle.from_dict(fields) == style
    assert hash(CaptchaStyle.from_dict(fields)) == hash(style)
    assert style.differences(CaptchaStyle.from_dict(fields)) == []


@given(styles(), st.data())
def test_labels_survive_the_round_trip(style, data):
    length = data.draw(st.integers(style.min_length, style.max_length))
    text = "".join(data.draw(st.lists(st.sampled_from(style.alphabet), min_size=length, max_size=length)))
    labels = style.text_to_labels(text)
    assert len(labels) == style.positions == style.max_length
    assert all(0 <= label < len(style.classes) for label in labels)
    assert style.labels_to_text(labels) == text
    assert [style.classes[label] for label in labels[:length]] == list(text)


@given(styles(), styles())
def test_differences_name_every_changed_field_and_no_other(one, other):
    changed = [name for name in FIELDS if getattr(one, name) != getattr(other, name)]
    assert [sentence.split(":")[0] for sentence in one.differences(other)] == changed


def test_short_texts_are_padded_on_the_right_with_the_last_class():
    style = CaptchaStyle(length=(3, 6))
    assert style.classes == "0123456789" + NOTHING
    assert style.text_to_labels("123") == [1, 2, 3, 10, 10, 10]
    assert style.labels_to_text([1, 2, 3, 10, 10, 10]) == "123"
    assert CaptchaStyle().classes == "0123456789"


def test_the_width_follows_the_longest_text_unless_it_is_given():
    assert (CaptchaStyle().image_width, CaptchaStyle().height) == (160, 60)
    assert CaptchaStyle(length=(3, 6)).image_width == 240
    assert CaptchaStyle(length=5, width=90).image_width == 90


def test_one_value_may_stand_for_a_tuple():
    style = CaptchaStyle(length=5, fonts="DejaVuSans", font_sizes=40)
    assert (style.length, style.fonts, style.font_sizes) == ((5, 5), ("DejaVuSans",), (40,))
    assert CaptchaStyle(rotation=[-5, 5]).rotation == (-5, 5)


def test_a_style_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CaptchaStyle().height = 61
    assert dataclasses.replace(CaptchaStyle(), height=61).height == 61


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("alphabet", value) for value in ("", "0", "00", "0120", "0 1", "a/b", "01" + NOTHING, "a.b", "a\n", 12)],
        *[("length", value) for value in (0, 13, (5, 3), (1,), "4", (3.0, 4), True, (1, 2, 3), None)],
        *[("width", value) for value in (15, 2001, 100.5, "160", True)],
        *[("height", value) for value in (15, 501, None)],
        *[("fonts", value) for value in ((), ("",), "NoSuchFont", ("DroidSansMono", "no.ttf"), (3,), 3, __file__)],
        *[("font_sizes", value) for value in ((), 7, (42, 401), (42.0,), "42")],
        *[("rotation", value) for value in (30, (30, -30), (-181, 0), (0.5, 1))],
        *[("offset_x", value) for value in ((-1, 4), (4, 0), (0, 101))],
        *[("offset_y", value) for value in ((-1, 4), (6, 0), "06")],
        *[("warp_x", value) for value in ((0.3, 0.1), (0, 1.1), (0.1,), ("a", "b"), (float("nan"), float("nan")))],
        *[("warp_y", value) for value in ((0.3, 0.1), (-0.1, 1), (0.1, float("nan")), 0.3)],
        *[("space_probability", value) for value in (-0.1, 1.1, float("nan"), "half", None)],
        *[("plain", value) for value in (-0.1, 1.1, "all", True)],
        *[("overlap", value) for value in (-0.1, 1.1, True)],
        *[("noise_dots", value) for value in (-1, 1.5, 10_001, True)],
        *[("dot_width", value) for value in (0, 51)],
        *[("noise_curves", value) for value in (-1, 101, "one")],
        *[("text_color", value) for value in ((0, 0), (0, 39), (10, 230), (0, 256), (200, 10), "black")],
        *[("text_opacity", value) for value in ((0, 10), (220, 256), (255, 220))],
        *[("background_color", value) for value in ((0, 256), (255, 238), (-1, 255))],
    ],
)
def test_what_cannot_be_drawn_is_refused_by_the_fields_name(field, value):
    with pytest.raises(StyleError, match=rf"^{field}: "):
        CaptchaStyle(**{field: value})


def test_every_number_has_limits_and_may_reach_them():
    assert set(FIELDS) - set(LIMITS) == {"alphabet", "fonts", "font_sizes"}
    for name, (lowest, highest) in LIMITS.items():
        if "color" not in name:  # text must be told from its background
            is_range = isinstance(getattr(CaptchaStyle, name), tuple)
            for value in ((lowest, highest), (highest, highest)) if is_range else (lowest, highest):
                assert getattr(CaptchaStyle(**{name: value}), name) == value


def test_every_field_has_a_refusal_of_its_own():
    cases = test_what_cannot_be_drawn_is_refused_by_the_fields_name.pytestmark[0].args[1]
    assert {field for field, _ in cases} == set(FIELDS)


def test_text_like_its_background_is_refused_either_way_round():
    with pytest.raises(StyleError, match=r"text_color: .* background_color"):
        CaptchaStyle(text_color=(100, 200), background_color=(150, 255))
    light_on_dark = CaptchaStyle(text_color=(200, 255), background_color=(0, 40))
    assert draw_captcha("5020", light_on_dark, 1).getpixel((0, 0)) < (41, 41, 41)


def test_a_font_without_the_alphabet_is_refused_unless_it_is_only_read():
    with pytest.raises(StyleError, match="'DroidSansMono' has no picture for 山"):
        CaptchaStyle(alphabet="01山")
    assert CaptchaStyle(alphabet="01山", check_fonts=False).classes == "01山"
    fields = CaptchaStyle().to_dict() | {"fonts": ["gone.ttf"]}
    assert CaptchaStyle.from_dict(fields, check_fonts=False).fonts == ("gone.ttf",)


@pytest.fixture(scope="module")
def font_files(tmp_path_factory):
    """Fonts of a few glyphs, by what is special about them."""
    folder = tmp_path_factory.mktemp("fonts")

    def drawn(empty: bool = False):
        pen = TTGlyphPen(None)
        for move, *points in () if empty else ((pen.moveTo, 0, 0), (pen.lineTo, 500, 0), (pen.lineTo, 500, 700)):
            move(tuple(points))
        if not empty:
            pen.closePath()
        return pen.glyph()

    def build(characters: str, empty: str = "", not_defined: str = "") -> TTFont:
        names = [".notdef", *(f"glyph{ord(c)}" for c in characters + empty)]
        builder = FontBuilder(1000, isTTF=True)
        builder.setupGlyphOrder(names)
        builder.setupCharacterMap(
            {ord(c): f"glyph{ord(c)}" for c in characters + empty} | {ord(c): ".notdef" for c in not_defined}
        )
        glyphs = [drawn(name in {f"glyph{ord(c)}" for c in empty}) for name in names]
        builder.setupGlyf(dict(zip(names, glyphs, strict=True)))
        builder.setupHorizontalMetrics({name: (600, 0) for name in names})
        builder.setupHorizontalHeader(ascent=800, descent=-200)
        builder.setupNameTable({"familyName": "Tiny", "styleName": "Regular"})
        builder.setupOS2()
        builder.setupPost()
        return builder.font

    files = {"plain": build("01"), "empty": build("0", empty="1"), "not defined": build("0", not_defined="1")}
    for name, font in files.items():
        font.save(folder / f"{name}.ttf")
    collection = TTCollection()
    collection.fonts = [build("01"), build("23")]
    collection.save(folder / "collection.ttc")
    whole = (folder / "plain.ttf").read_bytes()
    (folder / "cut.ttf").write_bytes(whole[: len(whole) // 2])
    (folder / "text.ttf").write_text("no font")
    (folder / "nothing.otf").write_bytes(b"")
    for table in ("cmap", "glyf", "loca", "head", "hmtx", "maxp"):
        start = TTFont(folder / "plain.ttf").reader.tables[table].offset
        (folder / f"damaged {table}.ttf").write_bytes(whole[:start] + b"\xff" * 40 + whole[start + 40 :])
    return folder


def test_a_glyph_that_is_absent_or_empty_is_found_missing(font_files):
    for name, missing in (("plain", ""), ("empty", "1"), ("not defined", "1"), ("collection.ttc", "")):
        font = str(font_files / (name if "." in name else f"{name}.ttf"))
        assert missing_characters(font, "01") == missing, name
    assert missing_characters(str(font_files / "collection.ttc"), "0123") == "23"  # its first font is drawn
    style = CaptchaStyle(alphabet="01", fonts=str(font_files / "collection.ttc"))
    assert draw_captcha("0110", style, 1).size == (160, 60)


def test_a_broken_font_is_named_in_one_sentence(font_files):
    for name in ("cut.ttf", "text.ttf", "nothing.otf"):
        with pytest.raises(StyleError, match=rf"^fonts: '.*{re.escape(name)}' cannot be read as a font"):
            CaptchaStyle(alphabet="01", fonts=str(font_files / name))
    for file in font_files.glob("damaged*.ttf"):
        try:
            draw_captcha("0110", CaptchaStyle(alphabet="01", fonts=str(file)), 1)
        except StyleError as reason:
            assert file.name in str(reason)


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_font_raises_nothing_else(font_files, data):
    content = bytearray((font_files / "plain.ttf").read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=12)):
        content[place] = data.draw(st.integers(0, 255))
    (font_files / "hit.ttf").write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) - 100, 200]))])
    try:
        missing_characters.__wrapped__(str(font_files / "hit.ttf"), "01")
    except StyleError as reason:
        assert "hit.ttf" in str(reason)


def test_an_unknown_field_is_named():
    with pytest.raises(StyleError, match="no field colour"):
        CaptchaStyle.from_dict({"colour": 3})


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_drawn(name):
    style = CaptchaStyle.preset(name)
    image = draw_captcha(style.alphabet[-1] * style.max_length, style, seed=1)
    assert image.size == (style.image_width, style.height)
    assert min(image.convert("L").getextrema()) < 200
    assert (style == CaptchaStyle()) == (name == "default")


def test_presets_can_be_changed_and_an_unknown_one_lists_them():
    assert CaptchaStyle.preset("noisy", height=80) == CaptchaStyle(noise_dots=200, noise_curves=4, height=80)
    with pytest.raises(StyleError, match=r"'blurred'.*default, clean, noisy, many fonts"):
        CaptchaStyle.preset("blurred")


def test_fonts_are_found_by_name_or_by_path():
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSerif.ttf"
    assert find_font("DejaVuSerif") == path
    assert find_font(str(path)) == path
    assert find_font("DroidSansMono").suffix == ".ttf"
    assert find_font("HankenGrotesk-Regular").suffix == ".otf"
    with pytest.raises(StyleError, match=r"no font 'Comic'.*DejaVuSans.*DroidSansMono.*HankenGrotesk.*STIXGeneral"):
        find_font("Comic")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("", "0 characters"), ("123", "draws 4"), ("12345", "draws 4"), ("12a4", "contains a"), (1234, "is a int")],
)
def test_a_text_that_cannot_be_drawn_is_refused(text, complaint):
    with pytest.raises(StyleError, match=complaint):
        CaptchaStyle().check_text(text)


def test_a_text_that_can_be_drawn_is_handed_back():
    assert CaptchaStyle().check_text("0042") == "0042"
    assert CaptchaStyle(length=(3, 6)).check_text("123456") == "123456"
    with pytest.raises(StyleError, match="draws 3 to 6"):
        CaptchaStyle(length=(3, 6)).check_text("12")


@pytest.mark.parametrize(
    "style",
    [
        CaptchaStyle(),
        CaptchaStyle(noise_dots=100, fonts=("DejaVuSans",), warp_y=(0.0, 0.5)),
        *map(CaptchaStyle.preset, PRESETS),
        CaptchaStyle(alphabet="AB'C"),
    ],
)
def test_the_line_of_python_makes_the_style(style):
    assert eval(style.to_python(), {"CaptchaStyle": CaptchaStyle}) == style


@pytest.mark.parametrize(("name", "hint"), [("noise_dot", "Did you mean noise_dots"), ("zzz", "There are: alphabet,")])
def test_a_field_that_does_not_exist_is_told_with_the_nearest_that_does(name, hint):
    with pytest.raises(StyleError, match=f"A captcha style has no field {name}. {hint}"):
        CaptchaStyle(**{name: 200})
