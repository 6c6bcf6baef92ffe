"""How to take a network's answers: how sure it may be, and whether a picture looks like those of its training.

A network has to answer, whatever it is shown. Two things give a foreign picture away. The answer is
weaker than usual: its largest logits are small. And the filters of the first convolution, which see
strokes and dots but no digits, respond to it more or less than usual. What is usual is found out with
validation captchas, as the temperature is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from helpers.quiet_tensorflow import keras, tf

ALARM = 0.005  # the share of validation captchas that each of the two signs takes for foreign


@dataclass(frozen=True)
class Calibration:
    """What validation captchas tell about a network's answers."""

    temperature: float = 1.0  # divides the logits, so that the network is as sure as it is right
    weakest: float = -np.inf  # strength of an answer below which a picture looks foreign
    means: tuple[float, ...] = ()  # of the filters' responses,
    deviations: tuple[float, ...] = ()  # one of each for every response
    farthest: float = np.inf  # distance from these above which a picture looks foreign

    def familiar(self, strengths: np.ndarray, responses: np.ndarray) -> np.ndarray:
        """Whether each picture looks like those of the training, bool [pictures]; both as `looked_at` gives them."""
        if not self.means:
            return np.ones(len(strengths), bool)
        distances = distances_from_usual(responses, np.array(self.means), np.array(self.deviations))
        return (strengths >= self.weakest) & (distances <= self.farthest)

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return asdict(self) if self.means else {"temperature": self.temperature}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Calibration:
        """The calibration whose `to_dict` gave `values`."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


UNCALIBRATED = Calibration()  # the answers as they are; every picture looks familiar


def observed(model: keras.Model) -> keras.Model:
    """The network with two outputs: its logits, and what its first filters respond, after the first max-pool."""
    return keras.Model(model.input, [model.output, model.get_layer("pool1").output])


def looked_at(logits: tf.Tensor, filtered: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The two signs by which a foreign picture is told, from what `observed` gives.

    Returns:
        The strength of each answer, its largest logits averaged over the positions, [pictures]; and
        each filter's mean response and its deviation over the picture, [pictures, 2 * channels].
    """
    means, variances = tf.nn.moments(filtered, axes=[1, 2])
    return tf.reduce_mean(tf.reduce_max(logits, axis=-1), axis=-1), tf.concat([means, tf.sqrt(variances)], axis=1)


def distances_from_usual(responses: np.ndarray, means: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """How many deviations responses [pictures, 2 * channels] are from means, squared and averaged: 1 is usual."""
    return (((responses - means) / deviations) ** 2).mean(axis=1)


def find_usual(temperature: float, strengths: np.ndarray, responses: np.ndarray) -> Calibration:
    """The calibration for which these captchas, all but a few, are familiar; both as `looked_at` gives them."""
    means, deviations = responses.mean(axis=0), responses.std(axis=0) + 1e-6
    distances = distances_from_usual(responses, means, deviations)
    return Calibration(
        temperature=temperature,
        weakest=float(np.quantile(strengths, ALARM)),
        means=tuple(means.tolist()),
        deviations=tuple(deviations.tolist()),
        farthest=float(np.quantile(distances, 1 - ALARM)),
    )


def tempered(logarithms: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities from logits, or logarithms of probabilities, [..., classes], divided by `temperature`."""
    scaled = np.asarray(logarithms, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def fit_temperature(logarithms: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, 0.2 to 5, that gives the truth the highest probability; above 1 the network is less sure.

    Choose it with validation captchas: logarithms of probabilities [captchas, positions, classes], and labels.
    It changes no reading, only how sure the network is of it. Source: Guo, Pleiss, Sun, Weinberger 2017,
    arXiv:1706.04599, section 4.2.
    """

    def loss(temperature: float) -> float:
        given = np.take_along_axis(tempered(logarithms, temperature), labels[..., None], axis=-1)
        return float(-np.log(np.maximum(given, 1e-300)).mean())

    low, high = np.log(0.2), np.log(5.0)
    while high - low > 1e-4:  # the loss has one minimum: the third without it is dropped
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if loss(np.exp(left)) < loss(np.exp(right)) else (left, high)
    return float(np.exp((low + high) / 2))
