"""What a run is: names, profiles, refusals, and what comes back from disk."""

import dataclasses
import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import files
from helpers.captchas.styles import CaptchaStyle
from helpers.data.generate import generate
from helpers.errors import SettingsError, StepError, TutorialError
from helpers.settings import (
    PROFILES,
    Settings,
    check_experiment_name,
    load_settings,
    open_experiment,
)

FORBIDDEN = ("quick", "con", "prn", "aux", "nul", "com1", "lpt9")


@given(st.text(string.ascii_lowercase + string.digits + "-_", min_size=1, max_size=64))
def test_a_good_name_is_a_folder_of_its_own(name):
    if name[0] in "-_" or name in FORBIDDEN:
        with pytest.raises(SettingsError):
            check_experiment_name(name)
    else:
        assert check_experiment_name(name) == name
        settings = load_settings(name)
        assert settings.folder.parent == settings.data_dir / "quick"


@given(st.text(max_size=70))
def test_no_name_ever_leaves_the_data_folder(name):
    try:
        settings = load_settings(name)
    except SettingsError as refusal:
        assert repr(name) in str(refusal) or f"'{name}'" in str(refusal)
    else:
        assert settings.folder.resolve().parent == settings.data_dir.resolve() / "quick"


@pytest.mark.parametrize(
    "name", ["", "..", "../other", "a/b", "a\\b", "A", "a b", "a.b", ".a", "-a", "ä", "a\n", "a" * 65, None, 3]
)
def test_a_bad_name_is_refused(name):
    with pytest.raises(SettingsError, match="small letters"):
        check_experiment_name(name)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_name_with_a_meaning_of_its_own_is_refused(name):
    with pytest.raises(SettingsError, match=f"'{name}' is taken.*'{name}-1'"):
        check_experiment_name(name)


def test_the_environment_chooses_profile_and_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    assert load_settings().profile == "quick"
    assert load_settings().folder == tmp_path / "quick" / "default"
    monkeypatch.setenv("CAPTCHA_PROFILE", "full")
    assert load_settings().folder == tmp_path / "default"
    assert load_settings(profile="quick").profile == "quick"
    monkeypatch.delenv("CAPTCHA_PROFILE")
    monkeypatch.delenv("CAPTCHA_DATA_DIR")
    settings = load_settings()
    assert settings.profile == "full"
    assert settings.data_dir == Path(__file__).resolve().parent.parent / "data"


def test_an_unknown_profile_lists_the_profiles(monkeypatch):
    monkeypatch.setenv("CAPTCHA_PROFILE", "fast")
    with pytest.raises(SettingsError, match=r"'fast'.*CAPTCHA_PROFILE.*full, quick"):
        load_settings()


def test_profiles_give_the_counts_and_changes_come_on_top():
    full = load_settings(profile="full")
    assert list(full.counts) == ["train", "validation", "test"]
    assert full.counts["train"] == full.train_count == PROFILES["full"]["train_count"]
    assert full.test_count >= 10_000  # so that the interval is narrow
    assert sum(load_settings(profile="quick").counts.values()) < sum(full.counts.values()) / 5
    assert load_settings(profile="full", epochs=9).epochs == 9
    assert set(PROFILES["full"]) == set(PROFILES["quick"])


def test_an_unknown_setting_lists_the_settings():
    with pytest.raises(SettingsError, match=r"no setting epoch.*epochs"):
        load_settings(epoch=3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(name, value) for name in PROFILES["full"] for value in (0, -1, 1.5, "3", None, True)],
        *[("seed", value) for value in (-1, 1.5, "1", None, True)],
        *[("image_format", value) for value in ("gif", "", "PNG", None)],
        *[("learning_rate", value) for value in (0, 1, -0.1, float("nan"), "fast", None)],
        *[("style", value) for value in ("noisy", None, {})],
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_the_fields_name(field, value):
    with pytest.raises(SettingsError, match=rf"^{field}: "):
        load_settings(**{field: value})


def test_all_files_lie_in_the_folder_of_the_experiment():
    settings = load_settings("many-dots", data_dir=Path("data"))
    paths = [
        settings.images_folder,
        settings.records_folder,
        settings.model_path,
        settings.history_path,
        settings.metrics_path,
    ]
    assert [path.relative_to("data/quick/many-dots").as_posix() for path in paths] == [
        "images",
        "records",
        "model.keras",
        "history.csv",
        "metrics.json",
    ]


def test_a_further_network_has_a_folder_of_its_own_and_the_same_captchas(shared_drawn):
    mine = open_experiment("tiny", data_dir=shared_drawn.data_dir, epochs=2, batch_size=32, network="mine")
    assert load_settings("tiny", network="mine").network == "mine"
    assert dataclasses.replace(mine, network=None) == shared_drawn
    shared = ("folder", "images_folder", "manifest_path", "records_folder", "records_manifest_path")
    assert all(getattr(mine, name) == getattr(shared_drawn, name) for name in shared)
    own = ("model_path", "history_path", "progress_path", "metrics_path", "checkpoint_folder")
    for name in own:
        before = getattr(shared_drawn, name)
        assert getattr(mine, name) == shared_drawn.folder / "networks" / "mine" / before.name
    assert mine.describe() == shared_drawn.describe()
    assert mine.differences(shared_drawn) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "Mine", 3])
def test_a_bad_name_of_a_network_is_refused(name):
    with pytest.raises(SettingsError, match=r"The network's name .* small letters"):
        load_settings(network=name)
    with pytest.raises(SettingsError, match="'con' is taken"):
        load_settings(network="con")


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_settings().epochs = 4


def test_differences_name_style_fields_and_counts_but_not_how_it_is_trained():
    one = load_settings()
    other = load_settings(style=CaptchaStyle(noise_dots=200), train_count=7, epochs=9, learning_rate=0.1)
    assert one.differences(other) == ["noise_dots: 30, not 200", f"train_count: {one.train_count}, not 7"]
    assert one.differences(load_settings("another-name")) == []


def test_an_experiment_comes_back_from_disk_as_it_was_made(shared_drawn):
    opened = open_experiment("tiny", data_dir=shared_drawn.data_dir, epochs=2, batch_size=32)
    assert opened == shared_drawn


def test_style_seed_and_counts_come_from_disk(tmp_path):
    style = CaptchaStyle.preset("lengths 3 to 6")
    made = load_settings(
        "other",
        data_dir=tmp_path,
        style=style,
        seed=7,
        train_count=5,
        validation_count=4,
        test_count=3,
        image_format="jpg",
    )
    generate(made, processes=1)
    opened = open_experiment("other", data_dir=tmp_path)
    assert (opened.style, opened.seed, opened.image_format) == (style, 7, "jpg")
    assert opened.counts == {"train": 5, "validation": 4, "test": 3}
    assert opened.epochs == PROFILES["quick"]["epochs"]


def test_a_missing_experiment_names_notebook_2_and_makes_nothing(tmp_path):
    with pytest.raises(StepError, match=r"'absent'.*notebook 02_generate_captchas.*EXPERIMENT"):
        open_experiment("absent", data_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_notebook_2_fixed_cannot_be_changed_later(shared_drawn):
    with pytest.raises(SettingsError, match="seed, train_count was fixed"):
        open_experiment("tiny", data_dir=shared_drawn.data_dir, train_count=1, seed=2)


@pytest.mark.parametrize("spoil", [lambda d: d.pop("style"), lambda d: d.pop("seed"), lambda d: d.update(style=None)])
def test_a_broken_description_names_notebook_2(drawn, spoil):
    path = drawn.folder / "experiment.json"
    description = json.loads(path.read_text())
    spoil(description)
    path.write_text(json.dumps(description))
    with pytest.raises(StepError, match=r"experiment\.json.*notebook 02_generate_captchas"):
        open_experiment("tiny", data_dir=drawn.data_dir)


def test_a_description_with_an_impossible_style_is_refused(drawn):
    path = drawn.folder / "experiment.json"
    description = json.loads(path.read_text())
    description["style"]["height"] = -1
    path.write_text(json.dumps(description))
    with pytest.raises(TutorialError, match="height: -1"):
        open_experiment("tiny", data_dir=drawn.data_dir)


def test_an_experiment_whose_fonts_are_elsewhere_can_still_be_opened(drawn):
    path = drawn.folder / "experiment.json"
    description = json.loads(path.read_text())
    description["style"]["fonts"] = ["/fonts/of/another/machine.ttf"]
    path.write_text(json.dumps(description))
    opened = open_experiment("tiny", data_dir=drawn.data_dir)
    assert isinstance(opened, Settings)
    assert opened.style.fonts == ("/fonts/of/another/machine.ttf",)


def test_a_relative_data_folder_is_the_same_one_wherever_a_notebook_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", "my data/é")
    monkeypatch.chdir(tmp_path)
    there = load_settings().data_dir
    assert there == Path(__file__).resolve().parents[1] / "my data" / "é"
    monkeypatch.chdir(Path(__file__).parents[1] / "notebooks")
    assert load_settings().data_dir == there
    monkeypatch.setenv("CAPTCHA_DATA_DIR", "~/captchas")
    assert load_settings().data_dir == Path.home() / "captchas"


def test_an_experiment_of_the_other_profile_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    for profile, other in (("quick", "full"), ("full", "quick")):
        settings = load_settings(f"of-{profile}", profile)
        settings.folder.mkdir(parents=True)
        files.write_json(settings.folder / "experiment.json", settings.describe())
        wanted = rf"no experiment 'of-{profile}' yet on the {other} profile; there is one on the {profile} profile"
        with pytest.raises(StepError, match=wanted):
            open_experiment(f"of-{profile}", other)
        with pytest.raises(StepError, match=r"no experiment 'nothing' yet\."):
            open_experiment("nothing", profile)
