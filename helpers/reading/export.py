"""A network as an ONNX file, which other programs read without TensorFlow: onnxruntime, browsers, telephones."""

import json
import logging
import math
import os
from pathlib import Path

from helpers.captchas.style_checks import NOTHING
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import StepError
from helpers.files import written_whole
from helpers.quiet_tensorflow import quiet_start, tf
from helpers.reading.engines import Engines

OPSET = 18  # of ONNX's operations, which onnxruntime knows since version 1.14


def write_onnx(path: str | os.PathLike, answer: Engines, style: CaptchaStyle, temperature: float) -> None:
    """Write what computes a reader's answers, as `Reader.export` tells; StepError without the package tf2onnx."""
    if Path(path).is_dir():  # as "" is
        raise StepError(f"'{path}' is a folder, where a file should be. Name a file, such as captcha.onnx.")
    try:
        import onnx
        import tf2onnx
    except Exception:  # a broken installation raises errors of many kinds
        why = "An ONNX file needs the package tf2onnx. Run `pip install tf2onnx`, and then this again."
        raise StepError(why) from None
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    shape = style.positions, len(style.classes)

    def probabilities(images: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = tf.reshape(answer.look(images)[:, : math.prod(shape)], [-1, *shape])
        return {"probabilities": tf.nn.softmax(logits / temperature)}

    takes = [tf.TensorSpec([None, style.height, style.image_width, 1], tf.uint8, name="images")]
    try:
        with quiet_start():
            found, _ = tf2onnx.convert.from_function(tf.function(probabilities), takes, opset=OPSET)
        onnx.checker.check_model(found)  # it only logs what it cannot convert
    except Exception as reason:  # whatever it raises for an operation that ONNX does not have
        raise StepError(f"tf2onnx cannot convert this network ({type(reason).__name__}: {reason}).") from None
    classes = ["" if each == NOTHING else each for each in style.classes]
    onnx.helper.set_model_props(found, {"classes": json.dumps(classes), "style": json.dumps(style.to_dict())})
    with written_whole(Path(path)) as temporary:
        onnx.save(found, temporary, format="protobuf")  # whatever the name ends in
