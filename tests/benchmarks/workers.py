"""Workers: what do two of them gain, what do they send each other, and what does a killed one cost?"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from helpers.experiments.cluster import free_addresses
from helpers.files.results import RESULTS
from helpers.scores import proportion
from tests.benchmarks import measured

BATCHES = (8, 16, 32, 64)  # captchas that one worker takes in a step
ROUNDS, KILLS = 3, 10


def step_ms(workers: int, batch: int, together: bool, folder: Path) -> dict[str, float]:
    """Milliseconds of a step and of the all-reduce alone, with so many processes, each on a core of its own."""
    addresses = free_addresses(workers)
    processes = []
    for number in range(workers):
        told = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        more = {"CORE": str(number), "BATCH": str(batch), "PROCESSES": str(workers), "TF_NUM_INTRAOP_THREADS": "1"}
        more |= {"TF_CONFIG": json.dumps(told)} if together else {}
        command = [sys.executable, "-m", "tests.together", "step", str(folder)]
        processes.append(subprocess.Popen(command, env={**os.environ, **more}))
    assert not any([process.wait() for process in processes])
    with np.load(folder / "step-0.npz") as file:
        figures = {name: float(file[name]) for name in file.files}
    told = {"bytes": figures.pop("bytes")}
    for kind in ("step", "all-reduce"):
        told[kind] = statistics.median(value for name, value in figures.items() if name.startswith(kind))
    return told


def steps() -> tuple[list[dict[str, Any]], int]:
    """A row for each number of processes and captchas of each, side by side; and the bytes of all gradients.

    Two processes work together, or each for itself at the same time: so much they hinder each other.
    """
    ways = [(1, batch, False) for batch in BATCHES] + [(2, batch, both) for both in (False, True) for batch in (32, 64)]
    found: dict[tuple[int, int, bool], list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way in ways:
            with tempfile.TemporaryDirectory() as folder:
                found[way].append(step_ms(*way, Path(folder)))
    rows = []
    for (workers, batch, together), each in found.items():
        row = {"processes": workers, "together": together, "captchas of each": batch}
        row |= measured.spread([one["step"] for one in each], "step [ms]")
        rows.append({**row, "all-reduce [ms]": statistics.median(one["all-reduce"] for one in each) * together})
    return rows, int(found[ways[0]][0]["bytes"])


def cluster(folder: Path, profile: str) -> subprocess.Popen:
    """Two workers on this computer, begun."""
    environment = {**os.environ, "CAPTCHA_DATA_DIR": str(folder), "CAPTCHA_PROFILE": profile}
    return subprocess.Popen([sys.executable, "-m", "helpers", "cluster", "--workers", "2"], env=environment)


def whole(folder: Path) -> dict[str, Any]:
    """What two workers reach on the full profile, and the seconds that they train."""
    assert cluster(folder, "full").wait() == 0
    metrics = json.loads((folder / "default/metrics.json").read_text("utf-8"))
    score = proportion(metrics["captchas_right"], metrics["test_count"])
    return {"workers": 2, **measured.columns(score), "seconds": metrics["train_seconds"]}


def kills(folder: Path, seed: int = 5) -> dict[str, Any]:
    """Kill a worker ten times in a training run on the quick profile: does it end with the weights of a quiet run?"""
    weights, runs = [], []
    for times in (0, KILLS):
        place, chance = folder / str(times), random.Random(seed)
        started = time.perf_counter()
        job = cluster(place, "quick")
        done = 0
        while job.poll() is None:
            time.sleep(chance.uniform(5, 25) if done < times else 1)
            children = psutil.Process(job.pid).children() if job.poll() is None else []
            if children and done < times:
                chance.choice(children).send_signal(signal.SIGKILL)
                done += 1
        assert job.returncode == 0
        runs.append({"kills": done, "seconds": time.perf_counter() - started})
        kept = sorted((place / "quick/default/checkpoint").glob("epoch-003-*.json"))
        weights.append(json.loads(kept[-1].read_text("utf-8"))["weights"])
    return {**runs[1], "without kills [s]": runs[0]["seconds"], "same weights": weights[0] == weights[1]}


def silence(folder: Path) -> dict[str, Any]:
    """Stop a worker, so that it falls silent and its connections stay open: when does the other one notice [s]?"""
    job = cluster(folder, "quick")
    while not list((folder / "quick/default/checkpoint").glob("epoch-001-*.json")):
        assert job.poll() is None
        time.sleep(0.5)
    time.sleep(2)  # it is in the second epoch
    other, silent = sorted(psutil.Process(job.pid).children(), key=lambda child: child.create_time())
    started = time.perf_counter()
    silent.send_signal(signal.SIGSTOP)
    assert not psutil.wait_procs([other], timeout=300)[1]
    noticed = time.perf_counter() - started
    assert job.wait() == 0  # both were started again, and came to the end
    return {"noticed [s]": noticed}


def main() -> None:
    """All of them, printed and kept, each as soon as it is measured."""
    path, told = RESULTS / "workers.json", {}
    if path.exists():
        kept = json.loads(path.read_text("utf-8"))
        told = {name: kept[name] for name in ("rows", "bytes", "killed", "silent", "accuracy") if name in kept}
    parts = {"steps": lambda folder: dict(zip(("rows", "bytes"), steps(), strict=True))}
    parts |= {
        "killed": lambda folder: {"killed": kills(folder)},
        "silent": lambda folder: {"silent": silence(folder)},
        "accuracy": lambda folder: {"accuracy": [whole(folder)]},
    }
    for measure in parts.values():
        with tempfile.TemporaryDirectory() as folder:
            told |= measure(Path(folder))
        more = {name: value for name, value in told.items() if name != "rows"}
        measured.save("workers", "What do two workers gain?", told["rows"], "make bench-workers", **more)
