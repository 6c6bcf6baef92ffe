"""A checkpoint after each epoch: weights, optimizer and history on disk, so that a stop loses little.

The last one stays. The fingerprint of its recipe tells whether the same network was trained before. No
training writes over a tested network of other layers: `place_of` finds another folder.
"""

import dataclasses
import datetime
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers import files
from helpers.data.images import image_manifest
from helpers.errors import StepError
from helpers.files.fingerprints import operations, unnamed
from helpers.network.saved import check_network, layers_told
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import Settings
from helpers.training.live import LivePlot

FORMAT = 3  # of state.json; earlier ones told recipes apart in other ways
LEARNING = ("epochs", "passes", "batch_size", "learning_rate", "seed")
NOT_LAYERS = ("build_config", "compile_config", "shared_object_id")  # what Keras' settings hold beside them


def fingerprint(model: keras.Model, settings: Settings, augment: Callable, bfloat16: bool | None = None) -> str:
    """A digest of all that training a compiled model depends on; `augment` and `bfloat16` as `train` takes them.

    What network, loss, optimizer and augmentation compute is told by the operations that TensorFlow makes of one
    training step. So an edited function counts, wherever it stands; a comment or the name of a layer does not.
    """
    style, rate = settings.style, model.optimizer._learning_rate
    images = tf.TensorSpec([None, style.height, style.image_width, 1], tf.uint8)
    labels = tf.TensorSpec([None, style.positions], tf.int32)
    tf.random.set_seed(settings.seed)  # or random operations bear another seed each time
    step = tf.function(lambda images, labels: model.train_step(augment(images, labels)))
    recipe = {
        "images": image_manifest(settings)["images_digest"],
        "step": operations(step.get_concrete_function(images, labels).graph.as_graph_def()),
        "layers": layers_told(model),  # how their weights begin
        "begun": model.name.partition("_from_")[2],  # or which network's they are
        "rate": float(rate.numpy()) if hasattr(rate, "numpy") else None,  # where it is a variable, not a schedule
        "training": [getattr(settings, name) for name in LEARNING] + [bfloat16],
    }
    return files.text_digest(files.to_json(recipe))


def place_of(model: keras.Model, settings: Settings) -> Settings:
    """Where the files of a network belong: `settings`, unless a tested network of other layers is there.

    Then, if `settings` names no network, it is networks/changed-1 or the next of these that is free; that is told
    in a sentence. A StepError if they name one.
    """
    check_network(model, settings.style)
    if not _other_layers(model, settings):
        return settings
    name = settings.experiment
    if settings.network:
        raise StepError(
            f"On '{name}' there is a tested network \"{settings.network}\" of other layers. Choose another name, as in "
            f'open_experiment("{name}", network="another"), or delete the folder {name}/networks/{settings.network}.'
        )
    count = 1 + len(list(settings.folder.glob("networks/*")))
    places = [dataclasses.replace(settings, network=f"changed-{number + 1}") for number in range(count)]
    free = [place for place in places if not _other_layers(model, place)]
    place = min(free, key=lambda place: not place.metrics_path.is_file())  # the same layers, where they were tested
    print(
        f"This network has other layers than the one that was tested on '{name}', so it is kept apart: "
        f'open_experiment("{name}", network="{place.network}"), Reader.load("{name}", network="{place.network}").'
    )
    return place


def _other_layers(model: keras.Model, settings: Settings) -> bool:
    """Whether a network to be kept lies there, with other layers than those of `model`.

    That is a tested one; of those that `place_of` named, any that was saved.
    """
    if not (settings.network or "").startswith("changed-") and not settings.metrics_path.is_file():
        return False
    try:
        with zipfile.ZipFile(settings.model_path) as archive:
            saved = _layers(archive.read("config.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):  # there is nothing left to protect
        return False
    tested = settings.metrics_path.is_file() and files.read_json(settings.metrics_path, made_by="notebook 04")
    count = model.count_params()  # a class of one's own may change its layers, and not its settings
    return (saved, (tested or {}).get("parameters", count)) != (_layers(model.to_json()), count)


def _layers(told: str | bytes) -> Any:
    """The layers that Keras tells as JSON, without the names that it counts."""
    return unnamed(json.loads(told, object_hook=lambda part: {n: part[n] for n in part if n not in NOT_LAYERS}))


class Checkpoint(keras.callbacks.Callback):
    """Keeps what was trained, after each epoch, under the `fingerprint` of its recipe."""

    def __init__(self, folder: Path, fingerprint: str, live: LivePlot) -> None:
        super().__init__()
        self.folder, self.fingerprint, self.live = folder, fingerprint, live
        self.rows: list[dict[str, float]] = []  # one for each finished epoch
        self.date = ""  # of the last one, as YYYY-MM-DD

    def restore(self, model: keras.Model) -> int:
        """Load the checkpoint into `model` if it fits; the number of finished epochs."""
        path = self.folder / "state.json"
        if not path.exists():
            return 0
        state = files.read_json(path, made_by="notebook 04_train_alexnet")
        if state.get("format") != FORMAT:
            began = f"{files.short(self.folder)} holds a training run that another version of these notebooks began"
            raise StepError(f"{began}. Delete that folder and run this cell again: it trains anew.")
        if state["fingerprint"] != self.fingerprint:
            return 0
        model.optimizer.build(model.trainable_variables)
        weights = self.folder / state["weights"]
        try:
            model.load_weights(weights)
        except (OSError, ValueError, KeyError) as reason:
            damaged = f"{files.short(weights)} cannot be read ({type(reason).__name__})"
            raise StepError(f"{damaged}. Delete the folder checkpoint and run this cell again.") from None
        self.rows, self.date = state["rows"], state["date"]
        self.live.points[:] = state["points"]
        return len(self.rows)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = {name.replace("val_", "validation_"): float(value) for name, value in (logs or {}).items()}
        self.rows.append({"epoch": epoch + 1, "seconds": time.perf_counter() - self.started, **logs})
        weights = f"epoch-{epoch + 1:03d}-{self.fingerprint[:12]}.weights.h5"  # another recipe's stay whole
        with files.written_whole(self.folder / weights) as temporary:
            self.model.save_weights(temporary)
        made = {"format": FORMAT, "fingerprint": self.fingerprint, "date": datetime.date.today().isoformat()}
        state = {**made, "weights": weights, "rows": self.rows, "points": self.live.points}
        files.write_json(self.folder / "state.json", state)
        for old in self.folder.glob("epoch-*.weights.h5"):
            if old.name != weights:
                old.unlink()
