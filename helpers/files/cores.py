"""Much of the same work on many images, shared out to the processor's cores."""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from itertools import repeat
from multiprocessing import current_process, get_context, parent_process
from typing import Any

from tqdm import tqdm

from helpers.errors import StepError, whole_number

CHUNK = 64  # images that a process works on before it reports


def on_all_cores(
    work: Callable, style: Any, images: list, processes: int | None = None, done: int = 0, bar: tqdm | None = None
) -> Iterator:
    """What work(style, images) returns for each 64 of the `images`, in order; a bar, or the given one, moves on.

    None takes as many `processes` as there are cores, 1 starts none. They work only a few parts ahead, to save memory.
    """
    if getattr(current_process(), "_inheriting", False):  # a worker of a script without a main guard runs it again
        sys.exit(1)
    processes = os.cpu_count() or 1 if processes is None else whole_number("processes", processes, least=1)
    processes = min(processes, 61)  # Windows waits for no more
    parts = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    with nullcontext(bar) if bar else bar_of(done + len(images), initial=done) as bar:
        alone = processes == 1 or len(parts) < 3
        results = map(work, repeat(style), parts) if alone else _ahead(work, style, parts, processes)
        for part, result in zip(parts, results, strict=True):
            bar.update(len(part))
            yield result


def bar_of(total: int, **more: Any) -> tqdm:
    """A progress bar over so many images; `more` as tqdm takes it."""
    return tqdm(total=total, unit=" images", file=sys.stdout, ncols=79, **more)


def _ahead(work: Callable, style: Any, parts: list[list], processes: int) -> Iterator:
    # "spawn": a forked copy of a process that has used TensorFlow hangs.
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_as_worker) as pool:
        try:
            waiting = deque(pool.submit(work, style, part) for part in parts[: 4 * processes])
            for part in [*parts[4 * processes :], *[None] * len(waiting)]:
                result = waiting.popleft().result()
                if part:
                    waiting.append(pool.submit(work, style, part))
                yield result
        except BrokenProcessPool:
            why = "A worker process was killed, perhaps for want of memory. Run this again: what was finished is kept."
            own = "In a script of your own, the call has to stand under `if __name__ == '__main__':`."
            raise StepError(f"{why} {own}") from None
        finally:
            pool.shutdown(cancel_futures=True)


def _as_worker() -> None:
    """A worker leaves interrupts to its parent, and ends when that does, however it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)
