"""One training run by several workers: each sees its share of every batch, and all of them take the same step.

A worker is a process on a computer of its own, as the environment variable TF_CONFIG tells it, or a device of this
computer. Each holds the whole network; after a batch the gradients of all are added up, which is called all-reduce.
Keras' `fit` cannot do this over computers (keras issue 20585), so the loop is written out here, around the same
`train_step`. Sources: https://www.tensorflow.org/tutorials/distribute/multi_worker_with_ctl; Goyal and others 2017,
arXiv:1706.02677.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from helpers.data.records import PREPARED, load_batches
from helpers.errors import StepError
from helpers.files.cores import PATIENCE, bar_of
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import Settings
from helpers.training.augmentation import Augment

LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


class WorkerLost(StepError):
    """Another worker ended, so that no step can be taken together; what was finished is on disk."""

    status = 75  # of the process, as sysexits.h has it: try again


@contextmanager
def loss_told() -> Iterator[None]:
    """Turn what TensorFlow raises when a worker is gone into a WorkerLost."""
    try:
        yield
    except LOST:
        why = "Another worker ended, or cannot be reached any more, so this one cannot go on."
        raise WorkerLost(f"{why} Start all of them again: finished epochs are kept.") from None


class Workers:
    """The replicas of a network that train together under a `strategy`; the `first` worker keeps the files."""

    def __init__(self, strategy: tf.distribute.Strategy | None) -> None:
        self.strategy = strategy or tf.distribute.get_strategy()
        resolver, self.replicas = self.strategy.cluster_resolver, self.strategy.num_replicas_in_sync
        workers = resolver.cluster_spec().as_dict().get("worker", []) if resolver else []
        self.count, self.number = max(1, len(workers)), (resolver.task_id or 0) if workers else 0
        self.first = self.number == 0
        self.say = print if self.first else lambda *_: None

    def prepare(self, model: keras.Model) -> None:
        """Build the optimizer's variables, on all workers at once; StepError for a model of another strategy."""
        most = max(self.replicas, model.distribute_strategy.num_replicas_in_sync)
        if model.distribute_strategy is not self.strategy and most > 1:
            raise StepError("Build and compile the network under `with strategy.scope():`, then train it with that.")
        if self.replicas > 1:
            with self.strategy.scope():
                model.optimizer.build(model.trainable_variables)

    def share_of(self, settings: Settings) -> int:
        """How many captchas of a batch each of them takes; StepError if they do not all get as many."""
        size, alone = settings.batch_size, self.replicas == 1
        if not alone and (size % self.replicas or settings.train_count < size):
            why = f"A batch of {size} cannot be shared out to {self.replicas} workers, or there are fewer captchas."
            raise StepError(f"{why} Choose another number of workers, or another batch_size.")
        return size // self.replicas

    def wait(self) -> None:
        """Until all workers are here."""
        self.added_up(0)

    def added_up(self, values: Any) -> np.ndarray:
        """The sum of what each worker gives, float64; all have to ask for it. It waits for the slowest."""
        if self.count == 1:
            return np.asarray(values, float)
        values = tf.constant(values, tf.float64)
        total = self.strategy.reduce("SUM", self.strategy.run(lambda: tf.identity(values)), axis=None)
        return total.numpy() * (self.count / self.replicas)

    def agree(self, digests: dict[str, str]) -> None:
        """StepError unless all workers have the same digests of these things."""
        mine = np.array([list(bytes.fromhex(digest)) for digest in digests.values()])
        rows = np.zeros((self.count, *mine.shape))
        rows[self.number] = mine
        rows = self.added_up(rows)
        for index, name in enumerate(digests):
            others = [str(row) for row in range(self.count) if (rows[row, index] != rows[0, index]).any()]
            if others:
                why = f"Worker {', '.join(others)} has other {name} than worker 0, so they cannot train together."
                raise StepError(f"{why} Give all of them the same data folder, code and packages.")

    def begin_alike(self, model: keras.Model, finished: int) -> int:
        """Give every worker the first one's weights and optimizer; how many epochs that one has `finished`."""
        for variable in [*model.variables, *model.optimizer.variables] if self.count > 1 else ():
            value = np.asarray(variable)
            variable.assign(self.added_up(value if self.first else np.zeros_like(value)).astype(value.dtype))
        return int(self.added_up(finished if self.first else 0))

    def fitting(self, model: keras.Model, held_out: tf.data.Dataset, callbacks: list) -> Callable:
        """What trains an epoch, fit(settings, epoch, augment): Keras' `fit`; together with others, the same steps."""

        def alone(settings: Settings, epoch: int, augment: Augment) -> None:
            told = {"validation_data": held_out, "verbose": 0, "callbacks": callbacks, "shuffle": False}
            model.fit(epoch_batches(settings, epoch, augment), epochs=epoch + 1, initial_epoch=epoch, **told)

        train_step = tf.function(lambda data: self.strategy.run(model.train_step, args=(data,)))
        test_step = tf.function(lambda data: self.strategy.run(model.test_step, args=(data,)))
        hooks = keras.callbacks.CallbackList(callbacks, model=model)

        def together(settings: Settings, epoch: int, augment: Augment) -> None:
            size = self.share_of(settings)
            batches = self.strategy.distribute_datasets_from_function(
                lambda at: epoch_batches(settings, epoch, augment, size, (at.input_pipeline_id, at.num_input_pipelines))
            )
            hooks.on_train_begin()
            hooks.on_epoch_begin(epoch)
            model.reset_metrics()
            steps = settings.passes * math.ceil(settings.train_count / settings.batch_size)
            bar = bar_of(range(steps), unit=" steps", delay=PATIENCE, disable=not self.first)
            for step, data in zip(bar, batches, strict=False):
                train_step(data)
                hooks.on_train_batch_end(step)
            for variable in model.non_trainable_variables:  # BatchNorm's averages: each worker saw other captchas
                if variable.dtype == "float32":
                    own = self.strategy.run(lambda variable=variable: tf.identity(variable.value))
                    variable.assign(self.strategy.reduce("MEAN", own, axis=None))
            logs = {name: float(value) for name, value in model.get_metrics_result().items()}
            model.reset_metrics()
            for data in held_out:  # every worker takes all of them
                test_step(data)
            logs |= {f"val_{name}": float(value) for name, value in model.get_metrics_result().items()}
            hooks.on_epoch_end(epoch, logs)

        return alone if self.replicas == 1 else together


def epoch_batches(
    settings: Settings, epoch: int, augment: Augment, size: int | None = None, share: tuple[int, int] | None = None
) -> tf.data.Dataset:
    """The training batches of an epoch, or a worker's `share` of them, as `load_batches` takes it."""
    batches = load_batches(settings, "train", size, shuffle=True, seed=settings.seed + epoch, share=share)
    return batches.repeat(settings.passes).map(augment).prefetch(PREPARED)
