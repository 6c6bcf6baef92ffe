"""Much of the same work on many images, shared out to the processor's cores."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from itertools import repeat
from multiprocessing import get_context
from typing import Any

from tqdm import tqdm

from helpers.captchas.styles import CaptchaStyle

CHUNK = 64  # images that a process works on before it reports


def on_all_cores(
    work: Callable, style: CaptchaStyle, images: list, processes: int | None = None, done: int = 0,
    bar: tqdm | None = None,
) -> Iterator:  # fmt: skip
    """What work(style, images) returns for each 64 of the `images`, in order; a bar, or the given one, moves on.

    `work` is a function of a module without TensorFlow. None takes as many `processes` as there are cores, 1
    starts none. They work only a few parts ahead of what was taken, so memory does not grow with the number.
    """
    processes = processes or os.cpu_count() or 1
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


def _ahead(work: Callable, style: CaptchaStyle, parts: list[list], processes: int) -> Iterator:
    # "spawn": a forked copy of a process that has used TensorFlow hangs.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = deque(pool.submit(work, style, part) for part in parts[: 4 * processes])
        for part in [*parts[4 * processes :], *[None] * len(waiting)]:
            result = waiting.popleft().result()
            if part:
                waiting.append(pool.submit(work, style, part))
            yield result
