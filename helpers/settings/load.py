"""Where settings come from: the environment, which only this module reads, and the disk."""

import dataclasses
import difflib
import os
from pathlib import Path
from typing import Any

from helpers import files
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import SettingsError, StepError, StyleError
from helpers.settings.fields import FIXED, Settings

NOTEBOOK = "notebook 02_generate_captchas"
MADE_BY = f"{NOTEBOOK} (or adopt_folder, for pictures of your own)"
STEPS = 600  # of training that a few adopted pictures get, at least
PROFILES: dict[str, dict[str, int]] = {
    "full": {"train_count": 85_000, "validation_count": 5_000, "test_count": 10_000, "epochs": 3, "batch_size": 64},
    "quick": {"train_count": 5_000, "validation_count": 500, "test_count": 1_000, "epochs": 3, "batch_size": 32},
}


def load_settings(experiment: str = "default", profile: str | None = None, **changes: Any) -> Settings:
    """Settings of a run; SettingsError for a profile, a field or a value that cannot be used.

    The profile "full" or "quick" is by default that of CAPTCHA_PROFILE, else "full"; `changes` are fields that differ.
    """
    profile = profile or os.environ.get("CAPTCHA_PROFILE") or "full"
    if profile not in PROFILES:
        raise SettingsError(f"There is no profile '{profile}'. Set CAPTCHA_PROFILE to one of: {', '.join(PROFILES)}.")
    known = {field.name for field in dataclasses.fields(Settings)}
    if unknown := sorted(set(changes) - known):
        raise SettingsError(f"There is no setting {', '.join(unknown)}. There are: {', '.join(sorted(known))}.")
    repository = Path(__file__).resolve().parents[2]  # from which a relative folder counts, wherever a notebook runs
    data_dir = (repository / Path(os.environ.get("CAPTCHA_DATA_DIR") or "data").expanduser()).resolve()
    return Settings(experiment=experiment, profile=profile, **{"data_dir": data_dir, **PROFILES[profile], **changes})


def open_experiment(experiment: str = "default", profile: str | None = None, **changes: Any) -> Settings:
    """Settings of an experiment from disk, else a StepError; `changes` are fields that its images do not fix."""
    if fixed := sorted(set(changes) & {"style", "adopted", *FIXED}):
        raise SettingsError(f"{', '.join(fixed)} was fixed with the images. Choose a new EXPERIMENT in {NOTEBOOK}.")
    settings = load_settings(experiment, profile, **changes)
    path = settings.folder / "experiment.json"
    if not path.is_file():
        others = [each.parent.name for each in sorted(settings.folder.parent.glob("*/experiment.json"))]
        near = [f"Did you mean '{name}'?" for name in difflib.get_close_matches(experiment, others, 1)]
        hint = "".join(near or [f"There are: {', '.join(others)}."] * bool(others))
        run = f"{f' {hint} Otherwise run' if hint else ' Run'} {NOTEBOOK} with EXPERIMENT = {experiment!r}."
        raise StepError(f"There is no experiment '{experiment}' yet{other_profile(settings, 'experiment.json')}.{run}")
    style, fixed_values = read_style(path, settings.own_fonts, FIXED)
    try:
        settings = dataclasses.replace(settings, style=style, **fixed_values)
    except SettingsError as reason:
        raise _broken(path, reason) from None
    return settings.with_steps(STEPS) if settings.adopted and "passes" not in changes else settings


def other_profile(settings: Settings, file: str) -> str:
    """What is told where this profile lacks a file that the other one has; else ""."""
    other = next(name for name in PROFILES if name != settings.profile)
    there = dataclasses.replace(settings, profile=other, network=None).folder / file
    has = f" on the {settings.profile} profile; there is one on the {other} profile (CAPTCHA_PROFILE={other})"
    return has if there.is_file() else ""


def read_style(path: Path, own_fonts: Path, more: tuple[str, ...] = ()) -> tuple[CaptchaStyle, dict[str, Any]]:
    """The style in a JSON file of ours, whose `own_fonts` lie in that folder; `more` of its entries, and "adopted"."""
    stored = files.read_json(path, made_by=MADE_BY)
    try:
        style = CaptchaStyle.from_dict(stored["style"], check_fonts=False, own_fonts=own_fonts)
        return style, {"adopted": stored.get("adopted", False), **{name: stored[name] for name in more}}
    except (KeyError, TypeError, AttributeError, StyleError) as reason:
        raise _broken(path, reason) from None


def _broken(path: Path, reason: Exception) -> StepError:
    return StepError(f"{files.short(path)} is broken ({reason}). Delete that file and run {MADE_BY} again.")


def person_sits() -> bool:
    """Whether a person runs these cells in JupyterLab or VS Code; False under make, nbval and scripts."""
    seen = {"JPY_SESSION_NAME", "VSCODE_PID"} & set(os.environ)  # set by Jupyter's server, and by VS Code
    return bool(seen) and not os.environ.get("CAPTCHA_UNATTENDED")
