"""Figures that were measured once, on a quiet machine, and are kept in notebooks/results."""

from pathlib import Path
from typing import Any

from helpers import files

RESULTS = Path(__file__).resolve().parents[2] / "notebooks" / "results"


def load_result(name: str) -> dict[str, Any]:
    """A kept result: question, rows, date, machine, versions, command; StepError if it is missing or damaged."""
    return files.read_json(RESULTS / f"{name}.json", made_by="`make bench` or `make experiments`")


def provenance(result: dict[str, Any]) -> str:
    """When and on what a result was measured, and how to measure it again, as one line."""
    machine = "{cores} cores ({processor})".format(**result["machine"])
    parts = [result["date"], machine, f"TensorFlow {result['versions']['tensorflow']}"]
    parts += [result["recipe"]] if "recipe" in result else []  # where it is not that of notebook 4
    return f"{', '.join(parts)}; again with: {result['command']}"
