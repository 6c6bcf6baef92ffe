"""The measured figures that notebooks and README show say when, on what and how they were measured."""

import datetime
import json
import re
from pathlib import Path

import pytest

from helpers import scores
from helpers.files.results import provenance
from helpers.settings import PRESETS

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = sorted((REPOSITORY / "notebooks" / "results").glob("*.json"))


def load(name: str) -> dict:
    return json.loads((REPOSITORY / "notebooks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_result_says_when_on_what_and_how_it_was_measured(path):
    result = load(path.stem)
    assert result["question"].endswith("?")
    assert datetime.date.fromisoformat(result["date"]) >= datetime.date(2026, 11, 1)
    assert {"processor", "cores", "memory [GiB]", "system"} <= set(result["machine"])
    assert {"tensorflow", "captcha", "pillow", "python"} <= set(result["versions"])
    assert re.fullmatch(r"make [a-z0-9-]+", result["command"])
    assert f"\n{result['command'].split()[1]}:" in (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert result["rows"]


def test_every_preset_was_measured():
    why = "run `python -m tests.benchmarks presets redraw`, then `make notebooks`"
    assert [row["preset"] for row in load("presets")["rows"]] == list(PRESETS), why
    assert {row["preset"] for row in load("redraw")["rows"]} == set(PRESETS), why


def test_all_seeds_together_are_their_sum_and_the_figure_of_the_readme():
    *seeds, together = load("accuracy")["rows"]
    assert len(seeds) == 3
    assert together["right"] == sum(row["right"] for row in seeds)
    assert together["of"] == sum(row["of"] for row in seeds) == 30_000
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert str(scores.proportion(together["right"], together["of"])) in readme


def test_readme_tells_what_was_measured_beside_it():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    original = next(row for row in load("original_whole")["rows"] if row["recipe"] == "the original")
    assert f"{original['right']:,} of {original['of']:,} after all of its 5,000 iterations" in readme
    rows = [row for row in load("reading")["rows"] if row["instructions"] != "AVX2 only"]
    alone, batches = (
        next(row["ms a captcha"] for row in rows if row["reader"] == f"ours, {how}")
        for how in ("one at a time", "in batches of 256")
    )
    assert f"read in {alone:.1f} ms, in batches in {batches:.1f} ms" in readme


def test_what_was_not_measured_with_the_recipe_of_notebook_4_says_so():
    result = load("accuracy")
    usual = provenance({key: value for key, value in result.items() if key != "recipe"})
    other = provenance({**result, "recipe": "with another recipe"})
    assert other == usual.replace("; again", ", with another recipe; again") != usual
