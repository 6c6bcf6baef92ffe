"""The commands behind make: what is executed and why, what is stamped, and what is deleted."""

import csv
import dataclasses
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import copy_experiment

from helpers import __main__ as command
from helpers import execution, files
from helpers.captchas.drawing import draw_captcha
from helpers.captchas.styles import CaptchaStyle
from helpers.data.generate import generate
from helpers.errors import SettingsError, StepError
from helpers.experiments import list_experiments
from helpers.experiments.cleaning import remove_experiment
from helpers.network.alexnet import build_alexnet
from helpers.network.saved import save_network
from helpers.reading import Reader
from helpers.settings import Settings, load_settings
from tests import renew

PUT = "import os, pathlib\nplace = pathlib.Path(os.environ['CAPTCHA_DATA_DIR'], 'default')\n"
WRITE = PUT + "file = place / {!r}\nfile.parent.mkdir(parents=True, exist_ok=True)\nfile.write_text({})"
LESSONS = {
    "01_check_environment": "1 + 1",
    "02_generate_captchas": WRITE.format("manifest.json", "os.environ.get('IMAGES', 'drawn')"),
    "03_write_tfrecords": WRITE.format("records/manifest.json", "'records'"),
    "04_train_alexnet": WRITE.format("model.keras", "'weights'"),
    "05_read_captchas": PUT + "(place / 'model.keras').read_text()",
    "solutions/03_write_tfrecords": PUT + "(place / 'manifest.json').read_text()",
    "beyond/what_it_sees": PUT + "(place / 'model.keras').read_text()",
    "beyond/carry_over": "from helpers.scores import proportion",
}
WATCHED = execution.Watched  # which needs a kernel
EXECUTIONS = itertools.count(1)  # so that no two leave the same outputs
MADE = ["manifest.json", "records/manifest.json", "model.keras"]


class Client:
    """Executes cells without a kernel, which takes seconds to start."""

    def __init__(self, notebook: nbformat.NotebookNode, **_: object) -> None:
        self.notebook = notebook

    def execute(self) -> None:
        for cell in self.notebook.cells:
            exec(cell.source, {})
            cell.outputs = [nbformat.v4.new_output("stream", text=f"execution {next(EXECUTIONS)}")]


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    """A repository of tiny notebooks, all stale, and an empty data folder."""
    for name, source in LESSONS.items():
        write(tmp_path, name, source)
    (tmp_path / "requirements.txt").write_text("numpy==2.0.0\n")
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "scores.py").write_text("def proportion(): return 1\n")
    for module in (execution, renew):
        monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    monkeypatch.setattr(execution, "Watched", Client)
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path / "data"))
    return load_settings(profile="full")


def write(root: Path, name: str, *sources: str) -> Path:
    path = root / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources]), path)
    return path


def edit(settings: Settings, name: str, more: str) -> None:
    """Add a line of code to a notebook, and leave its outputs and its stamp as they are."""
    path = execution.REPOSITORY / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += f"\n{more}"
    nbformat.write(notebook, path)


def executed(settings: Settings, capsys, **options: bool) -> list[str]:
    """Runs `notebooks`; what it says, without the times."""
    capsys.readouterr()
    renew.notebooks(settings, **options)
    return [line for line in capsys.readouterr().out.splitlines() if line and not line.startswith("  ")]


def renewed(path: Path, settings: Settings) -> None:
    """Execute one notebook in place."""
    command.execute(path, path, stamp=renew.stamp_now(nbformat.read(path, as_version=4), path, settings))


def test_all_that_was_never_executed_is_executed_in_order(settings, capsys):
    lines = executed(settings, capsys)
    assert lines == [
        "01_check_environment: it was never executed to its end",
        *[f"{name}: it was never executed to its end" for name in list(LESSONS)[1:6]],
        "beyond/carry_over: it was never executed to its end",
        "beyond/what_it_sees: it was never executed to its end",
        "0 of 8 notebooks were up to date.",
    ]
    assert executed(settings, capsys) == ["8 of 8 notebooks were up to date."]


def test_only_what_is_stale_is_executed_and_the_reason_is_told(settings, capsys):
    executed(settings, capsys)
    (execution.REPOSITORY / "helpers" / "scores.py").write_text("def proportion(): return 2\n")
    edit(settings, "01_check_environment", "2 + 2")
    assert executed(settings, capsys) == [
        "01_check_environment: its cells changed",
        "beyond/carry_over: helpers/scores.py changed",
        "6 of 8 notebooks were up to date.",
    ]


def test_all_executes_what_is_up_to_date_too(settings, capsys):
    executed(settings, capsys)
    lines = executed(settings, capsys, everything=True)
    assert lines == [*[f"{line.split(':')[0]}: all were asked for" for line in lines[:-1]], lines[-1]]
    assert len(lines) == 9 and lines[-1].startswith("0 of 8")


def test_many_reasons_are_counted(settings, capsys, monkeypatch):
    executed(settings, capsys)
    reasons = iter([["a changed", "b changed", "c changed", "d changed", "e changed"]])
    monkeypatch.setattr(renew, "outdated", lambda *_: next(reasons, []))
    assert executed(settings, capsys)[0] == "01_check_environment: a changed, b changed, c changed and 2 more"


def test_a_later_notebook_is_executed_only_where_what_it_reads_is_another(settings, capsys):
    executed(settings, capsys)
    edit(settings, "04_train_alexnet", "'the same network'")
    assert executed(settings, capsys) == ["04_train_alexnet: its cells changed", "7 of 8 notebooks were up to date."]
    edit(settings, "04_train_alexnet", "file.write_text('other weights')")
    assert executed(settings, capsys) == [
        "04_train_alexnet: its cells changed",
        "05_read_captchas: model.keras changed",
        "beyond/what_it_sees: model.keras changed",
        "5 of 8 notebooks were up to date.",
    ]


def test_what_the_data_folder_lacks_is_made_without_touching_the_notebooks(settings, capsys):
    executed(settings, capsys)
    for name in MADE:
        (settings.folder / name).unlink()
    assert executed(settings, capsys) == ["8 of 8 notebooks were up to date."]
    assert not any((settings.folder / name).exists() for name in MADE)
    edit(settings, "beyond/what_it_sees", "1")
    before = {path: path.read_bytes() for path in execution.notebooks_of()}
    assert executed(settings, capsys) == [
        "02_generate_captchas fills the data folder",
        "03_write_tfrecords fills the data folder",
        "04_train_alexnet fills the data folder",
        "beyond/what_it_sees: its cells changed",
        "7 of 8 notebooks were up to date.",
    ]
    assert {path: path.read_bytes() for path in execution.notebooks_of()} == before


def test_only_what_is_lacking_is_filled(settings, capsys):
    executed(settings, capsys)
    (settings.folder / "model.keras").unlink()
    edit(settings, "solutions/03_write_tfrecords", "1")
    assert executed(settings, capsys)[0] == "solutions/03_write_tfrecords: its cells changed"
    edit(settings, "05_read_captchas", "1")
    assert executed(settings, capsys)[:2] == [
        "04_train_alexnet fills the data folder",
        "05_read_captchas: its cells changed",
    ]


def test_where_the_folder_is_filled_with_something_else_later_notebooks_follow(settings, capsys, monkeypatch):
    executed(settings, capsys)
    for name in MADE:
        (settings.folder / name).unlink()
    edit(settings, "03_write_tfrecords", "1")
    monkeypatch.setenv("IMAGES", "drawn by another version")
    assert executed(settings, capsys) == [
        "02_generate_captchas fills the data folder",
        "03_write_tfrecords: its cells changed, manifest.json changed",
        "04_train_alexnet fills the data folder",  # for the next, which is stale only since then
        "05_read_captchas: manifest.json changed",
        "solutions/03_write_tfrecords: manifest.json changed",
        "5 of 8 notebooks were up to date.",
    ]


def test_a_stale_notebook_that_fills_is_executed_in_place_once(settings, capsys):
    executed(settings, capsys)
    (settings.folder / "model.keras").unlink()
    edit(settings, "04_train_alexnet", "1")
    edit(settings, "05_read_captchas", "1")
    assert executed(settings, capsys)[:2] == [
        "04_train_alexnet: its cells changed",
        "05_read_captchas: its cells changed",
    ]


def test_a_failing_notebook_keeps_new_outputs_and_loses_its_stamp(settings, capsys):
    executed(settings, capsys)
    path = write(execution.REPOSITORY, "01_check_environment", "1", "1 / 0")
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata[execution.STAMP] = {"profile": "full"}
    nbformat.write(notebook, path)
    with pytest.raises(ZeroDivisionError):
        renewed(path, settings)
    after = nbformat.read(path, as_version=4)
    assert execution.STAMP not in after.metadata
    assert after.cells[0].outputs[0].text.startswith("execution")
    assert renew.outdated(path, settings) == ["it was never executed to its end"]


def test_the_stamp_is_of_what_was_there_when_execution_began(settings, tmp_path):
    helper = tmp_path / "helpers" / "scores.py"
    source = f"import pathlib, helpers.scores\npathlib.Path({str(helper)!r}).write_text('X = 1')"
    path = write(tmp_path, "beyond/carry_over", source)
    renewed(path, settings)
    assert renew.outdated(path, settings) == ["helpers/scores.py changed"]


@pytest.fixture
def environment(monkeypatch):
    """What `main` sets is taken back after the test."""
    for name in ("CAPTCHA_UNATTENDED", "CAPTCHA_PROFILE", "CAPTCHA_DATA_DIR", "JPY_SESSION_NAME"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


def test_the_kernels_know_that_no_person_sits_there(settings, environment, monkeypatch, capsys):
    source = (
        "import os\n[os.environ.get(name) for name in ('CAPTCHA_UNATTENDED', 'JPY_SESSION_NAME', 'CAPTCHA_PROFILE')]"
    )
    path = write(execution.REPOSITORY, "01_check_environment", source)
    monkeypatch.setattr(execution, "Watched", WATCHED)
    monkeypatch.setattr(renew, "notebooks_of", lambda pattern="0*": [path] * (pattern == "0*"))
    monkeypatch.setenv("JPY_SESSION_NAME", "lab")
    monkeypatch.setenv("CAPTCHA_PROFILE", "full")
    assert renew.main([]) == 0
    after = nbformat.read(path, as_version=4)
    assert after.cells[0].outputs[0].data["text/plain"] == "['1', None, 'full']"
    assert after.metadata[execution.STAMP]["profile"] == "full"


BAR = """
import sys, time
from tqdm import tqdm
for _ in tqdm(range(12), unit=" images", file=sys.stdout, mininterval=0):
    time.sleep(0.1)
"""
LIVE = """
import time
import matplotlib.pyplot as plt
from helpers import plots
show = plots.live_display()
for share in (10, 60):
    fig = plt.figure()
    fig.suptitle(f"{share} % of 500 images, 3 s, about 2 s left: much is read right")
    plt.close(fig)
    show(fig)
    time.sleep(1.1)
"""


def test_the_terminal_shows_what_the_bars_and_the_live_plot_of_a_cell_say(settings, monkeypatch, capsys):
    monkeypatch.setattr(execution, "Watched", WATCHED)
    path = write(execution.REPOSITORY, "01_check_environment", f"'begins so'{BAR}", f"'goes on'{LIVE}")
    command.execute(path, path)
    said = capsys.readouterr().out.replace("\r", "\n")
    assert re.search(r"cell 0 of 2 .*, 'begins so': 00:0\d left, +[\d.]+ images/s", said)
    assert re.search(r"cell 1 of 2 .*, 'goes on': 60 % of 500 images, 3 s, about 2 s left *$", said, re.MULTILINE)
    assert re.search(r"cell 2 of 2 .*, 'goes on' *$", said, re.MULTILINE)
    assert "read right" not in said


@pytest.mark.parametrize(("arguments", "everything"), [([], False), (["--all"], True)])
def test_all_is_passed_on(environment, monkeypatch, arguments, everything):
    called = []
    monkeypatch.setattr(renew, "notebooks", lambda settings, everything: called.append(everything))
    assert renew.main(arguments) == 0
    assert called == [everything]


def test_run_leaves_copies_and_tells_the_accuracy(settings, environment, monkeypatch, capsys):
    shares = ("captcha_accuracy", "captcha_accuracy_low", "captcha_accuracy_high", "digit_accuracy")
    told = ("train_seconds", "train_images", "parameters")
    metrics = {"captchas_right": 990, "test_count": 1000, **dict.fromkeys(shares, 0.99), **dict.fromkeys(told, 1)}
    monkeypatch.setenv("CAPTCHA_PROFILE", "full")
    settings.folder.mkdir(parents=True)
    settings.metrics_path.write_text(json.dumps(metrics))
    before = [path.read_bytes() for path in execution.notebooks_of()]
    assert command.main(["run"]) == 0
    assert "whole-captcha accuracy 99.0 % (990 of 1,000; 95 % interval 98.2–99.5)" in capsys.readouterr().out
    assert [path.read_bytes() for path in execution.notebooks_of()] == before
    copies = sorted((settings.folder / "notebooks").iterdir())
    assert [path.stem for path in copies] == [name for name in LESSONS if "/" not in name]
    assert nbformat.read(copies[0], as_version=4).cells[0].outputs[0].text.startswith("execution")


@pytest.mark.parametrize("profile", ["slow", "full"])
def test_an_error_of_ours_is_one_sentence(settings, environment, monkeypatch, capsys, profile):
    monkeypatch.setenv("CAPTCHA_PROFILE", profile)
    assert command.main(["run"]) == 1  # an unknown profile, or notebooks that leave no metrics.json
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Traceback" not in said
    assert {"slow": "There is no profile 'slow'.", "full": "metrics.json does not exist yet."}[profile] in said


def experiment(folder: Path) -> Path:
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "0.png").write_bytes(b"0" * 2_000_000)
    (folder / "experiment.json").write_text('{"style": {}, "seed": 1, "train_count": 1}')
    return folder


def cleaned(settings: Settings, monkeypatch, capsys, answer: str = "y") -> str:
    """Runs `clean` with an answer; what it says."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{answer}\n"))
    command.clean(settings)
    return capsys.readouterr().out


def test_clean_deletes_what_the_project_made_and_nothing_else(settings, monkeypatch, capsys, tmp_path):
    data = settings.data_dir
    outside = experiment(tmp_path / "outside")
    (data / "fonts").mkdir(parents=True)
    (data / "fonts" / "mine.ttf").write_text("a font")
    for made in (experiment(data / "default"), experiment(data / "quick" / "default")):
        (made / "fonts").mkdir()
        (made / "images" / "link").symlink_to(outside)
        (made.parent / "choice.json").write_text("{}")
        (made.parent / "tries.json").write_text("{}")
    (data / "notes.txt").write_text("mine")
    (data / "photographs").mkdir()
    (data / "broken" / "images").mkdir(parents=True)
    (data / "broken" / "experiment.json").write_text("{")
    (data / "linked").symlink_to(outside)
    said = cleaned(settings, monkeypatch, capsys)
    assert sorted(path.name for path in data.iterdir()) == ["broken", "fonts", "linked", "notes.txt", "photographs"]
    assert (outside / "images" / "0.png").exists()
    assert "data/default: 2 files, 2.0 MB" in said or "data/default: 3 files, 2.0 MB" in said
    for kept in ("notes.txt stays: the project did not make it", "linked stays: it is a link"):
        assert f"data/{kept}" in said
    assert "data/fonts stays: these are your fonts" in said
    for kept in ("broken", "photographs"):
        assert f"data/{kept} stays: it has no experiment.json that describes an experiment" in said


def test_clean_keeps_an_experiment_with_what_somebody_put_into_it_or_calls_one(settings, monkeypatch, capsys):
    data = settings.data_dir
    (experiment(data / "default") / "notes.txt").write_text("mine")
    experiment(data / "Not A Name")
    experiment(data / "quick" / "quick" / "deep")
    foreign = experiment(data / "other-tool")
    (foreign / "experiment.json").write_text('{"name": "of another tool"}')
    said = cleaned(settings, monkeypatch, capsys)
    assert "data/default stays: it holds notes.txt: the project did not make it" in said
    assert (data / "default" / "notes.txt").is_file() and (data / "default" / "experiment.json").is_file()
    for kept in ("Not A Name", "other-tool", "quick/quick"):
        assert f"{kept} stays: it has no experiment.json that describes an experiment" in said
        assert (data / kept).is_dir()


@pytest.mark.parametrize("foreign", ["networks/mine/notes.txt", "networks/list.txt"])
def test_clean_knows_the_networks_of_an_experiment(settings, monkeypatch, capsys, foreign):
    data = settings.data_dir
    for name in ("default", "other"):
        (experiment(data / name) / "networks" / "mine" / "checkpoint").mkdir(parents=True)
        (data / name / "networks" / "mine" / "model.keras").write_bytes(b"0" * 1_000_000)
    (data / "other" / foreign).write_text("mine")
    said = cleaned(settings, monkeypatch, capsys)
    assert "data/default: 3 files, 3.0 MB" in said
    assert f"data/other stays: it holds {Path(foreign).name}: the project did not make it" in said
    assert sorted(path.name for path in data.iterdir()) == ["other"]
    assert (data / "other" / foreign).is_file() and (data / "other" / "networks" / "mine" / "model.keras").is_file()


def test_clean_keeps_a_quick_folder_in_which_something_stays(settings, monkeypatch, capsys):
    experiment(settings.data_dir / "quick" / "default")
    (settings.data_dir / "quick" / "mine.txt").write_text("mine")
    said = cleaned(settings, monkeypatch, capsys)
    assert "quick/mine.txt stays: the project did not make it" in said
    assert [path.name for path in (settings.data_dir / "quick").iterdir()] == ["mine.txt"]


def test_clean_does_not_look_into_a_linked_quick_folder(settings, monkeypatch, capsys, tmp_path):
    outside = experiment(tmp_path / "outside" / "default")
    settings.data_dir.mkdir()
    (settings.data_dir / "quick").symlink_to(outside.parent)
    assert "data/quick stays: it is a link" in cleaned(settings, monkeypatch, capsys)
    assert (outside / "experiment.json").exists()
    assert (settings.data_dir / "quick").is_symlink()


@pytest.mark.parametrize("answer", ["", "n", "what?"])
def test_clean_asks_first(settings, monkeypatch, capsys, answer):
    made = experiment(settings.data_dir / "default")
    assert "Nothing was deleted." in cleaned(settings, monkeypatch, capsys, answer)
    assert (made / "experiment.json").exists()


def test_clean_has_nothing_to_do(settings, monkeypatch, capsys):
    assert cleaned(settings, monkeypatch, capsys) == "There is nothing to delete.\n"
    settings.data_dir.mkdir()
    (settings.data_dir / "mine").mkdir()
    assert cleaned(settings, monkeypatch, capsys).endswith("There is nothing to delete.\n")
    assert (settings.data_dir / "mine").exists()


def test_clean_tells_what_it_cannot_read_or_delete(settings, monkeypatch, capsys):
    data = settings.data_dir
    experiment(data / "default")
    experiment(data / "held")
    experiment(data / "quick" / "default")
    real_list, real_remove = Path.iterdir, shutil.rmtree
    denied = PermissionError(13, "Permission denied")

    def iterdir(path):
        if path.name == "quick":
            raise denied
        return real_list(path)

    def rmtree(path):
        if path.name == "held":
            raise denied
        real_remove(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    said = cleaned(settings, monkeypatch, capsys)
    assert "data/quick stays: it cannot be read (Permission denied)" in said
    assert "data/held stays: it cannot be deleted (Permission denied)" in said
    assert not (data / "default").exists() and (data / "held").exists() and (data / "quick").exists()


def test_an_interrupt_of_make_run_is_one_line(settings, environment, monkeypatch, capsys):
    monkeypatch.setenv("CAPTCHA_PROFILE", "full")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "execute", interrupted)
    assert command.main(["run"]) == 130
    said = capsys.readouterr().err.strip()
    assert said == "Stopped. Images, records and finished epochs are kept: the same command goes on."


@pytest.mark.parametrize("encoding", ["cp932", "cp1252", "ascii"])
def test_a_console_that_lacks_letters_stops_nothing(encoding):
    code = "import helpers.__main__ as command\ncommand.carried_out(lambda settings: print('96.5–98.4 ✓ \\u00e9'))\n"
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, timeout=120)
    shown = result.stdout.decode(encoding)
    assert result.returncode == 0, result.stderr
    assert shown.startswith(("96.5-98.4", "96.5–98.4"))


def test_clean_deletes_an_experiment_as_the_notebooks_leave_it(finished, monkeypatch, capsys, tmp_path):
    settings = copy_experiment(finished[0], tmp_path)
    said = cleaned(dataclasses.replace(settings, profile="full"), monkeypatch, capsys)
    assert "Deleted." in said and "stays:" not in said
    assert not settings.folder.exists()


def test_an_experiment_is_removed_by_name_after_its_size_is_told(finished, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    settings = copy_experiment(finished[0], tmp_path)
    for profile in ("full", "quick"):
        other = load_settings("other", profile)
        other.folder.mkdir(parents=True)
        files.write_json(other.folder / "experiment.json", other.describe())
    before = sorted(settings.folder.rglob("*"))
    remove_experiment("tiny")
    said = capsys.readouterr().out
    assert "quick/tiny: " in said and " MB" in said and "Nothing was deleted" in said
    assert sorted(settings.folder.rglob("*")) == before
    remove_experiment("tiny", only="images", sure=True)
    assert "tiny/images: 320 files" in capsys.readouterr().out
    assert not settings.images_folder.exists()
    Reader.load(settings.model_path)
    assert [each.name for each in list_experiments(settings)] == ["tiny"]
    digest = generate(settings, processes=1)["images_digest"]  # they are drawn again
    assert digest == finished_digest(finished)
    (settings.folder / "mine.txt").write_text("mine")
    with pytest.raises(StepError, match=r"it holds mine\.txt"):
        remove_experiment("tiny", sure=True)
    (settings.folder / "mine.txt").unlink()
    remove_experiment("tiny", sure=True)
    assert not settings.folder.exists()
    assert load_settings("other", "quick").folder.exists() and load_settings("other", "full").folder.exists()


def finished_digest(finished) -> str:
    return files.read_json(finished[0].manifest_path, "")["images_digest"]


def test_images_stay_while_they_are_not_packed(drawn, monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    with pytest.raises(StepError, match=r"records .* missing or incomplete"):
        remove_experiment("tiny", only="images", sure=True)
    assert len(list(drawn.images_folder.rglob("*.png"))) == 320
    with pytest.raises(SettingsError, match="only: 'records' must be"):
        remove_experiment("tiny", only="records")
    with pytest.raises(StepError, match="no experiment 'nothing'"):
        remove_experiment("nothing", sure=True)


def test_an_experiment_that_is_written_to_is_not_removed(recorded, monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    (mine := recorded.folder / "networks" / "mine").mkdir(parents=True)
    with files.only_writer(mine), pytest.raises(StepError, match="Another process is writing"):
        remove_experiment("tiny", sure=True)
    assert recorded.manifest_path.is_file() and recorded.records_manifest_path.is_file()


@pytest.fixture
def pictures(tmp_path, monkeypatch) -> list[str]:
    """Files of three captchas, and a data folder without experiments."""
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path / "data"))
    paths = [str(tmp_path / f"{text}.png") for text in ("5020", "0417", "9983")]
    for seed, path in enumerate(paths):
        draw_captcha(Path(path).stem, CaptchaStyle(), seed).save(path)
    return paths


def test_read_prints_a_sentence_for_each_file(pictures, capsys):
    assert command.main(["read", *pictures]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == pictures
    for line, path in zip(lines, pictures, strict=True):
        assert re.fullmatch(rf"Read as {Path(path).stem}, \d[\d.]+ % sure\.", line.partition(": ")[2])


def test_read_writes_a_table_and_names_what_cannot_be_read(pictures, capsys):
    assert (
        command.main(["read", "--csv", pictures[0], __file__, "nowhere.png", "--experiment", "default", pictures[1]])
        == 1
    )
    said = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [row["file"] for row in rows] == [pictures[0], __file__, "nowhere.png", pictures[1]]
    assert [row["text"] for row in rows] == ["5020", "", "", "0417"]
    assert [row["familiar"] for row in rows] == ["1", "0", "0", "1"]
    assert float(rows[0]["confidence"]) > 0.5 and float(rows[1]["confidence"]) == 0
    assert "is no readable image" in rows[1]["error"] and "does not exist" in rows[2]["error"]
    told, failed = said.err.splitlines()
    assert told == "It reads with the network 'default' that comes along."
    assert failed == "2 of 4 files could not be read."


def test_read_finds_the_files_of_a_pattern(pictures, capsys):
    folder = Path(pictures[0]).parent
    assert command.main(["read", str(folder / "*.png"), str(folder / "none*.png")]) == 1
    said = capsys.readouterr()
    assert [line.partition(": ")[0] for line in said.out.splitlines()] == sorted(pictures)
    assert "none*.png does not exist" in said.err and "1 of 4 files" in said.err


def test_a_name_with_brackets_is_no_pattern(pictures, capsys):
    place = Path(pictures[0]).with_name("a[1].png")
    shutil.copy(pictures[0], place)
    shutil.copy(pictures[1], place.with_name("a1.png"))
    assert command.main(["read", str(place)]) == 0
    assert capsys.readouterr().out.startswith(f"{place}: Read as 5020")


def test_an_interrupt_of_read_is_one_word(pictures, monkeypatch, capsys):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Reader, "read", interrupted)
    assert command.main(["read", *pictures]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "Stopped."


def test_read_takes_an_experiments_own_network_first(pictures, capsys, monkeypatch):
    style = CaptchaStyle(alphabet="ab", length=(4, 4))
    settings = load_settings(style=style)
    save_network(settings.model_path, build_alexnet(style, filters=(4, 8, 8, 8, 8), dense_units=(16, 16)), style)
    assert command.main(["read", pictures[0]]) == 0
    assert "Read as aaaa, 6" in capsys.readouterr().out  # it guesses
    assert command.main(["read", pictures[0], "--experiment", "nowhere"]) == 1
    assert "There is no trained network" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["read"], ["run", "5020.png"], ["clean", "5020.png"], ["clean", "--experiment", "mine"], ["run", "--csv"], []],
)
def test_only_read_takes_files(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments)
    assert stopped.value.code == 2
