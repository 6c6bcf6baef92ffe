"""The reader takes any picture, says by name which it cannot read, and agrees with the records."""

import dataclasses
import io
import json
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import copy_experiment
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_pictures import MODES, in_mode

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.fonts import find_font, keep_fonts
from helpers.captchas.pictures import to_grey
from helpers.captchas.styles import CaptchaStyle
from helpers.data.images import list_images
from helpers.data.records import load_batches
from helpers.errors import ImageError, StepError
from helpers.network.calibration import UNCALIBRATED, Calibration, looked_at, observed, tempered
from helpers.network.saved import CALIBRATION_MEMBER, STYLE_MEMBER, load_network, save_network
from helpers.network.views import careful_logits
from helpers.quiet_tensorflow import keras, tf
from helpers.reading import Reader
from helpers.reading import reader as reader_module
from helpers.reading.engines import FEW
from helpers.reading.reader import BATCH_SIZE
from helpers.settings import load_settings
from helpers.training.evaluation import calibrate
from helpers.training.fit import save_model

STYLE = CaptchaStyle()


def captcha(seed: int = 1, text: str = "5020") -> Image.Image:
    return draw_captcha(text, STYLE, seed)


@settings(max_examples=12)
@given(st.sampled_from(MODES), st.integers(1, 300), st.integers(1, 120))
def test_any_size_and_mode_is_read(reader, mode, width, height):
    (reading,) = reader.read(in_mode(Image.effect_noise((width, height), 60), mode))
    assert reading.error is None
    assert len(reading.text) == 4
    assert reading.probabilities.sum(axis=1) == pytest.approx([1] * 4, abs=1e-5)


def test_paths_pictures_and_arrays_give_the_same_reading(reader, tmp_path):
    path = tmp_path / "one.png"
    captcha().save(path)
    colours, grey = np.asarray(captcha()), to_grey(captcha())
    ways = [path, str(path), captcha(), colours, grey, grey[..., None], np.dstack([colours, np.full_like(grey, 255)])]
    readings = reader.read(ways)
    for way, reading in zip(ways, readings, strict=True):
        (alone,) = reader.read(way)
        assert alone.text == reading.text == readings[0].text
        assert np.allclose(alone.probabilities, reading.probabilities, atol=1e-5)
        assert np.allclose(reading.probabilities, readings[0].probabilities, atol=1e-5)
    other = reader.read(captcha(seed=2, text="9999"))[0]
    assert not np.allclose(other.probabilities, readings[0].probabilities, atol=1e-3)


def test_a_reading_is_the_most_probable_text_and_its_probability(reader):
    for reading in reader.read([captcha(seed) for seed in range(5)]):
        assert reading.probabilities.shape == (4, 10)
        assert reading.probabilities.dtype == np.float32
        best = reading.probabilities.argmax(axis=1)
        assert reading.text == "".join(map(str, best))
        expected = np.prod([row[column] for row, column in zip(reading.probabilities, best, strict=True)])
        assert reading.confidence == pytest.approx(float(expected), rel=1e-5)
        assert 0 < reading.confidence <= 1


def test_many_at_once_as_a_list_a_generator_or_an_array(reader):
    pictures = [captcha(seed) for seed in range(5)]
    greys = np.stack([to_grey(picture) for picture in pictures])
    texts = [reading.text for reading in reader.read(pictures)]
    assert len(set(texts)) > 1
    for batch in (
        iter(pictures),
        tuple(pictures),
        greys,
        greys[..., None],
        np.stack([np.asarray(p) for p in pictures]),
    ):
        assert [reading.text for reading in reader.read(batch)] == texts
    assert reader.read([]) == []


def test_more_pictures_than_fit_in_one_batch_keep_their_order(reader):
    kinds = [to_grey(captcha(seed)) for seed in range(5)]
    count = 2 * BATCH_SIZE + 3
    readings = reader.read([kinds[index % 5] for index in range(count)])
    assert len(readings) == count
    alone = [reader.read(kind)[0].probabilities for kind in kinds]
    for index in (0, 1, 2, 3, 4, BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1, 2 * BATCH_SIZE, count - 1):
        assert np.allclose(readings[index].probabilities, alone[index % 5], atol=1e-5)


def with_turned_norms(model: keras.Model) -> keras.Model:
    """The network, where half of each BatchNorm's scales are negative and its means are not zero."""
    random = np.random.default_rng(7)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            scale, shift, mean, variance = (random.normal(0, 1, weights.shape) for weights in layer.get_weights())
            layer.set_weights([scale, shift, mean, variance**2 + 0.5])
    return model


@pytest.mark.parametrize("turned", [False, True], ids=["trained", "negative scales"])
def test_one_by_one_and_many_at_once_are_what_the_network_says(finished, turned):
    settings = finished[0]
    model = load_network(settings.model_path).model
    model = with_turned_norms(model) if turned else model
    calibration = dataclasses.replace(calibrate(model, settings), temperature=1.3)
    reader, random = Reader(model, settings.style, calibration), np.random.default_rng(0)
    pictures = np.concatenate([images.numpy() for images, _ in load_batches(settings, "train")])
    foreign = [random.integers(0, 256, (20, 60, 160, 1)), 255 - pictures[:20], np.zeros((1, 60, 160, 1))]
    pictures = np.concatenate([pictures, *foreign]).astype(np.uint8)

    logarithms = careful_logits(model, tf.constant(pictures)).numpy()
    signs = looked_at(*observed(model)(pictures, training=False))
    familiar = calibration.familiar(*(sign.numpy() for sign in signs))
    assert 0 < familiar.sum() < len(familiar)
    first, second = np.sort(tempered(logarithms, 1.3), axis=-1)[..., :-3:-1].transpose(2, 0, 1)
    clear = (first - second).min(axis=-1) > 1e-4  # the others' texts hang on the last bit
    assert clear.mean() > 0.5
    for readings in (reader.read(pictures), [reader.read(picture)[0] for picture in pictures]):
        assert np.allclose([r.probabilities for r in readings], tempered(logarithms, 1.3), atol=1e-5)
        for reading, expected in zip(np.array(readings, object)[clear], logarithms[clear].argmax(axis=-1), strict=True):
            assert reading.text == "".join(map(str, expected))
        assert [reading.familiar for reading in readings] == familiar.tolist()


def test_a_second_look_is_taken_only_at_doubtful_pictures(finished, monkeypatch):
    settings, taken = finished[0], []
    model = load_network(settings.model_path).model
    reader = Reader(model, settings.style)
    views = reader_module.seen_from_views
    monkeypatch.setattr(
        reader_module, "seen_from_views", lambda pictures: taken.append(len(pictures)) or views(pictures)
    )
    pictures = np.concatenate([images.numpy() for images, _ in load_batches(settings, "validation")])
    logits = tf.nn.softmax(model(pictures, training=False)).numpy()
    sure = np.sort(logits.max(-1).min(-1))
    for limit, expected in ((0.0, []), (float(sure[9:11].mean()), [10]), (2.0, [len(pictures)])):
        monkeypatch.setattr(reader_module, "SURE", limit)
        reader.read(pictures)
        assert taken == expected
        taken.clear()


@keras.saving.register_keras_serializable("tests")
class Python(keras.layers.Layer):
    """What only Python can compute, and no converter knows."""

    def call(self, images):
        return tf.ensure_shape(
            tf.numpy_function(lambda each: each, [tf.cast(images, tf.float32)], tf.float32), images.shape
        )


class Hidden(keras.layers.Layer):
    """A layer with a weight that Keras does not know of."""

    def build(self, shape):
        self.offset = tf.Variable(3.0, trainable=False)

    def call(self, images):
        return tf.cast(images, tf.float32) + self.offset


def network_after(*layers: keras.layers.Layer) -> keras.Model:
    images = x = keras.Input((60, 160, 1))
    for layer in (*layers, keras.layers.AveragePooling2D(20), keras.layers.Flatten(), keras.layers.Dense(40)):
        x = layer(x)
    return keras.Model(images, keras.layers.Reshape((4, 10))(x))


@pytest.mark.parametrize(
    ("layer", "lite"), [(keras.layers.Rescaling(0.1), True), (Python(), False), (Hidden(), True)],
    ids=["usual", "Python", "hidden weight"],
)  # fmt: skip
def test_what_lite_cannot_compute_tensorflow_does(layer, lite, capfd):
    model = network_after(layer)
    reader = Reader(model, STYLE)
    (reading,) = reader.read(captcha())
    assert bool(reader._answer._lite) == lite
    expected = tempered(careful_logits(model, to_grey(captcha())[None, ..., None]).numpy(), 1.0)
    assert reading.probabilities == pytest.approx(expected[0], abs=1e-5)
    assert capfd.readouterr() == ("", "")


def test_wrong_answers_of_lite_are_not_taken(monkeypatch):
    monkeypatch.setattr(tf.lite.Interpreter, "get_tensor", lambda self, index: np.zeros((1, 41), np.float32))
    reader = Reader(network_after(keras.layers.Rescaling(0.1)), STYLE)
    reader.read(captcha())
    assert reader._answer._lite is None


def test_a_reader_keeps_the_weights_that_it_was_made_with():
    model = network_after(keras.layers.Rescaling(0.1))
    reader = Reader(model, STYLE)
    before = [reader.read(pictures)[0].probabilities for pictures in (captcha(), [captcha()] * (FEW + 1))]
    other = Reader(model, STYLE)
    model.set_weights([2 * weights for weights in model.get_weights()])
    for each in (reader, other):  # the other one has not read anything yet
        after = [each.read(pictures)[0].probabilities for pictures in (captcha(), [captcha()] * (FEW + 1))]
        assert np.allclose(after, before, atol=1e-6)
    assert not np.allclose(Reader(model, STYLE).read(captcha())[0].probabilities, before[0], atol=1e-3)


def test_several_threads_may_read_at_once(reader):
    pictures = [to_grey(captcha(seed)) for seed in range(8)]
    alone = [reader.read(picture)[0].probabilities for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            together = pool.map(lambda picture: reader.read(picture)[0].probabilities, pictures)
            assert all((one == other).all() for one, other in zip(together, alone, strict=True))


@pytest.fixture
def mixed(tmp_path):
    """Good pictures with bad ones between them: [(picture, name of what is wrong with it)]."""
    good = tmp_path / "good.png"
    captcha().save(good)
    cut = tmp_path / "cut.png"
    cut.write_bytes(good.read_bytes()[:3000])
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    lab = tmp_path / "lab.tif"
    Image.new("LAB", (160, 60)).save(lab)
    return [
        (good, None),
        (cut, "cut.png is no readable image"),
        (captcha(2), None),
        (text, "notes.txt is no readable image"),
        (tmp_path / "gone.png", "gone.png does not exist"),
        (tmp_path, f"{tmp_path.name} is no readable image"),
        (np.zeros((60, 160), np.float32), "float32"),
        (np.zeros((60, 160, 2), np.uint8), r"\[60, 160, 2\]"),
        (np.zeros((0, 160), np.uint8), r"\[0, 160\]"),
        (None, "NoneType"),
        (17, "int"),
        (lab, "lab.tif has mode LAB"),
        (Image.new("L", (0, 60)), "0x60 pixels"),
        (Image.open(io.BytesIO(cut.read_bytes())), "picture is no readable image"),
        (to_grey(captcha(3)), None),
    ]


def test_the_first_bad_picture_is_named(reader, mixed):
    for picture, complaint in mixed:
        if complaint:
            with pytest.raises(ImageError, match=complaint):
                reader.read([captcha(), picture])


def test_collecting_reads_the_rest_and_keeps_the_order(reader, mixed):
    readings = reader.read([picture for picture, _ in mixed], errors="collect")
    assert len(readings) == len(mixed)
    for (picture, complaint), reading in zip(mixed, readings, strict=True):
        if complaint:
            assert (reading.text, reading.confidence, reading.familiar) == ("", 0.0, False)
            assert complaint.replace("\\", "") in reading.error
            assert (reading.probabilities == np.float32(0.1)).all()
        else:
            assert reading.error is None
            assert np.allclose(reading.probabilities, reader.read(picture)[0].probabilities, atol=1e-5)


def test_an_unknown_way_with_errors_is_refused(reader):
    with pytest.raises(ValueError, match="'ignore' must be 'raise' or 'collect'"):
        reader.read([], errors="ignore")


def test_images_and_records_are_read_alike(finished):
    settings, _, score = finished
    reader = Reader.load(settings.model_path)
    renderings = list_images(settings, "test")
    from_files = reader.read([rendering.path for rendering in renderings])
    records = np.concatenate([images.numpy() for images, _ in load_batches(settings, "test")])
    from_records = reader.read(records)
    for one, other in zip(from_files, from_records, strict=True):
        assert one.text == other.text
        assert (one.probabilities == other.probabilities).all()
    right = sum(one.text == rendering.text for one, rendering in zip(from_files, renderings, strict=True))
    assert right == score.right


def test_an_experiment_is_loaded_by_name_or_by_path(finished, monkeypatch):
    settings, _, _ = finished
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(settings.data_dir))
    readers = [Reader.load("tiny"), Reader.load(settings.model_path), Reader.load(str(settings.model_path))]
    probabilities = [reader.read(captcha())[0].probabilities for reader in readers]
    assert {reader.style for reader in readers} == {settings.style}
    assert (probabilities[0] == probabilities[1]).all()
    assert (probabilities[0] == probabilities[2]).all()


def test_a_network_for_varying_lengths_leaves_nothing_here_out(tiny, tmp_path):
    style = CaptchaStyle.preset("lengths 3 to 6")
    model = tiny(style)
    bias = np.zeros((6, 11), np.float32)
    for position, answer in enumerate((7, 0, 3, 10, 10, 10)):  # 10: nothing here
        bias[position, answer] = 5
    last = model.get_layer("dense3")
    last.set_weights([np.zeros_like(last.get_weights()[0]), bias.reshape(-1)])
    settings = load_settings("lengths", data_dir=tmp_path, style=style)
    save_model(model, settings)
    (reading,) = Reader.load(settings.model_path).read(captcha())
    assert reading.text == "703"
    assert reading.probabilities.shape == (6, 11)


def test_the_temperature_is_saved_and_changes_how_sure_the_reader_is_but_not_what_it_reads(finished, tmp_path):
    settings = dataclasses.replace(finished[0], data_dir=tmp_path)
    settings.folder.mkdir(parents=True)
    model = Reader.load(finished[0].model_path).model
    paths = [image.path for image in list_images(finished[0], "test")]
    readings = {}
    for temperature in (1.0, 2.0):
        save_model(model, settings, Calibration(temperature))
        reader = Reader.load(settings.model_path)
        assert reader.calibration == Calibration(temperature)
        readings[temperature] = reader.read(paths)
    for sure, unsure in zip(readings[1.0], readings[2.0], strict=True):
        assert sure.text == unsure.text
        assert unsure.confidence < sure.confidence
        assert unsure.probabilities == pytest.approx(tempered(np.log(sure.probabilities), 2.0), abs=1e-5)


def test_a_network_saved_without_calibration_is_read_as_it_is(finished, tmp_path):
    copy = tmp_path / "model.keras"
    with zipfile.ZipFile(finished[0].model_path) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            if name != CALIBRATION_MEMBER:
                new.writestr(name, old.read(name))
    assert Reader.load(copy).calibration == UNCALIBRATED


def test_what_is_usual_is_saved_and_foreign_pictures_are_told(finished, tmp_path):
    settings = dataclasses.replace(finished[0], data_dir=tmp_path)
    settings.folder.mkdir(parents=True)
    model = Reader.load(finished[0].model_path).model
    calibration = calibrate(model, finished[0])
    save_model(model, settings, calibration)
    reader = Reader.load(settings.model_path)
    assert reader.calibration == dataclasses.replace(calibration, network="")
    own = reader.read([image.path for image in list_images(finished[0], "validation")])
    assert sum(not reading.familiar for reading in own) <= 2  # of 60: each sign may take one for foreign
    foreign = [np.full((60, 160), 128, np.uint8), np.random.default_rng(0).integers(0, 256, (60, 160), np.uint8)]
    assert [reading.familiar for reading in reader.read(foreign)] == [False, False]
    as_they_are = Reader(model, settings.style).read(foreign)
    assert [reading.familiar for reading in as_they_are] == [True, True]


@pytest.mark.parametrize("which", ["absent", "somewhere/absent.keras"])
def test_a_missing_network_names_notebook_4(which):
    with pytest.raises(StepError, match=r"no trained network .*absent.*notebook 04_train_alexnet"):
        Reader.load(which)


def test_a_file_that_is_no_network_of_ours_names_notebook_4(tmp_path, finished):
    text = tmp_path / "text.keras"
    text.write_text("no network")
    without_style = tmp_path / "foreign.keras"
    with zipfile.ZipFile(finished[0].model_path) as ours, zipfile.ZipFile(without_style, "w") as foreign:
        for name in ours.namelist():
            if name != STYLE_MEMBER:
                foreign.writestr(name, ours.read(name))
    cut = tmp_path / "cut.keras"
    cut.write_bytes(finished[0].model_path.read_bytes()[:5000])
    images = keras.Input((60, 160, 1))
    layers = [keras.layers.Flatten(), keras.layers.Dense(40)]
    functional = keras.Model(images, layers[1](layers[0](images)))
    others = tmp_path / "functional.keras", tmp_path / "sequential.keras"
    for path, network in zip(others, (functional, keras.Sequential([images, *layers])), strict=True):
        network.save(path)
        with zipfile.ZipFile(path, "a") as foreign:
            foreign.writestr(STYLE_MEMBER, json.dumps(CaptchaStyle().to_dict()))
    for path in (text, without_style, cut, *others):
        with pytest.raises(StepError, match=rf"{path.name} is no network that notebook 04_train_alexnet saved"):
            Reader.load(path)


def test_the_style_of_a_network_is_drawn_with_the_fonts_of_its_experiment(tmp_path, tiny):
    font = shutil.copyfile(find_font("DejaVuSerif"), tmp_path / "Mine.ttf")
    settings = load_settings("mine", style=CaptchaStyle(fonts=str(font)), data_dir=tmp_path / "data")
    expected = draw_captcha("5020", settings.style, 1).tobytes()
    keep_fonts([str(font)], settings.own_fonts)
    kept = dataclasses.replace(settings.style, fonts=tuple(map(str, settings.own_fonts.iterdir())))
    font.unlink()
    for network in (None, "another"):
        path = dataclasses.replace(settings, network=network).model_path
        save_network(path, tiny(CaptchaStyle()), kept)
        assert draw_captcha("5020", Reader.load(path).style, 1).tobytes() == expected


def with_metadata(path: Path, target: Path, version: str, layers: str = "") -> Path:
    """A copy of a network that names another version of Keras, and perhaps layers that this one does not know."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "metadata.json":
                content = json.dumps({**json.loads(content), "keras_version": version}).encode()
            if name == "config.json" and layers:
                content = content.replace(b'"Conv2D"', layers.encode())
            new.writestr(name, content)
    return target


def test_a_network_of_another_keras_is_read_or_told_as_one(finished, tmp_path):
    path = finished[0].model_path
    assert Reader.load(with_metadata(path, tmp_path / "same.keras", "4.1.0")).style == finished[0].style
    other = with_metadata(path, tmp_path / "other.keras", "4.1.0", '"Conv2DOfTomorrow"')
    with pytest.raises(StepError, match=r"other\.keras (was saved by Keras 4\.1\.0, and this Keras|needs Conv2DOf)"):
        Reader.load(other)


def test_a_network_of_the_other_profile_is_named(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    copy_experiment(finished[0], tmp_path)
    monkeypatch.setenv("CAPTCHA_PROFILE", "full")
    with pytest.raises(StepError, match=r"tiny/model\.keras on the full profile; there is one on the quick profile"):
        Reader.load("tiny")
