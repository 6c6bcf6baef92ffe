"""The notebooks' own rules: shape, language, stored outputs, stamps, links."""

from __future__ import annotations

import ast
import base64
import io
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from PIL import Image

from helpers import execution
from helpers.errors import StepError
from tests import renew
from tests.stamps import changes, stamp

REPOSITORY = Path(__file__).resolve().parent.parent
NUMBERED = execution.notebooks_of()
SOLUTIONS = execution.notebooks_of("solutions/0*")
FURTHER = execution.notebooks_of("beyond/*")
EVERY = NUMBERED + SOLUTIONS + FURTHER
CHECKED = "nbval-check-output"
MOST_LINES = 20  # of a code cell
MOST_BYTES = 2_000_000

# Which cells nbval compares, by their first line: what does not depend on profile or machine.
CHECKED_CELLS = {
    "01_check_environment": [
        "image.size",
        "hashlib.sha256(image.tobytes()).hexdigest()[:16]",
        'f"{len(style.alphabet) ** style.max_length:,} texts"',
        'def line(name, fine, found, advice=""):',
        'f"{build_alexnet(style).count_params():,} parameters"',
    ],
    "02_generate_captchas": [
        "random.seed(1)",
        'first, second, other = draw_seeded("5020", 1), draw_seeded("5020", 1), draw_seeded("5020", 2)',
        'image = draw_captcha("5020", CaptchaStyle(), seed=1)',
        "CaptchaStyle().to_dict()",
        'moved = draw_captcha("4728", CaptchaStyle(offset_x=(20, 24), offset_y=(10, 16)), seed=7)',
        "list(PRESETS)",
        '{text: split_of(text) for text in ["0000", "0005", "5020", "4728", "9999"]}',
        'Counter(split_of(f"{number:04d}") for number in range(10_000))',
        '{"same digest": again == manifest["images_digest"]}',
        "texts = {split: {image.text for image in images[split]} for split in SPLITS}",
        "files = {split: {hashlib.sha256(i.path.read_bytes()).digest() for i in images[split]} for split in SPLITS}",
        "seeds = {split: {image.seed for image in images[split]} for split in SPLITS}",
    ],
    "03_write_tfrecords": [
        '{"shape [height, width]": grey.shape, "type": str(grey.dtype), "bytes": grey.nbytes}',
        "class_numbers, text = style.text_to_labels(first.text), first.text.encode()",
        "serialized = example.SerializeToString(deterministic=True)",
        "def letters(piece):",
        'length, checksum = struct.unpack("<QI", record[:12])',
        "def crc32c(data):",
        "def masked(remainder):",
        "batch = tf.constant([from_helper])",
        "different",
        'paths = [str(settings.records_folder / shard["name"]) for shard in manifest["shards"]["train"]]',
        "ends = record_ends(good)",
        "middle = (ends[1] + ends[2]) // 2",
        "count_records(good[: ends[2]])",
    ],
    "04_train_alexnet": [
        "networks = new_network(), build_alexnet(style)",
        "loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
        "def smoothed_cross_entropy(labels, logits):",
        "answers = tf.one_hot(labels - labels % 2, len(style.classes))",
        "str(scores.proportion(10, 10))",
        'for row in load_result("accuracy")["rows"]:',
    ],
    "05_read_captchas": [
        "surest_one = int(np.argmax([reading.confidence for reading in readings]))",
        "same_text = text == readings[surest_one].text",
        "doubtful = int(np.argmin([reading.confidence for reading in readings]))",
        "best = first.probabilities.max(axis=1)",
        "for right, count in [(99, 100), (990, 1_000), (9_900, 10_000)]:",
    ],
    "beyond/why_it_learns": [
        'networks = {"2014, 224 × 224": ORIGINAL, "ours": {}}',
    ],
    "beyond/what_it_sees": [
        'kernel = reader.model.get_layer("conv1").get_weights()[0]',
        "def probabilities(images):",
    ],
    "beyond/many_machines": [
        '{"same digest": digests[0] == digests[1]}',
        "gradients = [np.arange(12) * 10**worker for worker in range(4)]",
        'workers = ["127.0.0.1:2222", "127.0.0.1:2223"]',
    ],
    "beyond/variable_length": [
        'style = CaptchaStyle.preset("lengths 3 to 6")',
        '{text: style.text_to_labels(text) for text in ("502", "5024", "50246", "502468")}',
        "[style.labels_to_text(labels) for labels in ([5, 0, 2, 10, 10, 10], [5, 0, 2, 4, 6, 8])]",
    ],
}


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY / "notebooks").with_suffix("").as_posix()


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def cells(path: Path, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == kind]


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def prose(path: Path) -> str:
    return "\n\n".join(cell.source for cell in cells(path, "markdown"))


def outputs_as_text(path: Path) -> str:
    found = []
    for cell in cells(path, "code"):
        for output in cell.outputs:
            found.append(output.get("text", ""))
            found += [str(value) for mime, value in output.get("data", {}).items() if not mime.startswith("image")]
            found += output.get("traceback", [])
    return "\n".join(found)


numbered = pytest.mark.parametrize("path", NUMBERED, ids=name_of)
every = pytest.mark.parametrize("path", EVERY, ids=name_of)


def test_there_are_five_and_each_has_solutions():
    assert [path.name[:2] for path in NUMBERED] == ["01", "02", "03", "04", "05"]
    assert [path.name for path in SOLUTIONS] == [path.name for path in NUMBERED]


@numbered
def test_begins_and_ends_as_a_lesson(path):
    source = cells(path, "markdown")[0].source
    assert re.match(r"# [A-Z][^\n]+\n\n> [^\n]+\n\n!\[[^\]]+\]\(pictures/", source)
    for part in ("**What you'll do:**", "**What you'll learn:**", "**What you'll need:**"):
        assert part in source
    headings = re.findall(r"^#{1,6} .+$", prose(path), flags=re.MULTILINE)
    assert [heading for heading in headings if heading.startswith("# ")] == headings[:1]
    assert headings.count("## Setup") == 1
    assert headings[-3:] == ["## Summary", "## Exercises", "## Further reading"]


@pytest.mark.parametrize("path", FURTHER, ids=name_of)
def test_what_goes_beyond_is_a_lesson_too_and_is_linked(path):
    text = prose(path)
    assert re.match(r"# [A-Z][^\n]+\n\n> [^\n]+\n\n!\[[^\]]+\]\(\.\./pictures/", text)
    for part in ("**What you'll do:**", "**What you'll learn:**", "**What you'll need:**", "## Setup", "## Summary"):
        assert part in text
    assert text.rstrip().endswith("[Overview](../../README.md)")
    assert any(f"({name_of(path)}.ipynb)" in prose(lesson) for lesson in NUMBERED)
    assert f"(notebooks/{name_of(path)}.ipynb)" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


@every
def test_has_at_least_as_many_text_cells_as_code_cells(path):
    assert len(cells(path, "markdown")) >= len(cells(path, "code"))


@numbered
def test_has_more_words_than_code(path):
    code = cells(path, "code")
    lines = [len(cell.source.splitlines()) for cell in code]
    assert statistics.median(lines) <= 6
    assert len(prose(path).split()) > 3 * sum(lines)


@every
def test_cells_are_short(path):
    for cell in cells(path, "code"):
        assert len(cell.source.splitlines()) <= MOST_LINES, cell.source


@every
def test_speaks_plainly(path):
    assert not re.findall(r"\b(just|simply|easily|obviously|of course)\b", prose(path), flags=re.IGNORECASE)


# What the lessons are about; each stands in a cell that a learner can change.
TAUGHT = {
    "03_write_tfrecords": ["tf.train.Feature(", "parse_example(", "TFRecordDataset", ".shuffle(", ".batch(", ".map("],
    "04_train_alexnet": ["Conv2D(", "MaxPooling2D(", "BatchNormalization(", "Dense(", ".compile(", ".fit("],
    "05_read_captchas": [".temperature", "np.exp(", ".argmax("],
}


@pytest.mark.parametrize("name", TAUGHT)
def test_what_is_taught_stands_in_the_lesson(name):
    code = "\n".join(cell.source for cell in cells(REPOSITORY / "notebooks" / f"{name}.ipynb", "code"))
    assert [part for part in TAUGHT[name] if part not in code] == []


def imported_helpers(path: Path) -> set[str]:
    """The files and folders of helpers/ from which a notebook imports."""
    found = set()
    for node in ast.walk(ast.parse("\n".join(cell.source for cell in cells(path, "code")))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "helpers":
            place = REPOSITORY / node.module.replace(".", "/")
            for name in [alias.name for alias in node.names] if place.is_dir() else []:
                if (place / f"{name}.py").is_file() or (place / name).is_dir():
                    found.add(f"{node.module}.{name}")
                else:
                    found.add(node.module)
            found |= set() if place.is_dir() else {node.module}
    return {name.replace(".", "/") for name in found}


@numbered
def test_each_helper_is_linked_where_it_first_comes(path):
    before = "\n".join(prose(each) for each in NUMBERED[: NUMBERED.index(path) + 1])
    unlinked = {
        name for name in imported_helpers(path) if not re.search(rf"\(\.\./{name}(\.py|/[\w/]*\.py)[)#]", before)
    }
    assert imported_helpers(path)
    assert unlinked == set()


def test_notebook_4_is_short_and_trains_in_its_first_half():
    everything = read(NUMBERED[3]).cells
    trains = next(i for i, cell in enumerate(everything) if "train(model, settings" in cell.source)
    texts = [(i, cell.source) for i, cell in enumerate(everything) if cell.cell_type == "markdown"]
    folds, exercises = r"<details>.*?</details>", r"## Exercises.*|\*\*Exercise \d.*|The next three exercises.*"
    counts = {i: len(re.sub(f"{folds}|{exercises}", "", text, flags=re.DOTALL).split()) for i, text in texts}
    assert sum(counts.values()) < 1_900
    assert sum(count for i, count in counts.items() if i < trains) < sum(counts.values()) / 2
    assert trains <= len(everything) / 2 + 1


def test_the_readme_is_short():
    assert len(PAGES[0].read_text(encoding="utf-8").split()) <= 800


@numbered
def test_links_lead_back_and_forth(path):
    index = NUMBERED.index(path)
    for cell in (cells(path, "markdown")[0], cells(path, "markdown")[-1]):
        for neighbour in NUMBERED[max(0, index - 1) : index] + NUMBERED[index + 1 : index + 2]:
            assert f"({neighbour.name})" in cell.source
        assert "(../README.md)" in cell.source


PAGES = [
    REPOSITORY / name for name in ("README.md", "helpers/README.md", ".github/CONTRIBUTING.md", "notebooks/glossary.md")
]


@pytest.mark.parametrize("path", [*EVERY, *PAGES], ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_relative_links_exist(path):
    text = path.read_text(encoding="utf-8") if path.suffix == ".md" else prose(path)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "#", "attachment:"))]
    assert links
    for link in links:
        assert (path.parent / link.split("#")[0]).exists(), link


def test_each_term_of_the_glossary_is_led_to_once_where_a_lesson_has_it_first():
    page = (REPOSITORY / "notebooks" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^### (.+)$", page, flags=re.MULTILINE)
    assert terms == sorted(terms, key=str.lower)
    anchors = [term.replace(" ", "-") for term in terms]
    assert all(re.fullmatch(r"[a-z0-9-]+", anchor) for anchor in anchors)  # GitHub's and JupyterLab's are the same then
    pattern = r"\]\((?:\.\./)?glossary\.md#([^)]*)\)"
    leading = [link for path in NUMBERED + FURTHER for link in re.findall(pattern, prose(path))]
    assert set(leading) == set(anchors)
    assert len(leading) - len(set(leading)) <= 1  # a digest is also called a hash


def test_the_workflows_and_the_pages_run_what_make_test_runs():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(
        r"^\t\$\(BIN\)/(.+)", makefile.partition("\ntest:")[2].partition("\n\n")[0], flags=re.MULTILINE
    )
    assert len(commands) == 4
    workflow = (REPOSITORY / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8").replace('"', "")
    contributing = PAGES[2].read_text(encoding="utf-8")
    for line in commands:
        assert f"$BIN/{line}" in workflow
        assert f".venv/bin/{line}\n" in contributing
        assert f".venv/bin/{line}\n" in PAGES[0].read_text(encoding="utf-8") or line.startswith("ruff")


def test_services_build_the_lessons_on_the_quick_profile():
    told = json.loads((REPOSITORY / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    target = told["postCreateCommand"].removeprefix("make ")
    assert f"\n{target}:" in (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert told["containerEnv"] == {"CAPTCHA_PROFILE": "quick"}
    for name in told["customizations"]["codespaces"]["openFiles"]:
        assert (REPOSITORY / name).is_file()
    binder = REPOSITORY / ".binder"
    (line,) = (binder / "requirements.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert (binder / line.removeprefix("-r ")).samefile(REPOSITORY / "requirements.txt")
    if os.name != "nt":
        usual = {name: value for name, value in os.environ.items() if name != "CAPTCHA_PROFILE"}
        run = [binder / "start", "printenv", "CAPTCHA_PROFILE"]
        printed = subprocess.run(run, env=usual, capture_output=True, text=True)
        assert printed.stdout == "quick\n"


REFUSED = {  # what each cell that must fail is refused with
    "02-35": "text_color: .* vanishes",
    "03-46": r"test-\d+-of-\d+\.tfrecord is damaged: it had [\d,]+ records",
    "05-39": r"notes\.png is no readable image",
    "01-s09": "there is no font 'NoSuchFont'",
}


@every
def test_was_executed_in_order_without_errors(path):
    code = cells(path, "code")
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run `make notebooks`"
    for cell in code:
        failed = [output for output in cell.outputs if output.output_type == "error"]
        assert bool(failed) == ("raises-exception" in tags(cell)), cell.source
        for output in failed:
            assert cell.id in REFUSED, f"what {cell.id} raises has to stand in REFUSED"
            assert re.search(REFUSED[cell.id], output.evalue), "the lesson shows another error than it tells of"


@every
def test_outputs_are_clean(path):
    text = outputs_as_text(path)
    for unwanted in ("Warning", "WARNING", "I0000", "E0000", "oneDNN custom", "cuda", "%|", "\r"):
        assert unwanted not in text.replace("100%|", "")
    assert not re.findall(r"(?<![\w.])/(?:home|root|tmp|work|usr|var|Users)/", text)
    streams = {o.name for cell in cells(path, "code") for o in cell.outputs if o.output_type == "stream"}
    assert streams <= {"stdout"}
    assert path.stat().st_size < MOST_BYTES


@every
def test_outputs_come_from_a_full_run_of_this_code(path):
    reasons = changes(read(path).metadata.get(execution.STAMP), stamp(read(path), "full", {}))
    assert not reasons, f"run `make notebooks`: {', '.join(reasons)}"


@pytest.mark.parametrize("path", NUMBERED + FURTHER, ids=name_of)
def test_checked_cells_are_really_checked(path):
    checked = [cell for cell in cells(path, "code") if CHECKED in tags(cell)]
    listed = CHECKED_CELLS.get(name_of(path), [])
    assert [cell.source.splitlines()[0] for cell in checked] == listed, f"tagged {CHECKED}, and in CHECKED_CELLS here"
    for cell in checked:  # nbval skips a cell without a count, and cannot compare pictures
        assert cell.execution_count and cell.outputs
        assert all("image/png" not in output.get("data", {}) for output in cell.outputs)
        assert not any("%|" in output.get("text", "") for output in cell.outputs), "a bar comes only where it is slow"


@pytest.mark.parametrize("spoil", [False, True], ids=["as stored", "spoiled"])
def test_a_spoiled_output_turns_nbval_red(tmp_path, spoil):
    notebook = read(REPOSITORY / "notebooks" / "02_generate_captchas.ipynb")
    first = next(i for i, cell in enumerate(notebook.cells) if CHECKED in tags(cell))
    notebook.cells = [cell for cell in notebook.cells[: first + 1] if cell.cell_type == "code"]
    if spoil:
        notebook.cells[-1].outputs[0].data["text/plain"] = "True"
    nbformat.write(notebook, tmp_path / "spoiled.ipynb")
    command = [sys.executable, "-m", "pytest", "-q", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=120"]
    result = subprocess.run([*command, tmp_path], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == int(spoil), result.stdout


PLUGIN = """
import pathlib, pytest, sys
from tests import claims
claims.NOTEBOOKS = pathlib.Path(sys.argv[1])
claims.CLAIMS, claims.NO_CLAIM = {"own": {"drawn": sys.argv[2]}}, {"own": ""}
options = ["-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env"]
sys.exit(pytest.main([*options, sys.argv[1]], plugins=[claims]))
"""


@pytest.mark.parametrize(
    ("claim", "cells", "said"),
    [
        ("total == 3", 1, "1 passed"),
        ("total == 4", 1, "claims: total == 4: False"),
        ("totel == 3", 1, "NameError: name 'totel' is not defined"),
        ("total == 3", 2, "in a table only: ['another']"),
    ],
    ids=["true", "false", "an error", "a figure in no table"],
)
def test_a_figure_that_claims_what_does_not_hold_turns_nbval_red(tmp_path, claim, cells, said):
    source = "from IPython.display import display\ntotal = 3\ndisplay({'image/png': ''}, raw=True)"
    drawing = [nbformat.v4.new_code_cell(source, id=name) for name in ("drawn", "another")[:cells]]
    nbformat.write(nbformat.v4.new_notebook(cells=drawing), tmp_path / "own.ipynb")
    command = [sys.executable, "-c", PLUGIN, tmp_path, claim]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert said in result.stdout
    assert (result.returncode == 0) == (said == "1 passed"), result.stdout


@pytest.mark.parametrize("path", NUMBERED[2:], ids=name_of)
def test_opened_too_early_a_notebook_names_the_one_to_run(path, tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    setup, first = cells(path, "code")[:2]
    names: dict[str, object] = {}
    exec(setup.source, names)
    with pytest.raises(StepError) as error:
        exec(first.source, names)
    (line,) = error.value._render_traceback_()
    assert "There is no experiment 'default' yet. Run notebook 02_generate_captchas" in line
    assert list(tmp_path.iterdir()) == []


def test_readme_tells_the_committed_result():
    line = re.search(r"whole-captcha accuracy (.+)", outputs_as_text(NUMBERED[3])).group(1)
    assert line in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_readme_leads_to_the_helpers():
    assert "(helpers/README.md)" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_outputs_keep_what_is_seen_without_a_kernel():
    bar = nbformat.v4.new_output("stream", name="stdout", text="  0%|\r 50%|\r100%|##|\ndone\n")
    data = {"text/plain": "sliders", "application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
    widget = nbformat.v4.new_output("execute_result", data=data)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[bar, widget])])
    execution.tidy_outputs(notebook)
    assert notebook.cells[0].outputs[0].text == "100%|##|\ndone\n"
    assert notebook.cells[0].outputs[1].data == {"text/plain": "sliders"}


def test_a_packed_picture_has_the_same_pixels_in_fewer_bytes():
    figure, ax = plt.subplots()
    ax.imshow(np.arange(900).reshape(30, 30))
    for transparent in (False, True):
        file = io.BytesIO()
        ax.set_facecolor("none" if transparent else "white")
        figure.savefig(file, facecolor="none" if transparent else "white")
        data = base64.b64encode(file.getvalue()).decode()
        packed = renew.packed_png(data)
        before, after = (Image.open(io.BytesIO(base64.b64decode(each))) for each in (data, packed))
        assert len(packed) < len(data)
        assert after.convert("RGBA").tobytes() == before.tobytes()
        assert (after.mode == "RGB") is not transparent


def test_execute_keeps_the_outputs_of_a_failing_notebook(tmp_path, capsys):
    source = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in ("6 * 7", "1 / 0")])
    nbformat.write(source, tmp_path / "broken.ipynb")
    with pytest.raises(Exception, match="ZeroDivisionError"):
        execution.execute(tmp_path / "broken.ipynb", tmp_path / "copy.ipynb")
    copy = read(tmp_path / "copy.ipynb")
    assert copy.cells[0].outputs[0].data["text/plain"] == "42"
    assert execution.STAMP not in copy.metadata
    assert "broken" in capsys.readouterr().out
