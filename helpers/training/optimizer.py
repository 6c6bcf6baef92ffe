"""How the parameters change after each batch: the loss, the learning rate over time, and Muon."""

import math
from typing import Any

from helpers.errors import StepError
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import Settings

WEIGHT_DECAY = 0.004


@keras.saving.register_keras_serializable(package="captcha")
def smoothed_cross_entropy(labels: tf.Tensor, logits: tf.Tensor, share: float = 0.1) -> tf.Tensor:
    """Cross entropy [batch, positions], a share of each label spread over all classes (Szegedy, arXiv:1512.00567)."""
    truth = tf.one_hot(tf.cast(labels, tf.int32), logits.shape[-1])
    return keras.losses.categorical_crossentropy(truth, logits, from_logits=True, label_smoothing=share)


def learning_rate_schedule(settings: Settings) -> keras.optimizers.schedules.LearningRateSchedule:
    """Up for the first tenth of all steps, then down a cosine: "one cycle" (Smith and Topin 2017, arXiv:1708.07120)."""
    steps = settings.epochs * settings.passes * math.ceil(settings.train_count / settings.batch_size)
    lowest, highest, warm_up = settings.learning_rate / 20, settings.learning_rate, max(1, steps // 10)
    return keras.optimizers.schedules.CosineDecay(
        lowest, max(1, steps - warm_up), alpha=0.002, warmup_target=highest, warmup_steps=warm_up
    )


@keras.saving.register_keras_serializable(package="captcha")
class Muon(keras.optimizers.Muon):
    """Muon for convolutions, AdamW for all else.

    Muon takes a layer's weights as one matrix and steps equally far in all of its directions, so that those with
    small gradients are learned too. Keras' own does that for dense layers, where it gained nothing here. A
    convolution, [height, width, inputs, outputs], is the matrix [height * width * inputs, outputs]. Sources: Jordan
    and others 2024, https://kellerjordan.github.io/posts/muon/; scale of the steps: Liu 2025, arXiv:2502.16982.
    """

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) != 4

    def _adamw_update_step(self, gradient, variable, learning_rate, m, v) -> None:
        """Keras' own step, but one operation of TensorFlow does it: it goes through the memory once, not ten times."""
        gradient = tf.cast(tf.convert_to_tensor(gradient), variable.dtype)  # an embedding's is sparse
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=m.value.handle, v=v.value.handle, grad=gradient, lr=learning_rate,
            beta1=self.adam_beta_1, beta2=self.adam_beta_2, epsilon=self.epsilon,
            beta1_power=self.adam_beta_1**step, beta2_power=self.adam_beta_2**step,
        )  # fmt: skip

    def _muon_update_step(self, gradient, variable, lr, m) -> None:
        self.assign_add(m, gradient + m * (self.momentum - 1))
        ahead = tf.reshape(gradient + self.momentum * m, [-1, gradient.shape[-1]])
        step = self.lr_adjust(lr * self.zeropower_via_newtonschulz5(ahead, self.ns_steps))
        self.assign_sub(variable, tf.reshape(step, gradient.shape))


def one_cycle_muon(settings: Settings) -> Muon:
    """Muon with one cycle of the learning rate over the whole training run of `settings`."""
    return Muon(learning_rate_schedule(settings), weight_decay=WEIGHT_DECAY, adam_weight_decay=WEIGHT_DECAY)


def check_loss(loss: Any) -> None:
    """StepError for a cross entropy that takes the network's logits for probabilities."""
    named = ("sparse_categorical_crossentropy", keras.losses.sparse_categorical_crossentropy)
    if any(loss is each or loss == each for each in named) or getattr(loss, "from_logits", True) is False:
        why = "This loss expects probabilities, but the network gives logits."
        raise StepError(f"{why} Compile it with keras.losses.SparseCategoricalCrossentropy(from_logits=True).")
