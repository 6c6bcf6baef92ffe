"""A checkpoint after each epoch: weights, optimizer and history on disk, so that a stop loses little.

The last one stays. By the fingerprint of its recipe a finished training is known again, and need not be done twice.
"""

import datetime
import re
import time
from pathlib import Path
from typing import Any

from helpers import files
from helpers.data.images import image_manifest
from helpers.errors import StepError
from helpers.files import short
from helpers.files.fingerprints import described
from helpers.quiet_tensorflow import keras
from helpers.settings import Settings
from helpers.training.live import LivePlot

FORMAT = 2  # of state.json; 1, which named none, did not tell one optimizer or loss from another


def fingerprint(model: keras.Model, settings: Settings, augment: Any, bfloat16: bool | None = None) -> str:
    """A digest of the recipe of a training: all that it depends on. `augment` and `bfloat16` as `train` takes them."""
    name = re.sub(r"^(functional|sequential)_\d+$", r"\1", model.name)  # of a warm start, it tells from what
    recipe = {
        "images": image_manifest(settings)["images_digest"],
        "network": [name, described([type(model), model, [type(layer) for layer in model.layers], *model.layers])],
        "learning": described([augment, model.optimizer, model.loss]),
        "training": [settings.epochs, settings.batch_size, settings.learning_rate, settings.seed, bfloat16],
    }
    return files.text_digest(files.to_json(recipe))


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
            raise StepError(
                f"{short(self.folder)} holds a training that another version of these notebooks began; it does not say "
                "with which optimizer and loss. Delete that folder, then run this cell again: it trains anew."
            )
        if state["fingerprint"] != self.fingerprint:
            return 0
        model.optimizer.build(model.trainable_variables)
        try:
            model.load_weights(self.folder / state["weights"])
        except (OSError, ValueError, KeyError) as reason:
            raise StepError(
                f"{short(self.folder / state['weights'])} cannot be read ({type(reason).__name__}). "
                f"Delete the folder {short(self.folder)}, then run this cell again: it trains anew."
            ) from None
        self.rows, self.date = state["rows"], state["date"]
        self.live.points[:], self.live.images = state["points"], state["images"]
        return len(self.rows)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = {name.replace("val_", "validation_"): float(value) for name, value in (logs or {}).items()}
        self.rows.append({"epoch": epoch + 1, "seconds": time.perf_counter() - self.started, **logs})
        weights = f"epoch-{epoch + 1:03d}-{self.fingerprint[:12]}.weights.h5"  # another recipe's stay whole
        with files.written_whole(self.folder / weights) as temporary:
            self.model.save_weights(temporary)
        state = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "date": datetime.date.today().isoformat(),
            "weights": weights,
            "rows": self.rows,
            "points": self.live.points,
            "images": self.live.images_seen,
        }
        files.write_json(self.folder / "state.json", state)
        for old in self.folder.glob("epoch-*.weights.h5"):
            if old.name != weights:
                old.unlink()
