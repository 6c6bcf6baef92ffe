"""The exercises: each has a place for an answer, a check that says what is wrong, and a solution folded below."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from PIL import Image

from helpers.captchas.styles import CaptchaStyle
from helpers.errors import TutorialError
from helpers.execution import notebooks_of
from helpers.settings import load_settings
from notebooks.solutions import checks

LESSONS, SOLUTIONS = notebooks_of(), notebooks_of("solutions/0*")
RENEW = "these outputs are not of this code: run `make notebooks`"
DEFAULTS = load_settings()

RIGHT = {
    "01.1": [(1, 8)],
    "01.2": [(0.5, 20), [0.1, 4.1], np.array([2.0, 80.0])],
    "01.3": ["fonts", " fonts: "],
    "02.1": [-15.06, -14.9, np.float64(-15.8)],
    "02.2": [(104, 53), [104.0, 52.5]],
    "02.3": ["0009"],
    "03.1": [3.1],
    "03.2": ["0 records, no error", 0, np.int64(0)],
    "03.3": [(48, DEFAULTS.train_count * 0.0096)],
    "04.1": ["changed-1", "data/default/networks/changed-2/"],
    "04.2": [(1.0, 0.81), (0.97, 0.5)],
    "04.3": [(0.975, 0.4)],
    "04.4": [(0.79, 0.48)],
    "04.5": ["BatchNorm", "batch norm"],
    "04.6": [math.log(36), np.float32(3.58)],
    "04.7": [997],
}
WRONG = {
    "01.1": [((8, 1), "Not 8 sizes"), ((1, 1), "Not 1 pictures"), (8, r"The answer is \(sizes, pictures\); this is 8")],
    "01.2": [((20, 0.5), "smaller data set comes first"), ((1.7, 43), "25.3 times"), ((0, 1), "no time")],
    "01.3": [("NoSuchFont", "the value that was refused"), ("style", "not 'style'"), (("fonts",), "of type tuple")],
    "02.1": [(15, "the sign is not"), (0, "Not 0"), ("dark", "of type str"), (math.nan, "this is nan")],
    "02.2": [((53, 104), "first number is the larger"), ((112.8, 53), "Not 112.8"), ((104, 60), "60 is not")],
    "02.3": [("9", "not four digits"), (9, "of type int"), ("0000", "0000 is in the train split"), ("2024", "split")],
    "03.1": [(0.32, "divide the room of the pixels"), (9.3, "three channels"), (2, "Not 2")],
    "03.2": [("an error: damaged", "nothing in an empty file"), ("1 records, no error", "Not '1 rec"),
             (1, "Not '1'"), (False, "Not 'False'")],
    "03.3": [((48e6, 816e6), "in megabytes"), ((1, 816), "Not 1 for one shard"), ((48, 1), "Not 1 for all")],
    "04.1": [("default", "Not 'default'"), (None, "of type NoneType")],
    "04.2": [((0.81, 1.0), "of these it reads more"), ((100, 81), "not percentages"), ((0.9, 0.8), "Only 90%"),
             ((1.0, 0.99), "no gap")],
    "04.3": [((0.4, 0.975), "they come first"), ((0.5, 0.45), "too close"), ((-1, -2), "not less than 0")],
    "04.4": [((0.79, 0.79), "same state"), ((0.48, 0.79), "costs accuracy"), ((0.3, 0.2), "Only 30%"),
             ((0.794, 0.778), "Give both layers the rate 0.5")],
    "04.5": [("warm-up", "Without warm-up the loss falls"), (2, "of type int")],
    "04.6": [(2.303, "one of 10 classes"), (5.17, "in bits"), (1, "Not 1")],
    "04.7": [(990, "begins at 98.1"), (1000, "fewer are too"), (2000, "from 0 to 1,000"), (99.7, "a count")],
}  # fmt: skip


@pytest.fixture(autouse=True)
def default_experiment(monkeypatch):
    """As if notebook 2 had been run."""
    monkeypatch.setattr(checks, "chosen", lambda: DEFAULTS)


def said(capsys, number: str, answer: object) -> str:
    checks.check_exercise(number, answer)
    line = capsys.readouterr().out
    assert line.startswith(f"Exercise {number}: ") and line.count("\n") == 1
    return line.removeprefix(f"Exercise {number}: ")


@pytest.mark.parametrize(("number", "answer"), [(number, answer) for number in RIGHT for answer in RIGHT[number]])
def test_a_right_answer_is_right(capsys, number, answer):
    assert said(capsys, number, answer) == "right.\n"


@pytest.mark.parametrize(
    ("number", "answer", "why"), [(number, answer, why) for number in WRONG for answer, why in WRONG[number]]
)
def test_a_wrong_answer_is_told_what_is_wrong(capsys, number, answer, why):
    line = said(capsys, number, answer)
    assert line.startswith("not yet. ")
    assert re.search(why, line)


@pytest.mark.parametrize("number", checks.CHECKS)
@pytest.mark.parametrize("answer", [None, "", "?", b"1", [], (1, 2, 3, 4), {"a": 1}, object(), math.inf, [[1], [2, 3]]])
def test_whatever_is_answered_there_is_a_sentence(capsys, number, answer):
    assert said(capsys, number, answer).startswith("not yet. ")


def test_three_dots_are_no_answer_yet_and_an_unknown_exercise_is_told(capsys):
    for number in checks.CHECKS:
        assert said(capsys, number, ...).startswith("no answer yet.")
    with pytest.raises(TutorialError, match=r"no exercise '02\.9'\. There are 01\.1, .*05\.3"):
        checks.check_exercise("02.9", 1)


@pytest.fixture
def read_by_hand(tmp_path, monkeypatch) -> dict[str, tuple]:
    """The answers of notebook 5, computed from forty pictures and a made-up reader."""
    images = []
    for number in range(40):
        path = tmp_path / f"{number}.png"
        Image.new("L", (160, 60), number).save(path)
        images.append(SimpleNamespace(path=path, text="1" if number > 3 else "0"))

    class Made:
        style = CaptchaStyle()

        def read(self, pictures):
            sure = [np.asarray(p).mean() / 300 if isinstance(p, Image.Image) else int(p.stem) / 100 for p in pictures]
            return [SimpleNamespace(text="1", confidence=c, familiar=c > 0.1) for c in sure]

    monkeypatch.setattr(checks, "reader_and_images", lambda: (Made(), images))
    return {"05.1": (19.5 / 300, 31 / 40), "05.2": (0.03, 4 / 40), "05.3": (0, 0, 0)}


def test_notebook_5_is_checked_by_reading_again(capsys, read_by_hand):
    for number, answer in read_by_hand.items():
        assert said(capsys, number, answer) == "right.\n"
    for number, answer, why in [
        ("05.1", (0.9, 31 / 40), "not 0.900"),
        ("05.1", (19.5 / 300, 0.1), "Not 10.0% are warned of"),
        ("05.1", (6.5, 77), "not percentages"),
        ("05.2", (0.01, 0.05), "Above 0.0100 there are still 2 mistakes"),
        ("05.2", (0.2, 0.5), "above a lower confidence there is none either"),
        ("05.2", (0.03, 0.5), "Not 50.0% are refused"),
        ("05.3", (0, 10, 0), "Not 10 of 200 of the preset 'noisy'"),
    ]:
        assert why in said(capsys, number, answer)


def sections(path) -> dict[str, list[nbformat.NotebookNode]]:
    """The code cells of each solution, by the exercise's number."""
    found: dict[str, list[nbformat.NotebookNode]] = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown" and (heading := re.search(r"^## (\d)\. ", cell.source, flags=re.MULTILINE)):
            found[f"{path.name[:2]}.{heading[1]}"] = []
        elif cell.cell_type == "code" and found:
            found[list(found)[-1]].append(cell)
    return found


def test_there_is_a_check_for_each_exercise():
    exercises = [number for path in SOLUTIONS for number in sections(path)]
    assert exercises == list(checks.CHECKS) == sorted([*RIGHT, "05.1", "05.2", "05.3"])
    assert set(WRONG) == set(RIGHT)


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_the_executed_solutions_pass_the_same_checks(path):
    for number, cells in sections(path).items():
        assert cells[-1].source == f'check_exercise("{number}", answer)'
        assert cells[-1].metadata.tags == ["nbval-check-output"]
        assert [output.text for output in cells[-1].outputs] == [f"Exercise {number}: right.\n"], RENEW


@pytest.mark.parametrize(("path", "solution"), list(zip(LESSONS, SOLUTIONS, strict=True)), ids=lambda path: path.stem)
def test_each_exercise_has_a_place_to_answer_and_a_folded_solution(path, solution):
    cells = nbformat.read(path, as_version=4).cells
    numbers = [number for number in checks.CHECKS if number.startswith(path.name[:2])]
    questions = [re.search(r"^\*\*Exercise (\d)", cell.source, flags=re.MULTILINE) for cell in cells]
    at = [index for index, question in enumerate(questions) if question]
    assert [f"{path.name[:2]}.{questions[index][1]}" for index in at] == numbers
    for index, number in zip(at, numbers, strict=True):
        place, fold = cells[index + 1 : index + 3]
        form = rf'answer = \.\.\.  # .+\ncheck_exercise\("{number}", answer\)'
        assert re.fullmatch(form, place.source), "behind `answer = ...` a comment tells what is wanted; then the check"
        code = "\n\n".join(f"```python\n{cell.source}\n```" for cell in sections(solution)[number])
        link = f"[Executed and explained](solutions/{solution.name})"
        folded = f"<details><summary>Solution</summary>\n\n{code}\n\n{link}\n\n</details>"
        assert fold.source[: len(folded)] == folded  # its solution's code cells, and the link
        said = "no answer yet. Write yours in place of the dots, and run this cell again."
        assert [output.text for output in place.outputs] == [f"Exercise {number}: {said}\n"], RENEW


def test_three_lessons_at_least_ask_to_predict_and_three_exercises_show_what_tutorials_do_wrong():
    texts = ["\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells) for path in LESSONS]
    assert sum("predict, then run" in text for text in texts) >= 3
    assert all(name in texts[3] for name in ("A split that leaks", "Dropout at test time", "what was trained on.**"))
