"""What one worker does in the tests and the benchmark of training together: python -m tests.together TASK FOLDER

Its number and the others' addresses stand in TF_CONFIG; without that it works alone.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

from helpers.errors import StepError
from helpers.experiments.cluster import join
from helpers.network.alexnet import build_alexnet
from helpers.precision import quick_layers
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import CaptchaStyle, Settings, load_settings, open_experiment
from helpers.training.augmentation import unchanged
from helpers.training.fit import compile_model, train
from helpers.training.workers import Workers

COUNTS = {"train_count": 230, "validation_count": 60, "test_count": 60, "epochs": 2, "batch_size": 32}
KINDS = ("exact", "one step", "usual")
STEPS, ROUNDS = 20, 3


def tiny(settings: Settings, strategy: tf.distribute.Strategy, kind: str) -> keras.Model:
    """A small network. In all kinds but "usual" BatchNorm sees every worker's batch, and nothing is left to chance.

    Muon makes rounding errors grow in a few steps; gradient descent does not, so "exact" takes that.
    """
    from tests.conftest import tiny_network

    with strategy.scope():
        keras.utils.set_random_seed(1)
        model = tiny_network(settings.style)
        for layer in model.layers if kind != "usual" else ():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = strategy.num_replicas_in_sync > 1
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0
        model = compile_model(model, settings)
        if kind == "exact":
            model.compile(keras.optimizers.SGD(0.02), model.loss)
        return model


def recipe(kind: str, folder: Path, **more: int) -> Settings:
    """How a kind is trained: "one step" in a single batch."""
    size = COUNTS["train_count"] if kind == "one step" else COUNTS["batch_size"]
    epochs = 1 if kind == "one step" else COUNTS["epochs"]
    return open_experiment("tiny", "quick", data_dir=folder, **{"batch_size": size, "epochs": epochs, **more})


def numbers(model: keras.Model) -> list[np.ndarray]:
    """All that training changed, but for the chances that dropout draws from, which are each worker's own."""
    return [variable.numpy() for variable in [*model.weights, *model.optimizer.variables]]


def learn(folder: Path) -> None:
    """Train in every way and keep the weights; then find out that the others have another recipe."""
    strategy = join(wait=60)
    workers = Workers(strategy)
    for kind in KINDS:
        settings = recipe(kind, folder)
        model = tiny(settings, strategy, kind)
        told = {} if kind == "usual" else {"augment": unchanged, "bfloat16": False}
        training = train(model, settings, again=True, strategy=strategy, **told)
        np.savez(folder / f"{kind}-{workers.number}.npz", *numbers(model), rows=len(training.rows))
    other = recipe("exact", folder, epochs=2 + workers.number)
    try:
        train(tiny(other, strategy, "exact"), other, strategy=strategy)
    except StepError as reason:
        (folder / f"refused-{workers.number}.txt").write_text(str(reason), "utf-8")


def line_up(folder: Path, what: str, processes: int) -> None:
    """Wait until so many processes are here; a TimeoutError if one of them does not come."""
    (folder / f"{what}-{os.getpid()}.here").touch()
    ends = time.monotonic() + 120
    while len(list(folder.glob(f"{what}-*.here"))) < processes:
        if time.monotonic() > ends:
            raise TimeoutError(f"Not all of {processes} processes came to {what}.")
        time.sleep(0.001)


def step(folder: Path) -> None:
    """Time training steps of the default network, each worker on a core of its own, and the all-reduce alone [ms].

    All of these processes begin each round of steps at the same time.
    """
    core, batch, processes = (int(os.environ[name]) for name in ("CORE", "BATCH", "PROCESSES"))
    os.sched_setaffinity(0, {core})
    strategy = join(wait=60)
    settings = load_settings("any", "full", style=CaptchaStyle(), batch_size=batch)
    style = settings.style
    with strategy.scope():
        model = compile_model(build_alexnet(style), settings)
        model.optimizer.build(model.trainable_variables)
    generator = np.random.default_rng(core)
    images = tf.constant(generator.integers(0, 256, (batch, style.height, style.image_width, 1)), tf.uint8)
    labels = tf.constant(generator.integers(0, 10, (batch, style.positions)), tf.int32)
    sizes = [tf.zeros(variable.shape) for variable in model.trainable_variables]

    def added() -> list:
        return tf.distribute.get_replica_context().all_reduce("SUM", sizes)

    with quick_layers(model):
        ways = {
            "step": tf.function(lambda: strategy.run(model.train_step, args=((images, labels),))),
            "all-reduce": tf.function(lambda: strategy.run(added)),
        }
        told = {}
        for name, way in ways.items():
            way()
            for number in range(ROUNDS):
                line_up(folder, f"{name}-{number}", processes)
                started = time.perf_counter()
                for _ in range(STEPS):
                    result = way()
                tf.nest.map_structure(np.asarray, result)
                told[f"{name}-{number}"] = 1000 * (time.perf_counter() - started) / STEPS
    bytes_ = sum(4 * int(np.prod(variable.shape)) for variable in model.trainable_variables)
    np.savez(folder / f"step-{core}.npz", bytes=bytes_, **told)


if __name__ == "__main__":
    {"learn": learn, "step": step}[sys.argv[1]](Path(sys.argv[2]))
