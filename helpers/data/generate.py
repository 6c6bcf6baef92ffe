"""Draw the images of an experiment: in parallel, and going on after a stop.

The pictures do not depend on how many processes draw them, or on where the work was interrupted.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from tqdm import tqdm

from helpers import files
from helpers.captchas.drawing import draw_captcha, save_captcha
from helpers.captchas.styles import CaptchaStyle
from helpers.data.images import Rendering, image_manifest, list_images, refuse_foreign_files, renderings
from helpers.data.texts import SPLITS, check_texts
from helpers.errors import StepError
from helpers.files import short
from helpers.settings import Settings, open_experiment

CHUNK = 64  # images that a process draws before it reports


def generate(settings: Settings, processes: int | None = None) -> dict[str, Any]:
    """Draw all captchas of an experiment that are not there yet; the manifest comes last and is returned.

    So many `processes` draw at once; None takes one for each core, 1 starts none. It refuses a style
    with too few texts, an experiment of this name with other settings, and one that holds foreign files.
    """
    check_texts(settings.style)
    CaptchaStyle.from_dict(settings.style.to_dict())  # refused if its fonts are missing
    with files.only_writer(settings.folder):
        _begin(settings)
        if not settings.manifest_path.exists():
            return _complete(settings, processes or os.cpu_count() or 1)
        for split in SPLITS:
            list_images(settings, split)
        return image_manifest(settings)


def _begin(settings: Settings) -> None:
    """Write experiment.json, or check that the one on disk agrees."""
    path = settings.folder / "experiment.json"
    if path.exists():
        stored = open_experiment(settings.experiment, settings.profile, data_dir=settings.data_dir)
        if differences := stored.differences(settings):
            raise StepError(
                f"The experiment '{settings.experiment}' exists with other settings ({'; '.join(differences)}). Choose "
                f"a new EXPERIMENT name, or delete the folder {short(settings.folder)} if you no longer want it."
            )
    elif settings.images_folder.exists():
        raise StepError(
            f"{short(settings.images_folder)} holds images, but {short(path)} is missing. "
            "Choose a new EXPERIMENT name, or delete that folder."
        )
    else:
        files.write_json(path, settings.describe())


def _complete(settings: Settings, processes: int) -> dict[str, Any]:
    """Draw what is missing, then write the manifest."""
    jobs = [job for split in SPLITS for job in renderings(settings, split)]
    there: set[str] = set()
    for split in SPLITS:
        folder = settings.images_folder / split
        folder.mkdir(parents=True, exist_ok=True)
        files.remove_unfinished(folder)
        there |= {entry.path for entry in os.scandir(folder)}
    refuse_foreign_files(there - {str(job.path) for job in jobs})
    _draw(settings.style, [job for job in jobs if str(job.path) not in there], len(jobs), processes)
    manifest = {
        "counts": settings.counts,
        "images_digest": files.files_digest((job.path for job in jobs), settings.images_folder),
        "versions": files.package_versions("captcha", "pillow", "numpy"),
    }
    files.write_json(settings.manifest_path, files.sealed(manifest))
    return manifest


def _draw(style: CaptchaStyle, todo: list[Rendering], total: int, processes: int) -> None:
    """Draw and store the captchas in `todo`, with a progress bar."""
    chunks = [todo[start : start + CHUNK] for start in range(0, len(todo), CHUNK)]
    with tqdm(total=total, initial=total - len(todo), unit=" images", file=sys.stdout, ncols=79) as bar:
        if processes == 1 or len(chunks) < 3:
            for chunk in chunks:
                bar.update(_draw_files(style.to_dict(), chunk))
            return
        # "spawn": a forked copy of a process that has used TensorFlow hangs.
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            for done in pool.map(_draw_files, [style.to_dict()] * len(chunks), chunks):
                bar.update(done)


def _draw_files(style_fields: dict[str, Any], jobs: list[Rendering]) -> int:
    """What a worker process does: it draws and stores some captchas, and returns how many."""
    style = CaptchaStyle.from_dict(style_fields)
    for text, seed, path in jobs:
        with files.written_whole(path) as temporary:
            save_captcha(draw_captcha(text, style, seed), temporary)
    return len(jobs)
