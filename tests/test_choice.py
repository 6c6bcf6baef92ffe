"""What a person chose in notebook 2 is what notebooks 3 to 5 open, for each profile; where no person sits, never."""

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from helpers import files
from helpers.captchas.fonts import find_font
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import StepError, StyleError
from helpers.experiments.choice import bring_font, choose, chosen, chosen_style, keep, own_fonts
from helpers.settings import load_settings, person_sits

NOISY = CaptchaStyle.preset("noisy")


@pytest.fixture(autouse=True)
def person(monkeypatch, tmp_path):
    """A person in JupyterLab, on the quick profile, with a data folder."""
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("JPY_SESSION_NAME", "02_generate_captchas.ipynb")
    monkeypatch.delenv("CAPTCHA_UNATTENDED", raising=False)
    monkeypatch.delenv("VSCODE_PID", raising=False)


@pytest.fixture(params=[("CAPTCHA_UNATTENDED", "1"), ("JPY_SESSION_NAME", None)])
def nobody(person, request):
    """Takes the person away when it is called."""

    def leave(monkeypatch) -> None:
        name, value = request.param
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)

    return leave


def own_font(path: Path) -> str:
    """A font file of one's own."""
    path.parent.mkdir(parents=True)
    return str(shutil.copyfile(find_font("DejaVuSerif"), path))


def begun(settings) -> None:
    """What notebook 2 writes first."""
    files.write_json(settings.folder / "experiment.json", settings.describe())


def test_a_style_lasts_for_each_profile(monkeypatch, tmp_path):
    assert chosen_style() == CaptchaStyle()
    keep(style=NOISY)
    assert chosen_style() == NOISY
    assert (tmp_path / "quick" / "choice.json").is_file()
    monkeypatch.setenv("CAPTCHA_PROFILE", "full")
    assert chosen_style() == CaptchaStyle()
    keep(style=CaptchaStyle(noise_dots=7))
    assert chosen_style() == CaptchaStyle(noise_dots=7)
    monkeypatch.setenv("CAPTCHA_PROFILE", "quick")
    assert chosen_style() == NOISY


def test_the_following_notebooks_open_what_was_chosen_last():
    for name, style in (("many-dots", NOISY), ("default", CaptchaStyle())):
        begun(choose(name, style, train_count=200))
    choose("many-dots", NOISY, train_count=200)
    keep(style=CaptchaStyle())  # that the explorer shows another style changes nothing
    settings = chosen(epochs=9)
    assert (settings.experiment, settings.style, settings.train_count, settings.epochs) == ("many-dots", NOISY, 200, 9)
    assert chosen(network="mine").network == "mine"


def test_what_was_chosen_but_not_drawn_yet_is_not_replaced_by_another_experiment():
    begun(load_settings("default"))
    choose("many-dots", NOISY)
    with pytest.raises(StepError, match=r"no experiment 'many-dots' yet.* There are: default\. .*notebook 02"):
        chosen()


def test_the_quick_profile_can_be_chosen_from_within(monkeypatch):
    monkeypatch.setenv("CAPTCHA_PROFILE", "full")
    begun(choose("many-dots", NOISY, profile="quick"))
    assert chosen().profile == "quick"
    assert chosen().folder.parent.name == "quick"


def test_a_name_that_is_taken_is_refused_before_anything_is_drawn(tmp_path):
    begun(choose("many-dots", NOISY))
    begun(choose("default", CaptchaStyle()))
    before = (tmp_path / "quick" / "choice.json").read_bytes()
    with pytest.raises(StepError, match=r"'many-dots' exists with other settings \(noise_dots: 200, not 30"):
        choose("many-dots", CaptchaStyle())
    assert (tmp_path / "quick" / "choice.json").read_bytes() == before
    with pytest.raises(StepError, match="seed: 2026, not 1"):
        choose("many-dots", NOISY, seed=1)


def test_where_no_person_sits_the_choice_neither_counts_nor_changes(monkeypatch, nobody, tmp_path):
    begun(choose("default", CaptchaStyle()))
    begun(choose("many-dots", NOISY))
    keep(style=NOISY)
    before = (tmp_path / "quick" / "choice.json").read_bytes()
    nobody(monkeypatch)
    assert not person_sits()
    assert chosen_style() == CaptchaStyle()
    assert chosen().experiment == "default"
    keep(style=CaptchaStyle.preset("tilted"))
    choose("other", NOISY)
    assert (tmp_path / "quick" / "choice.json").read_bytes() == before


@pytest.mark.parametrize("content", ["{", "[]", '{"style": 3}', '{"style": {"dots": 1}}'])
def test_a_damaged_choice_is_told_with_what_to_do(tmp_path, content):
    keep(style=CaptchaStyle())
    (tmp_path / "quick" / "choice.json").write_text(content)
    with pytest.raises(StepError, match=r"choice\.json .*Delete"):
        chosen_style()


def test_a_font_that_is_gone_does_not_hide_the_choice():
    style = dataclasses.replace(CaptchaStyle(), fonts=("/gone.ttf",), check_fonts=False)
    keep(style=style)
    assert chosen_style().fonts == ("gone.ttf",)


def test_a_font_of_ones_own_lasts_beside_the_choice(tmp_path):
    font = own_font(tmp_path / "elsewhere" / "Mine.ttf")
    keep(style=CaptchaStyle(fonts=font))
    Path(font).unlink()
    (kept,) = chosen_style().fonts
    assert Path(kept).parent == tmp_path / "fonts"
    assert CaptchaStyle(fonts=kept).to_dict() == chosen_style().to_dict()


@pytest.mark.parametrize(
    ("name", "content", "alphabet", "reason"),
    [
        ("mine.ttf", None, "0123山", "'mine.ttf' has no picture for 山"),
        ("notes.ttf", b"no font", "0123", "'notes.ttf' cannot be read as a font"),
        ("empty.otf", b"", "0123", "'empty.otf' cannot be read as a font"),
        ("mine.txt", None, "0123", "'mine.txt' is no .ttf or .otf file"),
    ],
)
def test_a_font_that_cannot_be_used_is_refused_by_name_and_not_kept(tmp_path, name, content, alphabet, reason):
    content = find_font("DejaVuSerif").read_bytes() if content is None else content
    with pytest.raises(StyleError, match=re.escape(reason)):
        bring_font(name, content, alphabet)
    assert not own_fonts().exists()


def test_a_font_that_is_brought_is_kept_once_under_a_name_that_tells_its_bytes():
    serif, sans = (find_font(name).read_bytes() for name in ("DejaVuSerif", "DejaVuSans"))
    paths = [bring_font("../mine.ttf", content, "0123456789") for content in (serif, sans, serif)]
    assert paths[0] == paths[2] != paths[1]
    assert sorted(map(str, own_fonts().iterdir())) == sorted(set(paths))
    assert Path(paths[0]).read_bytes() == serif
