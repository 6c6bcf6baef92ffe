"""Draw the images of an experiment: the same ones, by however many processes and wherever the work was stopped."""

import dataclasses
import os
from typing import Any

import numpy as np

from helpers import files
from helpers.captchas.drawing import draw_captcha, save_captcha
from helpers.captchas.fonts import keep_fonts
from helpers.captchas.pictures import to_grey
from helpers.captchas.styles import CaptchaStyle
from helpers.data.cores import on_all_cores
from helpers.data.images import Rendering, image_manifest, list_images, refuse_foreign_files, renderings
from helpers.data.texts import SPLITS, check_texts
from helpers.errors import StepError
from helpers.settings import Settings, open_experiment


def generate(settings: Settings, processes: int | None = None) -> dict[str, Any]:
    """Draw all captchas of an experiment that are not there yet; the manifest comes last and is returned.

    So many `processes` draw at once; None takes one for each core, 1 starts none. It refuses a style
    with too few texts, an experiment of this name with other settings, and one that holds foreign files.
    """
    if settings.adopted:
        raise StepError(f"'{settings.experiment}' holds labelled pictures that were adopted: there is nothing to draw.")
    check_texts(settings.style)
    dataclasses.replace(settings.style, check_fonts=True)  # refused if its fonts are missing
    with files.only_writer(settings.folder):
        _begin(settings)
        if not settings.manifest_path.exists():
            return _complete(settings, processes)
        for split in SPLITS:
            list_images(settings, split)
        return image_manifest(settings)


def check_same(settings: Settings) -> None:
    """StepError if the experiment of this name was begun with another style, seed or count."""
    stored = open_experiment(settings.experiment, settings.profile, data_dir=settings.data_dir)
    if differences := stored.differences(settings):
        raise StepError(
            f"The experiment '{settings.experiment}' exists with other settings ({'; '.join(differences)}). Choose "
            f"a new EXPERIMENT name, or delete the folder {files.short(settings.folder)} if you no longer want it."
        )


def _begin(settings: Settings) -> None:
    """Write experiment.json, or check that the one on disk agrees."""
    path = settings.folder / "experiment.json"
    if path.exists():
        check_same(settings)
    elif settings.images_folder.exists():
        why = f"{files.short(settings.images_folder)} holds images, but {files.short(path)} is missing."
        raise StepError(f"{why} Choose a new EXPERIMENT name, or delete that folder.")
    else:
        keep_fonts(settings.style.fonts, settings.own_fonts)
        files.write_json(path, settings.describe())


def _complete(settings: Settings, processes: int | None) -> dict[str, Any]:
    """Draw what is missing, then write the manifest."""
    jobs = [job for split in SPLITS for job in renderings(settings, split)]
    there: set[str] = set()
    for split in SPLITS:
        folder = settings.images_folder / split
        folder.mkdir(parents=True, exist_ok=True)
        files.remove_unfinished(folder)
        there |= {entry.path for entry in os.scandir(folder)}
    refuse_foreign_files(there - {str(job.path) for job in jobs})
    todo = [job for job in jobs if str(job.path) not in there]
    for _ in on_all_cores(_draw_files, settings.style, todo, processes, done=len(jobs) - len(todo)):
        pass
    digest = files.files_digest((job.path for job in jobs), settings.images_folder)
    versions = files.package_versions("captcha", "pillow", "numpy")
    manifest = {"counts": settings.counts, "images_digest": digest, "versions": versions}
    files.write_json(settings.manifest_path, files.sealed(manifest))
    return manifest


def draw_greys(style: CaptchaStyle, jobs: list[Rendering]) -> np.ndarray:
    """Captchas that are only drawn, not stored: their grey pixels, uint8 [image, height, width]."""
    return np.stack([to_grey(draw_captcha(text, style, seed)) for text, seed, _ in jobs])


def _draw_files(style: CaptchaStyle, jobs: list[Rendering]) -> None:
    """What a worker process does: it draws and stores some captchas."""
    for text, seed, path in jobs:
        with files.written_whole(path) as temporary:
            save_captcha(draw_captcha(text, style, seed), temporary)
