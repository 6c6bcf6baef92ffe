"""A sample of `python -m tests.faults`: no damage of a file goes unseen, and none ends in an error that is not ours."""

import pytest

from tests import faults


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPTCHA_DATA_DIR", "")  # set back afterwards
        patch.setenv("CAPTCHA_PROFILE", "full")
        return faults.try_damages(14, 3, tmp_path_factory.mktemp("faults"))


def test_no_damage_is_unseen_or_ugly(rows):
    assert len(rows) == 14
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
