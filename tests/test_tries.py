"""A style that was tried: what is counted, what is kept, and what is left behind, which is nothing else."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers import experiments
from helpers.captchas.drawing import draw_captcha
from helpers.captchas.fonts import find_font
from helpers.captchas.styles import CaptchaStyle
from helpers.data.images import renderings
from helpers.errors import SettingsError, StepError
from helpers.experiments import SHIPPED, fitting_networks, scoreboard, tries
from helpers.experiments.scoreboard import Try, draw_scoreboard, in_words, keep_try, list_tries, to_row
from helpers.experiments.tries import try_style
from helpers.files import cores
from helpers.reading import Reader
from helpers.scores import proportion
from helpers.settings import load_settings
from helpers.training.fit import TrainingStopped

DOTS = CaptchaStyle(noise_dots=200)
ROW = Try(DOTS, "default", proportion(90, 100), proportion(60, 100), proportion(95, 100), 12.5, "2026-11-26")


@pytest.fixture
def folder(finished, tmp_path, monkeypatch, tiny):
    """A data folder with the trained experiment `default`, in which a try is small; no network comes along."""
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path / "data"))
    shutil.copytree(finished[0].folder, tmp_path / "data" / "quick" / "default")
    monkeypatch.setattr(experiments, "RESULTS", tmp_path)
    counts = {"train_count": 192, "validation_count": 70, "test_count": 1, "batch_size": 32}
    monkeypatch.setattr(tries, "COUNTS", counts)
    monkeypatch.setattr(tries, "build_alexnet", tiny)
    return tmp_path / "data"


def everything(folder) -> dict[str, bytes]:
    """Every file but the lock, with what it holds."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_warm_try_counts_both_networks_and_leaves_only_its_row(folder, capsys):
    before = everything(folder)
    tried = try_style(DOTS)
    assert "begins with the network of 'default'" in capsys.readouterr().out
    assert [score.count for score in (tried.accuracy, tried.before, tried.forgot)] == [70, 70, 70]
    assert tried.start == "default" and tried.style == DOTS and tried.seconds > 0
    after = everything(folder)
    assert set(after) - set(before) == {"tries.json"}
    assert all(after[name] == before[name] for name in before)
    assert list_tries() == [tried]
    assert str(tried).count("\n") == 2 and str(tried.accuracy) in repr(tried)


def test_before_is_what_the_old_network_reads_of_new_validation_captchas(folder):
    tried = try_style(DOTS)
    jobs = list(renderings(load_settings(style=DOTS, validation_count=70), "validation"))
    images = [draw_captcha(job.text, DOTS, job.seed) for job in jobs]
    readings = Reader.load("default").read(images)
    assert tried.before.right == sum(reading.text == job.text for reading, job in zip(readings, jobs, strict=True))


def test_no_test_captcha_is_drawn(folder, monkeypatch):
    splits = []
    monkeypatch.setattr(
        tries, "renderings", lambda settings, split: splits.append(split) or renderings(settings, split)
    )
    try_style(DOTS)
    assert sorted(splits) == ["train", "validation", "validation"]


@pytest.mark.parametrize(
    "style", [DOTS, CaptchaStyle(length=5), CaptchaStyle(height=70), CaptchaStyle(alphabet="23456")]
)
def test_a_cold_try_has_nothing_to_compare_with(folder, capsys, style):
    tried = try_style(style, start=None if style == DOTS else "default")
    assert "random weights" in capsys.readouterr().out
    assert (tried.start, tried.before, tried.forgot) == (None, None, None)
    assert tried.accuracy.count == 70
    assert list_tries() == [tried]
    assert str(tried) == f"the new network, on this style: {tried.accuracy}"


def test_a_style_is_not_tried_twice_unless_asked(folder, monkeypatch, capsys):
    keep_try(ROW)
    monkeypatch.setattr(tries, "_tried", lambda *_: [proportion(91, 100), ROW.before, ROW.forgot])
    assert try_style(DOTS) == ROW
    assert "tried before, on 2026-11-26; pass again=True" in capsys.readouterr().out
    other = CaptchaStyle(noise_dots=100)
    keep_try(dataclasses.replace(ROW, style=other))
    assert try_style(DOTS, again=True).accuracy.right == 91
    assert [(row.style, row.accuracy.right) for row in list_tries()] == [(other, 90), (DOTS, 91)]
    assert try_style(DOTS, start=None).start is None  # from other weights it is another try
    assert len(list_tries()) == 3


def test_a_network_that_was_trained_anew_is_another_try(folder, monkeypatch, capsys):
    monkeypatch.setattr(tries, "_tried", lambda *_: [proportion(91, 100), ROW.before, ROW.forgot])
    first = try_style(DOTS)
    assert try_style(DOTS) == first and "tried before" in capsys.readouterr().out
    with (folder / "quick" / "default" / "model.keras").open("ab") as file:
        file.write(b" ")
    second = try_style(DOTS)
    assert second.network != first.network and "tried before" not in capsys.readouterr().out
    assert list_tries() == [first, second]
    assert try_style(DOTS, again=True).network == second.network
    assert [row.network for row in list_tries()] == [first.network, second.network]  # in the place of the second


@pytest.mark.parametrize("start", ["default", None])
def test_one_bar_counts_all_the_work_and_names_it(folder, monkeypatch, start):
    bars, names = [], []

    def bar_of(*arguments, **more):
        bars.append(cores.bar_of(*arguments, **more))
        monkeypatch.setattr(bars[0], "set_description", names.append)
        return bars[0]

    monkeypatch.setattr(tries, "bar_of", bar_of)
    try_style(DOTS, start)
    (bar,) = bars
    assert bar.n == bar.total
    cold = ["drawing", "training", "reading"]
    assert names == (["drawing", "drawing", "reading", *cold[1:], "reading"] if start else cold)


def test_a_font_of_ones_own_can_be_tried_and_its_row_comes_back(folder, tmp_path, monkeypatch):
    path = shutil.copyfile(find_font("DejaVuSerif"), tmp_path / "Mine.ttf")
    tried = try_style(style := CaptchaStyle(fonts=str(path)))
    assert tried.style == style
    path.unlink()
    (row,) = list_tries()
    (font,) = map(Path, row.style.fonts)
    assert row.style.to_dict()["fonts"] == [font.name] and font.parent == folder / "fonts"
    assert in_words(row) == f"fonts: {font.name}"
    style = row.style
    monkeypatch.setattr(tries, "_tried", lambda *_: pytest.fail("tried again"))
    assert try_style(style).accuracy == tried.accuracy


def test_the_scoreboard_shows_each_try_in_words_also_without_its_font(folder, monkeypatch):
    gone = dataclasses.replace(
        ROW, style=CaptchaStyle(fonts="gone.ttf", check_fonts=False), start=None, accuracy=proportion(80, 100)
    )
    twice = dataclasses.replace(ROW, style=CaptchaStyle(fonts=("DejaVuSans",) * 2))
    assert in_words(twice) == "fonts: DejaVuSans, DejaVuSans"  # chosen twice as often as the others, if there are any
    many = dataclasses.replace(ROW, style=CaptchaStyle(length=(3, 5), rotation=(-60, 60)), start="mine")
    plain = dataclasses.replace(ROW, style=CaptchaStyle(), accuracy=proportion(99, 100))
    assert [in_words(row) for row in (ROW, gone, many, plain)] == [
        "noise dots: 200", "fonts: gone.ttf; from random weights",
        "length: 3 to 5; rotation: -60 to 60; from mine", "the default style",
    ]  # fmt: skip
    for row in (ROW, gone, many):
        keep_try(row)
    monkeypatch.setattr(scoreboard, "load_result", lambda name: {"rows": [to_row(plain)]})
    ax = draw_scoreboard()
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[0] == "noise dots: 200, 12 s" and names[-1] == "came along: the default style, 12 s"
    misread = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert sorted(misread) == pytest.approx([1, 10, 10, 20])
    assert len(ax.artists) == 4
    title = ax.get_title().replace("\n", " ")
    assert title == "Fewest mistakes with “the default style”, most with “fonts: gone.ttf; from random weights”"


def test_a_try_can_be_interrupted_and_leaves_nothing(folder, monkeypatch):
    before = everything(folder)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tries, "fit", interrupt)
    with pytest.raises(TrainingStopped, match="Nothing of this try was kept"):
        try_style(DOTS)
    assert everything(folder) == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "holds no JSON object"),
        ("{}", "format"),
        ('{"format": 1, "rows": [{}]}', "accuracy"),
        ('{"format": 1, "rows": 7}', "not iterable"),
        ('{"format": 1, "rows": [{"accuracy": [5, 3]}]}', "no proportion"),
        ('{"format": 3, "rows": []}', "a newer version of these notebooks wrote it"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_at_once_and_nothing_is_lost(folder, monkeypatch, content, reason):
    (folder / "tries.json").write_text(content)
    monkeypatch.setattr(tries, "_tried", lambda *_: pytest.fail("trained first"))
    for call in (list_tries, lambda: try_style(DOTS), lambda: keep_try(ROW)):
        with pytest.raises(StepError, match=rf"tries\.json.*{reason}.*Rename it"):
            call()
    assert (folder / "tries.json").read_text() == content


def test_a_row_comes_back_as_it_was_kept(folder):
    cold = dataclasses.replace(ROW, start=None, before=None, forgot=None, style=CaptchaStyle(length=(3, 5)))
    gone = dataclasses.replace(ROW, style=CaptchaStyle(fonts="gone.ttf", check_fonts=False), network="a1b2")
    for row in (ROW, cold, gone):
        keep_try(row)
    assert list_tries() == [ROW, cold, gone]
    assert json.loads((folder / "tries.json").read_text())["format"] == scoreboard.FORMAT


def test_what_cannot_be_tried_is_refused_before_any_work(folder, monkeypatch):
    monkeypatch.setattr(tries, "_tried", lambda *_: pytest.fail("tried"))
    with pytest.raises(SettingsError, match="too few for three splits"):
        try_style(CaptchaStyle(length=1))
    with pytest.raises(StepError, match=r"No network of 'defualt' reads such captchas\. Choose one of: default"):
        try_style(DOTS, start="defualt")


def test_networks_fit_by_alphabet_length_and_size(folder, finished, tmp_path):
    settings = load_settings()
    assert list(fitting_networks(settings, DOTS)) == ["default"]
    shutil.copytree(settings.folder, settings.folder.parent / "another")
    shutil.copy(settings.model_path, tmp_path / "default.keras")
    assert list(fitting_networks(settings, DOTS)) == ["default", "another", SHIPPED]
    (settings.folder.parent / "another" / "model.keras").unlink()
    assert list(fitting_networks(settings, DOTS)) == ["default", SHIPPED]
    for other in (
        CaptchaStyle(length=5),
        CaptchaStyle(length=(3, 4)),
        CaptchaStyle(width=161),
        CaptchaStyle(height=61),
    ):
        assert fitting_networks(settings, other) == {}


def test_a_broken_neighbour_hides_no_network(folder):
    for name, content in (("a-broken-one", "{"), ("another", '{"style": {"dots": 1}}')):
        (folder / "quick" / name).mkdir()
        (folder / "quick" / name / "experiment.json").write_text(content)
    assert list(fitting_networks(load_settings(), DOTS)) == ["default"]


def test_another_network_takes_the_place_of_a_default_that_is_missing(folder, tmp_path, capsys):
    settings = load_settings()
    shutil.move(settings.model_path, tmp_path / "default.keras")
    tried = try_style(DOTS)
    assert tried.start == SHIPPED
    assert tried.before is not None


def test_learning_happens(folder, monkeypatch):
    monkeypatch.setattr(tries, "COUNTS", {**tries.COUNTS, "train_count": 1_500})
    assert tries.COLD["epochs"] == 6
    captchas = []
    monkeypatch.setattr(
        tries, "score", lambda read, pairs, bar: captchas.append(read(pairs[0]).numpy()) or proportion(1, 2)
    )
    try_style(CaptchaStyle.preset("clean"), start=None)
    (logits,) = captchas
    assert np.ptp(logits) > 1  # the last layer starts at zero
