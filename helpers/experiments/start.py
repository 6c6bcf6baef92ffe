"""A network that starts from another experiment's weights."""

import re
from itertools import zip_longest
from pathlib import Path

from helpers.errors import StepError
from helpers.files.results import RESULTS
from helpers.network.fitness import check_network
from helpers.network.saved import load_network, load_trained
from helpers.quiet_tensorflow import keras
from helpers.settings import Settings, open_experiment


def comes_along(settings: Settings, name: str | Path) -> Path | None:
    """The network of this name that comes along with these notebooks, if there is one and none was trained here."""
    shipped = RESULTS / f"{name}.keras"
    return shipped if shipped.is_file() and not (settings.folder.parent / name / "model.keras").is_file() else None


def start_from(model: keras.Model, settings: Settings, source: str | Path) -> keras.Model:
    """The untrained `model` with the weights of another experiment's network; compile it afterwards.

    `source` is a trained experiment beside this one, by its name, or the path of its model.keras; `default` and
    `robust` come along with these notebooks. The name of `model` then says where it comes from. For another alphabet,
    length or size of picture, the convolutions are taken over, and the dense layers that do not fit begin anew, which
    is told. A StepError refuses a network that has other layers.
    """
    begun = str(source)
    if Path(source).suffix == ".keras":
        found, begun = load_network(Path(source)), Path(source).parent.name
    elif shipped := comes_along(settings, source):
        found = load_network(shipped)
        print(f"It begins with the network '{source}' that comes along.")
    else:
        found = load_trained(open_experiment(source, settings.profile, data_dir=settings.data_dir))
    other, given, _ = found
    check_network(model, wanted := settings.style)
    asked = [(each.classes, each.positions, f"{each.image_width}x{each.height}") for each in (given, wanted)]
    told = zip(("its classes", "its positions", "its pictures [pixels]"), *asked, strict=True)
    differ = [f"{what}: {old}, not {new}" for what, old, new in told if old != new]
    pairs = list(zip_longest(*([layer for layer in network.layers if layer.weights] for network in (other, model))))
    told = [[" and ".join("x".join(map(str, weight.shape)) for weight in layer.weights) if layer else "none"
             for layer in pair] for pair in pairs]  # fmt: skip
    same_end = asked[0][:2] == asked[1][:2]  # else the last layer of equal shape would mean something else
    kept = next((index for index, (old, new) in enumerate(told) if old != new), len(pairs) - (not same_end))
    anew = [old or new for old, new in pairs[kept:]]
    if anew and (not differ or not kept or any(isinstance(layer, keras.layers.Conv2D) for layer in anew)):
        differ.append("the weights of its layer '{}': {}, not {}".format(anew[0].name, *told[kept]))
        raise StepError(f"'{source}' cannot be continued for '{settings.experiment}': {differ[0]}. Train without it.")
    for old, new in pairs[:kept]:
        new.set_weights(old.get_weights())
    if anew:
        names = ", ".join(layer.name for layer in anew)
        print(f"The network of '{source}' differs ({differ[0]}), so these layers begin anew: {names}.")
    model.name = f"{model.name}_from_{re.sub('[^A-Za-z0-9_.-]', '-', begun)}"  # as TensorFlow takes it
    return model
