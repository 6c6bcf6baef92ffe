"""What the benchmarks share: timing, separate processes, and keeping a result."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil

from helpers import files
from helpers.files.results import RESULTS
from helpers.scores import Proportion

WITHOUT_ONEDNN = "AVX2, as TensorFlow would have it"  # by itself it uses oneDNN only on newer processors
ISA_LIMITS = {  # how oneDNN, and beside it PyTorch and its MKL, are told which instructions they may use
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}
ISA_LIMITS[WITHOUT_ONEDNN] = {**ISA_LIMITS["AVX2"], "TF_ENABLE_ONEDNN_OPTS": "0"}
VERSIONS = ("tensorflow", "keras", "captcha", "pillow", "numpy")


def processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """What a figure was measured on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory [GiB]": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
    }


def save(name: str, question: str, rows: Sequence[dict[str, Any]], command: str = "make bench", **more: Any) -> None:
    """Print the rows as a table and keep them as notebooks/results/<name>.json."""
    show(question, rows)
    result = {
        "question": question,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "versions": files.package_versions(*VERSIONS),
        "rows": list(rows),
        **more,
    }
    files.write_json(RESULTS / f"{name}.json", result)


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print rows with the same keys as a table."""
    heads = list(rows[0])
    table = [[_text(row[head]) for head in heads] for row in rows]
    widths = [max(len(line[i]) for line in [heads, *table]) for i in range(len(heads))]
    print(f"\n{title}")
    for first, *others in [heads, ["-" * width for width in widths], *table]:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *cells]))
    sys.stdout.flush()


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def seconds(function: Callable[[], Any]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def side_by_side(functions: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Each function's figures from several rounds, all functions in turn in each round.

    So a disturbance of the machine hits all of them alike.
    """
    figures: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            figures[name].append(function())
    return figures


def spread(figures: Sequence[float], name: str) -> dict[str, Any]:
    """Median, lowest, highest and count of some figures, as columns of a row."""
    return {name: statistics.median(figures), "lowest": min(figures), "highest": max(figures), "times": len(figures)}


def columns(score: Proportion) -> dict[str, Any]:
    """A score as columns of a row."""
    percent = {"right [%]": 100 * score.value, "lowest [%]": 100 * score.low, "highest [%]": 100 * score.high}
    return {"right": score.right, "of": score.count, **percent}


def _peak_memory() -> float | None:
    """The most memory [MB] that this process held; None where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _with_peak(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, float | None]:
    return function(*arguments), _peak_memory()


def isas() -> list[str | None]:
    """What oneDNN may use here: None, all that the processor has; and "AVX2", if it has more than that."""
    try:
        more = "avx512f" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        more = False
    return [None, "AVX2"] if more else [None]


def instructions(isa: str | None) -> str:
    """What a row says about `isa`."""
    if isa == WITHOUT_ONEDNN:
        return "AVX2, without oneDNN"
    return f"{isa} only" if isa else "all of the processor's"


def limited(isa: str | None) -> dict[str, str]:
    """The environment of a process that may use these instructions."""
    return {**os.environ, **(ISA_LIMITS[isa] if isa else {})}


def in_own_process(
    function: Callable[..., Any], *arguments: Any, isa: str | None = None
) -> tuple[Any, float | None]:  # fmt: skip
    """What `function` returns in a fresh process, and that process's peak memory [MB].

    Args:
        isa: the newest instructions that oneDNN and PyTorch may use there; None: all that the processor has.
    """
    with patch.dict(os.environ, limited(isa)), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_with_peak, function, arguments).result()
