"""The last two epochs' checkpoints: weights, optimizer and history on disk, so that a stop loses little.

The fingerprint of their recipe tells whether the same network was trained before. `place_of` protects tested networks.
"""

import dataclasses
import datetime
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers import files
from helpers.data.images import image_manifest
from helpers.errors import StepError
from helpers.files.fingerprints import operations
from helpers.network.fitness import check_network, layers_digest, layers_told
from helpers.network.saved import NOTEBOOK, check_room_for, made_from
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import Settings
from helpers.training.live import LivePlot

FORMAT = 4  # of a training run; earlier ones mixed the captchas of later epochs in another way
LEARNING = ("epochs", "passes", "batch_size", "learning_rate", "seed")


def fingerprint(model: keras.Model, settings: Settings, augment: Callable, bfloat16: bool | None = None) -> str:
    """A digest of all that training a compiled model depends on; `augment` and `bfloat16` as `train` takes them.

    With several workers it is told of a copy outside their strategy: no device's name counts, only their number does.

    The operations that TensorFlow makes of one training step tell what is computed. So an edited function counts,
    wherever it stands; a comment or the name of a layer does not.
    """
    style, rate, told = settings.style, model.optimizer._learning_rate, model
    if (workers := model.distribute_strategy.num_replicas_in_sync) > 1:
        told = keras.models.clone_model(model)
        told.compile(keras.optimizers.deserialize(keras.optimizers.serialize(model.optimizer)), model.loss)
    images = tf.TensorSpec([None, style.height, style.image_width, 1], tf.uint8)
    labels = tf.TensorSpec([None, style.positions], tf.int32)
    tf.random.set_seed(settings.seed)  # or random operations bear another seed each time
    step = tf.function(lambda images, labels: told.train_step(augment(images, labels)))
    recipe = {
        "format": FORMAT,
        "images": image_manifest(settings)["images_digest"],
        "step": operations(step.get_concrete_function(images, labels).graph.as_graph_def()),
        "layers": layers_told(model),  # how their weights begin
        "begun": model.name.partition("_from_")[2],  # or which network's they are
        "rate": float(rate.numpy()) if hasattr(rate, "numpy") else None,  # where it is a variable, not a schedule
        "training": [getattr(settings, name) for name in LEARNING] + [bfloat16],
        **({"workers": workers} if workers > 1 else {}),
    }
    return files.text_digest(files.to_json(recipe))


def place_of(model: keras.Model, settings: Settings) -> Settings:
    """Where the files of a network belong: `settings`, unless a tested network of other layers is there.

    Then it is networks/changed-1 or the next of these that is free, which is told; StepError if they name a network.
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
    """Whether a tested network, or one that `place_of` put there, has other layers than `model`."""
    if not (settings.network or "").startswith("changed-") and not settings.metrics_path.is_file():
        return False
    if layers := made_from(settings.model_path).get("layers"):
        return layers != layers_digest(model)
    if not settings.model_path.is_file() or not settings.metrics_path.is_file():
        return False
    tested = files.read_json(settings.metrics_path, NOTEBOOK)  # of an early version, which tells no layers
    return tested.get("parameters") != model.count_params()


class Checkpoint(keras.callbacks.Callback):
    """Keeps what was trained, after each epoch, under the `fingerprint` of its recipe."""

    def __init__(self, folder: Path, fingerprint: str, live: LivePlot) -> None:
        super().__init__()
        self.folder, self.fingerprint, self.live = folder, fingerprint, live
        self.mark = fingerprint[:12]  # in the files' names, so that another recipe's stay whole
        self.rows: list[dict[str, float]] = []  # one for each finished epoch
        self.date = ""  # of the last one, as YYYY-MM-DD

    def restore(self, model: keras.Model) -> int:
        """Load the newest whole checkpoint of this recipe, return its epochs; set damaged ones aside, and tell it."""
        found = sorted(self.folder.glob(f"epoch-*-{self.mark}.json"), reverse=True)
        for path in [*found, *self.folder.glob("state.json")]:  # so they were named before
            weights = path.with_suffix(".weights.h5")
            try:
                state = files.read_sealed(path, NOTEBOOK, ("fingerprint", "weights", "date", "rows", "points"))
                if (state["fingerprint"], state["weights"]) != (self.fingerprint, files.file_digest(weights)):
                    raise StepError("Its weights are not those that were written.")
                model.optimizer.build(model.trainable_variables)
                model.load_weights(weights)
            except (StepError, OSError, ValueError, KeyError) as reason:
                for each in filter(Path.exists, (path, weights)):
                    os.replace(each, each.with_name(f"damaged-{each.name}"))
                name, why = files.short(path), str(reason).partition(". ")[0]
                print(f"{name} is damaged or of an early version; it was set aside, what is before it counts. ({why})")
                continue
            self.rows, self.date = state["rows"], state["date"]
            self.live.points[:] = state["points"]
            return len(self.rows)
        return 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = {name.replace("val_", "validation_"): float(value) for name, value in (logs or {}).items()}
        rows = [*self.rows, {"epoch": epoch + 1, "seconds": time.perf_counter() - self.started, **logs}]
        names = [f"epoch-{number:03d}-{self.mark}" for number in (epoch, epoch + 1)]
        check_room_for(self.folder, [*self.model.variables, *self.model.optimizer.variables])
        with files.written_whole(self.folder / f"{names[1]}.weights.h5") as temporary:
            self.model.save_weights(temporary)
            made = {"fingerprint": self.fingerprint, "weights": files.file_digest(temporary)}
        state = {**made, "date": datetime.date.today().isoformat(), "rows": rows, "points": self.live.points}
        files.write_json(self.folder / f"{names[1]}.json", files.sealed(state))
        self.rows = rows  # they are kept now
        for old in self.folder.glob("epoch-*"):
            if not old.name.startswith(tuple(names)):
                old.unlink()
