"""The images of an experiment: which there must be, with which seeds, and whether they are all there, unchanged."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers import files
from helpers.captchas.pictures import open_image, to_grey
from helpers.captchas.styles import CaptchaStyle
from helpers.data.texts import SPLITS, check_split, derive_seed, draw_text
from helpers.errors import StepError
from helpers.files.cores import PATIENCE, bar_of
from helpers.settings import Settings

NOTEBOOK = "notebook 02_generate_captchas"


class Rendering(NamedTuple):
    """One captcha to be drawn: which text, with which seed, into which file."""

    text: str
    seed: int
    path: Path


def renderings(settings: Settings, split: str) -> Iterator[Rendering]:
    """Every captcha of a split, in order; those of an adopted folder from the manifest."""
    folder = settings.images_folder / check_split(split)
    pictures = image_manifest(settings)["pictures"] if settings.adopted else ()
    texts = [picture["text"] for picture in pictures if picture["split"] == split]
    for index in range(settings.counts[split]):
        seed = derive_seed(settings.seed, split, index)
        text = texts[index] if settings.adopted else draw_text(settings.style, split, derive_seed(seed, "text"))
        yield Rendering(text, seed, folder / image_name(settings, split, index, text))


def image_name(settings: Settings, split: str, index: int, text: str) -> str:
    """How the file of a captcha is named."""
    return f"{index:0{max(5, len(str(settings.counts[split] - 1)))}d}_{text}.{settings.image_format}"


def again(settings: Settings) -> str:
    """What puts damaged images right, as the end of a sentence."""
    return "adopt its folder again" if settings.adopted else f"run {NOTEBOOK} again"


def image_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest of a complete data set: counts, digest of all images, versions; StepError if it is incomplete."""
    if not settings.manifest_path.exists():
        raise StepError(f"The images of '{settings.experiment}' are missing or incomplete. Run {NOTEBOOK} first.")
    holds = ("counts", "images_digest", *["pictures", "given", "left_out"] * settings.adopted)
    manifest = files.read_sealed(settings.manifest_path, NOTEBOOK, holds)
    counts = {f"{split}_count": count for split, count in manifest["counts"].items()}  # all that early versions kept
    told = files.read_json(path := settings.folder / "experiment.json", NOTEBOOK)
    if differ := "; ".join(files.differences(manifest.get("experiment", counts), told)):
        why = f"{files.short(path)} is not what these images were made with ({differ})."
        raise StepError(f"{why} Delete that file and {again(settings)}: it is written anew from manifest.json.")
    return manifest


def restore(settings: Settings) -> None:
    """Write experiment.json anew, where it is missing, from what the manifest tells."""
    path = settings.folder / "experiment.json"
    lost = settings.manifest_path.is_file() and not path.exists()
    if told := files.read_sealed(settings.manifest_path, NOTEBOOK).get("experiment") if lost else None:
        files.write_json(path, told)


def list_images(settings: Settings, split: str) -> list[Rendering]:
    """All captchas of a split, in order, each with its file; StepError if one was removed, added or changed since."""
    images, listed = _files_of(settings, split), read_list(settings)
    if any(digest != listed.get(name) for name, digest in _digests(images).items()):
        check_images(settings)  # it names the image, or finds that only the list is damaged
    return images


def _files_of(settings: Settings, split: str) -> list[Rendering]:
    """All captchas of a split; StepError if a file was removed or added since."""
    image_manifest(settings)
    images = list(renderings(settings, split))
    there = names_there(settings, [name_in_list(image.path) for image in images], [split])
    if lost := [image.path for image in images if name_in_list(image.path) not in there]:
        many = f"({len(lost)} of {len(images)} images are)"
        raise StepError(f"{files.short(lost[0])} is missing {many}. {_mended(settings)}")
    return images


def check_images(settings: Settings) -> tuple[str, list[Rendering]]:
    """The digest of all images, computed from every byte, and the images; StepError if one was changed since."""
    expected, listed = image_manifest(settings)["images_digest"], read_list(settings)
    images = [image for split in SPLITS for image in _files_of(settings, split)]
    if files.joint_digest(found := _digests(images)) != expected:
        changed = [name for name, digest in found.items() if digest != listed.get(name)] if listed else []
        which = f"images/{changed[0]} was" if changed else "The images were"
        many = f" ({len(changed)} of {len(images)} were)" * (len(changed) > 1)
        raise StepError(f"{settings.folder.name}: {which} changed since it was drawn{many}. {_mended(settings)}")
    return expected, images


def _digests(images: list[Rendering]) -> dict[str, str]:
    """The SHA-256 of each image as it is now, by its name in the list."""
    return {name_in_list(image.path): files.known_digest(image.path) for image in bar_of(images, delay=PATIENCE)}


def _mended(settings: Settings) -> str:
    return f"Delete {files.short(settings.manifest_path)} and {again(settings)}: what is lost or damaged is made anew."


def name_in_list(path: Path) -> str:
    """How an image is named in digests: by its split and its file's name."""
    return "/".join(path.parts[-2:])


def read_list(settings: Settings) -> dict[str, str]:
    """The SHA-256 of each image as it was written, by its name; what is not a whole line is left out."""
    try:
        lines = settings.list_path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found = re.findall(r"^([0-9a-f]{64})  images/(.+)$", lines, re.MULTILINE)
    return {name: digest for digest, name in found}


def load_grey(rendering: Rendering, style: CaptchaStyle) -> np.ndarray:
    """The grey pixels of an image file, uint8 [height, width]; StepError if its size is not this style's."""
    grey = to_grey(open_image(rendering.path))
    if grey.shape != (style.height, style.image_width):
        why = f"{files.short(rendering.path)} is {grey.shape[1]}x{grey.shape[0]} pixels,"
        raise StepError(f"{why} but this style draws {style.image_width}x{style.height}. Restore the image.")
    return grey


def load_part(style: CaptchaStyle, images: list[Rendering]) -> np.ndarray:
    """What a worker process does: it decodes some images, uint8 [image, height, width]."""
    return np.stack([load_grey(image, style) for image in images])


def names_there(settings: Settings, images: Iterable[str], splits: Iterable[str] = SPLITS) -> set[str]:
    """The names of all files in these splits; StepError for a file, unless it is hidden, that is none of the images."""
    folders = [settings.images_folder / split for split in splits]
    there = {f"{folder.name}/{name}" for folder in folders if folder.is_dir() for name in os.listdir(folder)}
    if foreign := sorted(name for name in there.difference(images) if "/." not in name):
        such = f"({len(foreign)} such file{'s' * (len(foreign) > 1)})"
        why = f"{files.short(settings.images_folder / foreign[0])} is not an image of this experiment {such}."
        raise StepError(f"{why} Move it elsewhere, then run {NOTEBOOK} again.")
    return there
