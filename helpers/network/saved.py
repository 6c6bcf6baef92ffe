"""model.keras: a network, the style that it reads, and how to take its answers, in one file."""

import json
import math
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

from helpers import files
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import StepError
from helpers.network.calibration import UNCALIBRATED, Calibration, weights_digest
from helpers.network.fitness import UNKNOWN, check_kept, check_network, layers_digest
from helpers.quiet_tensorflow import keras
from helpers.settings import Settings, other_profile

NOTEBOOK = "notebook 04_train_alexnet"
ORIGIN_MEMBER = "captcha_origin.json"  # what it was made from
STYLE_MEMBER = "captcha_style.json"  # under this name model.keras, a zip file, carries the style that it reads
CALIBRATION_MEMBER = "captcha_calibration.json"  # and under this one how to take its answers


class SavedNetwork(NamedTuple):
    """What model.keras holds; the network is not compiled."""

    model: keras.Model
    style: CaptchaStyle
    calibration: Calibration


def save_network(
    path: Path, model: keras.Model, style: CaptchaStyle, calibration: Calibration = UNCALIBRATED, images: str = ""
) -> None:
    """Write a network with its style, its calibration and the digest of the images that it learned, whole or not."""
    check_kept(model)
    if calibration.network not in ("", weights_digest(model)):
        raise StepError("This calibration belongs to another network. Run calibrate(model, settings) for this one.")
    check_room_for(path.parent, model.variables)
    compiled, optimizer = model.compiled, getattr(model, "optimizer", None)
    with files.written_whole(path) as temporary:
        try:
            model.compiled, model.optimizer = False, None  # whose state would make the file three times as large
            model.save(temporary)
        finally:
            model.compiled, model.optimizer = compiled, optimizer
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(STYLE_MEMBER, files.to_json(style.to_dict()))
            archive.writestr(CALIBRATION_MEMBER, files.to_json(calibration.to_dict()))
            archive.writestr(ORIGIN_MEMBER, files.to_json({"images": images, "layers": layers_digest(model)}))


def check_room_for(folder: Path, variables: list) -> None:
    """StepError if a disk has no room for a file of these: h5py would say so in a hundred lines, and might crash."""
    files.check_room(folder, 500_000 + 1.1 * 4 * sum(math.prod(each.shape) for each in variables), "The weights")


def made_from(path: Path) -> dict[str, str]:
    """What a network was made from: the digests of its "images" and "layers"; nothing if the file does not tell."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = json.loads(archive.read(ORIGIN_MEMBER))
            return {name: found[name] for name in ("images", "layers") if isinstance(found[name], str)}
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError, RecursionError, NotImplementedError):
        return {}


def load_trained(settings: Settings) -> SavedNetwork:
    """The network of an experiment; StepError also if it learned other images than those that lie beside it."""
    if not settings.model_path.exists():
        missing = f"There is no trained network {files.short(settings.model_path)}"
        raise StepError(f"{missing}{other_profile(settings, 'model.keras')}. Run {NOTEBOOK} first.")
    found, learned = load_network(settings.model_path), made_from(settings.model_path).get("images")
    try:
        beside = files.read_sealed(settings.manifest_path, NOTEBOOK, ["images_digest"])["images_digest"]
    except StepError:  # it reads without them
        return found
    if learned and learned != beside:
        why = f"{files.short(settings.model_path)} was not trained on the images of '{settings.experiment}'."
        raise StepError(f"{why} Run {NOTEBOOK} again: it trains a network for them.")
    return found


def load_network(path: Path) -> SavedNetwork:
    """What `save_network` wrote; StepError if there is no such file, or if it is not one of ours."""
    if not path.is_file():
        missing = f"There is no trained network {files.short(path)}. Run {NOTEBOOK} first."
        raise StepError(files.misplaced(path) or missing)
    made = keras.__version__
    try:
        with zipfile.ZipFile(path) as archive:
            made = json.loads(archive.read("metadata.json"))["keras_version"]
            style = json.loads(archive.read(STYLE_MEMBER))
            found = archive.read(CALIBRATION_MEMBER) if CALIBRATION_MEMBER in archive.namelist() else b"{}"
        model = keras.models.load_model(path, compile=False)
        style = CaptchaStyle.from_dict(style, False, path.parents[2 * (path.parts[-3:-2] == ("networks",))] / "fonts")
        check_network(model, style)
        return SavedNetwork(model, style, Calibration.from_dict(json.loads(found)))
    except PermissionError as reason:
        raise files.unreadable(path, reason, "") from None
    except Exception as reason:  # whatever Keras raises on a damaged file, or one of another version
        why = f"is no network that {NOTEBOOK} saved ({type(reason).__name__}). Run that notebook again."
        if str(made) != keras.__version__:
            why = f"was saved by Keras {made}, and this Keras {keras.__version__} cannot load it. Run {NOTEBOOK} again."
        if unknown := re.search(UNKNOWN, str(reason)):
            why = f"needs {unknown[1]}, which this kernel does not know. Run the cell that defines it, then this one."
        raise StepError(f"{files.short(path)} {why}") from None
