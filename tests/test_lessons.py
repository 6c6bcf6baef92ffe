"""The lessons, executed on the quick profile: what their figures claim holds there, and a changed network runs on."""

from __future__ import annotations

import hashlib
import linecache
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import nbformat
import pytest

from helpers import files
from helpers.__main__ import name_of, notebooks_of
from helpers.experiments import list_experiments
from helpers.reading import Reader
from helpers.scores import captcha_accuracy
from helpers.settings import load_settings

PATHS = {name_of(path): path for path in notebooks_of() + notebooks_of("beyond/*")}
# What each figure's title claims, in the names of its notebook, by the id of the cell that draws it.
CLAIMS: dict[str, dict[str, str]] = {
    "01_check_environment": {},
    "02_generate_captchas": {
        "5d20b3e1": (
            'ax.get_title().startswith(f"{int((abs(counts - drawn / 10) <= spread).sum())} of {counts.size} counts")'
        ),
    },
    "03_write_tfrecords": {
        "a9130e1f": "f'{min(rates.values()) / training:.1f}' in title and training == max(trained.values())"
    },
    "04_train_alexnet": {
        "04-05": "sum(count for *_, count in layer_shapes(model)) == model.count_params()",
        "c04f1a12": 'losses["as above"][-1] < min(0.95 * guessing, losses["without BatchNorm"][-1])',
        "04-28": 'lines["captchas, validation"][1][-1] == 100 * rows[-1]["validation_captcha_accuracy"]',
    },
    "05_read_captchas": {
        "05-08": "count == sum(r.text == i.text for r, i in zip(readings[:20], test_images))",
        "05-11": "first.text == style.labels_to_text(first.probabilities.argmax(axis=-1))",
        "05-15": "confidence[doubtful] == confidence.min()",
        "f5a30c68": "len(mistakes) == sum(r.text != i.text for r, i in zip(readings, test_images))",
        "05-23": (
            "of_wrong == f'{sum(confidence[i] > 0.95 for i in mistakes):,} of {len(mistakes):,}' and "
            "of_right == f'{(confidence > 0.95).sum() - sum(confidence[i] > 0.95 for i in mistakes):,} of"
            " {score.right:,}'"
        ),
        "05-27": "wrong.sum() == (labels != predicted).sum() and confusion.sum() == labels.size",
        "e830dbd2": (
            "own_share == scores.proportion(sum(not r.familiar for r in answers['captchas of this "
            "experiment']), len(own)).percent and noise_share == scores.proportion(sum(not r.familiar for"
            " r in answers['noise']), 200).percent"
        ),
        "05-42": "tested(experiments[0]).value == max(tested(e).value for e in experiments)",
    },
    "beyond/why_it_learns": {
        "b6a7000a": 'times["2014, 224 × 224"] > times["ours"]',
        "b6a7000e": 'lowest == "BatchNorm" == min(curves, key=lambda n: np.mean([r[-1] for r in curves[n]]))',
        "b6a70014": (  # one passing of 50 % is chance, the whole climb is not
            "min(sum(p[f'position {n}'] for p in shown) for n in (1, style.positions)) > "
            "max(sum(p[f'position {n}'] for p in shown) for n in range(2, style.positions))"
        ),
        "b6a70016": "rates[-1] == min(rates) and 0 < rates.index(highest) < len(rates) / 5",
        "b6a70018": "ends[0] < ends[-1] and max(changes['rows'], key=lambda row: row['right']) == changes['rows'][-1]",
        "b6a7001c": ('original["curves"]["ours"][-1]["captchas"] > original["curves"]["the original"][-1]["captchas"]'),
        "b6a70022": "better == len(pairs) > 0",
    },
    "beyond/what_it_sees": {
        "8a05be93": "stages[names[0]].size > stages[names[-1]].size",
        "b5-14": ("(np.diff([np.average(range(40), weights=one.clip(0).sum(axis=0)) for one in lost]) > 0).all()"),
    },
    "beyond/where_it_fails": {
        "b4-12": (
            "positions[ranked[0]].value == max(p.value for p in positions.values()) and "
            "positions[ranked[-1]].value == min(p.value for p in positions.values())"
        ),
        "b4-14": "counts.sum() - counts.trace() == (labels != predicted).sum()",
        "422ff0c4": "wrong.sum() == (labels != predicted).sum()",
        "b4-18": "(gap > 0) == (confidence.mean() > right.mean())",
        "b4-22": (
            "errors['after'] == calibration_error(corrected, right) and errors['before'] == "
            "calibration_error(confidence, right)"
        ),
        "b4-26": "of_the_surest(1).right == right.sum() and of_the_surest(0.8).value >= of_the_surest(1).value",
        "0c72fe58": "max(shares[most]) - min(shares[most]) == max(max(s) - min(s) for s in shares.values())",
    },
    "beyond/variable_length": {
        "b2-16": "list(by_length) == ['3 digits', '4 digits', '5 digits', '6 digits']",
        "b2-26": "len(everything['alphabet']) > len(apart['alphabet'])",
    },
    "beyond/carry_over": {
        "b1-08": (
            "own == min(shares[i, list(styles).index(name)] for i, name in enumerate(trained)) and own > shares.min()"
        ),
        "b1-12": "max(share.low for share in found.values()) <= min(share.high for share in found.values())",
        "b1-14": (
            "[y[0] - y[list(x).index(own)] < 0 for (x, y, *_), own in zip(curves.values(), (30, 200))] == [False, True]"
        ),
        "b1-16": (
            "all(min(y[i] for i in range(len(x)) if x[i] <= own) > 95 and y[-1] < 65 for (x, y, *_), own "
            "in zip(curves.values(), (30, 60)))"
        ),
        "b1-18": (
            "(lambda gains: gains == sorted(gains, reverse=True) and gains[0] > 0)([b.value - a.value for"
            " a, b in zip(list(found.values())[::2], list(found.values())[1::2])])"
        ),
        "b1-20": (
            "(lambda cold, warm: warm[0] > cold[0] and max(cold) > max(warm) and cold[-1] > "
            "warm[-1])(curves['random weights, 20,000'][1], curves[\"the default's weights, 20,000\"][1])"
        ),
        "b1-26": "found['clean'].value > found['noisy'].value",
        "b1-28": "len(distorted) == 20",
    },
    "beyond/your_own_pictures": {
        "a22e0021": "wrong == [sum(r.text != t for r, t in zip(each, truth.values())) for each in (before, after)]",
        "a22e0023": "all(before[index].text != list(truth.values())[index] for index in missed)",
        "a22e0035": (
            "all(np.mean(curve(packages[0], 'robust')[1][:5]) < np.mean(curve(packages[0], other)[1][:5]) "
            "for other in ('lookalike', 'default'))"
        ),
        "a22e0037": (
            "found['grey, 0 labels'].high < 2 * found['main component, 0 labels'].value < 0.1 and "
            "found['grey, 300 labels'].high > found['main component, 300 labels'].low"
        ),
    },
    "beyond/try_styles": {},
}

# Cells that draw something whose titles only name it.
NO_CLAIM: dict[str, str] = {
    "01_check_environment": "01-11",
    "02_generate_captchas": "02-04 02-19 02-21 02-23 02-25 02-29 02-31 02-33 02-35-h 02-52 02-62",
    "03_write_tfrecords": "03-06 03-27",
    "04_train_alexnet": "04-13",
    "05_read_captchas": "05-36 05-37 05-43-c",
    "beyond/why_it_learns": "",
    "beyond/what_it_sees": "b5-04 b5-08",
    "beyond/where_it_fails": "",
    "beyond/variable_length": "b2-10 b2-20 b2-22",
    "beyond/carry_over": "b1-06 f05fe263",
    "beyond/your_own_pictures": "a22e0005 a22e0013 a22e0017 a22e0029 a22e0033",
    "beyond/try_styles": "b7e10016",
}

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


def titles() -> list[str]:
    """The titles of all open figures and their panels."""
    figures = [plt.figure(number) for number in plt.get_fignums()]
    found = [figure.get_suptitle() for figure in figures] + [ax.get_title() for fig in figures for ax in fig.axes]
    return [title for title in found if title]


class Walked(NamedTuple):
    """The lessons, executed once, in order."""

    data_dir: Path
    drawn: dict[str, dict[str, list[str]]]  # the titles that each cell drew
    false: dict[str, dict[str, list[str]]]  # those of cells whose claim does not hold


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> Walked:
    """All lessons in a data folder of their own. Shared: only to be read."""
    result = Walked(tmp_path_factory.mktemp("lessons"), {}, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPTCHA_DATA_DIR", str(result.data_dir))
        for name, claims in CLAIMS.items():
            drawn, false = result.drawn.setdefault(name, {}), result.false.setdefault(name, {})
            for cell, names in execute(name):
                if found := titles():
                    drawn[cell] = found
                if cell in claims and not eval(claims[cell], names):
                    false[cell] = found
    return result


@pytest.mark.parametrize("name", CLAIMS)
def test_what_titles_claim_holds_on_the_quick_profile(walked, name):
    assert set(walked.drawn[name]) == {*CLAIMS[name], *NO_CLAIM[name].split()}
    assert not walked.false[name]


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
def test_a_changed_network_runs_on_to_the_end_beside_the_first(walked, tmp_path, monkeypatch, capsys, network, edits):
    shutil.copytree(walked.data_dir, tmp_path / "data")
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
