"""Which experiment and style a person chose, for each profile, in notebook 2; where no person sits, `default`."""

import tempfile
from pathlib import Path
from typing import Any

from helpers import files
from helpers.captchas.fonts import FONT_FILES, keep_fonts, kept_name
from helpers.captchas.styles import CaptchaStyle
from helpers.data.generate import check_same
from helpers.errors import StyleError
from helpers.settings import Settings, load_settings, open_experiment, person_sits
from helpers.settings.load import NOTEBOOK, read_style


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
    return read_style(_path(), own_fonts())[0] if "style" in _kept() else CaptchaStyle()


def own_fonts() -> Path:
    """The folder of the fonts that a person brought along, for all experiments."""
    return load_settings().data_dir / "fonts"


def bring_font(name: str, content: bytes, alphabet: str) -> str:
    """Keep a font of one's own in that folder, if it can draw the alphabet; its path, as styles take it."""
    with tempfile.TemporaryDirectory() as folder:
        if (path := Path(folder) / Path(name).name).suffix.lower() not in FONT_FILES:
            raise StyleError(f"fonts: '{name}' is no .ttf or .otf file.")
        path.write_bytes(content)
        CaptchaStyle(alphabet=alphabet, fonts=str(path))  # refused if it is no font, or without a character
        keep_fonts([str(path)], own_fonts())
        return str(own_fonts() / kept_name(str(path)))


def _path() -> Path:
    return load_settings().folder.parent / "choice.json"


def _kept() -> dict[str, Any]:
    return files.read_json(_path(), NOTEBOOK) if person_sits() and _path().is_file() else {}


def keep(style: CaptchaStyle | None = None, **what: Any) -> None:
    """Remember what a person chose: a style, or an `experiment` and its `profile`."""
    if person_sits():
        with files.only_writer(_path().parent, wait=10):
            if style:
                keep_fonts(style.fonts, own_fonts())
                what["style"] = style.to_dict()
            files.write_json(_path(), {**_kept(), **what})
