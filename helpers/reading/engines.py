"""What computes a reader's answers: TensorFlow Lite, made for one picture at a time, or TensorFlow for many.

Both give the same answers; `make bench` measures both.
"""

import math
import os
import threading
import warnings
from collections.abc import Callable
from functools import cached_property

import numpy as np

from helpers.captchas.styles import CaptchaStyle
from helpers.network.calibration import looked_at, observed
from helpers.quiet_tensorflow import keras, quiet_start, tf

FEW = 16  # so many pictures are quicker one by one
Engine = Callable[[np.ndarray], np.ndarray]  # pictures [batch, height, width, 1] -> a row of numbers for each


class Engines:
    """A network for captchas of `style`, with the weights that it has now. What computes it is built when needed."""

    def __init__(self, model: keras.Model, style: CaptchaStyle) -> None:
        observer, weights = observed(model), [(variable, variable.numpy()) for variable in model.variables]
        self._shape, picture = (style.positions, len(style.classes)), (style.height, style.image_width, 1)

        def look(images: tf.Tensor) -> tf.Tensor:
            """A row of numbers for each picture: its logits and its signs, one behind another."""
            with keras.StatelessScope(weights):  # as constants: what follows from them is worked out only once
                logits, filtered = observer(images, training=False)
            certainties, responses = looked_at(logits, filtered)
            flat = tf.reshape(tf.cast(logits, tf.float32), [-1, math.prod(self._shape)])
            return tf.concat([flat, certainties[:, None], responses], axis=1)

        self.look = look
        self._many = tf.function(look, input_signature=[tf.TensorSpec([None, *picture], tf.uint8)])
        self._one = tf.function(look, input_signature=[tf.TensorSpec([1, *picture], tf.uint8)])
        self._lock = threading.Lock()  # Lite answers one caller at a time

    @cached_property
    def _lite(self) -> Engine | None:
        """One picture in TensorFlow Lite; None for a network that it cannot compute, or not rightly."""
        try:
            concrete = self._one.get_concrete_function()
            with quiet_start(), warnings.catch_warnings(action="ignore"):  # it recommends its successor
                converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
                converter.experimental_lower_to_saved_model = False  # without a file in between: twice as quick
                threads = min(4, os.cpu_count() or 1)
                interpreter = tf.lite.Interpreter(model_content=converter.convert(), num_threads=threads)
                interpreter.allocate_tensors()
            (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()

            def engine(picture: np.ndarray) -> np.ndarray:
                interpreter.set_tensor(given["index"], picture)
                interpreter.invoke()
                return interpreter.get_tensor(answer["index"])

            probe = np.random.default_rng(0).integers(0, 256, given["shape"], np.uint8)
            expected = self._one.python_function(tf.constant(probe)).numpy()
            return engine if np.allclose(engine(probe), expected, rtol=1e-4, atol=1e-3) else None
        except Exception:  # its converter raises errors of many kinds
            return None

    def __call__(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logits for uint8 pictures [batch, height, width, 1], and the two signs that `calibration.looked_at` gives."""
        with self._lock:
            one = self._lite if len(pictures) <= FEW else None
            rows = np.concatenate([one(each[None]) for each in pictures]) if one else self._many(pictures).numpy()
        count = math.prod(self._shape)
        return rows[:, :count].reshape(-1, *self._shape), rows[:, count], rows[:, count + 1 :]
