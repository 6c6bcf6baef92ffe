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
from helpers.quiet_tensorflow import keras
from helpers.settings import CaptchaStyle, load_settings, open_experiment
from helpers.training.augmentation import Augment, shift_batch, unchanged
from helpers.training.checkpoint import place_of
from helpers.training.evaluation import calibrate, is_saved, score_test
from helpers.training.fit import compile_model, save_model, train

MORE = {"train_count": 60_000, "epochs": 6}  # on the full profile, for `robust`
STEPS = 300  # of training on a few adopted pictures, with the weights of another network to begin with
FEW, DRAWN = 200, 2_000  # with fewer training pictures, so many captchas of these characters are drawn beside them


def run_experiment(
    name: str, style: CaptchaStyle | None = None, start_from: str | None = None, profile: str | None = None
) -> dict[str, Any]:
    """Draw, pack, train and test an experiment: what notebooks 2 to 4 do, without their looks. Returns its metrics.

    What is there already is not made again, so a stopped call goes on. Without a `style` it takes an experiment that is
    there, drawn or adopted, or makes "robust", the reader for other generators' captchas. `start_from` names another
    experiment whose network it begins with, None random weights; the `profile` None is that of CAPTCHA_PROFILE.
    """
    robust = name == "robust" and style is None
    style = ROBUST if robust else style
    settings = load_settings(name, profile, style=style) if style else open_experiment(name, profile)
    settings = dataclasses.replace(settings, **MORE) if robust and settings.profile == "full" else settings
    augment = Distortion() if robust else shift_batch
    if not settings.adopted:
        generate(settings)
    elif start_from:
        few = settings.train_count < FEW
        augment = beside_drawn(settings.style) if few else shift_batch
        settings = dataclasses.replace(settings, batch_size=16 if few else 32, learning_rate=0.002).with_steps(STEPS)
    write_records(settings)
    keras.utils.set_random_seed(settings.seed)
    model = build_alexnet(settings.style)
    model = started(model, settings, start_from) if start_from else model
    settings = place_of(model, settings)
    training = train(compile_model(model, settings), settings, augment=augment)
    with contextlib.suppress(StepError):  # which tells that it is not saved or not scored yet
        if is_saved(model, settings):
            return score_of(settings)
    save_model(model, settings, calibrate(model, settings, augment if robust else unchanged))
    score_test(model, settings, training)
    return score_of(settings)


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
