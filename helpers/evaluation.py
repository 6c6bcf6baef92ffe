"""A trained network, evaluated: what it says about a whole split, its calibration, the test score."""

from __future__ import annotations

import numpy as np

from helpers import _storage
from helpers.alexnet import careful_logits
from helpers.analysis import fit_temperature
from helpers.calibration import Calibration, find_usual, looked_at, observed
from helpers.distortion import Augment
from helpers.quiet_tensorflow import keras, tf
from helpers.records import load_batches
from helpers.scores import Proportion, captcha_accuracy, digit_accuracy
from helpers.settings import Settings
from helpers.training import Training


def read_split(
    model: keras.Model, settings: Settings, split: str, augment: Augment | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What a network says about a whole split.

    Args:
        augment: what changes each batch first; None reads the captchas as drawn.

    Returns:
        Labels [captchas, positions], and logarithms of probabilities [captchas, positions, classes].
    """
    read = tf.function(lambda images: careful_logits(model, images))
    labels, logarithms = [], []
    for images, truth in _batches_of(settings, split, augment):
        labels.append(truth.numpy())
        logarithms.append(read(images).numpy())
    return np.concatenate(labels), np.concatenate(logarithms)


def _batches_of(settings: Settings, split: str, augment: Augment | None) -> tf.data.Dataset:
    batches = load_batches(settings, split, batch_size=250)
    return batches.map(augment) if augment else batches


def predict_split(model: keras.Model, settings: Settings, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predicted classes of a whole split, both [captchas, positions]."""
    labels, logarithms = read_split(model, settings, split)
    return labels, logarithms.argmax(axis=-1)


def calibrate(model: keras.Model, settings: Settings, augment: Augment | None = None) -> Calibration:
    """How the network's answers are to be taken, found out with validation captchas.

    The temperature: a network that was trained until it made hardly any mistake may be surer than it
    should be. One number by which all logits are divided corrects much of that (Guo and others 2017).
    And what is usual: how strong its answers are, and how its first filters respond.

    Args:
        augment: what changes each batch first, for a network that is to read such pictures.
    """
    labels, logarithms = read_split(model, settings, "validation", augment)
    observer = observed(model)
    look = tf.function(lambda images: looked_at(*observer(images, training=False)))
    looks = [look(images) for images, _ in _batches_of(settings, "validation", augment)]
    strengths, responses = (np.concatenate(parts) for parts in zip(*looks, strict=True))
    return find_usual(fit_temperature(logarithms, labels), strengths, responses)


def score_test(model: keras.Model, settings: Settings, training: Training) -> Proportion:
    """Whole-captcha accuracy on the test split, also written to metrics.json.

    Call it once, at the end: whoever chooses by the test split no longer has one.
    """
    labels, predicted = predict_split(model, settings, "test")
    score = captcha_accuracy(labels, predicted)
    metrics = {
        "captcha_accuracy": score.value,
        "captcha_accuracy_low": score.low,
        "captcha_accuracy_high": score.high,
        "captchas_right": score.right,
        "digit_accuracy": digit_accuracy(labels, predicted),
        "test_count": score.count,
        "train_seconds": round(training.seconds, 1),
        "train_images": settings.train_count,
        "epochs": settings.epochs,
        "parameters": model.count_params(),
        "model_digest": _storage.file_digest(settings.model_path),
        "versions": _storage.package_versions("tensorflow", "keras", "captcha", "pillow"),
    }
    _storage.write_json(settings.metrics_path, metrics)
    return score
