"""Accuracy: everything three times, from the first captcha to the test.

Each of these three networks is scored once on test captchas. Whatever is compared with them, here and in
the other benchmarks, is compared on validation captchas.
"""

from __future__ import annotations

import tempfile
import time
from typing import Any

import numpy as np

from helpers import files
from helpers.data.generate import generate
from helpers.data.records import write_records
from helpers.network.alexnet import build_alexnet
from helpers.network.saved import load_network
from helpers.quiet_tensorflow import keras
from helpers.scores import Proportion, captcha_accuracy, proportion
from helpers.settings import Settings, load_settings
from helpers.training.evaluation import calibrate, read_split, score_test
from helpers.training.fit import compile_model, save_model, train
from tests.benchmarks import measured

FURTHER_SEEDS = (2027, 2028)  # of captchas, weights and order
NOTHING = dict.fromkeys(("drawing [s]", "packing [s]", "training [s]", "peak [MB]"))


def draw(settings: Settings) -> float:
    """Draw an experiment on all cores; the seconds it took."""
    return measured.seconds(lambda: generate(settings))


def predicted_of(model: keras.Model, settings: Settings, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predicted classes of a whole split, both [captchas, positions]."""
    labels, logarithms = read_split(model, settings, split)
    return labels, logarithms.argmax(axis=-1)


def score_validation(model: keras.Model, settings: Settings) -> Proportion:
    """Whole validation captchas read right: by this, recipes are compared."""
    return captcha_accuracy(*predicted_of(model, settings, "validation"))


def validation_score(settings: Settings) -> Proportion:
    """`score_validation` of the network that an experiment has saved."""
    return score_validation(load_network(settings.model_path).model, settings)


def train_and_score(settings: Settings) -> tuple[float, float, Proportion, Proportion]:
    """Seconds for the records, seconds of training, the validation score, and the test score."""
    packing = measured.seconds(lambda: write_records(settings))
    keras.utils.set_random_seed(settings.seed)
    model = compile_model(build_alexnet(settings.style), settings)
    started = time.perf_counter()
    training = train(model, settings)
    seconds = time.perf_counter() - started
    validation = score_validation(model, settings)
    save_model(model, settings, calibrate(model, settings))
    return packing, seconds, validation, score_test(model, settings, training)


def default_experiment(trained: bool = False) -> Settings:
    """The default experiment, after what is missing of it was made."""
    settings = load_settings("default", profile="full")
    measured.in_own_process(draw, settings)  # these do nothing where all is there
    if not trained:
        measured.in_own_process(write_records, settings)
    elif not settings.model_path.exists():
        measured.in_own_process(train_and_score, settings)
    return settings


def from_nothing(seed: int) -> dict[str, Any]:
    """One seed, from the first captcha to the score, as a row; its files are deleted."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(f"seed-{seed}", profile="full", data_dir=folder, seed=seed)
        drawing, _ = measured.in_own_process(draw, settings)
        found, peak = measured.in_own_process(train_and_score, settings)
    packing, training, validation, tested = found
    times = {"drawing [s]": drawing, "packing [s]": packing, "training [s]": training, "peak [MB]": peak}
    row = {"seed": str(seed), **measured.columns(tested), **beside(validation), **times}
    measured.show(f"seed {seed}", [row])
    return row


def beside(validation: Proportion) -> dict[str, int]:
    """The validation score as two more columns, to be compared with those of other recipes."""
    return {"validation right": validation.right, "validation of": validation.count}


def pooled(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All rows together, as one more."""
    names = "right", "of", "validation right", "validation of"
    right, count, *validation = (sum(row[name] for row in rows) for name in names)
    score = measured.columns(proportion(right, count))
    return {"seed": "together", **score, **beside(proportion(*validation)), **NOTHING}


def main() -> None:
    """Three seeds, each with captchas of its own, and their sum: printed and kept.

    The first is the default experiment. If it exists already, its score is taken, but not its times.
    """
    settings = default_experiment(trained=True)
    metrics = files.read_json(settings.metrics_path, made_by="notebook 04_train_alexnet")
    score = proportion(metrics["captchas_right"], metrics["test_count"])
    seconds = {**NOTHING, "training [s]": metrics["train_seconds"]}
    validation, _ = measured.in_own_process(validation_score, settings)
    rows = [{"seed": str(settings.seed), **measured.columns(score), **beside(validation), **seconds}]
    rows += [from_nothing(seed) for seed in FURTHER_SEEDS]
    question = "How many test captchas are read completely right, and what did it take?"
    measured.save("accuracy", question, [*rows, pooled(rows)], split="test")
