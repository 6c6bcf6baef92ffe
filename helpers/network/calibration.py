"""How to take a network's answers: how sure it may be, and whether a picture looks like those of its training.

Two signs give a foreign picture away: the characters that the network reads have smaller probabilities than usual,
and the filters of its first convolution, which see strokes and dots, respond more or less than usual. Validation
captchas tell what is usual, and the temperature.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from helpers.quiet_tensorflow import keras, tf

ALARM = 0.005  # the share of validation captchas that each of the two signs takes to be foreign


@dataclass(frozen=True)
class Calibration:
    """What validation captchas tell about a network's answers."""

    temperature: float = 1.0  # divides the logits, so that the network is as sure as it is right
    least_certain: float = -np.inf  # certainty of an answer below which a picture looks foreign
    means: tuple[float, ...] = ()  # of the filters' responses, none for a network without filters;
    deviations: tuple[float, ...] = ()  # their standard deviations
    farthest: float = np.inf  # distance from these above which a picture looks foreign
    network: str = ""  # a digest of the weights of the network to which this belongs; not kept in the file

    def familiar(self, certainties: np.ndarray, responses: np.ndarray) -> np.ndarray:
        """Whether each picture looks like those of the training, bool [pictures]; both as `looked_at` gives them."""
        return (certainties >= self.least_certain) & (self.distances(responses) <= self.farthest)

    def distances(self, responses: np.ndarray) -> np.ndarray:
        """How many standard deviations the filters' responses lie from their means, squared and averaged."""
        if not self.means:
            return np.zeros(len(responses))
        return (((responses - np.array(self.means)) / np.array(self.deviations)) ** 2).mean(axis=1)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values, without those that set no bound: JSON knows no infinity."""
        kept = asdict(replace(self, network=""))
        return {name: value for name, value in kept.items() if value not in (-np.inf, np.inf, (), "")}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The calibration whose `to_dict` gave `values`; bounds of an earlier version are left out."""
        kept = {name: value for name, value in values.items() if name in cls.__dataclass_fields__}
        found = cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()})
        if found.temperature > 0 and len(found.means) == len(found.deviations):
            return found
        raise ValueError("This calibration does not fit together.")


def weights_digest(model: keras.Model) -> str:
    """A digest of a network's weights."""
    return hashlib.sha256(b"".join(weights.tobytes() for weights in model.get_weights())).hexdigest()


UNCALIBRATED = Calibration()  # the answers as they are; every picture looks familiar


def first_filters(model: keras.Model) -> keras.KerasTensor | None:
    """What the first convolution responds, after the pooling that follows it, if one does; None without any.

    What a network hides in a class of its own, or in a network inside it, is not found.
    """
    filters = None
    for layer in model.layers if hasattr(model, "inputs") else []:
        if filters is not None and isinstance(layer, (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)):
            return layer.output
        shape = getattr(getattr(layer, "output", None), "shape", ())  # several outputs have none
        convolves = len(shape) == 4 and any(len(each.shape) == 4 for each in layer.weights)
        if convolves and not isinstance(layer, keras.Model):
            if filters is not None:
                break
            filters = layer.output
    return filters


def observed(model: keras.Model) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """A function of images that gives a network's logits, and what its first filters respond, [..., channels]."""
    filters = first_filters(model)
    if filters is not None:
        return keras.Model(model.inputs[0], [model.outputs[0], filters])

    def without_filters(images: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        return model(images, training=training), tf.zeros((tf.shape(images)[0], 1, 1, 0))

    return without_filters


def looked_at(logits: tf.Tensor, filtered: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The two signs that tell a foreign picture, from what `observed` gives.

    The certainty of each answer, the mean logarithm of its characters' probabilities, [pictures]; and each filter's
    mean response and its standard deviation over the picture, [pictures, 2 * channels].
    """
    means, variances = tf.nn.moments(tf.cast(filtered, tf.float32), axes=[1, 2])
    certainties = tf.reduce_mean(tf.reduce_max(tf.nn.log_softmax(tf.cast(logits, tf.float32)), axis=-1), axis=-1)
    return certainties, tf.concat([means, tf.sqrt(variances)], axis=1)


def find_usual(temperature: float, certainties: np.ndarray, responses: np.ndarray) -> Calibration:
    """The calibration for which these captchas, all but a few, are familiar; both as `looked_at` gives them."""
    known = [tuple(each.tolist()) for each in (responses.mean(axis=0), responses.std(axis=0) + 1e-6)]
    found = Calibration(temperature, float(np.quantile(certainties, ALARM)), *known)
    farthest = np.quantile(found.distances(responses), 1 - ALARM) if found.means else np.inf
    return replace(found, farthest=float(farthest))


def tempered(logarithms: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities from logits, or logarithms of probabilities, [..., classes], divided by `temperature`."""
    scaled = np.asarray(logarithms, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def fit_temperature(logarithms: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, 0.2 to 5, that gives the truth the highest probability; above 1 the network is less sure.

    Choose it with validation captchas: logarithms of probabilities [captchas, positions, classes], and labels. It
    changes no text that is read. Source: Guo, Pleiss, Sun, Weinberger 2017, arXiv:1706.04599, section 4.2.
    """

    def loss(temperature: float) -> float:
        given = np.take_along_axis(tempered(logarithms, temperature), labels[..., None], axis=-1)
        return float(-np.log(np.maximum(given, 1e-300)).mean())

    return float(min(np.geomspace(0.2, 5, 161), key=loss))
