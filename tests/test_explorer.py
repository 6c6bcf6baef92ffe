"""The explorer of notebook 2, driven as its sliders would."""

import dataclasses
import datetime
import io
import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_styles import styles

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.fonts import find_font
from helpers.captchas.pictures import to_grey
from helpers.captchas.styles import PRESETS, CaptchaStyle
from helpers.errors import StepError, StyleError
from helpers.experiments import choice, grid, tries
from helpers.experiments import explorer as explorer_module
from helpers.experiments.explorer import OWN, Explorer
from helpers.experiments.grid import GAP, LINE, NOTHING, preview
from helpers.experiments.knobs import SLIDERS
from helpers.experiments.scoreboard import Try, keep_try
from helpers.network.saved import load_network
from helpers.scores import proportion


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    """A new kernel on a profile where no style was used and nothing was trained; what is kept since, in order."""
    styles = []
    monkeypatch.setattr(explorer_module, "fitting_networks", lambda settings, style: {})
    monkeypatch.setattr(Explorer, "last_used", None)
    monkeypatch.setattr(explorer_module, "keep", styles.append)
    monkeypatch.setattr(explorer_module, "chosen_style", lambda: styles[-1] if styles else CaptchaStyle())
    return styles


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
    style = explorer.drawn
    assert style == CaptchaStyle.preset(name)
    assert explorer.refusal.value == ""
    for field in ("noise_dots", "rotation", "warp_x", "overlap"):  # there and back again
        knob, value = explorer.knobs[field], getattr(style, field)
        knob.value = (value[0], value[1] - knob.step) if isinstance(value, tuple) else value + knob.step
        assert getattr(explorer.drawn, field) != value
        knob.value = value
    assert explorer.drawn == style
    assert explorer.preset.value == name


def test_the_style_is_handed_on_only_when_asked():
    explorer = Explorer()
    explorer.preset.value = "noisy"
    assert explorer.style == CaptchaStyle()
    explorer.button.click()
    assert explorer.style == CaptchaStyle.preset("noisy")
    assert 'STYLE = CaptchaStyle.preset("noisy")' in explorer.line.value.replace("&quot;", '"')


def test_a_used_style_is_remembered_when_the_cell_runs_again(kept):
    explorer = Explorer()
    explorer.preset.value = "clean"
    assert Explorer().style == CaptchaStyle()  # only shown so far
    explorer.button.click()
    assert kept == [CaptchaStyle.preset("clean")]
    again = Explorer()
    assert again.style == again.drawn == CaptchaStyle.preset("clean")
    assert again.preset.value == "clean"
    assert Explorer(CaptchaStyle(noise_dots=7)).style == CaptchaStyle(noise_dots=7)


def test_a_used_style_is_remembered_where_no_person_is_recognised(monkeypatch):
    monkeypatch.setattr(explorer_module, "chosen_style", CaptchaStyle)
    explorer = Explorer()
    explorer.preset.value = "clean"
    explorer.button.click()
    assert Explorer().style == CaptchaStyle.preset("clean")


def test_a_new_kernel_goes_on_with_the_style_that_was_kept(monkeypatch):
    monkeypatch.setattr(explorer_module, "chosen_style", lambda: CaptchaStyle(noise_dots=70))
    explorer = Explorer()
    assert explorer.style == explorer.drawn == CaptchaStyle(noise_dots=70)
    assert explorer.knobs["noise_dots"].value == 70
    assert Explorer(CaptchaStyle()).style == CaptchaStyle()


def test_a_used_style_outlives_the_kernel(monkeypatch, tmp_path):
    for name in ("chosen_style", "keep"):
        monkeypatch.setattr(explorer_module, name, getattr(choice, name))
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("JPY_SESSION_NAME", "02_generate_captchas.ipynb")
    monkeypatch.delenv("CAPTCHA_UNATTENDED", raising=False)
    explorer = Explorer()
    explorer.knobs["noise_dots"].value = 70
    explorer.button.click()
    monkeypatch.setattr(Explorer, "last_used", None)
    assert Explorer().style == CaptchaStyle(noise_dots=70)


def damaged():
    raise StepError("choice.json holds no JSON object. Delete it & go on.")


@pytest.mark.parametrize(
    ("choose", "reason"),
    [
        (lambda: CaptchaStyle(fonts="gone.ttf", check_fonts=False), "there is no font &#x27;gone.ttf&#x27;"),
        (lambda: CaptchaStyle(alphabet="01山", check_fonts=False), "has no picture for 山"),
        (damaged, "Delete it &amp; go on"),
    ],
)
def test_a_kept_style_that_cannot_be_drawn_here_is_told_and_the_default_is_shown(monkeypatch, choose, reason):
    monkeypatch.setattr(explorer_module, "chosen_style", choose)
    explorer = Explorer()
    assert explorer.style == explorer.drawn == CaptchaStyle()
    assert np.array_equal(shown(explorer), np.asarray(preview(CaptchaStyle())))
    assert reason in explorer.refusal.value
    explorer.knobs["noise_dots"].value = 100
    assert explorer.drawn == CaptchaStyle(noise_dots=100)
    assert explorer.refusal.value == ""


def test_a_style_of_ones_own_that_cannot_be_drawn_is_an_error():
    with pytest.raises(StyleError, match=r"gone\.ttf"):
        Explorer(CaptchaStyle(fonts="gone.ttf", check_fonts=False))


BEYOND = {
    "noise_dots": 400,
    "length": (3, 12),
    "rotation": (-180, 180),
    "font_sizes": (8, 400),
    "dot_width": 50,
    "noise_curves": 100,
}


@pytest.mark.parametrize("field", BEYOND)
def test_a_slider_is_widened_for_a_value_beyond_it(field):
    style = CaptchaStyle(**{field: BEYOND[field]})
    explorer = Explorer(style)
    assert explorer.knobs[field].value == BEYOND[field]
    explorer.knobs["overlap"].value = 0.5
    assert explorer.drawn == dataclasses.replace(style, overlap=0.5)
    explorer.preset.value = "noisy"
    assert (explorer.knobs[field].min, explorer.knobs[field].max) == SLIDERS[field][1:3]  # as wide as before


@pytest.mark.parametrize(
    ("field", "value", "step", "decimals"),
    [
        ("warp_x", (0.123, 0.3), 0.001, 3),
        ("warp_y", (0.1, 0.3), 0.1, 1),
        ("plain", 0.25, 0.01, 2),
        ("overlap", 0.4, 0.05, 2),
        ("space_probability", 1 / 3, 1e-6, 6),
        ("space_probability", 1e-9, 0.1, 1),
        ("noise_dots", 33, 1, 0),
        ("noise_dots", 410, 10, 0),
        ("rotation", (-33, 30), 1, 0),
        ("rotation", (-97, 30), 1, 0),
        ("font_sizes", (31, 40), 1, 0),
    ],
)
def test_a_slider_can_stand_on_the_value_and_tells_it(field, value, step, decimals):
    knob = Explorer(CaptchaStyle(**{field: value})).knobs[field]
    assert knob.value == value
    assert knob.step == pytest.approx(step)
    assert knob.readout_format == f".{decimals}f"


def turned(name, knob, data):
    """Another value of a knob, within what its slider allows."""
    if name == "alphabet":
        return data.draw(st.sampled_from(["01", "ABC", "xyz789"]))
    if name == "fonts":
        return tuple(
            data.draw(
                st.lists(st.sampled_from([font for _, font in knob.options]), min_size=1, max_size=3, unique=True)
            )
        )
    steps = st.integers(0, round((knob.max - knob.min) / SLIDERS[name][3]))
    values = steps.map(lambda step: min(knob.max, knob.min + step * SLIDERS[name][3]))
    return data.draw(st.tuples(values, values).map(sorted).map(tuple) if isinstance(knob.value, tuple) else values)


@settings(max_examples=60)
@given(style=styles(), data=st.data())
def test_showing_a_style_and_turning_one_knob_changes_only_its_field(style, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            explorer_module, "samples", lambda style: (["0"], [Image.new("RGB", (1, 1))])
        )  # the drawing takes long
        explorer = Explorer(style)
        for name, knob in explorer.knobs.items():
            value = getattr(style, name)
            assert knob.value == ((min(value), max(value)) if name == "font_sizes" else value)
        assert explorer.style == explorer.drawn == style
        name = data.draw(st.sampled_from(list(explorer.knobs)))
        explorer.knobs[name].value = turned(name, explorer.knobs[name], data)
        changed = {sentence.split(":")[0] for sentence in explorer.drawn.differences(style)}
        assert changed <= {name}
        if not explorer.refusal.value and name not in ("font_sizes", "fonts"):
            assert getattr(explorer.drawn, name) == pytest.approx(explorer.knobs[name].value, abs=1e-6)


def test_two_knobs_that_only_fit_together_are_turned_one_after_the_other():
    explorer = Explorer()
    explorer.knobs["text_color"].value = (200, 255)
    assert explorer.refusal.value
    explorer.knobs["background_color"].value = (0, 40)
    assert explorer.refusal.value == ""
    assert explorer.drawn == CaptchaStyle(text_color=(200, 255), background_color=(0, 40))


def test_a_preset_forgets_what_was_refused():
    explorer = Explorer()
    explorer.knobs["text_color"].value = (0, 20)
    explorer.preset.value = "noisy"
    explorer.knobs["noise_dots"].value = 100
    assert explorer.drawn == CaptchaStyle.preset("noisy", noise_dots=100)
    assert explorer.knobs["text_color"].value == (10, 200)


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
    explorer = Explorer(dataclasses.replace(style, font_sizes=(60, 30, 33, 30), fonts=("DejaVuSans", "DroidSansMono")))
    explorer.knobs["overlap"].value = 0.5
    assert explorer.drawn.font_sizes == (60, 30, 33, 30)
    assert explorer.drawn.fonts == ("DejaVuSans", "DroidSansMono")


class Trained:
    """Networks of four digits, each the file of a function that reads; how often they were loaded."""

    def __init__(self, monkeypatch, folder, **networks):
        self.loaded = []
        paths = {name: folder / name for name in networks}
        for path in paths.values():
            path.touch()
        by_path = {path: networks[name] for name, path in paths.items()}
        found = {name: (path, CaptchaStyle()) for name, path in paths.items()}

        def fitting(settings, style):
            return found if (style.classes, style.length) == ("0123456789", (4, 4)) else {}

        def glance(path, changed):
            self.loaded.append(path.name)
            return by_path[path]

        monkeypatch.setattr(explorer_module, "fitting_networks", fitting)
        monkeypatch.setattr(explorer_module, "glance", glance)


def test_each_captcha_is_marked_with_what_is_read_and_a_line_counts(monkeypatch, tmp_path):
    texts, _ = grid.samples(CaptchaStyle())
    readings = [*texts[:13], "", "12", "9999"]
    Trained(monkeypatch, tmp_path, default=lambda images: readings)
    explorer = Explorer()
    before = shown(explorer)
    assert before.shape[0] == 4 * (60 + GAP + LINE) - GAP  # room for the marks from the start
    assert "not loaded yet" in explorer.told.value
    explorer.read()
    assert "The network of default reads 13 of these 16, at one glance" in explorer.told.value
    assert np.array_equal(shown(explorer), np.asarray(preview(CaptchaStyle(), read=lambda images: readings)))
    assert shown(explorer).shape == before.shape


def test_the_marks_follow_the_knobs_and_the_chosen_network(monkeypatch, tmp_path):
    def right(images):
        return grid.samples(CaptchaStyle())[0]

    networks = Trained(monkeypatch, tmp_path, default=right, other=lambda images: ["0"] * len(images))
    explorer = Explorer()
    assert explorer.network.options == ("default", "other")
    explorer.read()
    explorer.knobs["noise_dots"].value = 200
    assert "default reads 16 of these 16" in explorer.told.value
    assert networks.loaded == ["default"]
    explorer.network.value = "other"
    assert "other is not loaded yet" in explorer.told.value
    explorer.read()
    assert "other reads 0 of these 16" in explorer.told.value


def test_where_no_network_fits_the_explorer_says_what_would_be_shown(monkeypatch, tmp_path):
    Trained(monkeypatch, tmp_path, default=lambda images: [""] * len(images))
    explorer = Explorer()
    explorer.read()
    explorer.knobs["length"].value = (5, 5)
    assert explorer.network.options == () and explorer.network.value is None
    assert "No trained network reads captchas of this alphabet, length and size" in explorer.told.value
    assert shown(explorer).shape[0] == 4 * (60 + GAP) - GAP
    explorer.read()
    explorer.knobs["length"].value = (4, 4)
    assert explorer.network.value == "default"
    assert "default is not loaded yet" in explorer.told.value


def test_a_network_is_loaded_in_the_background_where_a_person_sits(monkeypatch, tmp_path):
    go, done = threading.Event(), threading.Event()
    monkeypatch.setattr(explorer_module, "person_sits", lambda: True)
    Trained(monkeypatch, tmp_path, default=lambda images: go.wait(10) and [""] * len(images))
    explorer = Explorer()
    assert "not loaded yet" in explorer.told.value
    explorer.told.observe(lambda change: done.set(), "value")
    go.set()
    assert done.wait(10)
    assert "default reads 0 of these 16" in explorer.told.value


def test_marks_that_come_late_are_not_laid_over_a_newer_grid(monkeypatch, tmp_path):
    explorer = None

    def slow(images):
        if explorer.drawn.noise_dots == 30:
            explorer.knobs["noise_dots"].value = 100  # while the old grid is being read
        return ["0"] * len(images)

    Trained(monkeypatch, tmp_path, default=slow)
    explorer = Explorer()
    explorer.read()
    expected = preview(CaptchaStyle(noise_dots=100), read=lambda images: ["0"] * len(images))
    assert np.array_equal(shown(explorer), np.asarray(expected))


def test_a_network_that_is_loaded_late_does_not_read_under_the_name_of_another(monkeypatch, tmp_path):
    Trained(monkeypatch, tmp_path, default=lambda images: ["0"] * len(images), other=lambda images: grid.samples(
        CaptchaStyle())[0])  # fmt: skip
    explorer, glance = Explorer(), explorer_module.glance

    def late(path, changed):
        monkeypatch.setattr(explorer_module, "glance", glance)
        explorer.network.value = "other"  # while `default` is being loaded
        explorer.read()
        return glance(path, changed)

    monkeypatch.setattr(explorer_module, "glance", late)
    explorer.read()
    assert "other reads 16 of these 16" in explorer.told.value


def dropped(name, content):
    """What the button for a font gets from the browser."""
    date = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return {"name": name, "type": "", "size": len(content), "last_modified": date, "content": memoryview(content)}


def test_a_font_of_ones_own_is_shown_letter_by_letter_and_drawn_with(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    explorer, content = Explorer(), find_font("DejaVuSerif").read_bytes()
    before = shown(explorer)
    assert explorer.letters.layout.display == "none"
    explorer.upload.value = (dropped("Mine.ttf", content),)
    (font,) = explorer.drawn.fonts
    assert font.startswith(str(tmp_path / "fonts" / "Mine-")) and font.endswith(".ttf")
    assert ("DejaVuSerif", "DejaVuSerif") in explorer.knobs["fonts"].options
    assert explorer.knobs["fonts"].value == (font,)
    assert (shown(explorer) != before).any()
    assert np.array_equal(shown(explorer), np.asarray(preview(CaptchaStyle(fonts="DejaVuSerif"))))
    letters = np.asarray(Image.open(io.BytesIO(explorer.letters.value)))
    assert explorer.letters.layout.display is None and letters.min() < 100
    assert np.array_equal(letters, np.asarray(grid.specimen("DejaVuSerif", "0123456789")))
    assert explorer.upload.value == ()  # the same file can be chosen again
    explorer.knobs["alphabet"].value = "01"
    letters = np.asarray(Image.open(io.BytesIO(explorer.letters.value)))
    assert np.array_equal(letters, np.asarray(grid.specimen("DejaVuSerif", "01")))
    explorer.preset.value = "clean"
    assert explorer.letters.layout.display == "none"
    assert Explorer(CaptchaStyle(fonts=font)).letters.layout.display is None
    assert (Path(font).stem, font) in Explorer().knobs["fonts"].options  # another explorer offers it too


@pytest.mark.parametrize("name", ["notes.ttf", "notes.txt", ""])
def test_a_file_that_is_no_font_is_refused_in_place(monkeypatch, tmp_path, name):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    explorer = Explorer()
    before = shown(explorer)
    explorer.upload.value = (dropped(name, b"no font"),)
    assert "This font is not used" in explorer.refusal.value and name in explorer.refusal.value
    assert explorer.drawn == CaptchaStyle() and np.array_equal(shown(explorer), before)
    assert list(tmp_path.rglob("*.t*")) == []


def test_trying_shows_three_lines_and_the_scoreboard_which_a_new_kernel_shows_again(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    row = Try(CaptchaStyle(noise_dots=200), "default", *[proportion(9, 10)] * 3, 1.0, "2026-11-26")
    monkeypatch.setattr(tries, "try_style", lambda style: keep_try(row) or row)
    explorer = Explorer()
    assert explorer.tries.board.value == NOTHING
    explorer.tries.button.click()
    board = bytes(explorer.tries.board.value)
    assert board.startswith(b"\x89PNG")
    assert bytes(Explorer().tries.board.value) == board


def test_a_damaged_scoreboard_does_not_hide_the_explorer(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    (tmp_path / "tries.json").write_text("{")
    explorer = Explorer()
    (output,) = explorer.tries.said.outputs
    assert "tries.json" in output["text"] and "Rename it" in output["text"]
    assert explorer.drawn == CaptchaStyle()


def test_a_damaged_choice_is_told_when_a_style_is_used(monkeypatch):
    monkeypatch.setattr(explorer_module, "keep", lambda style: damaged())
    explorer = Explorer()
    explorer.button.click()
    assert (
        "It is not kept for the next kernel" in explorer.line.value and "Delete it &amp; go on" in explorer.line.value
    )


def test_a_network_that_cannot_be_loaded_is_told_beside_the_grid(monkeypatch, tmp_path):
    networks = Trained(monkeypatch, tmp_path, default=None)
    assert networks.loaded == []
    explorer = Explorer()
    (tmp_path / "default").unlink()
    explorer.read()
    assert "default" in explorer.told.value and "No such file" in explorer.told.value
    explorer.knobs["noise_dots"].value = 100
    assert explorer.drawn == CaptchaStyle(noise_dots=100)


def test_a_glance_is_the_first_look_of_a_trained_network(finished):
    settings, *_ = finished
    images = grid.samples(settings.style)[1]
    read = grid.glance(settings.model_path, settings.model_path.stat().st_mtime)
    model = load_network(settings.model_path).model
    answers = model(np.stack([to_grey(image) for image in images])[..., None]).numpy().argmax(axis=-1)
    assert read(images) == [settings.style.labels_to_text(row) for row in answers]
    assert read(images[:3]) == read(images)[:3]


def test_a_mark_says_right_or_wrong_without_colour():
    assert [text for text, _ in grid.marked(["12", "34", "56"], ["12", "35", ""])] == ["✓ 12", "✗ 35", "✗ nothing"]
    assert len({color for _, color in grid.marked(["12", "34"], ["12", "35"])}) == 2
