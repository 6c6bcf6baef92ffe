"""A network that starts from another experiment's weights."""

import dataclasses
from pathlib import Path

from helpers.errors import StepError
from helpers.network.saved import load_network
from helpers.quiet_tensorflow import keras
from helpers.settings import Settings


def start_from(model: keras.Model, settings: Settings, source: str) -> keras.Model:
    """A network like the untrained `model`, not compiled, that begins with the weights of another experiment's.

    Its name says where it comes from. A StepError refuses a network that reads another alphabet, other
    lengths or another size of picture, or that has other layers.

    Args:
        source: a trained experiment beside this one, by its name, or the path of its model.keras.
    """
    is_path = str(source).endswith(".keras")
    path = Path(source) if is_path else dataclasses.replace(settings, experiment=source).model_path
    other, given, _ = load_network(path)
    wanted = settings.style
    pairs = {
        "its classes": (given.classes, wanted.classes),
        "its positions": (given.positions, wanted.positions),
        "its pictures [pixels]": (f"{given.image_width}x{given.height}", f"{wanted.image_width}x{wanted.height}"),
        "the shapes of its weights": tuple([w.shape for w in m.get_weights()] for m in (other, model)),
    }
    differ = [f"{what}: {old}, not {new}" for what, (old, new) in pairs.items() if old != new]
    if differ:
        raise StepError(
            f"The network of '{source}' cannot be continued for '{settings.experiment}': {differ[0]}. "
            "Train without it, or choose an experiment that agrees."
        )
    started = keras.Model(model.input, model.output, name=f"{model.name}_from_{path.parent.name}")
    started.set_weights(other.get_weights())
    return started
