"""Growth: what do ten times as many captchas cost?"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np

from helpers.data.generate import generate
from helpers.data.records import load_batches, write_records
from helpers.network.alexnet import build_alexnet
from helpers.settings import Settings, load_settings
from helpers.training.augmentation import shift_batch
from helpers.training.fit import compile_model
from tests.benchmarks import measured

COUNTS = (1_000, 3_000, 10_000, 30_000, 100_000)


def epoch(settings: Settings) -> None:
    """One pass over the training captchas."""
    model = compile_model(build_alexnet(settings.style), settings)
    batches = load_batches(settings, "train", shuffle=True).map(shift_batch).prefetch(2)
    model.fit(batches, verbose=0, shuffle=False)


def timed(step: str, count: int, folder: str) -> float:
    """The seconds that one step takes for so many training captchas."""
    settings = load_settings(
        f"growth-{count}", data_dir=folder, train_count=count, validation_count=1, test_count=1, epochs=1
    )
    return measured.seconds(lambda: {"drawing": generate, "records": write_records, "epoch": epoch}[step](settings))


def slope(counts: list[int], seconds: list[float]) -> float:
    """The exponent of the power law through the last three points: 1 is linear."""
    return float(np.polyfit(np.log(counts[-3:]), np.log(seconds[-3:]), 1)[0])


def main() -> None:
    """Each step at each size, in a process of its own; printed and kept."""
    os.environ["CAPTCHA_PROFILE"] = "full"
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in COUNTS:
            row: dict[str, Any] = {"captchas": count}
            for step in ("drawing", "records", "epoch"):
                row[f"{step} [s]"], row[f"{step} [MB]"] = measured.in_own_process(timed, step, count, folder)
            rows.append(row)
            measured.show(f"{count:,} captchas", [row])
    slopes = {
        step: slope(list(COUNTS), [row[f"{step} [s]"] for row in rows]) for step in ("drawing", "records", "epoch")
    }
    measured.show("Slope between the last three sizes; 1 is linear", [slopes])
    measured.save("growth", "What do more captchas cost?", rows, slopes=slopes)
