"""One step of the series in a process of its own, which can be killed. Imports little: worker processes do so, too.

python -m tests.faults.step STEP FOLDER
"""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.data.generate import generate
from helpers.settings import Settings, load_settings

COUNTS = {"train_count": 600, "validation_count": 100, "test_count": 100, "epochs": 3, "batch_size": 16}
STEPS = ("draw", "pack", "train", "save")


def given(folder: Path) -> Settings:
    """The experiment that is made again and again."""
    os.environ["CAPTCHA_DATA_DIR"] = str(folder)
    return load_settings("killed", data_dir=folder, **COUNTS)


def take(step: str, settings: Settings, begun: Callable[[], Any] = lambda: None) -> Any:
    """Take a step of the series; what can be compared of it. `begun` is called when only the step itself is left."""
    if step == "draw":
        begun()
        return generate(settings, processes=2)["images_digest"]
    from helpers.data.records import write_records
    from helpers.network.saved import load_network
    from helpers.training.evaluation import calibrate, score_test
    from helpers.training.fit import save_model, train
    from tests.faults.damages import network

    if step == "pack":
        begun()
        return write_records(settings)["shards"]
    model = network(settings)
    if step == "train":
        begun()
        rows = train(model, settings).rows
        return weights(model), [row["loss"] for row in rows]
    training = train(model, settings)
    found = calibrate(model, settings)
    begun()
    save_model(model, settings, found)
    score = score_test(model, settings, training)
    return weights(load_network(settings.model_path).model), tuple(score)


def weights(model: Any) -> str:
    return hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest()


if __name__ == "__main__":
    take(sys.argv[1], given(Path(sys.argv[2])), begun=lambda: print("begun", flush=True))
