"""Damages files of an experiment at random, and tries on each the steps that follow: was it noticed?

The damages are a bit, a cut, a swap with the file of another experiment, and a missing file, drawn evenly over the
kinds of file. An outcome is "detected", when a step refused the file in a sentence of the project's own, or told that
it made it anew; "harmless", when all results were true; "unseen", when one was not, without a word; "ugly", when a step
ended in an error of another kind.
"""

import collections
import contextlib
import hashlib
import io
import os
import random
import shutil
import tempfile
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from helpers.data.generate import generate
from helpers.data.images import check_images, list_images
from helpers.data.records import load_batches, write_records
from helpers.data.texts import SPLITS
from helpers.errors import TutorialError
from helpers.experiments import list_experiments
from helpers.files import read_rows
from helpers.network.alexnet import build_alexnet
from helpers.quiet_tensorflow import keras
from helpers.reading import Reader
from helpers.settings import Settings, load_settings, open_experiment
from helpers.training.evaluation import calibrate, score_test
from helpers.training.fit import compile_model, save_model, train

COUNTS = {"train_count": 48, "validation_count": 12, "test_count": 12}
LEARNED = {"epochs": 2, "batch_size": 16}
FILES = (  # kinds of file, as patterns below the experiment's folder
    *("experiment.json", "manifest.json", "images.sha256", "images/*/*.png", "records/manifest.json"),
    *("records/*.tfrecord", "model.keras", "metrics.json", "history.csv", "progress.csv"),
    *("checkpoint/*.json", "checkpoint/*.h5"),
)
OUTCOMES = ("detected", "harmless", "unseen", "ugly")
KINDS = ("bit", "cut", "swap", "missing")
CHUNK = 48
Row = tuple[str, str, str, str]
"""File, kind of damage, outcome, what was said."""


def network(settings: Settings) -> keras.Model:
    """The network that both experiments train, new and compiled."""
    keras.utils.set_random_seed(1)
    return compile_model(build_alexnet(settings.style, filters=(4, 4, 4, 4, 4), dense_units=(8, 8)), settings)


def prepare(data_dir: Path) -> None:
    """Two experiments of one style, drawn, packed, trained and scored, in a data folder."""
    for name, seed in (("base", 1), ("other", 2)):
        settings = load_settings(name, data_dir=data_dir, seed=seed, **COUNTS, **LEARNED)
        generate(settings, processes=1)
        write_records(settings)
        model = network(settings)
        training = train(model, settings)
        save_model(model, settings, calibrate(model, settings))
        score_test(model, settings, training)


def damage(path: Path, kind: str, other: Path, chance: random.Random) -> None:
    """Spoil one file; `other` is the corresponding file of the other experiment."""
    content = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "swap":
        shutil.copyfile(other, path)
    elif kind == "cut":
        path.write_bytes(content[: chance.randrange(len(content))])
    else:
        at = chance.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :])


def digest(*arrays: Any) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def steps(data_dir: Path) -> dict[str, Callable[[], Any]]:
    """What a learner does next, each as a function that returns what it found."""
    given = load_settings("base", data_dir=data_dir, seed=1, **COUNTS, **LEARNED)

    def opened() -> Settings:
        return open_experiment("base", data_dir=data_dir, **LEARNED)

    def images() -> Any:
        return [digest(np.frombuffer(image.path.read_bytes(), np.uint8)) for image in check_images(opened())[1]]

    def batches() -> Any:
        return [digest(images, labels) for split in SPLITS for images, labels in load_batches(opened(), split)]

    def training() -> Any:
        settings = opened()
        model = network(settings)
        rows = train(model, settings).rows
        return digest(*model.get_weights()), [row["loss"] for row in rows], len(read_rows(settings.history_path))

    def reading() -> Any:
        reader = Reader.load(opened().model_path.parent.name)
        pictures = [image.path for image in list_images(opened(), "test")]
        return [(each.text, each.confidence, each.familiar) for each in reader.read(pictures)]

    def listing() -> Any:
        named = {experiment.name: experiment for experiment in list_experiments(opened())}
        assert "other" in named, "a broken neighbour hid the others"
        return (base := named["base"]).metrics, base.accuracies

    return {
        "draw": lambda: generate(given, processes=1)["images_digest"],
        "images": images, "pack": lambda: write_records(opened())["shards"], "batches": batches,
        "list": listing, "read": reading, "train": training,
    }  # fmt: skip


def outcome(data_dir: Path, truth: dict[str, Any] | None, skip: tuple[str, ...] = ()) -> tuple[str, Any]:
    """What comes of the steps: ("detected", the sentence), ("harmless", ""), ("unseen", step) or ("ugly", error)."""
    found, told = {}, ""
    for name, step in steps(data_dir).items():
        if name in skip:
            continue
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
                found[name] = step()
        except TutorialError as reason:
            told = told or f"{name}: {reason}"
            continue
        except Exception as reason:
            if name == "list" and isinstance(reason, KeyError) and "not listed: base" in said.getvalue():
                told = told or f"{name}: {said.getvalue().strip()}"
                continue
            last = traceback.extract_tb(reason.__traceback__)[-1]
            return "ugly", f"{name}: {type(reason).__name__} {reason} ({Path(last.filename).name}:{last.lineno})"
        words = [line for line in said.getvalue().splitlines() if "anew, since" in line or "set aside" in line]
        words += [line for line in said.getvalue().splitlines() if line.startswith("not listed: the curve of base")]
        told = told or "".join(f"{name}: {line}" for line in words[:1])
        if truth and found[name] != truth[name] and not words:
            return "unseen", name
    return ("detected", told) if told else ("harmless", found if truth is None else "")


def try_damages(numbers: range, seed: int, folder: Path) -> list[Row]:
    """What came of these damages; each depends on its own number and the seed alone. `folder` holds `prepare`d data."""
    rows, place = [], Path(tempfile.mkdtemp(dir=folder))
    shutil.copytree(folder / "whole", place / "truth")
    truth = outcome(data_in(place / "truth"), None)
    assert truth[0] == "harmless", truth
    cases = [(pattern, kind) for pattern in FILES for kind in KINDS]
    for number in numbers:
        chance, (pattern, kind) = random.Random(f"{seed}-{number}"), cases[number % len(cases)]
        copy = place / "copy"
        shutil.copytree(folder / "whole", copy)
        path = chance.choice(sorted((copy / "base").glob(pattern)))
        other = copy / "other" / path.parent.relative_to(copy / "base")
        twin = min(other.glob(f"{path.name[:5]}*{path.suffix}"))
        damage(path, kind, twin, chance)
        trains = pattern.startswith(("checkpoint", "history", "progress", "experiment"))
        rows.append((pattern, kind, *outcome(data_in(copy), truth[1], () if trains else ("train",))))
        shutil.rmtree(copy)
    shutil.rmtree(place)
    return rows


def data_in(folder: Path) -> Path:
    """The folder itself; `Reader.load` takes it from the environment."""
    os.environ["CAPTCHA_DATA_DIR"] = str(folder)
    return folder


def table(rows: list[Row]) -> str:
    """How often which outcome came, for each kind of file."""
    counts = collections.Counter((pattern, result) for pattern, _, result, _ in rows)
    lines = ["| file | " + " | ".join(OUTCOMES) + " |", "|---|" + "---|" * len(OUTCOMES)]
    lines += [
        f"| {pattern} | " + " | ".join(str(counts[pattern, name]) for name in OUTCOMES) + " |" for pattern in FILES
    ]
    total = collections.Counter(result for _, _, result, _ in rows)
    return "\n".join([*lines, "| all | " + " | ".join(str(total[name]) for name in OUTCOMES) + " |"])


def report(count: int, seed: int, folder: Path) -> str:
    """A table of so many damages, and a line for each that went unseen or was ugly.

    A new process makes each `CHUNK` of them, since TensorFlow keeps the graphs of all networks that it ever saw.
    """
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"  # as many processes as cores share the work already
    alone = {"mp_context": get_context("spawn"), "max_tasks_per_child": 1}
    chunks = [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    rows: list[Row] = []
    with ProcessPoolExecutor(os.cpu_count(), **alone) as pool:
        pool.submit(prepare, folder / "whole").result()  # with one thread too: weights are the same to the bit
        for done in as_completed([pool.submit(try_damages, chunk, seed, folder) for chunk in chunks]):
            rows += (found := done.result())
            counts = collections.Counter(result for _, _, result, _ in rows)
            print(f"{len(rows):,} damages: " + ", ".join(f"{counts[name]} {name}" for name in OUTCOMES), flush=True)
            for file, kind, result, said in found:
                if result in OUTCOMES[2:]:
                    print(f"{result}: {kind} in {file}: {said}", flush=True)
    del os.environ["TF_NUM_INTRAOP_THREADS"]
    return table(rows)
