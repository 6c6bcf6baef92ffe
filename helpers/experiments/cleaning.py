"""Delete experiments, or their images once they are packed; one that holds what is not ours stays whole."""

import contextlib
import os
import re
import shutil
import sys
from pathlib import Path

from helpers.data.texts import SPLITS
from helpers.errors import SettingsError, StepError, TutorialError
from helpers.files import only_writer, read_json, short
from helpers.settings import Settings, check_experiment_name, open_experiment

KEPT = ("choice.json", "tries.json", ".lock")  # what the project keeps beside the experiments
FOREIGN = "the project did not make it"
PARTS = re.compile(  # of an experiment
    r"(experiment|manifest|metrics)\.json|images(\.sha256)?|records|checkpoint|networks|notebooks|fonts|model\.keras|history\.csv|"
    r"progress\.csv|\.lock|\.writable|\.unfinished-.*|\.DS_Store"
)


def sort_out(folder: Path) -> dict[Path, str]:
    """What lies in a data folder, each with why it stays: "" for what the project made."""
    found: dict[Path, str] = {}
    for path in sorted(folder.iterdir()):
        quick = path.name == "quick" != folder.name and path.is_dir() and not path.is_symlink()
        try:
            found |= sort_out(path) if quick else {path: _why_it_stays(path)}
        except OSError as reason:
            found[path] = f"it cannot be read ({reason.strerror})"
    return found


def _why_it_stays(path: Path) -> str:
    if path.is_symlink() or not path.is_dir():
        return "it is a link" if path.is_symlink() else "" if path.name in KEPT else FOREIGN
    with contextlib.suppress(TutorialError):
        known = read_json(path / "experiment.json", made_by="notebook 02_generate_captchas").keys()
        if check_experiment_name(path.name) and {"style", "seed", "train_count"} <= known:
            networks = list(path.glob("networks/*"))
            parts = [*path.iterdir(), *path.glob("networks/*/*"), *(each for each in networks if not each.is_dir())]
            return next((f"it holds {part.name}: {FOREIGN}" for part in parts if not PARTS.fullmatch(part.name)), "")
    return "it has no experiment.json that describes an experiment" if path.name != "fonts" else "these are your fonts"


def size(path: Path) -> str:
    """How many files there are and how large; links are not followed."""
    files = [Path(place, name) for place, _, names in os.walk(path) for name in names] or [path]
    return f"{len(files):,} file{'s' * (len(files) > 1)}, {sum(f.lstat().st_size for f in files) / 1e6:,.1f} MB"


def remove_experiment(experiment: str, only: str = "", sure: bool = False) -> None:
    """Tell how large an experiment is on disk; with sure=True, delete it. StepError if it holds what is not ours.

    With only="images" these go alone, if its records are whole: training, reading and listing do not need them.
    """
    settings = open_experiment(experiment)
    folder, what = settings.folder, settings.images_folder if only else settings.folder
    if only not in ("", "images"):
        raise SettingsError(f"only: {only!r} must be 'images', or '' for the whole experiment.")
    if why := _why_it_stays(folder):
        raise StepError(f"{short(folder)} is not deleted: {why}. Move that elsewhere first.")
    if only:
        from helpers.data.shards import check_shards  # imports TensorFlow

        for split in SPLITS:
            check_shards(settings, split)
    print(f"{short(what)}: {size(what) if what.exists() else 'nothing'}")
    if not sure:
        return print("Nothing was deleted. To delete it, give the same call sure=True as well.")
    with contextlib.ExitStack() as locks:
        for each in (folder, *folder.glob("networks/*/")):
            locks.enter_context(only_writer(each))
        last = [folder / "experiment.json", folder / ".lock"]  # so that what is left after a stop is still known
        for path in [what] if only else [each for each in folder.iterdir() if each not in last] + last[:1]:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if not only:
        shutil.rmtree(folder)
    print("Deleted.")


def clean(settings: Settings) -> None:
    """Delete the experiments in the data folder, after telling how large they are and what stays."""
    folder = settings.data_dir
    found = sort_out(folder) if folder.is_dir() else {}
    for path, why in found.items():
        print(f"{short(path)} stays: {why}" if why else f"{short(path)}: {size(path)}")
    going = [path for path, why in found.items() if not why]
    if not going:
        return print("There is nothing to delete.")
    print("Delete all of this but what stays? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() != "y":
        return print("Nothing was deleted.")
    left = len(going)
    for path in going:
        try:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            left -= 1
        except OSError as reason:
            print(f"{short(path)} stays: it cannot be deleted ({reason.strerror})")
    with contextlib.suppress(OSError):  # it is not there, is a link, or something stays in it
        (folder / "quick").rmdir()
    print("Deleted." if not left else f"Deleted, but for {left} of {len(going)}.")
