"""Much of the same work on many images, shared out to the processor's cores."""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import nullcontext
from itertools import repeat
from multiprocessing import current_process, get_context, parent_process
from typing import Any

from tqdm import tqdm

from helpers.errors import SettingsError, StepError, whole_number

CHUNK = 64  # images that a process works on before it reports
AHEAD = 256  # parts that an executor may have before it: enough for 64 processes, some 100 MB of captchas
PATIENCE = 2.0  # seconds; what takes longer shows a bar


def on_all_cores(
    work: Callable, common: Any, images: list, processes: int | None = None, done: int = 0, bar: tqdm | None = None,
    executor: Executor | None = None,
) -> Iterator:  # fmt: skip
    """What work(common, images) returns for each 64 of the `images`, in order; a bar, or the given one, moves on.

    None takes as many `processes` as there are cores, 1 starts none; an `executor` takes their place, and is left open.
    All work only a few parts ahead, to save memory.
    """
    if not isinstance(executor, Executor | None):
        what = f"executor: {executor!r} is a {type(executor).__name__}, not a concurrent.futures.Executor."
        raise SettingsError(f"{what} Dask's comes from Client(...).get_executor().")
    if getattr(current_process(), "_inheriting", False):  # a worker of a script without a main guard runs it again
        sys.exit(1)
    processes = os.cpu_count() or 1 if processes is None else whole_number("processes", processes, least=1)
    processes = min(processes, 61)  # Windows waits for no more
    parts = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    with nullcontext(bar) if bar else bar_of(done + len(images), initial=done) as bar:
        alone = executor is None and (processes == 1 or len(parts) < 3)
        results = map(work, repeat(common), parts) if alone else _ahead(work, common, parts, processes, executor)
        for part, result in zip(parts, results, strict=True):
            bar.update(len(part))
            yield result


def bar_of(what: int | Iterable, **more: Any) -> tqdm:
    """A progress bar over so many images, or through a collection; `more` as tqdm takes it, such as unit=" steps"."""
    given = {"total": what} if isinstance(what, int) else {"iterable": what}
    return tqdm(**{"unit": " images", "file": sys.stdout, "ncols": 79} | given | more)


def _ahead(work: Callable, common: Any, parts: list[list], processes: int, executor: Executor | None) -> Iterator:
    if executor is not None:
        used, most = nullcontext(executor), AHEAD
    else:
        spawned = get_context("spawn")  # a forked copy of a process that has used TensorFlow hangs
        used, most = ProcessPoolExecutor(processes, spawned, _as_worker, (processes,)), 4 * processes
    waiting: deque = deque()
    with used as pool:
        try:
            waiting.extend(pool.submit(work, common, part) for part in parts[:most])
            for part in [*parts[most:], *[None] * len(waiting)]:
                result = waiting.popleft().result()
                if part:
                    waiting.append(pool.submit(work, common, part))
                yield result
        except BrokenExecutor:
            why = "A worker process was killed, perhaps for want of memory. Run this again: what was finished is kept."
            own = "In a script of your own, the call has to stand under `if __name__ == '__main__':`."
            raise StepError(f"{why} {own}") from None
        finally:
            for each in waiting:
                each.cancel()


def _as_worker(processes: int) -> None:
    """A worker leaves interrupts to its parent, and ends when that does, however it ended.

    Should it import TensorFlow, this takes its share of the cores, where it would start a thread for each of them.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)
