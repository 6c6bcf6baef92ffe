"""Accuracy: the whole of it, three times, from the first captcha to the test."""

from __future__ import annotations

import tempfile
import time
from typing import Any

from helpers import files
from helpers.data.generate import generate
from helpers.data.records import write_records
from helpers.network.alexnet import build_alexnet
from helpers.quiet_tensorflow import keras
from helpers.scores import Proportion, proportion
from helpers.settings import Settings, load_settings
from helpers.training.evaluation import calibrate, score_test
from helpers.training.fit import compile_model, save_model, train
from tests.benchmarks import measured

FURTHER_SEEDS = (2027, 2028)  # of captchas, weights and order
NOTHING = dict.fromkeys(("drawing [s]", "packing [s]", "training [s]", "peak [MB]"))


def draw(settings: Settings) -> float:
    """Draw an experiment on all cores; the seconds it took."""
    return measured.seconds(lambda: generate(settings))


def train_and_score(settings: Settings, bfloat16: bool | None = None) -> tuple[float, float, Proportion]:
    """Seconds for the records, seconds of training, and the test score."""
    packing = measured.seconds(lambda: write_records(settings))
    keras.utils.set_random_seed(settings.seed)
    model = compile_model(build_alexnet(settings.style), settings)
    started = time.perf_counter()
    training = train(model, settings, bfloat16=bfloat16)
    seconds = time.perf_counter() - started
    save_model(model, settings, calibrate(model, settings))
    return packing, seconds, score_test(model, settings, training)


def default_experiment(trained: bool = False) -> Settings:
    """The default experiment, after what is missing of it was made."""
    settings = load_settings("default", profile="full")
    measured.in_own_process(draw, settings)  # these do nothing where all is there
    if not trained:
        measured.in_own_process(write_records, settings)
    elif not settings.model_path.exists():
        measured.in_own_process(train_and_score, settings)
    return settings


def from_nothing(seed: int, bfloat16: bool | None = None) -> dict[str, Any]:
    """One seed, from the first captcha to the test, as a row; its files are deleted."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(f"seed-{seed}", profile="full", data_dir=folder, seed=seed)
        drawing, _ = measured.in_own_process(draw, settings)
        (packing, training, score), peak = measured.in_own_process(train_and_score, settings, bfloat16)
    times = {"drawing [s]": drawing, "packing [s]": packing, "training [s]": training, "peak [MB]": peak}
    row = {"seed": str(seed), **measured.columns(score), **times}
    measured.show(f"seed {seed}", [row])
    return row


def pooled(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All rows together, as one more."""
    right, count = sum(row["right"] for row in rows), sum(row["of"] for row in rows)
    return {"seed": "together", **measured.columns(proportion(right, count)), **NOTHING}


def main() -> None:
    """Three seeds, each with its own captchas; print and keep them and their sum.

    The first is the default experiment: if it is there already, its score is taken, not its times.
    """
    settings = default_experiment(trained=True)
    metrics = files.read_json(settings.metrics_path, made_by="notebook 04_train_alexnet")
    score = proportion(metrics["captchas_right"], metrics["test_count"])
    seconds = {**NOTHING, "training [s]": metrics["train_seconds"]}
    rows = [{"seed": str(settings.seed), **measured.columns(score), **seconds}]
    rows += [from_nothing(seed) for seed in FURTHER_SEEDS]
    measured.save("accuracy", "How many held-out captchas are read whole, and what did it take?", [*rows, pooled(rows)])


def in_float32() -> None:
    """The same three seeds without 16-bit multiplications."""
    rows = [from_nothing(seed, bfloat16=False) for seed in (load_settings(profile="full").seed, *FURTHER_SEEDS)]
    measured.save(
        "accuracy_float32",
        "How many are read whole by networks that were trained in float32 throughout?",
        [*rows, pooled(rows)],
        command="make bench-float32",
    )
