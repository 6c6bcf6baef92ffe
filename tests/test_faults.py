"""A sample of `python -m tests.faults`: damages, kills, full disks and kinds of pictures."""

import os
import subprocess

import pytest

from helpers.files.results import RESULTS
from helpers.reading import Reader
from tests.faults import damages as faults
from tests.faults import disks, kills, pictures


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPTCHA_DATA_DIR", "")  # set back afterwards
        patch.setenv("CAPTCHA_PROFILE", "full")
        folder = tmp_path_factory.mktemp("faults")
        faults.prepare(folder / "whole")
        return faults.try_damages(range(0, 48, 11), 3, folder)


def test_no_damage_is_unseen_or_ugly(rows):
    assert len(rows) == 5
    assert {kind for _, kind, *_ in rows} == set(faults.KINDS)
    assert not [row for row in rows if row[2] not in ("detected", "harmless")]
    assert [row for row in rows if row[2] == "detected"]


def test_the_outcomes_can_be_told_apart(rows, tmp_path, monkeypatch):
    """A step that looks away is unseen, and one that fails in another way is ugly."""

    def look_away():
        return "something else"

    def fail():
        raise ValueError("a raw error")

    for step, expected in ((look_away, "unseen"), (fail, "ugly")):
        monkeypatch.setattr(faults, "steps", lambda _, step=step: {"draw": step})
        assert faults.outcome(tmp_path, {"draw": "the truth"})[0] == expected


def test_the_table_counts_every_row():
    lines = faults.table([("model.keras", "bit", "detected", ""), ("model.keras", "cut", "ugly", "")]).splitlines()
    assert "| model.keras | 1 | 0 | 0 | 1 |" in lines
    assert lines[-1] == "| all | 1 | 0 | 0 | 1 |"


def test_every_kind_of_picture_is_read_or_refused(tmp_path):
    rows = pictures.tried(Reader.load(RESULTS / "default.keras"), tmp_path)
    assert len(rows) > 300
    assert not [row for row in rows if row[1] in ("wrong", "ugly")]
    found = {kind: (outcome, said) for kind, outcome, said in rows}
    for kind in ("png I;16", "tiff I;16B", "jpeg CMYK", "webp in memory, orientation 6", "jpeg, orientation 8",
                 "gif, its second frame", "black ink on transparency, png", "a photo with a small copy"):  # fmt: skip
        assert found[kind][0] == "read", kind
    assert "has 2 frames" in found["gif, text later"][1]
    assert "20,000 x 20,000" in found["400 million pixels"][1] or "50,000,000 pixels" in found["400 million pixels"][1]
    assert "light ink" in found["white ink on transparency, png"][1]


def can_mount(folder) -> bool:
    """Whether a small disk can be had here."""
    if os.name == "nt" or os.geteuid() != 0:
        return False
    try:
        with disks.small_disk(folder / "trial", 1):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def test_a_full_disk_is_told_by_every_call_that_writes(tmp_path, monkeypatch):
    if not can_mount(tmp_path):
        pytest.skip("no right to mount a disk")
    for name in ("CAPTCHA_DATA_DIR", "CAPTCHA_PROFILE", "JPY_SESSION_NAME"):
        monkeypatch.setenv(name, "")
    rows = disks.try_disks(tmp_path, levels=(0,))
    assert len({name for name, *_ in rows}) >= 11
    assert not [row for row in rows if row[2] in disks.BAD]
    assert all(row[2] == "told" for row in rows)


def test_a_killed_step_ends_the_same(tmp_path, monkeypatch):
    for name in ("CAPTCHA_DATA_DIR", "CAPTCHA_PROFILE"):
        monkeypatch.setenv(name, "")
    assert kills.try_kills(1, 5, tmp_path, ("draw", "pack")) == [("draw", ""), ("pack", "")]
