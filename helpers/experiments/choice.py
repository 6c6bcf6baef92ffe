"""Which experiment a person works on, and which style: notebook 2 chooses, and notebooks 3 to 5 follow.

Both are kept in the data folder, for each profile. Where no person sits, the experiment is always `default`.
"""

from pathlib import Path
from typing import Any

from helpers import files
from helpers.captchas.styles import CaptchaStyle
from helpers.data.generate import check_same
from helpers.settings import Settings, load_settings, open_experiment, person_sits
from helpers.settings.load import read_style


def choose(experiment: str, style: CaptchaStyle, **changes: Any) -> Settings:
    """Settings for an experiment of this name and style, which the following notebooks then take.

    A StepError refuses a name under which there is another style. `changes` are as `load_settings` takes them.
    """
    settings = load_settings(experiment, style=style, **changes)
    if (settings.folder / "experiment.json").exists():
        check_same(settings)
    keep(experiment=experiment, profile=settings.profile)
    return settings


def chosen(**changes: Any) -> Settings:
    """Settings of the experiment that was chosen last, from disk; `changes` are as `open_experiment` takes them."""
    kept = _kept()
    return open_experiment(kept.get("experiment", "default"), kept.get("profile"), **changes)


def chosen_style() -> CaptchaStyle:
    """The style that a person chose last; the default where none was."""
    return read_style(_path())[0] if "style" in _kept() else CaptchaStyle()


def _path() -> Path:
    return load_settings().folder.parent / "choice.json"


def _kept() -> dict[str, Any]:
    made_by = "notebook 02_generate_captchas"
    return files.read_json(_path(), made_by) if person_sits() and _path().is_file() else {}


def keep(**what: Any) -> None:
    """Remember what a person chose: the name of an experiment, or a style as `to_dict` gives it."""
    if person_sits():
        files.write_json(_path(), {**_kept(), **what})
