"""Much of the same work on many images, shared out to the processor's cores."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context

from tqdm import tqdm

from helpers.captchas.styles import CaptchaStyle

CHUNK = 64  # images that a process works on before it reports


def on_all_cores(
    work: Callable, style: CaptchaStyle, images: list, processes: int | None = None, done: int = 0, what: str = ""
) -> Iterator:
    """What work(style, images) returns for each 64 of the `images`, in order; a bar shows `what`, and how far it is.

    `work` is a function of a module without TensorFlow. None takes as many `processes` as there are cores, 1
    starts none. They work only a few parts ahead of what was taken, so memory does not grow with the number.
    """
    processes = processes or os.cpu_count() or 1
    parts = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    with bar_of(done + len(images), what, done) as bar:
        alone = processes == 1 or len(parts) < 3
        results = map(work, repeat(style), parts) if alone else _ahead(work, style, parts, processes)
        for part, result in zip(parts, results, strict=True):
            bar.update(len(part))
            yield result


def bar_of(total: int, what: str = "", done: int = 0) -> tqdm:
    """A progress bar over so many images."""
    return tqdm(desc=what or None, total=total, initial=done, unit=" images", file=sys.stdout, ncols=79)


def _ahead(work: Callable, style: CaptchaStyle, parts: list[list], processes: int) -> Iterator:
    # "spawn": a forked copy of a process that has used TensorFlow hangs.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = deque(pool.submit(work, style, part) for part in parts[: 4 * processes])
        for part in [*parts[4 * processes :], *[None] * len(waiting)]:
            result = waiting.popleft().result()
            if part:
                waiting.append(pool.submit(work, style, part))
            yield result
