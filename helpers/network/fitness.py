"""Whether a network can read captchas and be kept in a file: any Keras model may, that takes them and gives logits."""

import json
import math
import re
import warnings

import numpy as np

from helpers import files
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import StepError
from helpers.files.fingerprints import unnamed
from helpers.quiet_tensorflow import keras, tf

UNKNOWN = r"Could not locate (?:class|function) '(\w+)'"  # so Keras names what it does not know
CHATTER = r"\x1b\[\d*m|Exception encountered when \S+ \S+|.*Error encountered:|Arguments received by.*"


def check_network(model: keras.Model, style: CaptchaStyle) -> None:
    """StepError unless `model` takes captchas of `style`, [batch, height, width, 1], and gives logits for them."""
    picture, answer = (style.height, style.image_width, 1), (style.positions, len(style.classes))
    if not isinstance(model, keras.Model):
        raise StepError(f"This is a {type(model).__name__}, not a network: build a keras.Model.")
    wrong = f"these captchas need one that takes {list(picture)} and gives {list(answer)}. "
    wrong += f"Let it begin with keras.Input({picture}), and end with Dense({math.prod(answer)}) and Reshape({answer})."
    inputs, outputs = (len(getattr(model, name, [None])) for name in ("inputs", "outputs"))
    if (inputs, outputs) != (1, 1):
        raise StepError(f"This network has {inputs} input(s) and {outputs} output(s). It needs one of each: {wrong}")
    try:
        with warnings.catch_warnings(action="ignore"):  # Keras warns before it fails
            if not model.built:
                model(keras.KerasTensor((None, *picture), dtype="uint8"))  # builds it for any number of pictures
            given = model(tf.zeros((2, *picture), tf.uint8), training=False)
    except Exception as reason:  # whatever a network of one's own raises
        taken, made = (getattr(model, name, (None,))[1:] for name in ("input_shape", "output_shape"))
        if taken and (taken, made) != (picture, answer):
            raise StepError(f"This network takes {list(taken)} and gives {list(made)}, but {wrong}") from None
        said = str(reason.args[0] if reason.args else reason)
        why = " ".join(re.sub(CHATTER, "", said, flags=re.DOTALL).split())[:200]
        why = f"This network cannot take a batch of captchas, uint8 {[2, *picture]}: {why} ..."
        remedy = "If it cannot use whole numbers, let keras.layers.Rescaling(1 / 255) come first."
        raise StepError(f"{why} {remedy}") from None
    if not tf.is_tensor(given) or given.shape != (2, *answer):
        gives = list(given.shape[1:]) if tf.is_tensor(given) else f"a {type(given).__name__}, not one tensor"
        raise StepError(f"This network takes {list(picture)} and gives {gives}, but {wrong}")
    numbers = tf.cast(given, tf.float32).numpy()
    sums = numbers.sum(axis=-1), numbers.sum(axis=(-2, -1))
    if numbers.min() >= 0 and any(np.allclose(each, 1, atol=1e-3) for each in sums):
        raise StepError("This network ends in a softmax. Take it out: training and reading apply one to its logits.")


def check_kept(model: keras.Model) -> None:
    """StepError, which names the layer, unless a file would give the network back as it is."""
    layers = sorted(model._flatten_layers(), key=lambda layer: len(list(layer._flatten_layers())))
    for layer in layers if _lost(model) else []:  # the innermost comes first
        if reason := _lost(layer):
            kind, registered = "network" if layer is model else "layer", "@keras.saving.register_keras_serializable()"
            remedy = f"Use a layer of Keras, or a class of your own with {registered} above it"
            if unknown := re.search(UNKNOWN, reason):
                remedy = f"Write {registered} above {unknown[1]}"
            elif not type(layer).__module__.startswith("keras."):
                remedy = "Give its class a get_config that returns all that __init__ takes"
            why = f"The {kind} '{layer.name}' ({type(layer).__name__}) would not come back from model.keras as it is."
            raise StepError(f"{why} {remedy}. Then build and compile the network again.")


def _lost(layer: keras.Layer) -> str:
    """Why a file would not give this layer or network back; "" if it would."""
    try:
        told = {**keras.saving.serialize_keras_object(layer), "compile_config": None}
        copy = keras.saving.deserialize_keras_object(told)
    except Exception as reason:  # whatever a class of one's own raises
        return str(reason) or type(reason).__name__
    frozen = r'"trainable": \w+'  # Keras forgets it of a Sequential; no picture is read differently for it
    one, other = (re.sub(frozen, "", layers_told(each)) for each in (layer, copy))
    return "" if one == other else "other layers"


def layers_told(layer: keras.Layer) -> str:
    """The settings of a network's or a layer's own layers and the shapes of their weights, as JSON without names."""
    settings = [unnamed(part.get_config()) for part in layer._flatten_layers()]
    return json.dumps([settings, [weight.shape for weight in layer.weights]], default=str)


def layers_digest(model: keras.Model) -> str:
    """A digest of what a network's layers are, without its weights."""
    return files.text_digest(layers_told(model))
