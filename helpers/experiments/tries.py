"""A style tried in a minute: what does a network read of it, before and after it has seen some?

`try_style` draws a few thousand captchas in memory, trains a network on them and forgets both. What stays is a
row in `tries.json`, in the data folder. It looks at validation captchas alone: whoever chooses a style by its
tries has not chosen by the test.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from helpers import files, scores
from helpers.captchas.styles import CaptchaStyle
from helpers.data.cores import bar_of, on_all_cores
from helpers.data.generate import draw_greys
from helpers.data.images import renderings
from helpers.data.records import PREPARED, untuned
from helpers.data.texts import check_texts
from helpers.errors import StepError, TutorialError
from helpers.experiments import fitting_networks
from helpers.network.alexnet import build_alexnet
from helpers.network.saved import load_network
from helpers.network.views import careful_logits
from helpers.quiet_tensorflow import keras, tf
from helpers.scores import Proportion
from helpers.settings import Settings, load_settings
from helpers.training.augmentation import shift_batch
from helpers.training.fit import TrainingStopped, compile_model
from helpers.training.precision import quick_layers

FORMAT = 1  # of tries.json
COUNTS = {"train_count": 5_000, "validation_count": 1_000, "test_count": 1}  # no test captcha is ever drawn
WARM = {"epochs": 1, "batch_size": 32}
COLD = {"epochs": 4, "batch_size": 32}
Captchas = tuple[np.ndarray, np.ndarray]
"""Images uint8 [captchas, height, width, 1] and labels int32 [captchas, positions]."""


@dataclass(frozen=True)
class Try:
    """What became of a style; each proportion counts validation captchas that were read completely right."""

    style: CaptchaStyle
    start: str | None  # the network that it began with, by the name of its experiment; None: with random weights
    accuracy: Proportion  # of the new network, on the style
    before: Proportion | None  # of the network that it began with, on the style
    forgot: Proportion | None  # of the new network, on the style that it began with
    seconds: float
    date: str  # YYYY-MM-DD

    def __str__(self) -> str:
        lines = {
            f"the network of '{self.start}', on this style": self.before,
            "the new network, on this style": self.accuracy,
            f"the new network, on the style of '{self.start}'": self.forgot,
        }
        return "\n".join(f"{name}: {score}" for name, score in lines.items() if score)

    __repr__ = __str__


def try_style(style: CaptchaStyle, start: str | None = "default", again: bool = False) -> Try:
    """Train a network on 5,000 captchas of a style, and tell what it reads of 1,000 others; nothing else is kept.

    It begins with a trained network that reads such captchas, if there is one. A style that was tried before from
    the same network is not trained again: its row comes back.

    Args:
        start: the experiment whose network it begins with; if that has none which fits, another takes its place.
            None begins with random weights, which takes longer and reads less.
        again: train anew, and replace the row.
    """
    check_texts(style)
    found = fitting_networks(load_settings(), style) if start else {}
    if start not in (None, "default", *found):
        raise StepError(f"No network of '{start}' reads such captchas. Choose one of: {', '.join(found) or 'none'}.")
    start = start if start in found else next(iter(found), None)
    known = [row for row in list_tries() if (row.style, row.start) == (style, start)]
    if known and not again:
        print(f"tried before, on {known[0].date}; pass again=True to try it anew")
        return known[0]
    print(f"begins with the network of '{start}'" if start else "no network is there to begin with: random weights")
    try:
        row = _tried(style, start, found)
    except KeyboardInterrupt:
        raise TrainingStopped("Stopped. Nothing of this try was kept.") from None
    keep_try(row)
    return row


def _tried(style: CaptchaStyle, start: str | None, found: dict[str, tuple[Path, CaptchaStyle]]) -> Try:
    """Draw, train and score; `found` are the networks that fit, each with its style."""
    began = time.perf_counter()
    settings = load_settings("try", style=style, **COUNTS, **(WARM if start else COLD))
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    training, validation = drawn(settings, "train"), drawn(settings, "validation")
    model, before, old = None, None, None
    if start:
        path, old_style = found[start]
        model, old = load_network(path).model, drawn(dataclasses.replace(settings, style=old_style), "validation")
        before = score(model, validation)
    model = fitted(model or build_alexnet(style), settings, training)
    accuracy, forgot = score(model, validation), score(model, old) if old else None
    seconds = round(time.perf_counter() - began, 1)
    return Try(style, start, accuracy, before, forgot, seconds, datetime.date.today().isoformat())


def drawn(settings: Settings, split: str) -> Captchas:
    """The captchas of a split, drawn in memory."""
    jobs = list(renderings(settings, split))
    parts = list(on_all_cores(draw_greys, settings.style, jobs, what=f"drawing {split}"))
    labels = [settings.style.text_to_labels(job.text) for job in jobs]
    return np.concatenate(parts)[..., None], np.array(labels, np.int32)


def fitted(model: keras.Model, settings: Settings, captchas: Captchas) -> keras.Model:
    """`model`, trained on some captchas that are in memory, by the recipe of notebook 4."""
    compile_model(model, settings)
    batches = tf.data.Dataset.from_tensor_slices(captchas).shuffle(len(captchas[0]), seed=settings.seed)
    batches = untuned(batches.batch(settings.batch_size).map(shift_batch).prefetch(PREPARED))
    with bar_of(settings.epochs * len(captchas[0]), "training") as bar, quick_layers(model, None):
        step = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_: bar.update(settings.batch_size))
        model.fit(batches, epochs=settings.epochs, shuffle=False, verbose=0, callbacks=[step])
    return model


def score(model: keras.Model, captchas: Captchas) -> Proportion:
    """How many captchas a network reads completely right."""
    read, (images, labels) = tf.function(partial(careful_logits, model)), captchas
    parts = [read(images[start : start + 250]).numpy() for start in range(0, len(images), 250)]
    return scores.captcha_accuracy(labels, np.concatenate(parts).argmax(axis=-1))


def list_tries(path: Path | None = None) -> list[Try]:
    """The tries in the data folder, in the order in which they were made; or those in another file.

    A StepError tells of a file that is damaged, or that a newer version of these notebooks wrote.
    """
    path = path or _path()
    if not path.is_file():
        return []
    try:
        stored = files.read_json(path, made_by="the try")
        if stored["format"] > FORMAT:
            raise ValueError("a newer version of these notebooks wrote it")
        return [_from_row(row) for row in stored["rows"]]
    except (KeyError, TypeError, ValueError, TutorialError) as reason:
        raise StepError(f"{files.short(path)} cannot be used ({reason}). Rename it, and it is begun anew.") from None


def keep_try(row: Try) -> None:
    """Add a row to the file of tries, in place of an earlier one of the same style and network."""
    with files.only_writer(_path().parent, wait=10):
        others = [each for each in list_tries() if (each.style, each.start) != (row.style, row.start)]
        rows = [to_row(each) for each in [*others, row]]
        files.write_json(_path(), {"format": FORMAT, "rows": rows})


def to_row(row: Try) -> dict[str, Any]:
    """A try as JSON values."""
    pairs = {name: getattr(row, name) for name in ("accuracy", "before", "forgot")}
    counts = {name: pair and list(pair[:2]) for name, pair in pairs.items()}
    return {"style": row.style.to_dict(), "start": row.start, "seconds": row.seconds, "date": row.date, **counts}


def _from_row(row: dict[str, Any]) -> Try:
    counts = {name: row[name] and scores.proportion(*row[name]) for name in ("accuracy", "before", "forgot")}
    return Try(CaptchaStyle.from_dict(row["style"], check_fonts=False),
               row["start"], seconds=float(row["seconds"]), date=str(row["date"]), **counts)  # fmt: skip


def _path() -> Path:
    return load_settings().data_dir / "tries.json"
