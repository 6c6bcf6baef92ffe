"""Draw the images of an experiment: the same ones, by however many processes and wherever the work was stopped."""

import dataclasses
import hashlib
import itertools
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from helpers import files
from helpers.captchas.drawing import draw_captcha, encoded
from helpers.captchas.fonts import keep_fonts
from helpers.captchas.pictures import to_grey
from helpers.captchas.styles import CaptchaStyle
from helpers.data import images
from helpers.data.images import Rendering, image_manifest, renderings
from helpers.data.texts import SPLITS, check_texts
from helpers.errors import StepError, Stopped
from helpers.files.cores import PATIENCE, bar_of, on_all_cores
from helpers.settings import Settings, open_experiment


def generate(settings: Settings, processes: int | None = None, executor: Executor | None = None) -> dict[str, Any]:
    """Draw all captchas of an experiment that are not there yet; the manifest comes last and is returned.

    So many `processes` draw at once; None takes one for each core, 1 starts none. Or an `executor` draws, a
    `concurrent.futures.Executor` such as Dask's, on as many computers as it has: this one writes the files.
    SettingsError for a style with too few texts; StepError for an experiment of this name with other settings, and
    for one that holds foreign files.
    """
    if settings.adopted:
        raise StepError(f"'{settings.experiment}' holds labelled pictures that were adopted: there is nothing to draw.")
    check_texts(settings.style)
    dataclasses.replace(settings.style, check_fonts=True)  # refused if its fonts are missing
    needed = (settings.manifest_path, path := settings.folder / "experiment.json", settings.images_folder)
    if not all(path.exists() for path in needed):
        with files.only_writer(settings.folder):
            images.restore(settings)
            if not path.exists():
                settings.list_path.unlink(missing_ok=True)  # nothing tells how what is there was drawn
                keep_fonts(settings.style.fonts, settings.own_fonts)
                files.write_json(path, settings.describe())
            check_same(settings)
            if not all(path.exists() for path in needed):
                return _complete(settings, processes, executor)
    check_same(settings)
    images.check_images(settings)
    return image_manifest(settings)


def check_same(settings: Settings) -> None:
    """StepError if the experiment of this name was begun with another style, seed or count."""
    stored = open_experiment(settings.experiment, settings.profile, data_dir=settings.data_dir)
    if differences := stored.differences(settings):
        why = f"The experiment '{settings.experiment}' exists with other settings ({'; '.join(differences)}). Choose"
        raise StepError(f"{why} a new EXPERIMENT name; or, if you do not want it, remove_experiment, see notebook 5.")


def _complete(settings: Settings, processes: int | None, executor: Executor | None) -> dict[str, Any]:
    """Draw what is missing or changed, then write the manifest.

    The digest of each image goes into a list as soon as it is drawn, in the form that `sha256sum -c` reads.
    """
    jobs = {images.name_in_list(job.path): job for split in SPLITS for job in renderings(settings, split)}
    there, listed = images.names_there(settings, jobs), images.read_list(settings)
    bar = bar_of([name for name in jobs if name in there], delay=PATIENCE)
    drawn = {name: listed[name] for name in bar if listed.get(name) == files.file_digest(jobs[name].path)}
    todo = [name for name in jobs if name not in drawn]
    files.check_room(settings.folder, len(todo) * settings.style.height * settings.style.image_width / 2, "The images")
    waiting, draw = [jobs[name] for name in todo], _draw_files if executor is None else draw_contents
    work = on_all_cores(draw, settings.style, waiting, processes, done=len(drawn), executor=executor)
    try:
        with files.disk_watched(settings.list_path), open(settings.list_path, "w", 1, "utf-8") as file:
            file.writelines(f"{digest}  images/{name}\n" for name, digest in drawn.items())
            for made, name in zip(itertools.chain.from_iterable(work), todo, strict=True):
                digest = made if executor is None else _store(made, jobs[name].path)
                file.write(f"{digest}  images/{name}\n")
                drawn[name] = digest
    except KeyboardInterrupt:
        why = f"Stopped. {len(drawn):,} of {len(jobs):,} images are kept."
        raise Stopped(f"{why} Run this again: it goes on.") from None
    drawn = {name: drawn[name] for name in jobs}
    with files.written_whole(settings.list_path) as temporary:
        temporary.write_text("".join(f"{digest}  images/{name}\n" for name, digest in drawn.items()), "utf-8")
    manifest = {"counts": settings.counts, "images_digest": files.joint_digest(drawn)}
    manifest |= {"experiment": settings.describe(), "versions": files.package_versions("captcha", "pillow", "numpy")}
    files.write_json(settings.manifest_path, files.sealed(manifest))
    return manifest


def draw_greys(style: CaptchaStyle, jobs: list[Rendering]) -> np.ndarray:
    """Captchas that are only drawn, not stored: their grey pixels, uint8 [image, height, width]."""
    return np.stack([to_grey(draw_captcha(text, style, seed)) for text, seed, _ in jobs])


def draw_contents(style: CaptchaStyle, jobs: list[Rendering]) -> list[bytes]:
    """What a worker on another computer does: it draws some captchas, and returns what their files will hold."""
    return [encoded(draw_captcha(text, style, seed), path.suffix) for text, seed, path in jobs]


def _draw_files(style: CaptchaStyle, jobs: list[Rendering]) -> list[str]:
    """What a worker process here does: it draws and stores some captchas, and returns the digests of their files."""
    return [_store(*draw_contents(style, [job]), job.path) for job in jobs]


def _store(content: bytes, path: Path) -> str:
    with files.written_whole(path) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
