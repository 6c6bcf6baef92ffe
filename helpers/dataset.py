"""A folder of captchas in three splits, made in parallel, resumed where it was stopped.

Which split a text belongs to never changes, and the seed of every picture follows from the run's
seed, the split and the index. So the pictures do not depend on how many processes draw them, or
on where the work was interrupted.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from helpers import _storage
from helpers._storage import short
from helpers.captchas import draw_captcha, save_captcha
from helpers.errors import SettingsError, StepError
from helpers.settings import Settings, open_experiment
from helpers.styles import CaptchaStyle

SPLITS = ("train", "validation", "test")
NOTEBOOK = "notebook 02_generate_captchas"
CHUNK = 64  # images that a process draws before it reports


class Rendering(NamedTuple):
    """One captcha to be drawn: which text, with which seed, into which file."""

    text: str
    seed: int
    path: Path


def split_of(text: str) -> str:
    """The split that `text` belongs to, for ever: 80 % train, 10 % validation, 10 % test."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 10
    return {0: "test", 1: "validation"}.get(number, "train")


def derive_seed(*parts: object) -> int:
    """A 64-bit seed that depends on all `parts`, such as (run seed, split, index)."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def draw_text(style: CaptchaStyle, split: str, seed: int) -> str:
    """A random text of `style` that belongs to `split`."""
    generator = random.Random(seed)
    while True:
        length = generator.randint(*style.length)
        text = "".join(generator.choices(style.alphabet, k=length))
        if split_of(text) == split:
            return text


def renderings(settings: Settings, split: str) -> Iterator[Rendering]:
    """Every captcha of a split, in order."""
    digits = max(5, len(str(settings.counts[split] - 1)))
    for index in range(settings.counts[split]):
        seed = derive_seed(settings.seed, split, index)
        text = draw_text(settings.style, split, derive_seed(seed, "text"))
        name = f"{index:0{digits}d}_{text}.{settings.image_format}"
        yield Rendering(text, seed, settings.images_folder / split / name)


def check_texts(style: CaptchaStyle) -> None:
    """Refuse a style that has too few different texts for three splits.

    Raises:
        SettingsError: fewer than 100 texts.
    """
    count = sum(len(style.alphabet) ** n for n in range(style.min_length, style.max_length + 1))
    if count < 100:
        raise SettingsError(
            f"This style has {count} different texts, too few for three splits. "
            "Choose a longer length or a larger alphabet, so that there are at least 100."
        )


def _draw_files(style_fields: dict[str, Any], jobs: list[Rendering]) -> int:
    """Draw and store some captchas; what a worker process does."""
    style = CaptchaStyle.from_dict(style_fields)
    for text, seed, path in jobs:
        image = draw_captcha(text, style, seed)
        with _storage.written_whole(path) as temporary:
            save_captcha(image, temporary)
    return len(jobs)


def _chunks(jobs: list[Rendering]) -> list[list[Rendering]]:
    return [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]


def generate(settings: Settings, processes: int | None = None) -> dict[str, Any]:
    """Draw all captchas of an experiment that are not there yet; the manifest comes last.

    Args:
        processes: how many draw at once; None takes one for each core. 1 starts none.

    Returns:
        The image manifest: counts, digest of all images, package versions.

    Raises:
        StepError: an experiment of this name exists with other settings, or holds foreign files.
        SettingsError: a style with too few texts.
    """
    check_texts(settings.style)
    CaptchaStyle.from_dict(settings.style.to_dict())  # its fonts are here
    with _storage.only_writer(settings.folder):
        _begin(settings)
        return _complete(settings, processes or os.cpu_count() or 1)


def _begin(settings: Settings) -> None:
    """Write experiment.json, or see that the one on disk agrees."""
    path = settings.folder / "experiment.json"
    if path.exists():
        stored = open_experiment(settings.experiment, settings.profile, data_dir=settings.data_dir)
        if differences := stored.differences(settings):
            raise StepError(
                f"The experiment '{settings.experiment}' exists with other settings "
                f"({'; '.join(differences)}). Choose a new EXPERIMENT name, "
                f"or delete the folder {short(settings.folder)} if you no longer want it."
            )
    elif settings.images_folder.exists():
        raise StepError(
            f"{short(settings.images_folder)} holds images, but {short(path)} is missing. "
            "Choose a new EXPERIMENT name, or delete that folder."
        )
    else:
        _storage.write_json(path, settings.describe())


def _complete(settings: Settings, processes: int) -> dict[str, Any]:
    if (settings.folder / "manifest.json").exists():
        manifest = read_manifest(settings)
        for split in SPLITS:
            list_images(settings, split)
        return manifest

    jobs: list[Rendering] = []
    for split in SPLITS:
        folder = settings.images_folder / split
        folder.mkdir(parents=True, exist_ok=True)
        _storage.remove_unfinished(folder)
        jobs += renderings(settings, split)
    there = {entry.path for split in SPLITS for entry in os.scandir(settings.images_folder / split)}
    foreign = there - {str(job.path) for job in jobs}
    _refuse_foreign_files(path for path in foreign if not os.path.basename(path).startswith("."))
    todo = [job for job in jobs if str(job.path) not in there]

    bar = tqdm(total=len(jobs), initial=len(jobs) - len(todo), unit=" images", file=sys.stdout, ncols=79)
    style_fields = settings.style.to_dict()
    with bar:
        if processes == 1 or len(todo) < 2 * CHUNK:
            for chunk in _chunks(todo):
                bar.update(_draw_files(style_fields, chunk))
        else:
            # "spawn": a forked copy of a process that has used TensorFlow hangs.
            with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
                chunks = _chunks(todo)
                for done in pool.map(_draw_files, [style_fields] * len(chunks), chunks):
                    bar.update(done)

    manifest = {
        "counts": settings.counts,
        "images_digest": _storage.files_digest((job.path for job in jobs), settings.images_folder),
        "versions": _storage.package_versions("captcha", "pillow", "numpy"),
    }
    _storage.write_json(settings.folder / "manifest.json", _storage.sealed(manifest))
    return manifest


def _refuse_foreign_files(paths: Iterable[str]) -> None:
    if paths := sorted(paths):
        raise StepError(
            f"{short(Path(paths[0]))} is not an image of this experiment "
            f"({len(paths)} such file{'s' * (len(paths) > 1)}). Move it elsewhere, then run {NOTEBOOK} again."
        )


def read_manifest(settings: Settings) -> dict[str, Any]:
    """The image manifest of a complete data set.

    Raises:
        StepError: the images are not complete.
    """
    path = settings.folder / "manifest.json"
    if not path.exists():
        raise StepError(
            f"The images of experiment '{settings.experiment}' are missing or incomplete. "
            f"Run {NOTEBOOK} first; it goes on where it stopped."
        )
    return _storage.read_sealed(path, made_by=NOTEBOOK)


def list_images(settings: Settings, split: str) -> list[Rendering]:
    """All captchas of a split, in order; a file of each name is there.

    Raises:
        StepError: the images are incomplete, or a file was removed or added since.
    """
    read_manifest(settings)
    images = list(renderings(settings, split))
    folder = settings.images_folder / split
    there = set(os.listdir(folder)) if folder.is_dir() else set()
    if missing := [image.path for image in images if image.path.name not in there]:
        raise StepError(
            f"{short(missing[0])} is missing ({len(missing)} of {len(images)} images are). "
            f"Delete {short(settings.folder / 'manifest.json')} and run {NOTEBOOK} again: it draws those."
        )
    _refuse_foreign_files(
        str(folder / name) for name in there - {i.path.name for i in images} if not name.startswith(".")
    )
    return images


def check_images(settings: Settings) -> str:
    """The digest of all images, after every byte of them was compared with the manifest.

    Raises:
        StepError: an image is missing, or was changed since it was drawn.
    """
    expected = read_manifest(settings)["images_digest"]
    paths = [image.path for split in SPLITS for image in list_images(settings, split)]
    if _storage.files_digest(paths, settings.images_folder) != expected:
        raise StepError(
            f"The images in {short(settings.images_folder)} were changed after they were drawn. "
            f"Delete {short(settings.folder)} and run {NOTEBOOK} again."
        )
    return expected
