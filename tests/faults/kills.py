"""Kills a process at a random moment of a step, then takes the step again: is the result the same, is nothing left?"""

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from helpers.files.disk import TEMPORARY
from tests.faults.step import STEPS, given, take


def try_kills(count: int, seed: int, folder: Path, steps: tuple[str, ...] = STEPS) -> list[tuple[str, str]]:
    """(step, "" or what was wrong after it) for so many kills of each step."""
    chance, whole, rows = random.Random(seed), folder / "whole", []
    truths = {}
    for step in steps:
        shutil.copytree(whole, folder / "before", dirs_exist_ok=True) if whole.exists() else (folder / "before").mkdir()
        truths[step] = take(step, given(whole))
        if step == "pack":
            take(step, given(whole))
        start = folder / "timed"
        shutil.copytree(folder / "before", start)
        seconds = killed(step, start, None)
        shutil.rmtree(start)
        for _ in range(count):
            place = folder / "place"
            shutil.copytree(folder / "before", place)
            killed(step, place, chance.uniform(0, seconds))
            rows.append((step, what_is_wrong(step, place, truths[step])))
            shutil.rmtree(place)
        shutil.rmtree(folder / "before")
    return rows


def killed(step: str, place: Path, after: float | None) -> float:
    """Take a step in a process of its own, and kill it so many seconds after it began; how long it ran."""
    command = [sys.executable, "-m", "tests.faults.step", step, str(place)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if line == "begun\n":
            break
    began = time.perf_counter()
    children = psutil.Process(process.pid)
    if after is not None:
        time.sleep(after)
        children = children.children(recursive=True)
        process.kill()
        process.stdout.close()
        process.wait()
        time.sleep(2)
        left = [" ".join(each.cmdline()) for each in children if each.is_running() and each.status() != "zombie"]
        assert not left, f"{step}: alive after two seconds: {left}"
        return after
    process.communicate()
    assert process.returncode == 0, f"{step} failed"
    return time.perf_counter() - began


def what_is_wrong(step: str, place: Path, truth: Any) -> str:
    """Take the step again: "" if that ends as if nothing had been killed."""
    try:
        found = take(step, given(place))
    except Exception as reason:
        return f"{type(reason).__name__}: {reason}"
    if found != truth:
        return "another result"
    return "unfinished files are left" if list(place.rglob(f"{TEMPORARY}*")) else ""


def report(count: int, seed: int, folder: Path) -> str:
    """A line for each step, and one for each kill after which something was wrong."""
    rows = try_kills(count, seed, folder)
    lines = [f"{step}: {count} kills, the same result {sum(row == (step, '') for row in rows)} times" for step in STEPS]
    return "\n".join([*lines, *(f"{step}: {wrong}" for step, wrong in rows if wrong)])
