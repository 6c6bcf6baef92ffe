"""Any Keras network that takes the captchas works to the end, beside the first one and without harm to it."""

import contextlib
import dataclasses
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from conftest import copy_experiment

from helpers import files
from helpers.captchas.styles import CaptchaStyle
from helpers.data.images import list_images
from helpers.errors import StepError
from helpers.experiments import list_experiments
from helpers.network.alexnet import build_alexnet, layer_shapes
from helpers.network.calibration import Calibration, first_filters, observed
from helpers.network.fitness import check_kept, check_network
from helpers.network.saved import ORIGIN_MEMBER, load_network
from helpers.precision import quick_layers
from helpers.quiet_tensorflow import keras, tf
from helpers.reading import Reader
from helpers.settings import Settings, open_experiment
from helpers.training.evaluation import calibrate, score_test
from helpers.training.fit import Training, compile_model, save_model, train

layers, register = keras.layers, keras.saving.register_keras_serializable
STYLE = CaptchaStyle()
APART = "has other layers than the one that was tested on 'tiny', so it is kept apart"


def sequential(*more: keras.Layer) -> keras.Sequential:
    """A small network that says neither what it takes nor what its layers are called."""
    first = [layers.Rescaling(1 / 255), layers.Conv2D(4, 5, strides=4, activation="relu"), layers.AveragePooling2D(2)]
    return keras.Sequential([*first, *more, layers.Flatten(), layers.Dense(40), layers.Reshape((4, 10))])


def functional(*more, shape=(60, 160, 1), end=lambda x: layers.Reshape((4, 10))(layers.Dense(40)(x))) -> keras.Model:
    """A network without convolutions, with `more` layers at its beginning."""
    x = images = keras.Input(shape)
    for layer in [layers.Rescaling(1 / 255), layers.AveragePooling2D(8) if not more else layers.Identity(), *more]:
        x = layer(x)
    return keras.Model(images, end(layers.Flatten()(x)))


def dense_only() -> keras.Model:
    """A network without any convolution or pooling."""
    return functional(layers.Reshape((60, 160)), layers.Dense(2))


@register("tests")
class Residual(keras.Model):
    """A network as a class of one's own."""

    def __init__(self, filters: int = 4, **more) -> None:
        super().__init__(**more)
        self.scale, self.one = layers.Rescaling(1 / 255), layers.Conv2D(filters, 5, strides=4, padding="same")
        self.two, self.dense = layers.Conv2D(filters, 3, padding="same"), layers.Dense(40)

    def call(self, images):
        x = self.one(self.scale(images))
        x = tf.nn.relu(x + self.two(x))
        return tf.reshape(self.dense(tf.reshape(x, (-1, 15 * 40 * x.shape[-1]))), (-1, 4, 10))


@register("tests")
class Told(Residual):
    """The same, with a get_config."""

    def get_config(self):
        return {**super().get_config(), "filters": self.one.filters}


class Unregistered(Residual):
    """A class that Keras does not know by a name of its own."""


@register("tests")
class Forgetful(layers.Layer):
    """A layer that does not tell what it was made from."""

    def __init__(self, units: int = 2, **more) -> None:
        super().__init__(**more)
        self.dense = layers.Dense(units)

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return super().get_config()


class Unscaled(keras.Model):
    """A network that cannot use whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = layers.Conv2D(4, 5)

    def call(self, images):
        return self.convolution(images)


def nested() -> keras.Model:
    backbone = keras.Sequential([layers.Conv2D(4, 5, strides=4), layers.MaxPooling2D()], name="backbone")
    return functional(backbone)


def backbone() -> keras.Model:
    """With a functional network inside, as in keras.applications."""
    images = keras.Input((60, 160, 1))
    inside = keras.Model(images, layers.MaxPooling2D()(layers.Conv2D(4, 5, strides=4)(images)))
    inside.trainable = False
    return functional(inside)


def frozen() -> keras.Model:
    """With a Sequential inside that is not trained."""
    model = nested()
    model.get_layer("backbone").trainable = False
    return model


def augmented() -> keras.Model:
    """With a layer that changes pictures at random in training."""
    return functional(layers.RandomTranslation(0.1, 0.1), layers.Conv2D(4, 5, strides=4))


def with_several_outputs() -> keras.Model:
    images = keras.Input((60, 160, 1))
    last, *_ = layers.LSTM(3, return_state=True)(layers.Reshape((60, 160))(images))
    return keras.Model(images, layers.Reshape((4, 10))(layers.Dense(40)(last)))


def twice(x):
    return 2 * x


OWN = {"sequential": sequential, "functional": dense_only, "class": Residual, "told": lambda: Told(6), "nested": nested,
       "backbone": backbone, "frozen": frozen, "augmented": augmented}  # fmt: skip


@pytest.fixture
def tested(finished, tmp_path) -> Settings:
    """A copy of an experiment with a trained and tested network."""
    return copy_experiment(finished[0], tmp_path)


def digests(settings: Settings) -> dict[str, str]:
    """Each file of an experiment but those of its further networks."""
    paths = (path for path in settings.folder.rglob("*") if path.is_file())
    names = {path.relative_to(settings.folder).as_posix(): files.file_digest(path) for path in paths}
    return {name: digest for name, digest in names.items() if not name.startswith(("networks/", ".lock"))}


def to_the_end(model: keras.Model, settings: Settings) -> Training:
    """Compile, train, calibrate, save and score."""
    training = train(compile_model(model, settings), settings)
    save_model(model, settings, calibrate(model, settings))
    score_test(model, settings, training)
    return training


@pytest.mark.parametrize("name", OWN)
def test_a_network_of_ones_own_works_to_the_end_beside_the_first(tested, name):
    before, first = digests(tested), list_experiments(tested)
    mine = open_experiment("tiny", data_dir=tested.data_dir, epochs=2, batch_size=32, network="mine")
    assert mine.model_path == tested.folder / "networks" / "mine" / "model.keras"
    model = OWN[name]()
    assert len(to_the_end(model, mine).rows) == 2
    assert digests(tested) == before
    made = {path.name for path in mine.network_folder.iterdir()} - {".lock"}
    assert made == {"model.keras", "history.csv", "progress.csv", "metrics.json", "checkpoint"}
    with zipfile.ZipFile(mine.model_path) as archive:
        assert b"optimizer" not in archive.read("model.weights.h5")
    listed = {experiment.network: experiment for experiment in list_experiments(tested)}
    assert listed.keys() == {None, "mine"}
    assert listed[None] == first[0]  # its size too
    assert listed["mine"].metrics["parameters"] == model.count_params()
    assert listed["mine"].name == "tiny"
    expected = sum(path.stat().st_size for path in mine.network_folder.rglob("*") if path.is_file()) / 1e6
    assert listed["mine"].megabytes == pytest.approx(expected)
    images = list_images(tested, "test")
    for one in listed.values():
        readings = Reader.load(one.settings.model_path).read([image.path for image in images])
        right = sum(reading.text == image.text for reading, image in zip(readings, images, strict=True))
        assert right == one.metrics["captchas_right"]


def test_both_are_loaded_by_name(tested, monkeypatch):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tested.data_dir))
    mine = dataclasses.replace(tested, network="mine")
    model = sequential()
    save_model(model, mine)
    images = np.random.default_rng(0).integers(0, 256, (3, 60, 160, 1), np.uint8)
    for reader, network in ((Reader.load("tiny", network="mine"), model), (Reader.load("tiny"), None)):
        expected = network or load_network(tested.model_path).model
        assert np.allclose(reader.model(images), expected(images), atol=1e-5)
    with pytest.raises(StepError, match=r'no trained network "other"\. There are: its own, .*, network="mine"\.'):
        Reader.load("tiny", network="other")
    tested.model_path.unlink()
    with pytest.raises(StepError, match=r'no trained network of its own\. There are: network="mine"\.'):
        Reader.load("tiny")


def test_a_network_that_is_only_begun_is_not_listed(tested):
    mine = dataclasses.replace(tested, network="begun")
    train(compile_model(sequential(), mine), mine, until=1)
    (mine.folder / "networks" / "Not A Name").mkdir()
    (mine.folder / "networks" / "Not A Name" / "metrics.json").write_text("{}")
    assert [experiment.network for experiment in list_experiments(tested)] == [None]


def test_a_changed_layer_is_kept_apart_and_the_first_is_found_again(tested, tiny, capsys):
    def wider():
        return tiny(tested.style, filters=12)

    def same():
        keras.utils.set_random_seed(1)
        return tiny(tested.style)

    before = digests(tested)
    to_the_end(wider(), tested)
    said = capsys.readouterr().out
    assert said.count(APART) == 3  # when it is trained, saved and scored
    assert 'open_experiment("tiny", network="changed-1"), Reader.load("tiny", network="changed-1").' in said
    assert digests(tested) == before
    changed = dataclasses.replace(tested, network="changed-1")
    assert json.loads(changed.metrics_path.read_text())["parameters"] == wider().count_params()
    assert changed.history_path.is_file()
    assert len(list(changed.checkpoint_folder.glob("epoch-*.json"))) == 2

    to_the_end(sequential(), tested)
    assert 'network="changed-2"' in capsys.readouterr().out
    assert {one.network for one in list_experiments(tested)} == {None, "changed-1", "changed-2"}
    for network, place in ((wider(), "changed-1"), (sequential(), "changed-2")):  # each goes back to its own place
        train(compile_model(network, tested), tested, until=0)
        assert f'network="{place}"' in capsys.readouterr().out

    train(compile_model(same(), tested), tested)
    said = capsys.readouterr().out
    assert "trained before, on" in said
    assert APART not in said
    assert digests(tested) == before

    changed.metrics_path.unlink()  # it is saved, though not tested, and stays
    train(compile_model(dense_only(), tested), tested, until=0)
    assert 'network="changed-3"' in capsys.readouterr().out
    changed.model_path.unlink()  # its place is free, but where these layers were tested comes first
    train(compile_model(sequential(), tested), tested, until=0)
    assert 'network="changed-2"' in capsys.readouterr().out
    train(compile_model(dense_only(), tested), tested, until=0)
    assert 'network="changed-1"' in capsys.readouterr().out


def test_under_a_name_a_tested_network_is_not_overwritten(tested):
    mine = dataclasses.replace(tested, network="mine")
    to_the_end(sequential(), mine)
    kept = files.file_digest(mine.model_path)
    other = compile_model(sequential(layers.Conv2D(4, 3)), mine)
    for step in (lambda: train(other, mine), lambda: save_model(other, mine)):
        with pytest.raises(
            StepError, match=r'"mine" of other layers\. Choose another name.*delete .* tiny/networks/mine'
        ):
            step()
    assert files.file_digest(mine.model_path) == kept
    save_model(sequential(), mine)  # the same layers, which Keras has named otherwise
    assert files.file_digest(mine.model_path) != kept


def test_only_a_tested_network_that_can_be_read_is_protected(tested, capsys):
    network = sequential()
    with zipfile.ZipFile(tested.model_path, "w") as archive:
        archive.writestr(ORIGIN_MEMBER, '{"layers": "those of a class that nobody knows"}')
    save_model(network, tested)
    assert APART in capsys.readouterr().out
    with zipfile.ZipFile(tested.model_path, "w") as archive:  # of an early version: only the score tells parameters
        archive.writestr("config.json", "{}")
    save_model(network, tested)
    assert APART in capsys.readouterr().out
    tested.metrics_path.unlink()
    save_model(network, tested)
    assert APART not in capsys.readouterr().out
    assert load_network(tested.model_path).model.count_params() == network.count_params()


def test_a_class_that_changed_its_layers_is_another_network(tested):
    def edited(filters):
        """The class of a cell that was edited and run again."""

        @register("tests")
        class Edited(Residual):
            def __init__(self) -> None:
                super().__init__(filters)

            def get_config(self):
                return {}

        return Edited()

    mine = dataclasses.replace(tested, network="mine")
    to_the_end(edited(4), mine)
    with pytest.raises(StepError, match='"mine" of other layers'):
        train(compile_model(edited(6), mine), mine)


REFUSED = {  # what is wrong with a network: how it is made, and what is told
    "shape": (
        lambda: functional(shape=(50, 160, 1)),
        r"takes \[50, 160, 1\] and gives \[4, 10\], but .* \[60, 160, 1\]",
    ),
    "flat": (
        lambda: functional(end=layers.Dense(40)),
        r"gives \[40\], but .* gives \[4, 10\]\. Let it begin .* end with",
    ),
    "softmax": (lambda: functional(end=lambda x: layers.Reshape((4, 10))(layers.Dense(40, "softmax")(x))), "a softmax"),
    "softmax layer": (lambda: keras.Sequential([sequential(), layers.Softmax()]), "a softmax"),
    "whole numbers": (Unscaled, r"cannot take .* uint8 \[2, 60, 160, 1\]: .*DataType uint8.*Rescaling\(1 / 255\)"),
    "no layers": (keras.Sequential, "no layers"),
    "no network": (lambda: layers.Dense(3), r"a Dense, not a network: build a keras\.Model"),
    "nothing": (lambda: None, "a NoneType, not a network"),
    "one name": (lambda: functional(end=lambda x: {"a": layers.Reshape((4, 10))(layers.Dense(40)(x))}), "gives a dict"),
}


def with_two(inputs: bool) -> keras.Model:
    model, other = dense_only(), keras.Input((60, 160, 1))
    return keras.Model([model.input, other], model.output) if inputs else keras.Model(model.input, [model.output] * 2)


REFUSED["inputs"] = (lambda: with_two(True), r"2 input\(s\) and 1 output\(s\)")
REFUSED["outputs"] = (lambda: with_two(False), r"1 input\(s\) and 2 output\(s\)")


@pytest.mark.parametrize("name", REFUSED)
def test_a_network_that_does_not_fit_is_told_why(shared_recorded, name):
    build, why = REFUSED[name]
    settings = shared_recorded
    steps = (
        lambda model: compile_model(model, settings), lambda model: train(model, settings),
        lambda model: calibrate(model, settings), lambda model: save_model(model, settings),
        lambda model: Reader(model, settings.style),
    )  # fmt: skip
    for step in steps:
        with pytest.raises(StepError, match=why):
            step(build())
    assert not settings.model_path.exists()


LOST = {  # what no file gives back: how it is made, which layer is named, and what to do
    "lambda": (lambda: functional(layers.Lambda(lambda x: 2 * x, name="own")), "layer 'own'", "class of your own"),
    "function": (lambda: functional(layers.Lambda(twice, name="own")), "layer 'own'", "above twice"),
    "activation": (lambda: functional(layers.Dense(2, lambda x: x, name="own")), "layer 'own'", "class of your own"),
    "class": (Unregistered, r"network '\w+' \(Unregistered\)", "above Unregistered"),
    "arguments": (lambda: Residual(8), r"network '\w+' \(Residual\)", "a get_config that returns"),
    "layer": (lambda: functional(Forgetful(3, name="own")), "layer 'own'", "a get_config that returns"),
    "inside": (
        lambda: functional(keras.Sequential([layers.Conv2D(2, 5), layers.Lambda(lambda x: x, name="own")])),
        r"layer 'own' \(Lambda\)", "class of your own",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("name", LOST)
def test_what_no_file_gives_back_is_told_before_training(shared_recorded, name, monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", lambda *_arguments, **_options: pytest.fail("trained"))
    build, where, remedy = LOST[name]
    model = compile_model(build(), shared_recorded)
    for step in (lambda: train(model, shared_recorded), lambda: save_model(model, shared_recorded)):
        with pytest.raises(StepError, match=rf"The {where} .*not come back.*{remedy}.* build and compile"):
            step()


def test_the_remedies_help(shared_recorded):
    register("tests")(twice)
    for model in (Told(8), functional(layers.Lambda(twice)), functional(layers.Dense(2, twice))):
        check_network(model, STYLE)
        check_kept(model)


def test_a_class_of_another_kernel_names_the_cell_to_run(tmp_path, shared_recorded):
    settings = dataclasses.replace(shared_recorded, data_dir=tmp_path)
    save_model(Residual(), settings)
    code = (
        "import sys; from pathlib import Path\n"
        "from helpers.errors import StepError; from helpers.reading import Reader\n"
        "try:\n    Reader.load(Path(sys.argv[1]))\nexcept StepError as reason:\n    print(reason)"
    )
    run = [sys.executable, "-c", code, str(settings.model_path)]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert "needs Residual, which this kernel does not know. Run the cell that defines it" in said


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (lambda: build_alexnet(STYLE, filters=(4, 8, 8, 8, 8), dense_units=(16, 16)), (15, 40, 4)),
        (sequential, (7, 19, 4)),  # AveragePooling2D
        (lambda: functional(layers.Conv2D(3, 5, strides=5), layers.BatchNormalization()), (12, 32, 3)),
        (lambda: functional(layers.Conv2D(3, 5, strides=5), layers.Conv2D(2, 3), layers.MaxPooling2D()), (12, 32, 3)),
        (
            lambda: functional(layers.MaxPooling2D(), layers.Conv2D(3, 5), layers.ReLU(), layers.MaxPooling2D()),
            (13, 38, 3),
        ),
        (nested, None),  # Keras hides them in the network inside
        (backbone, None),
        (lambda: functional(*[layers.Conv2D(1, 5, padding="same")] * 2), (60, 160, 1)),  # used twice: its first use
        (with_several_outputs, None),
        (dense_only, None),
        (Residual, None),
    ],
)
def test_the_first_filters_are_found_without_a_name(build, shape):
    model = build()
    check_network(model, STYLE)
    images = np.random.default_rng(0).integers(0, 256, (3, 60, 160, 1), np.uint8)
    logits, filtered = observed(model)(images, training=False)
    assert np.allclose(logits, model(images), atol=1e-5)
    assert filtered.shape == (3, *(shape or (1, 1, 0)))
    assert (first_filters(model) is None) == (shape is None)


def test_without_filters_a_weak_answer_alone_tells_a_foreign_picture(shared_recorded, tmp_path, capsys):
    model, settings = dense_only(), dataclasses.replace(shared_recorded, data_dir=tmp_path)
    found = calibrate(model, shared_recorded)
    assert "no filters to look at" in capsys.readouterr().out
    assert found.means == ()
    assert np.isfinite(found.least_certain)
    save_model(model, settings, found)
    with zipfile.ZipFile(settings.model_path) as archive:
        assert "Infinity" not in archive.read("captcha_calibration.json").decode()
    reader = Reader.load(settings.model_path)
    assert reader.calibration == dataclasses.replace(found, network="")
    own = reader.read([image.path for image in list_images(shared_recorded, "validation")])
    assert 0 < sum(not reading.familiar for reading in own) <= 1
    strict = Reader(model, settings.style, Calibration(least_certain=1e9))
    assert not strict.read(np.zeros((60, 160), np.uint8))[0].familiar
    calibrate(sequential(), shared_recorded)
    assert "no filters" not in capsys.readouterr().out


def test_another_networks_calibration_is_refused(shared_recorded, tmp_path):
    settings = dataclasses.replace(shared_recorded, data_dir=tmp_path)
    model = sequential(layers.MaxPooling2D())
    found = calibrate(model, shared_recorded)
    for other in (dense_only(), functional(layers.Conv2D(3, 5)), sequential(layers.MaxPooling2D())):
        with pytest.raises(StepError, match=r"belongs to another network\. Run calibrate"):
            save_model(other, settings, found)
    assert not settings.model_path.exists()
    save_model(model, settings, found)
    model.set_weights([2 * weights for weights in model.get_weights()])
    with pytest.raises(StepError, match="belongs to another network"):
        save_model(model, settings, found)


def test_a_loss_for_probabilities_is_refused(shared_recorded):
    for loss in ("sparse_categorical_crossentropy", keras.losses.SparseCategoricalCrossentropy()):
        model = compile_model(sequential(), shared_recorded)
        model.compile("adam", loss)
        with pytest.raises(StepError, match=r"expects probabilities.*from_logits=True"):
            train(model, shared_recorded)


def test_another_recipe_says_that_it_will_replace_the_tested_network(tested, tiny, capsys):
    train(compile_model(tiny(tested.style), dataclasses.replace(tested, learning_rate=0.001)), tested, until=1)
    assert "save_model will replace the network tested here; to keep both: open_ex" in capsys.readouterr().out
    other = dataclasses.replace(tested, network="other")
    train(compile_model(tiny(tested.style), other), other, until=1)
    assert "replace" not in capsys.readouterr().out


def test_a_network_in_16_bits_is_read_and_keeps_its_types(shared_recorded, possible_bfloat16):
    wide = layers.Conv2D(4, 5, strides=4, dtype="mixed_bfloat16")
    model = functional(
        layers.Conv2D(2, 5), wide, end=lambda x: layers.Reshape((4, 10), dtype="bfloat16")(layers.Dense(40)(x))
    )
    with quick_layers(model, True), contextlib.suppress(ZeroDivisionError):
        raise ZeroDivisionError
    assert wide.dtype_policy.name == "mixed_bfloat16"
    assert 0 < calibrate(model, shared_recorded).temperature <= 5
    assert Reader(model, STYLE).read(np.zeros((60, 160), np.uint8))[0].probabilities.dtype == np.float32


def test_a_stopped_training_of_a_class_of_ones_own_goes_on(recorded, capsys):
    train(compile_model(Residual(), recorded), recorded, until=1)
    second = compile_model(Residual(), recorded)  # Keras gives it another name
    training = train(second, recorded)
    assert [row["epoch"] for row in training.rows] == [1, 2]
    assert training.points[-1]["images"] == 400
    assert int(second.optimizer.iterations) == 14  # 2 epochs of 7 batches: it went on
    train(compile_model(Residual(), recorded), recorded)
    assert "trained before, on" in capsys.readouterr().out


def test_a_class_of_ones_own_multiplies_no_16_bit_numbers(recorded, monkeypatch):
    monkeypatch.setattr("helpers.precision.has_bfloat16", lambda: True)
    seen = []
    monkeypatch.setattr(keras.Model, "fit", lambda model, *_, **__: seen.append(model.layers[2].compute_dtype))
    for model in (Residual(), sequential(layers.Conv2D(4, 3))):
        train(compile_model(model, recorded), recorded)
    two = sequential(layers.Conv2D(4, 3))
    monkeypatch.setattr(keras.Model, "fit", lambda model, *_, **__: seen.append(model.layers[3].compute_dtype))
    train(compile_model(two, recorded), recorded)
    assert seen == 4 * ["float32"] + 2 * ["bfloat16"]  # in each of two epochs; nor does a network's first convolution


def test_saving_keeps_the_network_compiled(shared_recorded, tmp_path):
    settings = dataclasses.replace(shared_recorded, data_dir=tmp_path)
    model = compile_model(sequential(), settings)
    optimizer = model.optimizer
    save_model(model, settings)
    assert model.compiled
    assert model.optimizer is optimizer


def test_the_list_of_layers_takes_any_network():
    model = functional(layers.Conv2D(4, 5), layers.Dropout(0.1), layers.BatchNormalization(name="of_nobody_norm"))
    listed = layer_shapes(model)
    assert sum(parameters for _, _, parameters in listed) == model.count_params()
    assert ("conv" in listed[3][0], listed[3][1:]) == (True, (listed[3][1], 5 * 5 * 4 + 4 + 4 * 4))
    assert not any("dropout" in name for name, _, _ in listed)
    first = keras.Sequential([keras.Input((4, 4, 1)), layers.BatchNormalization(name="alone_norm"), layers.Flatten()])
    assert layer_shapes(first) == [("alone_norm", (4, 4, 1), 4)]
    unbuilt = layer_shapes(sequential())
    assert [shape for _, shape, _ in unbuilt] == [()] * len(unbuilt)
    own = Residual()
    check_network(own, STYLE)
    assert sum(parameters for _, _, parameters in layer_shapes(own)) == own.count_params()
