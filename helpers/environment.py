"""The checks of notebook 1: is everything here that the other notebooks need, and how fast is it?"""

from __future__ import annotations

import html
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.alexnet import build_alexnet
from helpers.captchas import draw_captcha, save_captcha
from helpers.errors import TutorialError
from helpers.fonts import find_font
from helpers.precision import has_bfloat16, mixed_precision
from helpers.quiet_tensorflow import tf
from helpers.settings import Settings
from helpers.styles import PRESETS
from helpers.training import compile_model

GIB = 2**30
REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
BYTES_PER_IMAGE = 20_000  # a coloured PNG and a record, rounded up


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: whether it is fine, what was found, and what to do if not."""

    name: str
    fine: bool
    found: str
    advice: str = ""


class Checklist(list[Check]):
    """Checks, shown as a table in a notebook and as lines elsewhere."""

    @property
    def fine(self) -> bool:
        """Whether every check is."""
        return all(check.fine for check in self)

    def __repr__(self) -> str:
        return "\n".join(
            f"{'✅' if c.fine else '❌'} {c.name}: {c.found}" + (f". {c.advice}" if not c.fine else "") for c in self
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'✅' if c.fine else '❌'}</td><td style='text-align:left'>{html.escape(c.name)}</td>"
            f"<td style='text-align:left'>{html.escape(c.found)}"
            + (f"<br><b>{html.escape(c.advice)}</b>" if not c.fine else "")
            + "</td></tr>"
            for c in self
        )
        return f"<table>{rows}</table>"


def pinned_versions(path: Path = REQUIREMENTS) -> dict[str, str]:
    """Package -> version, from the lines `name==version` of a requirements file."""
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE))


def check_versions(pins: dict[str, str] | None = None) -> Checklist:
    """Python, and every pinned package, against what is installed."""
    python = sys.version_info[:2]
    checks = Checklist(
        [Check("python", (3, 11) <= python <= (3, 13), platform.python_version(), "Use Python 3.11, 3.12 or 3.13")]
    )
    for name, wanted in (pinned_versions() if pins is None else pins).items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "not installed"
        advice = f"Wanted is {wanted}: pip install -r requirements.txt, then restart the kernel"
        checks.append(Check(name, found == wanted, found, advice))
    return checks


def memory_bytes() -> int | None:
    """The machine's memory, None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def check_machine(settings: Settings) -> Checklist:
    """Cores, memory, GPU, 16-bit numbers, fonts, disk, and a data folder that can be written."""
    cores = os.cpu_count() or 1
    memory = memory_bytes()
    gpus = tf.config.list_physical_devices("GPU")
    needed = sum(settings.counts.values()) * BYTES_PER_IMAGE / GIB
    checks = Checklist(
        [
            Check("cores", True, f"{cores}"),
            Check(
                "memory",
                memory is None or memory > 3 * GIB,
                "unknown" if memory is None else f"{memory / GIB:.0f} GiB",
                "Training needs about 2 GiB. Close other programs, or use a larger machine",
            ),
            Check("GPU", True, f"{len(gpus)} found" if gpus else "none: not needed, the cores do the training"),
            Check("bfloat16", True, "multiplied by the processor" if has_bfloat16() else "no: training uses float32"),
            check_fonts(),
        ]
    )
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        probe = settings.folder / ".writable"
        probe.write_bytes(b"captcha")
        probe.unlink()
    except OSError as reason:
        advice = "Make the folder writable, or set CAPTCHA_DATA_DIR to one that is"
        return Checklist([*checks, Check("data folder", False, f"cannot be written ({reason.strerror})", advice)])
    free = shutil.disk_usage(settings.folder).free / GIB
    checks.append(Check("data folder", True, f"'{settings.data_dir.name}' can be written"))
    advice = f"Notebooks 2 and 3 need {needed:.1f} GiB. Free some, or set CAPTCHA_DATA_DIR to another disk"
    checks.append(Check("disk", free > needed, f"{free:.0f} GiB free, {needed:.1f} GiB needed", advice))
    return checks


def check_fonts() -> Check:
    """All fonts that the presets name."""
    names = sorted({font for preset in PRESETS.values() for font in preset.get("fonts", ())} | {"DroidSansMono"})
    missing = []
    for name in names:
        try:
            find_font(name)
        except TutorialError:
            missing.append(name)
    advice = f"Missing: {', '.join(missing)}. Run pip install -r requirements.txt again"
    return Check("fonts", not missing, f"{len(names) - len(missing)} of {len(names)} found", advice)


@dataclass(frozen=True)
class Speed:
    """How fast this machine is, and the minutes that follow for the settings it was measured with."""

    milliseconds_per_drawing: float
    milliseconds_per_step: float
    drawing_minutes: float
    training_minutes: float


def measure_speed(settings: Settings, steps: int = 8) -> Speed:
    """Time some captchas, drawn and stored, and some training steps; a rough forecast, other programs disturb it."""
    style, batch = settings.style, settings.batch_size
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"captcha.{settings.image_format}"
        started = time.perf_counter()
        for index in range(100):
            save_captcha(draw_captcha(style.alphabet[0] * style.min_length, style, index), file)
        drawing = (time.perf_counter() - started) / 100

    model = compile_model(build_alexnet(style), settings)
    images = np.random.default_rng(0).integers(0, 256, (batch, style.height, style.image_width, 1), dtype=np.uint8)
    labels = np.zeros((batch, style.positions), np.int32)
    with mixed_precision(model):  # as `train` does
        for _ in range(2):
            model.train_on_batch(images, labels)  # the first steps also build the graph
        started = time.perf_counter()
        for _ in range(steps):
            model.train_on_batch(images, labels)
        step = (time.perf_counter() - started) / steps

    images_to_draw = sum(settings.counts.values())
    batches = settings.epochs * settings.train_count / batch
    return Speed(
        1000 * drawing, 1000 * step, images_to_draw * drawing / (os.cpu_count() or 1) / 60, batches * step / 60
    )
