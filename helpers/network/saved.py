"""model.keras: a network, the style that it reads, and how its answers are to be taken, in one file."""

import json
import zipfile
from pathlib import Path
from typing import NamedTuple

from helpers import files
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import StepError
from helpers.files import short
from helpers.network.calibration import UNCALIBRATED, Calibration, observed
from helpers.quiet_tensorflow import keras

NOTEBOOK = "notebook 04_train_alexnet"
STYLE_MEMBER = "captcha_style.json"  # under this name model.keras, a zip file, carries the style that it reads
CALIBRATION_MEMBER = "captcha_calibration.json"  # and under this one how its answers are to be taken


class SavedNetwork(NamedTuple):
    """What model.keras holds; the network is not compiled."""

    model: keras.Model
    style: CaptchaStyle
    calibration: Calibration


def save_network(path: Path, model: keras.Model, style: CaptchaStyle, calibration: Calibration = UNCALIBRATED) -> None:
    """Write a network with its style and calibration, whole or not at all.

    The file holds no state of the optimizer, which would make it three times as large.
    """
    network = keras.Model(model.input, model.output, name=model.name)  # not compiled: no optimizer
    with files.written_whole(path) as temporary:
        network.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(STYLE_MEMBER, files.to_json(style.to_dict()))
            archive.writestr(CALIBRATION_MEMBER, files.to_json(calibration.to_dict()))


def load_network(path: Path) -> SavedNetwork:
    """What `save_network` wrote; StepError if there is no such file, or it is not one of ours."""
    if not path.is_file():
        raise StepError(f"There is no trained network {short(path)}. Run {NOTEBOOK} first.")
    try:
        with zipfile.ZipFile(path) as archive:
            style = json.loads(archive.read(STYLE_MEMBER))
            found = archive.read(CALIBRATION_MEMBER) if CALIBRATION_MEMBER in archive.namelist() else b"{}"
        model = keras.models.load_model(path, compile=False)
        observed(model)  # it has the layers that a reader looks at
        style = CaptchaStyle.from_dict(style, check_fonts=False)
        return SavedNetwork(model, style, Calibration.from_dict(json.loads(found)))
    except (zipfile.BadZipFile, AttributeError, KeyError, TypeError, ValueError, OSError) as reason:
        raise StepError(
            f"{short(path)} is no network that {NOTEBOOK} saved ({type(reason).__name__}). Run that notebook again."
        ) from None
