"""The checks of notebook 1 say what is wrong and what to do."""

import sys
import types

import pytest

from helpers import environment
from helpers.environment import (
    Check,
    Checklist,
    check_fonts,
    check_machine,
    check_versions,
    pinned_versions,
)
from helpers.settings import load_settings


def by_name(checks: Checklist) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_pins_are_read_from_the_requirements(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# ==comment\nnumpy==2.4.6\ntqdm==4.70.1   # bars\n-e .\nscikit-learn>=1\nmatplotlib-inline==0.2\n")
    assert pinned_versions(path) == {"numpy": "2.4.6", "tqdm": "4.70.1", "matplotlib-inline": "0.2"}
    assert {"tensorflow", "captcha", "pillow", "numpy", "matplotlib"} <= pinned_versions().keys()


def test_every_requirement_is_pinned():
    lines = environment.REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    needed = [line for line in lines if line.strip() and not line.startswith(("#", "-e"))]
    assert len(needed) == len(pinned_versions())


def test_the_pinned_versions_are_installed():
    checks = check_versions()
    assert len(checks) == 1 + len(pinned_versions())
    assert checks[0].name == "python"
    assert checks[0].found == ".".join(map(str, sys.version_info[:3]))
    for name in ("captcha", "pillow", "numpy"):  # the golden digest depends on these
        assert by_name(checks)[name].fine


def test_another_or_no_version_is_told_with_what_to_do():
    checks = check_versions({"numpy": "1.0", "no-such-package": "2.0"})
    for name, found in (("numpy", "2."), ("no-such-package", "not installed")):
        check = by_name(checks)[name]
        assert not check.fine
        assert check.found.startswith(found)
        assert "pip install -r requirements.txt" in check.advice


@pytest.mark.parametrize(("version", "fine"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False)])
def test_python_itself_is_checked(monkeypatch, version, fine):
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    assert check_versions({})[0].fine == fine


def test_a_list_is_shown_with_advice_only_where_it_is_needed():
    checks = Checklist([Check("disk", True, "9 GiB free", "Free some"), Check("<font>", False, "none", "Install & go")])
    assert repr(checks) == "✅ disk: 9 GiB free\n❌ <font>: none. Install & go"


def test_this_machine_is_looked_at(tmp_path):
    settings = load_settings("machine", data_dir=tmp_path / "data")
    checks = by_name(check_machine(settings))
    assert checks.keys() >= {"cores", "memory", "GPU", "bfloat16", "fonts", "data folder", "disk"}
    assert int(checks["cores"].found) >= 1
    assert checks["data folder"].fine
    assert checks["fonts"].fine
    assert list(settings.folder.iterdir()) == []  # its folder is made, and nothing is left in it


@pytest.mark.parametrize(("there", "found"), [(True, "multiplied by the processor"), (False, "float32")])
def test_whether_training_multiplies_16_bit_numbers_is_told(tmp_path, monkeypatch, there, found):
    monkeypatch.setattr(environment, "has_bfloat16", lambda: there)
    check = by_name(check_machine(load_settings("machine", data_dir=tmp_path)))["bfloat16"]
    assert check.fine
    assert found in check.found


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "data").write_text("a file stands in the way")
    checks = check_machine(load_settings("machine", data_dir=tmp_path / "data"))
    check = by_name(checks)["data folder"]
    assert not check.fine
    assert "cannot be written" in check.found
    assert "CAPTCHA_DATA_DIR" in check.advice


def test_a_full_disk_and_little_memory_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(environment.psutil, "virtual_memory", lambda: types.SimpleNamespace(total=2**30))
    settings = load_settings("machine", data_dir=tmp_path, train_count=10**12)
    checks = by_name(check_machine(settings))
    assert not checks["memory"].fine
    assert not checks["disk"].fine
    assert "GiB" in checks["disk"].advice
    assert checks["memory"].found == "1 GiB"


@pytest.mark.parametrize("on", [True, False])
def test_it_is_told_whether_onednn_computes(tmp_path, monkeypatch, on):
    monkeypatch.setattr(environment, "uses_onednn", lambda: on)
    check = by_name(check_machine(load_settings("machine", data_dir=tmp_path)))["oneDNN"]
    assert (check.fine, check.found) == (on, "on" if on else "off")


def test_missing_fonts_are_named(monkeypatch):
    assert check_fonts().fine
    monkeypatch.setattr(environment, "FOLDERS", environment.FOLDERS[1:])
    check = check_fonts()
    assert not check.fine
    assert "Missing: DroidSansMono." in check.advice
