"""The checks that stand in notebook 1 say what is wrong and what to do."""

import os
import platform
import re
import sys
import types
from pathlib import Path

import pytest
from test_analysis import defined_in

from helpers.settings import load_settings

REPOSITORY = Path(__file__).resolve().parents[1]
REQUIREMENTS = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def notebook():
    """The checks of notebook 1, and their names."""
    checks = "check_versions", "check_machine", "check_speed", "check_disk"
    known = defined_in("01_check_environment", "line", "installed", *checks)
    known["gib"] = 2**30
    return types.SimpleNamespace(**known, globals=known)


def test_every_requirement_is_pinned(notebook):
    lines = [line for line in REQUIREMENTS.splitlines() if line.strip() and not line.startswith(("#", "-e"))]
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", REQUIREMENTS, flags=re.MULTILINE))
    assert len(lines) == len(pins)
    assert {"tensorflow", "captcha", "pillow", "numpy", "matplotlib"} <= pins.keys()
    lines = notebook.check_versions(pins)
    assert len(lines) == 1 + len(pins)
    for name in ("captcha", "pillow", "numpy"):  # the golden digest depends on these
        assert f"✓ fine: {name}, {pins[name]}" in lines


def test_another_or_no_version_is_told_with_what_to_do(notebook):
    python, *lines = notebook.check_versions({"numpy": "1.0", "no-such-package": "2.0"})
    assert python == f"✓ fine: python, {platform.python_version()}"
    for line, start in zip(lines, ("✗ look: numpy, 2.", "✗ look: no-such-package, not installed."), strict=True):
        assert line.startswith(start)
        assert "Install requirements.txt, as the README says" in line


@pytest.mark.parametrize(("version", "fine"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False)])
def test_python_itself_is_checked(notebook, monkeypatch, version, fine):
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    assert notebook.check_versions({})[0].startswith("✓" if fine else "✗")


def test_advice_is_shown_only_where_it_is_needed(notebook):
    assert notebook.line("disk", True, "9 GiB free", "Free some") == "✓ fine: disk, 9 GiB free"
    assert notebook.line("<font>", False, "none", "Install & go") == "✗ look: <font>, none. Install & go"


def test_this_machine_is_looked_at(notebook, tmp_path):
    settings = load_settings("machine", data_dir=tmp_path / "data")
    lines = notebook.check_machine() + notebook.check_speed() + notebook.check_disk(settings)
    names = [line.split(": ")[1].split(",")[0] for line in lines]
    assert names == ["cores", "memory", "GPU", "fonts", "oneDNN", "bfloat16", "data folder", "disk"]
    assert f"✓ fine: cores, {os.cpu_count()}" in lines
    assert "✓ fine: fonts, all found" in lines
    assert list(settings.folder.iterdir()) == []  # its folder is made, and nothing is left in it


@pytest.mark.parametrize(
    ("asked", "answer", "told"),
    [
        ("has_bfloat16", True, "✓ fine: bfloat16, multiplied by the processor"),
        ("has_bfloat16", False, "✓ fine: bfloat16, no: training uses float32"),
        ("uses_onednn", True, "✓ fine: oneDNN, on"),
        ("uses_onednn", False, "✗ look: oneDNN, off. Unset TF_ENABLE_ONEDNN_OPTS"),
    ],
)
def test_what_the_processor_does_is_told(notebook, monkeypatch, asked, answer, told):
    monkeypatch.setitem(notebook.globals, asked, lambda: answer)
    assert any(line.startswith(told) for line in notebook.check_speed())


def test_a_folder_that_cannot_be_written_is_told(notebook, tmp_path):
    (tmp_path / "data").write_text("a file stands in the way")
    (line,) = notebook.check_disk(load_settings("machine", data_dir=tmp_path / "data"))
    assert line.startswith("✗ look: data folder, cannot be written")
    assert "CAPTCHA_DATA_DIR" in line


def test_a_full_disk_and_little_memory_are_told(notebook, tmp_path, monkeypatch):
    monkeypatch.setattr(notebook.psutil, "virtual_memory", lambda: types.SimpleNamespace(total=2**30))
    settings = load_settings("machine", data_dir=tmp_path, train_count=99_999_999)
    assert any(line.startswith("✗ look: memory, 1 GiB. ") for line in notebook.check_machine())
    assert re.match(r"✗ look: disk, \d+ GiB free, [\d.]+ GiB needed. Free some", notebook.check_disk(settings)[-1])


def test_missing_fonts_are_named(notebook, monkeypatch):
    monkeypatch.setitem(notebook.globals, "known_fonts", lambda: ["DejaVuSans"])
    (line,) = [line for line in notebook.check_machine() if "fonts" in line]
    assert line.startswith("✗ look: fonts, DejaVuSans-Bold, ") and "DroidSansMono" in line
    assert "Install the packages again" in line
