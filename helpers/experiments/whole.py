"""An experiment from its style, or from an adopted folder, to its test score, in one call."""

import contextlib
import dataclasses
from typing import Any

import numpy as np

from helpers.data.generate import draw_greys, generate
from helpers.data.images import renderings
from helpers.data.records import write_records
from helpers.errors import StepError, StyleError
from helpers.experiments import score_of
from helpers.experiments.distortion import ROBUST, Distortion, beside
from helpers.experiments.start import start_from as started
from helpers.files.cores import on_all_cores
from helpers.network.alexnet import build_alexnet
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import CaptchaStyle, Settings, load_settings, open_experiment
from helpers.training.augmentation import Augment, shift_batch, unchanged
from helpers.training.checkpoint import place_of
from helpers.training.evaluation import calibrate, is_saved, score_test
from helpers.training.fit import Training, compile_model, save_model, train
from helpers.training.workers import Workers, loss_told

MORE = {"train_count": 60_000, "epochs": 6}  # on the full profile, for `robust`
AUGMENT = Distortion(spared=0.15)  # of `robust`; the share was chosen by validation captchas
STEPS = 300  # of training on a few adopted pictures, with the weights of another network to begin with
FEW, DRAWN = 200, 2_000  # with fewer training pictures, so many captchas of these characters are drawn beside them


@loss_told()
def run_experiment(
    name: str, style: CaptchaStyle | None = None, start_from: str | None = None, profile: str | None = None,
    strategy: tf.distribute.Strategy | None = None, shards: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Draw, pack, train and test an experiment: what notebooks 2 to 4 do, without their looks. Returns its metrics.

    What is there already is not made again, so a stopped call goes on. Without a `style` it takes an experiment that is
    there, drawn or adopted, or makes "robust", the reader for other generators' captchas. `start_from` names another
    experiment whose network it begins with, None random weights; the `profile` None is that of CAPTCHA_PROFILE.
    With a `strategy`, as `join` gives it, workers train together, and the first one does all else; the `shards` may lie
    at another address. All return the metrics once they are there.
    """
    robust = name == "robust" and style is None
    style = ROBUST if robust else style
    workers = Workers(strategy)
    settings = load_settings(name, profile, style=style) if style else open_experiment(name, profile)
    settings = dataclasses.replace(settings, shards=shards, **(MORE if robust and settings.profile == "full" else {}))
    augment = AUGMENT if robust else shift_batch
    if settings.adopted and start_from:
        few = settings.train_count < FEW
        augment = beside_drawn(settings.style) if few else shift_batch
        settings = dataclasses.replace(settings, batch_size=16 if few else 32, learning_rate=0.002).with_steps(STEPS)
    workers.share_of(settings)  # refused before anything is drawn
    if workers.first and not settings.adopted:
        generate(settings)
    if workers.first and not shards:
        write_records(settings)
    workers.wait()
    keras.utils.set_random_seed(settings.seed)
    with workers.strategy.scope():
        model = build_alexnet(settings.style)
        model = started(model, settings, start_from) if start_from else model
        settings = place_of(model, settings)
        compile_model(model, settings)
    training = train(model, settings, augment=augment, strategy=strategy)
    if workers.first:
        _scored(model, settings, training, augment if robust else unchanged)
    workers.wait()
    return score_of(settings)


def _scored(model: keras.Model, settings: Settings, training: Training, augment: Augment) -> None:
    """Save, calibrate and test a trained network, unless that was done."""
    with contextlib.suppress(StepError):  # which tells that it is not saved or not scored yet
        if is_saved(model, settings):
            score_of(settings)
            return
    save_model(model, settings, calibrate(model, settings, augment))
    score_test(model, settings, training)


def beside_drawn(style: CaptchaStyle) -> Augment:
    """An augmentation that adds drawn captchas with characters and lengths of `style`, if there are fonts for it."""
    asked = {name: getattr(style, name) for name in ("alphabet", "length", "width", "height")}
    try:
        style = dataclasses.replace(ROBUST, **asked)
    except StyleError:
        return shift_batch
    jobs = list(renderings(load_settings("beside", style=style, train_count=DRAWN), "train"))
    greys = np.concatenate(list(on_all_cores(draw_greys, style, jobs, processes=1)))  # so it runs in any script
    return beside(greys[..., None], np.array([style.text_to_labels(job.text) for job in jobs], np.int32))
