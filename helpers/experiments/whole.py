"""An experiment from its style to its test score, in one call."""

from typing import Any

from helpers import files
from helpers.data.generate import generate
from helpers.data.records import write_records
from helpers.experiments.start import start_from as started
from helpers.network.alexnet import build_alexnet
from helpers.quiet_tensorflow import keras
from helpers.settings import CaptchaStyle, load_settings, open_experiment
from helpers.training.checkpoint import place_of
from helpers.training.evaluation import calibrate, is_saved, score_test
from helpers.training.fit import compile_model, save_model, train


def run_experiment(
    name: str, style: CaptchaStyle | None = None, start_from: str | None = None, profile: str | None = None
) -> dict[str, Any]:
    """Draw, pack, train and test an experiment: what notebooks 2 to 4 do, without their looks. Returns its metrics.

    What is there already is not made again, so a call that was stopped goes on where it was. Without a `style` it takes
    an experiment that is there. `start_from` names the experiment whose network it begins with; None begins with random
    weights. `profile` is "full" or "quick"; None takes it from CAPTCHA_PROFILE.
    """
    settings = load_settings(name, profile, style=style) if style else open_experiment(name, profile)
    generate(settings)
    write_records(settings)
    keras.utils.set_random_seed(settings.seed)
    model = build_alexnet(settings.style)
    model = started(model, settings, start_from) if start_from else model
    settings = place_of(model, settings)
    training = train(compile_model(model, settings), settings)
    if not (settings.metrics_path.is_file() and settings.model_path.is_file() and is_saved(model, settings)):
        save_model(model, settings, calibrate(model, settings))
        score_test(model, settings, training)
    return files.read_json(settings.metrics_path, made_by="notebook 04_train_alexnet")
