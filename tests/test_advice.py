"""What a message advises is done, word for word, and ends well; it never costs more than what is wrong."""

import contextlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import files
from helpers.data.generate import generate
from helpers.data.images import check_images
from helpers.data.records import load_batches, write_records
from helpers.data.texts import SPLITS
from helpers.errors import TutorialError
from helpers.experiments import list_experiments, score_of
from helpers.quiet_tensorflow import keras
from helpers.reading import Reader
from helpers.settings import load_settings, open_experiment
from helpers.training.evaluation import calibrate, score_test
from helpers.training.fit import compile_model, save_model, train
from tests.conftest import COUNTS, copy_experiment, tiny_network

NAME = "tiny"


def notebook_2(data_dir: Path) -> None:
    generate(load_settings(NAME, data_dir=data_dir, **COUNTS), processes=1)


def notebook_3(data_dir: Path) -> None:
    write_records(open_experiment(NAME, data_dir=data_dir))


def notebook_4(data_dir: Path) -> None:
    settings = open_experiment(NAME, data_dir=data_dir, epochs=2, batch_size=32)
    keras.utils.set_random_seed(1)
    model = compile_model(tiny_network(settings.style), settings)
    training = train(model, settings)
    save_model(model, settings, calibrate(model, settings))
    score_test(model, settings, training)


NOTEBOOKS = {"02": notebook_2, "03": notebook_3, "04": notebook_4}


def looks(data_dir: Path) -> None:
    """Everything that an experiment is asked for; the first error ends it."""
    settings = open_experiment(NAME, data_dir=data_dir, epochs=2, batch_size=32)
    check_images(settings)
    for split in SPLITS:
        next(iter(load_batches(settings, split)))
    Reader.load(settings.model_path)
    score_of(settings)
    assert NAME in [experiment.name for experiment in list_experiments(settings)]


def follow(reason: TutorialError, folder: Path, data_dir: Path) -> list[str]:
    """Do what a message says: delete what it names, run the notebook that it names; the names of what was deleted."""
    said, deleted = str(reason), []
    if named := re.search(r"[Dd]elete (that file|it|[\w./-]*\w)", said):
        name = named[1] if named[1] not in ("that file", "it") else re.match(r"\S+", said)[0]
        path = folder.parent / name if "/" in name else folder / name
        assert path.is_file(), f"{said!r} names no file"
        path.unlink()
        deleted.append(path.relative_to(folder).as_posix())
    notebooks = re.findall(r"notebook (\d\d)_", said)
    assert notebooks, f"{said!r} names no notebook"
    with contextlib.suppress(TutorialError):  # what it says is followed next
        NOTEBOOKS[notebooks[0]](data_dir)
    return deleted


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def rewrite(path: Path, **changes) -> None:
    """A sealed file whose content was changed, with a seal that fits."""
    value = {**files.read_json(path, "a test"), **changes}
    files.write_json(
        path, files.sealed({key: item for key, item in value.items() if key != "digest" and item is not None})
    )


def an_image(folder: Path) -> Path:
    return sorted((folder / "images/test").iterdir())[3]


FAULTS: dict[str, Callable[[Path], None]] = {
    "no experiment.json": lambda folder: (folder / "experiment.json").unlink(),
    "no JSON in experiment.json": lambda folder: (folder / "experiment.json").write_text("{"),
    "a list in experiment.json": lambda folder: (folder / "experiment.json").write_text("[]"),
    "deep JSON in experiment.json": lambda folder: (folder / "experiment.json").write_text("[" * 200_000),
    "another seed in experiment.json": lambda folder: files.write_json(
        folder / "experiment.json", {**files.read_json(folder / "experiment.json", ""), "seed": 1}
    ),
    "another style in experiment.json": lambda folder: files.write_json(
        folder / "experiment.json", {**(it := files.read_json(folder / "experiment.json", "")),
                                     "style": {**it["style"], "noise_dots": 1}}),
    "an impossible style in experiment.json": lambda folder: files.write_json(
        folder / "experiment.json", {**files.read_json(folder / "experiment.json", ""), "style": {"alphabet": ""}}
    ),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "a changed manifest": lambda folder: flip(folder / "manifest.json"),
    "a manifest without counts": lambda folder: rewrite(folder / "manifest.json", counts=None),
    "a changed image": lambda folder: flip(an_image(folder)),
    "another text's image": lambda folder: shutil.copyfile(min((folder / "images/test").iterdir()), an_image(folder)),
    "a missing image": lambda folder: an_image(folder).unlink(),
    "no images": lambda folder: shutil.rmtree(folder / "images"),
    "no test images": lambda folder: shutil.rmtree(folder / "images/test"),
    "no list of digests, a changed image": lambda folder: [(folder / "images.sha256").unlink(), flip(an_image(folder))],
    "no records": lambda folder: shutil.rmtree(folder / "records"),
    "no manifest of records": lambda folder: (folder / "records/manifest.json").unlink(),
    "records without shards": lambda folder: rewrite(folder / "records/manifest.json", shards=None),
    "records with shards of another kind": lambda folder: rewrite(folder / "records/manifest.json", shards={"test": 1}),
    "records of other images": lambda folder: rewrite(folder / "records/manifest.json", images_digest="0" * 64),
    "records of another style": lambda folder: rewrite(folder / "records/manifest.json", style={}),
    "a changed record": lambda folder: flip(sorted((folder / "records").glob("test*"))[0]),
    "a missing record": lambda folder: sorted((folder / "records").glob("train*"))[0].unlink(),
    "a changed network": lambda folder: flip(folder / "model.keras"),
    "an empty network": lambda folder: (folder / "model.keras").write_bytes(b""),
    "no network": lambda folder: (folder / "model.keras").unlink(),
    "no score": lambda folder: (folder / "metrics.json").unlink(),
    "a changed score": lambda folder: flip(folder / "metrics.json"),
    "an impossible score": lambda folder: rewrite(folder / "metrics.json", captcha_accuracy=7.0),
    "a score without its count": lambda folder: rewrite(folder / "metrics.json", test_count=None),
    "the score of another network": lambda folder: rewrite(folder / "metrics.json", model_digest="0" * 64),
    "a broken checkpoint": lambda folder: [flip(path) for path in (folder / "checkpoint").iterdir()],
    "an empty history": lambda folder: (folder / "history.csv").write_text(""),
    "words in the history": lambda folder: (folder / "history.csv").write_text("epoch\none\n"),
    "an empty curve": lambda folder: (folder / "progress.csv").write_text(""),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_advice_ends_well(finished, tmp_path, monkeypatch, fault):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    settings = copy_experiment(finished[0], tmp_path)
    FAULTS[fault](folder := settings.folder)
    before = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    deleted, told = [], []
    for _ in range(6):
        try:
            with contextlib.redirect_stdout(None):
                looks(tmp_path)
            break
        except TutorialError as reason:
            told.append(str(reason))
            deleted += follow(reason, folder, tmp_path)
        except AssertionError:  # it is not listed: the score is not there, or not this network's
            told.append("it is not listed")
            NOTEBOOKS["04"](tmp_path)
    else:
        pytest.fail(f"advice does not end: {told}")
    assert set(deleted) <= {"experiment.json", "manifest.json", "records/manifest.json", "metrics.json", "history.csv"}
    assert len(deleted) == len(set(deleted))
    assert before - {path.relative_to(folder).as_posix() for path in folder.rglob("*")} <= {
        path for path in before if path.startswith("checkpoint/")
    }
