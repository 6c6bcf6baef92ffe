"""Lessons 4 and 5 with a network that a learner has changed; what the figures claim is checked in claims.py."""

from __future__ import annotations

import hashlib
import linecache
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pytest

from helpers import files
from helpers.data.generate import generate
from helpers.data.records import write_records
from helpers.execution import name_of, notebooks_of
from helpers.experiments import list_experiments
from helpers.reading import Reader
from helpers.scores import captcha_accuracy
from helpers.settings import load_settings

PATHS = {name_of(path): path for path in notebooks_of() + notebooks_of("beyond/*")}
OWN_NETWORK = """
def new_network():
    return keras.Sequential([
        keras.Input((style.height, style.image_width, 1)),
        layers.Rescaling(1 / 255),
        layers.Conv2D(16, 5, 2, activation="relu", name="strokes"),
        layers.BatchNormalization(name="rescaled"),
        layers.MaxPooling2D(4, name="strongest"),
        layers.Flatten(name="row"),
        layers.Dense(style.positions * len(style.classes), kernel_initializer="zeros", name="last"),
        layers.Reshape((style.positions, len(style.classes)), name="answers"),
    ])
"""


def execute(name: str, edits: dict[str, str] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Executes a lesson cell by cell; yields each cell's id, and all names after it.

    `edits`: what a learner changes first, old text -> new; the whole cell where the old text ends in a newline.
    """
    names: dict[str, Any] = {"__name__": "lesson"}
    left = dict(edits or {})
    for cell in nbformat.read(PATHS[name], as_version=4).cells:
        if cell.cell_type != "code":
            continue
        code = cell.source
        for old in [old for old in left if old in code + "\n"]:
            new = left.pop(old)
            code = new if old.endswith("\n") else code.replace(old, new)
        plt.close("all")
        place = f"<{name} {cell.id}>"
        linecache.cache[place] = len(code), None, code.splitlines(keepends=True), place  # as IPython does
        try:
            exec(compile(code, place, "exec"), names)
        except Exception:
            if "raises-exception" not in cell.metadata.get("tags", []):
                raise
        yield cell.id, names
    assert not left, f"{name} has nothing of {list(left)}"
    if temporary := names.pop("temporary", None):
        temporary.cleanup()


@pytest.fixture(scope="module")
def taught(tmp_path_factory) -> Path:
    """A data folder as lesson 4 leaves it, executed there. Shared: only to be read."""
    data_dir = tmp_path_factory.mktemp("taught")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPTCHA_DATA_DIR", str(data_dir))
        generate(load_settings())
        write_records(load_settings())
        assert list(execute("04_train_alexnet"))
    return data_dir


def digests(folder: Path) -> dict[str, str]:
    """A digest of each file of an experiment, those of further networks left out."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "networks" not in path.parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(
    ("network", "edits"),
    [
        ("changed-1", {'"conv2", 64, kernel=3': '"conv2", 32, kernel=3'}),
        ("mine", {"def new_network():\n": OWN_NETWORK, "chosen()": 'chosen(network="mine")'}),
    ],
)
def test_a_changed_network_runs_on_to_the_end_beside_the_first(taught, tmp_path, monkeypatch, capsys, network, edits):
    shutil.copytree(taught, tmp_path / "data")
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path / "data"))
    settings, mine = load_settings(), load_settings(network=network)
    before, first = digests(settings.folder), files.read_sealed(settings.metrics_path, made_by="")
    *_, (_, names) = execute("04_train_alexnet", edits)
    assert "differs from build_alexnet, first in " in capsys.readouterr().out
    assert digests(settings.folder) == before  # the first network, its figures and its training are as they were
    metrics = files.read_sealed(mine.metrics_path, made_by="")
    assert metrics["captcha_accuracy"] == names["score"].value
    assert metrics["parameters"] == names["model"].count_params() != first["parameters"]
    found = {(each.name, each.network): each.metrics for each in list_experiments(settings)}
    assert found == {("default", None): first, ("default", network): metrics}
    reader = Reader.load("default", network=network)
    assert [layer.name for layer in reader.model.layers] == [layer.name for layer in names["model"].layers]
    changed = {"NETWORK = None": f'NETWORK = "{network}"', "/ reader.calibration.temperature": "/ 99"}
    *_, (_, names) = execute("05_read_captchas", changed)
    assert captcha_accuracy(names["labels"], names["predicted"]).value == metrics["captcha_accuracy"]
    assert not names["same_probabilities"]
