"""The network as an ONNX file: other programs read it, without TensorFlow, and read the same.

Most of it needs what tests/requirements.txt names. Without that it is skipped, unless CAPTCHA_BROWSER=required, as in
.ci/run, which installs it.
"""

import importlib
import json
import os
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.pictures import to_grey
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import StepError
from helpers.files.results import RESULTS
from helpers.network.calibration import Calibration, tempered
from helpers.quiet_tensorflow import keras, tf
from helpers.reading import Reader
from helpers.reading.export import OPSET
from tests.test_layout import REPOSITORY

REQUIRED = os.environ.get("CAPTCHA_BROWSER") == "required"
COUNT = 1_000


def runtime():
    """onnxruntime, where the file can be written and read."""
    find = importlib.import_module if REQUIRED else pytest.importorskip
    find("tf2onnx")
    return find("onnxruntime")


def session_of(reader: Reader, path):
    """What runs the exported network."""
    onnxruntime = runtime()
    reader.export(path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_without_the_package_one_sentence_names_it(reader, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(StepError, match=r"needs the package tf2onnx\. Run `pip install tf2onnx`"):
        reader.export(tmp_path / "captcha.onnx")
    assert not list(tmp_path.iterdir())


def test_it_gives_the_readers_probabilities_of_the_first_look(tmp_path):
    reader = Reader.load(RESULTS / "default.keras")
    session = session_of(reader, tmp_path / "captcha.onnx")
    texts = [f"{number:04d}" for number in np.random.default_rng(1).integers(0, 10_000, COUNT)]
    greys = [to_grey(draw_captcha(text, reader.style, seed)) for seed, text in enumerate(texts)]
    pictures = np.stack(greys)[..., None]
    (found,) = session.run(["probabilities"], {"images": pictures})
    expected = tempered(reader._answer(pictures)[0], reader.calibration.temperature)
    assert found.shape == (COUNT, 4, 10)
    assert np.abs(found - expected).max() < 1e-4
    assert (found.argmax(axis=-1) == expected.argmax(axis=-1)).all()
    read = [reader.style.labels_to_text(labels) for labels in found.argmax(axis=-1)]
    changed = sum(one != reading.text for one, reading in zip(read, reader.read(list(pictures)), strict=True))
    print(f"the second look changes {changed} of {COUNT:,} texts")
    assert changed <= 5
    assert sum(one == text for one, text in zip(read, texts, strict=True)) > 990


@pytest.mark.parametrize("preset", ["default", "lengths 3 to 6"])
def test_the_metadata_tell_classes_and_style(tiny, preset, tmp_path):
    style = CaptchaStyle.preset(preset)
    model = tiny(style)
    bias = model.get_layer("dense3").bias
    bias.assign(np.random.default_rng(3).normal(size=bias.shape))  # untrained, all its logits are zero
    session = session_of(Reader(model, style, Calibration(temperature=2.0)), tmp_path / "captcha.onnx")
    told = session.get_modelmeta().custom_metadata_map
    classes = json.loads(told["classes"])
    assert len(classes) == len(style.classes)
    assert (classes[-1] == "") == (style.min_length < style.max_length)
    assert "".join(classes[:-1]) == style.classes[:-1]
    assert CaptchaStyle.from_dict(json.loads(told["style"])) == style
    (takes,), (gives,) = session.get_inputs(), session.get_outputs()
    assert (takes.name, takes.type, takes.shape[1:]) == ("images", "tensor(uint8)", [60, style.image_width, 1])
    assert (gives.name, gives.type, gives.shape[1:]) == (
        "probabilities",
        "tensor(float)",
        [style.positions, len(classes)],
    )
    images = np.random.default_rng(2).integers(0, 256, (3, 60, style.image_width, 1), np.uint8)
    assert session.run(None, {"images": images})[0] == pytest.approx(tempered(model(images), 2.0), abs=1e-5)


def test_the_weights_are_those_that_the_reader_has(tiny, tmp_path):
    style = CaptchaStyle()
    model = tiny(style)
    model.get_layer("dense3").bias.assign(np.arange(40.0))
    reader = Reader(model, style)
    model.get_layer("dense3").bias.assign(np.zeros(40))
    images = np.zeros((1, 60, 160, 1), np.uint8)
    (found,) = session_of(reader, tmp_path / "captcha.onnx").run(None, {"images": images})
    assert found.argmax(axis=-1).tolist() == [[9, 9, 9, 9]]


def test_what_onnx_does_not_have_is_told(tmp_path):
    runtime()
    images = keras.Input((60, 160, 1))

    @keras.saving.register_keras_serializable("tests")
    class Python(keras.layers.Layer):
        def call(self, x):
            x = tf.numpy_function(lambda each: each, [tf.cast(x, tf.float32)], tf.float32)
            return tf.reshape(x, (-1, 60 * 160))

        def compute_output_shape(self, shape):
            return shape[0], 60 * 160

    logits = keras.layers.Reshape((4, 10))(keras.layers.Dense(40)(Python()(images)))
    with pytest.raises(StepError, match="tf2onnx cannot convert this network"):
        Reader(keras.Model(images, logits), CaptchaStyle()).export(tmp_path / "captcha.onnx")
    assert not list(tmp_path.iterdir())


def test_a_broken_installation_is_told_too(reader, tmp_path, monkeypatch):
    (tmp_path / "onnx.py").write_text("raise RuntimeError('numpy.core failed')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnx", raising=False)
    with pytest.raises(StepError, match="needs the package tf2onnx"):
        reader.export(tmp_path / "captcha.onnx")


@pytest.mark.parametrize("path", [".", ""])
def test_a_folder_in_its_place_is_told_before_anything_is_converted(reader, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(StepError, match=f"'{path}' is a folder, where a file should be"):
        reader.export(path)


def test_whatever_the_name_ends_in_it_is_onnx(reader, tmp_path):
    session = session_of(reader, tmp_path / "captcha.json")
    assert session.get_outputs()[0].name == "probabilities"


def lines_of(path) -> str:
    """The lines of a page or a notebook that read an ONNX file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join(cell.source for cell in nbformat.reads(text, 4).cells if cell.cell_type == "markdown")
    (found,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "onnxruntime" in block)
    return found


def test_twelve_lines_read_a_file_without_tensorflow(tmp_path):
    lines = lines_of(REPOSITORY / "README.md")
    assert lines == lines_of(REPOSITORY / "notebooks" / "05_read_captchas.ipynb")
    assert lines.count("\n") <= 12
    runtime()
    reader = Reader.load(RESULTS / "default.keras")
    reader.export(tmp_path / "captcha.onnx")
    draw_captcha("5020", reader.style, seed=1).save(tmp_path / "captcha.png")
    code = f"{lines}\nimport sys\nassert not {{'tensorflow', 'keras', 'helpers'}} & set(sys.modules)\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith("5020 "), done.stderr


def test_the_operations_are_of_an_age_that_is_told(reader, tmp_path):
    runtime()
    reader.export(tmp_path / "captcha.onnx")
    onnx = importlib.import_module("onnx")
    found = onnx.load(tmp_path / "captcha.onnx")
    assert {each.domain: each.version for each in found.opset_import}[""] == OPSET
    onnx.checker.check_model(found)
