"""Fit the network with a live plot, stop and continue, and save it."""

import functools
from contextlib import nullcontext
from dataclasses import dataclass

from helpers import files
from helpers.data.images import image_manifest
from helpers.data.records import load_batches
from helpers.data.texts import derive_seed
from helpers.errors import StepError, Stopped, whole_number
from helpers.network.calibration import UNCALIBRATED, Calibration
from helpers.network.fitness import check_kept, check_network
from helpers.network.saved import save_network
from helpers.precision import quick_layers, repeatable
from helpers.quiet_tensorflow import keras, make_deterministic, tf
from helpers.settings import Settings
from helpers.training.augmentation import Augment, shift_batch
from helpers.training.checkpoint import Checkpoint, fingerprint, place_of
from helpers.training.live import PROBE_SIZE, LivePlot, Probe
from helpers.training.optimizer import check_loss, one_cycle_muon, smoothed_cross_entropy
from helpers.training.workers import Workers, loss_told


class TrainingStopped(Stopped):
    """Training was interrupted; what was finished is on disk."""


@dataclass(frozen=True)
class Training:
    """How a training run went."""

    rows: list[dict[str, float]]  # one for each epoch: seconds, loss and accuracies, as in history.csv
    points: list[dict[str, float]]  # one every few batches: accuracies on the probes, as in progress.csv

    @property
    def seconds(self) -> float:
        """Time spent training and validating."""
        return sum(row["seconds"] for row in self.rows)


@keras.saving.register_keras_serializable(package="captcha")
def whole_captcha(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """1.0 for each captcha with every position right, else 0.0: [batch]."""
    right = tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), tf.cast(labels, tf.int32))
    return tf.cast(tf.reduce_all(right, axis=-1), tf.float32)


def compile_model(model: keras.Model, settings: Settings) -> keras.Model:
    """Give `model` its loss, its optimizer (Muon, one cycle) and both accuracies; StepError for one that cannot fit."""
    check_network(model, settings.style)
    digits = keras.metrics.SparseCategoricalAccuracy(name="digit_accuracy")
    captchas = keras.metrics.MeanMetricWrapper(whole_captcha, name="captcha_accuracy")
    model.compile(one_cycle_muon(settings), smoothed_cross_entropy, metrics=[digits, captchas])
    return model


def first_captchas(settings: Settings, split: str, count: int) -> Probe:
    """The first captchas of a split: images [count, height, width, 1], labels [count, positions]."""
    images, labels = next(iter(load_batches(settings, split, batch_size=count)))
    return images.numpy(), labels.numpy()


@loss_told()
def train(
    model: keras.Model, settings: Settings, until: int | None = None, augment: Augment = shift_batch,
    bfloat16: bool | None = None, again: bool = False, strategy: tf.distribute.Strategy | None = None,
) -> Training:  # fmt: skip
    """Train a newly compiled model, with a live plot; go on where an earlier call stopped.

    After each epoch a checkpoint is on disk. A call with the same recipe (images, network, optimizer, loss,
    augmentation and settings) continues from it, if only to give `model` the weights of a finished training. With
    another recipe it begins anew, and refuses a trained model: a StepError.

    Args:
        until: stop after this epoch; 0 trains nothing, None all of settings.epochs.
        augment: what changes each training batch, such as a `Distortion`.
        bfloat16: whether convolutions multiply 16-bit numbers meanwhile; None: where the processor can.
        again: train anew, whatever was trained before.
        strategy: in whose scope the model was built and compiled; `join` finds one. Each worker takes a share of every
            batch. The first keeps the files; the others return no rows and no points.
    """
    until = min(settings.epochs, settings.epochs if until is None else whole_number("until", until, least=0))
    settings = place_of(model, settings)
    if not model.compiled:
        raise StepError("This network has no loss and no optimizer yet. Give it both: compile_model(model, settings).")
    check_loss(model.loss)
    check_kept(model)
    workers, splits = Workers(strategy or model.distribute_strategy), {"training": "train", "validation": "validation"}
    workers.prepare(model)
    make_deterministic()  # the same machine gives the same weights again
    live = LivePlot(settings, {name: first_captchas(settings, split, PROBE_SIZE) for name, split in splits.items()})
    checkpoint = Checkpoint(settings.checkpoint_folder, fingerprint(model, settings, augment, bfloat16), live)
    packages = files.text_digest(files.to_json(files.package_versions("tensorflow", "keras", "numpy")))
    workers.agree({"captchas, settings or code": checkpoint.fingerprint, "packages": packages})
    finished = 0 if again or until == 0 or not workers.first else checkpoint.restore(model)
    finished = workers.begin_alike(model, finished)
    if finished and finished >= until:
        workers.say(f"trained before, on {checkpoint.date}; pass again=True to train anew")
        if finished > until:
            workers.say(f"(the network has the weights of epoch {finished})")
    elif finished == 0 and model.optimizer.iterations.numpy() > 0:
        raise StepError("This network was trained before. Build and compile a new one, then train that.")
    elif finished == 0 and until and settings.metrics_path.is_file():
        told = 'save_model will replace the network tested here; to keep both: open_experiment(..., network="another")'
        workers.say(told)
    try:
        mine = workers.first and finished < until
        held_out = load_batches(settings, "validation", batch_size=250)
        callbacks = [live, checkpoint] if workers.first else []
        with files.only_writer(settings.network_folder) if mine else nullcontext(), quick_layers(model, bfloat16):
            fit = workers.fitting(model, held_out, callbacks)
            for epoch in range(finished, until):  # each begins as it would after a stop
                seed = settings.seed + 1_000 * workers.number
                keras.utils.set_random_seed(seed + epoch)
                for index, layer in enumerate(model._flatten_layers()):  # also what dropout draws
                    for chance in layer._seed_generators:
                        chance.state.assign([derive_seed(seed, epoch, index) % 2**32, 0])
                repeatable(functools.partial(fit, settings, epoch, augment))
    except KeyboardInterrupt:
        done = len(checkpoint.rows)
        stopped = f"Stopped in epoch {done + 1}; {done} finished epochs are kept. Build and compile the network again, "
        stopped += "and call train without again=True: it goes on." if done else "then train it: it begins anew."
        raise TrainingStopped(stopped) from None
    for path, rows in ((settings.history_path, checkpoint.rows), (settings.progress_path, live.points)):
        if len(checkpoint.rows) == settings.epochs and not files.holds_rows(path, rows):
            files.write_rows(path, rows)
    points = [point for point in live.points if point["images"] <= until * settings.epoch_images]
    if 0 < until <= finished and workers.first:  # nothing was trained, and so nothing drawn
        live.draw(points)
    return Training(checkpoint.rows[:until], points)


def save_model(model: keras.Model, settings: Settings, calibration: Calibration = UNCALIBRATED) -> None:
    """Write model.keras: the network, the style that it reads, and what `calibrate` found."""
    settings = place_of(model, settings)
    with files.only_writer(settings.network_folder):
        digest = image_manifest(settings)["images_digest"] if settings.manifest_path.is_file() else ""
        save_network(settings.model_path, model, settings.style, calibration, digest)
