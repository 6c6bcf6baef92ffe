"""What the version before made (examples/version_1.zip) opens as it did, or is refused with what to do."""

import dataclasses
import json
import zipfile
from pathlib import Path

import pytest

from helpers.data.generate import generate
from helpers.data.images import list_images
from helpers.data.records import load_batches, write_records
from helpers.errors import StepError
from helpers.experiments import list_experiments
from helpers.network.alexnet import build_alexnet
from helpers.reading import Reader
from helpers.settings import Settings, open_experiment
from helpers.training.evaluation import score_test
from helpers.training.fit import Training, compile_model, train

EXAMPLE = Path(__file__).parent / "examples" / "version_1.zip"


@pytest.fixture
def before(tmp_path) -> Settings:
    """A small experiment with images, records, half a training, a network and its score."""
    with zipfile.ZipFile(EXAMPLE) as archive:
        archive.extractall(tmp_path / "quick")
    return open_experiment("before", data_dir=tmp_path, epochs=2, batch_size=6)


def test_its_images_and_records_are_complete(before):
    digest = json.loads((before.folder / "manifest.json").read_text())["images_digest"]
    assert generate(before, processes=1)["images_digest"] == digest
    assert write_records(before)["images_digest"] == digest
    assert [len(images) for images, _ in load_batches(before, "train")] == [6, 6]


def test_its_network_reads_what_it_read(before):
    readings = Reader.load(before.model_path).read([image.path for image in list_images(before, "test")])
    expected = json.loads((before.folder / "readings.json").read_text())
    assert [[reading.text, reading.familiar] for reading in readings] == [[text, known] for text, _, known in expected]
    assert [reading.confidence for reading in readings] == pytest.approx([sure for _, sure, _ in expected], abs=1e-4)


def test_its_score_is_listed_and_can_be_made_again(before):
    (experiment,) = list_experiments(before)
    assert experiment.metrics["test_count"] == 6
    score = score_test(Reader.load(before.model_path).model, before, Training([], []))
    assert score.value == experiment.metrics["captcha_accuracy"]


def test_its_checkpoint_is_set_aside(before, capsys):
    then = {"kernels": (11, 5, 3, 3, 3), "dropout": 0.2}  # what was usual
    small = build_alexnet(before.style, filters=(4, 4, 4, 4, 4), dense_units=(8, 8), **then)
    assert len(train(compile_model(small, before), before).rows) == 2
    assert "checkpoint/state.json is damaged or of an early version; it was set aside" in capsys.readouterr().out
    assert (before.checkpoint_folder / "damaged-state.json").is_file()


def test_another_seed_is_another_experiment(before):
    with pytest.raises(StepError, match="seed: 2026, not 7"):
        generate(dataclasses.replace(before, seed=7), processes=1)
