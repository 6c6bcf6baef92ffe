"""The images of an experiment: which there must be, with which seeds, and whether they are all there, unchanged."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers import files
from helpers.captchas.pictures import open_image, to_grey
from helpers.captchas.styles import CaptchaStyle
from helpers.data.texts import SPLITS, derive_seed, draw_text
from helpers.errors import StepError
from helpers.settings import Settings

NOTEBOOK = "notebook 02_generate_captchas"


class Rendering(NamedTuple):
    """One captcha to be drawn: which text, with which seed, into which file."""

    text: str
    seed: int
    path: Path


def renderings(settings: Settings, split: str) -> Iterator[Rendering]:
    """Every captcha of a split, in order; those of an adopted folder from the manifest."""
    folder, pictures = settings.images_folder / split, image_manifest(settings)["pictures"] if settings.adopted else ()
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
        why = f"The images of experiment '{settings.experiment}' are missing or incomplete."
        raise StepError(f"{why} Run {NOTEBOOK} first; it goes on where it stopped.")
    return files.read_sealed(settings.manifest_path, made_by=NOTEBOOK)


def list_images(settings: Settings, split: str) -> list[Rendering]:
    """All captchas of a split, in order, each with its file; StepError if one was removed or added since."""
    image_manifest(settings)
    images = list(renderings(settings, split))
    folder = settings.images_folder / split
    there = set(os.listdir(folder)) if folder.is_dir() else set()
    if missing := [image.path for image in images if image.path.name not in there]:
        why = f"{files.short(missing[0])} is missing ({len(missing)} of {len(images)} images are)."
        raise StepError(f"{why} Delete {files.short(settings.manifest_path)} and {again(settings)}: it is made anew.")
    refuse_foreign_files(str(folder / name) for name in there - {image.path.name for image in images})
    return images


def check_images(settings: Settings) -> tuple[str, list[Rendering]]:
    """The digest of all images, computed from every byte, and the images; StepError if one was changed since."""
    expected = image_manifest(settings)["images_digest"]
    images = [image for split in SPLITS for image in list_images(settings, split)]
    if files.files_digest((image.path for image in images), settings.images_folder) != expected:
        why = f"The images in {files.short(settings.images_folder)} were changed after they were drawn."
        raise StepError(f"{why} Delete {files.short(settings.folder)} and {again(settings)}.")
    return expected, images


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


def refuse_foreign_files(paths: Iterable[str]) -> None:
    """StepError for files that are no images of the experiment; hidden ones, such as .DS_Store, do no harm."""
    if foreign := sorted(path for path in paths if not os.path.basename(path).startswith(".")):
        such = f"({len(foreign)} such file{'s' * (len(foreign) > 1)})"
        why = f"{files.short(Path(foreign[0]))} is not an image of this experiment {such}."
        raise StepError(f"{why} Move it elsewhere, then run {NOTEBOOK} again.")
