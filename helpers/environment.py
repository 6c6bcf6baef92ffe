"""The checks of notebook 1: is everything here that the other notebooks need?"""

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from helpers.captchas.fonts import FOLDERS
from helpers.captchas.styles import PRESETS
from helpers.quiet_tensorflow import tf, uses_onednn
from helpers.settings import Settings
from helpers.training.precision import has_bfloat16

GIB = 2**30
REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"
BYTES_PER_IMAGE = 20_000  # a coloured PNG and a record, rounded up


@dataclass(frozen=True)
class Check:
    """One thing that was checked: whether it is fine, what was found, and what to do if it is not."""

    name: str
    fine: bool
    found: str
    advice: str = ""


class Checklist(list[Check]):
    """Checks, shown as a line each."""

    def __repr__(self) -> str:
        lines = (f"{'✅' if c.fine else '❌'} {c.name}: {c.found}{'' if c.fine else f'. {c.advice}'}" for c in self)
        return "\n".join(lines)


def pinned_versions(path: Path = REQUIREMENTS) -> dict[str, str]:
    """Package -> version, from the lines `name==version` of a requirements file."""
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE))


def check_versions(pins: dict[str, str] | None = None) -> Checklist:
    """Python and every pinned package: the version that is installed, against the one that is needed."""
    fine = (3, 11) <= sys.version_info[:2] <= (3, 13)
    checks = Checklist([Check("python", fine, platform.python_version(), "Use Python 3.11, 3.12 or 3.13")])
    for name, wanted in (pinned_versions() if pins is None else pins).items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "not installed"
        advice = f"Version {wanted} is needed. Run pip install -r requirements.txt, then restart the kernel"
        checks.append(Check(name, found == wanted, found, advice))
    return checks


def check_machine(settings: Settings) -> Checklist:
    """Cores, memory, GPU, fast kernels, 16-bit numbers, fonts, the data folder, and space on its disk."""
    memory, gpus = psutil.virtual_memory().total / GIB, tf.config.list_physical_devices("GPU")
    little = "Training needs about 2 GiB. Close other programs, or use a larger machine"
    slow = "Training may take twice as long. Unset TF_ENABLE_ONEDNN_OPTS, and run this notebook first in a new kernel"
    return Checklist(
        [
            Check("cores", True, f"{os.cpu_count() or 1}"),
            Check("memory", memory > 3, f"{memory:.0f} GiB", little),
            Check("GPU", True, f"{len(gpus)} found" if gpus else "none: not needed, the cores do the training"),
            Check("oneDNN", uses_onednn(), "on" if uses_onednn() else "off", slow),
            Check("bfloat16", True, "multiplied by the processor" if has_bfloat16() else "no: training uses float32"),
            check_fonts(),
            *_check_disk(settings),
        ]
    )


def _check_disk(settings: Settings) -> list[Check]:
    """Whether the data folder can be written, and whether there is room in it."""
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        probe = settings.folder / ".writable"
        probe.write_bytes(b"captcha")
        probe.unlink()
    except OSError as reason:
        advice = "Make the folder writable, or set CAPTCHA_DATA_DIR to one that is"
        return [Check("data folder", False, f"cannot be written ({reason.strerror})", advice)]
    free = shutil.disk_usage(settings.folder).free / GIB
    needed = sum(settings.counts.values()) * BYTES_PER_IMAGE / GIB
    advice = f"Notebooks 2 and 3 need {needed:.1f} GiB. Free some, or set CAPTCHA_DATA_DIR to another disk"
    return [
        Check("data folder", True, f"'{settings.data_dir.name}' can be written"),
        Check("disk", free > needed, f"{free:.0f} GiB free, {needed:.1f} GiB needed", advice),
    ]


def check_fonts() -> Check:
    """Whether all fonts that the presets name are there."""
    names = {font for preset in PRESETS.values() for font in preset.get("fonts", ())} | {"DroidSansMono"}
    missing = sorted(names - {file.stem for folder in FOLDERS for file in folder.glob("*.[to]tf")})
    advice = f"Missing: {', '.join(missing)}. Run pip install -r requirements.txt again"
    return Check("fonts", not missing, f"{len(names) - len(missing)} of {len(names)} found", advice)
