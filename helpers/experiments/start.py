"""A network that starts from another experiment's weights."""

from itertools import zip_longest
from pathlib import Path

from helpers.errors import StepError
from helpers.network.saved import check_network, load_network
from helpers.quiet_tensorflow import keras
from helpers.settings import Settings, open_experiment


def start_from(model: keras.Model, settings: Settings, source: str) -> keras.Model:
    """The untrained `model` with the weights of another experiment's network; compile it afterwards.

    `source` is a trained experiment beside this one, by its name, or the path of its model.keras. The name of `model`
    then says where it comes from. A StepError refuses a network that reads another alphabet, other lengths or another
    size of picture, or that has other layers.
    """
    as_named = {"profile": settings.profile, "data_dir": settings.data_dir}
    path = Path(source) if str(source).endswith(".keras") else open_experiment(source, **as_named).model_path
    other, given, _ = load_network(path)
    asked = {"classes": "{0.classes}", "positions": "{0.positions}", "pictures [pixels]": "{0.image_width}x{0.height}"}
    pairs = [(what, form.format(given), form.format(settings.style)) for what, form in asked.items()]
    differ = [f"its {what}: {old}, not {new}" for what, old, new in pairs if old != new]
    check_network(model, settings.style)
    layers = ([layer for layer in network.layers if layer.weights] for network in (other, model))
    for pair in zip_longest(*layers):
        kernels = ([weight.shape for weight in layer.weights] if layer else [] for layer in pair)
        old, new = (" and ".join("x".join(map(str, shape)) for shape in each) or "none" for each in kernels)
        if old != new:
            differ.append(f"the weights of its layer '{(pair[0] or pair[1]).name}': {old}, not {new}")
    if differ:
        raise StepError(f"'{source}' cannot be continued for '{settings.experiment}': {differ[0]}. Train without it.")
    model.name = f"{model.name}_from_{path.parent.name}"
    model.set_weights(other.get_weights())
    return model
