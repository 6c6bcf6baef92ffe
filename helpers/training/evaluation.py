"""A trained network, evaluated: what it says about a whole split, its calibration, the test score."""

import dataclasses

import numpy as np

from helpers import files
from helpers.data.records import load_batches
from helpers.errors import StepError
from helpers.files.cores import PATIENCE, bar_of
from helpers.network.calibration import Calibration, find_usual, fit_temperature, looked_at, observed, weights_digest
from helpers.network.fitness import check_network
from helpers.network.saved import load_network
from helpers.network.views import careful_logits
from helpers.quiet_tensorflow import keras, tf
from helpers.scores import Proportion, captcha_accuracy, digit_accuracy
from helpers.settings import Settings
from helpers.training.augmentation import Augment, unchanged
from helpers.training.checkpoint import place_of
from helpers.training.fit import Training, first_captchas

ENOUGH, USUAL = 50, 0.6  # validation captchas that tell a temperature, and the temperature where there are fewer


def read_split(
    model: keras.Model, settings: Settings, split: str, augment: Augment = unchanged
) -> tuple[np.ndarray, np.ndarray]:
    """Labels [captchas, positions] of a split, and a network's logarithms of probabilities, [..., classes]."""
    read = tf.function(lambda images: careful_logits(model, images))
    batches, found = load_batches(settings, split, batch_size=250).map(augment), []
    with bar_of(settings.counts[split], delay=PATIENCE) as bar:
        for images, labels in batches:
            found.append((labels, read(images)))
            bar.update(len(images))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def calibrate(model: keras.Model, settings: Settings, augment: Augment = unchanged) -> Calibration:
    """How to take the network's answers, as validation captchas tell it: the temperature, and what is usual.

    `augment` changes each batch first, for a network that is to read such pictures. Where there are fewer captchas than
    `ENOUGH`, the temperature is that of `robust`, and training captchas help to tell what is usual.
    """
    check_network(model, settings.style)
    labels, logarithms = read_split(model, settings, "validation", augment)
    observer = observed(model)
    look = tf.function(lambda images: looked_at(*observer(images, training=False)))
    few = len(labels) < ENOUGH
    parts = [load_batches(settings, split, 250).take(20).map(augment) for split in ("validation", "train")[: 1 + few]]
    looks = [look(images) for batches in parts for images, _ in batches]
    certainties, responses = (np.concatenate(parts) for parts in zip(*looks, strict=True))
    if not responses.size:
        print("This network has no filters to look at: only an uncertain answer tells that a picture is foreign.")
    found = find_usual(USUAL if few else fit_temperature(logarithms, labels), certainties, responses)
    return dataclasses.replace(found, network=weights_digest(model))


def is_saved(model: keras.Model, settings: Settings) -> bool:
    """Whether `model` is the network in model.keras: the same weights and the same answers."""
    saved, images = load_network(settings.model_path).model, first_captchas(settings, "validation", 32)[0]
    pairs = zip(*([*each.get_weights(), each(images, training=False)] for each in (saved, model)), strict=False)
    return len(saved.weights) == len(model.weights) and all(np.allclose(*pair, equal_nan=True) for pair in pairs)


def score_test(model: keras.Model, settings: Settings, training: Training) -> Proportion:
    """Whole-captcha accuracy on the test split, also written to metrics.json, for the network in model.keras.

    Call it once, at the end: whoever chooses by the test split no longer has one. StepError for another network.
    """
    settings = place_of(model, settings)
    if not is_saved(model, settings):
        raise StepError(f"{files.short(settings.model_path)} holds another network than this. Run save_model first.")
    with files.only_writer(settings.network_folder):
        labels, logarithms = read_split(model, settings, "test")
        predicted = logarithms.argmax(axis=-1)
        score = captcha_accuracy(labels, predicted)
        metrics = {
            "captcha_accuracy": score.value, "captcha_accuracy_low": score.low, "captcha_accuracy_high": score.high,
            "captchas_right": score.right, "test_count": score.count, "train_images": settings.train_count,
            "digit_accuracy": digit_accuracy(labels, predicted), "train_seconds": round(training.seconds, 1),
            "epochs": settings.epochs, "parameters": model.count_params(),
            "model_digest": files.file_digest(settings.model_path),
            "curve_digest": files.file_digest(settings.progress_path) if settings.progress_path.is_file() else "",
            "versions": files.package_versions("tensorflow", "keras", "captcha", "pillow"),
        }  # fmt: skip
        files.write_json(settings.metrics_path, files.sealed(metrics))
    return score
