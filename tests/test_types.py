"""Values of another type: near ones are taken, wrong ones are refused in a sentence that says what came."""

import io
import os
from pathlib import Path

import numpy as np
import pytest

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.fonts import find_font
from helpers.captchas.pictures import open_image, to_grey
from helpers.captchas.styles import CaptchaStyle
from helpers.data.adopt import adopt_folder
from helpers.data.generate import generate
from helpers.data.images import list_images
from helpers.data.records import load_batches
from helpers.data.texts import split_of
from helpers.errors import ImageError, TutorialError
from helpers.experiments import run_experiment, try_style
from helpers.experiments.cleaning import remove_experiment
from helpers.network.alexnet import build_alexnet
from helpers.reading import Reader
from helpers.settings import load_settings, open_experiment


class Place(os.PathLike):
    """A path of one's own kind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def test_paths_of_every_kind_are_taken(reader, finished, tmp_path):
    draw_captcha("5020", CaptchaStyle(), 1).save(path := tmp_path / "a.png")
    expected = reader.read(path)[0].text
    for kind in (str(path), path, Place(path), [Place(path)], iter([str(path)])):
        assert [reading.text for reading in reader.read(kind)] == [expected]
    assert (to_grey(open_image(Place(path))) == to_grey(open_image(path))).all()
    for kind in (str, Path, Place):
        assert Reader.load(kind(finished[0].model_path)).style == finished[0].style
    assert load_settings(data_dir=Place(tmp_path)).data_dir == tmp_path


def test_numbers_of_numpy_are_taken(tmp_path):
    style = CaptchaStyle(
        noise_dots=np.int64(5), length=np.int32(3), rotation=np.array([-5, 5]), overlap=np.float32(0.5)
    )
    assert style == CaptchaStyle(noise_dots=5, length=3, rotation=(-5, 5), overlap=0.5)
    assert type(style.noise_dots) is int and type(style.rotation[0]) is int
    assert (to_grey(draw_captcha("123", style, np.uint8(3))) == to_grey(draw_captcha("123", style, 3))).all()
    settings = load_settings(train_count=np.int64(20), learning_rate=np.float32(0.5), seed=np.uint64(7))
    assert (settings.train_count, settings.learning_rate, settings.seed) == (20, 0.5, 7)
    assert type(settings.describe()["train_count"]) is int
    build_alexnet(CaptchaStyle(), filters=[np.int64(4)] * 5, dense_units=np.array([8, 8]))


def test_a_font_may_be_a_path_and_an_alphabet_a_list(tmp_path, monkeypatch):
    font = find_font("DejaVuSans")
    assert CaptchaStyle(fonts=font) == CaptchaStyle(fonts=[font]) == CaptchaStyle(fonts=str(font))
    assert CaptchaStyle(alphabet=["0", "1", "2"]).alphabet == CaptchaStyle(alphabet=tuple("012")).alphabet == "012"
    (tmp_path / "Mine.ttf").write_bytes(font.read_bytes())
    monkeypatch.chdir(tmp_path)
    style = CaptchaStyle(fonts="Mine.ttf")
    assert style.fonts == (str(tmp_path / "Mine.ttf"),)
    monkeypatch.chdir("/")
    draw_captcha("5020", style, 1)
    (tmp_path / "Mine.ttf").unlink()
    with pytest.raises(TutorialError, match=r"Mine\.ttf', or no longer"):
        CaptchaStyle(fonts=style.fonts)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda reader: reader.read(b"\x89PNG"), "A bytes object is no picture"),
        (lambda reader: reader.read(bytearray(b"\x89PNG")), "A bytearray object is no picture"),
        (lambda reader: reader.read(io.BytesIO(b"\x89PNG")), "A BytesIO object is no picture"),
        (lambda reader: reader.read(None), "A NoneType is no picture"),
        (lambda reader: reader.read(5020), "A int object is no picture"),
        (lambda reader: reader.read([None]), "A NoneType is no picture"),
        (lambda reader: reader.read(np.zeros((60, 160))), "An array of float64"),
        (lambda reader: reader.read(np.uint8(7)), "A uint8 object is no picture"),
        (lambda reader: Reader.load(None), "None is a NoneType. Give an experiment's name"),
        (lambda reader: Reader.load(7), "7 is a int. Give an experiment's name"),
        (lambda reader: open_experiment(None), "name None cannot name a folder"),
        (lambda reader: open_experiment(b"default"), "cannot name a folder"),
        (lambda reader: load_settings(profile=7), "no profile '7'"),
        (lambda reader: load_settings(train_count=10.0), "train_count: 10.0 must be a whole number"),
        (lambda reader: load_settings(train_count="10"), "train_count: '10' must be a whole number"),
        (lambda reader: load_settings(epochs=True), "epochs: True must be a whole number"),
        (lambda reader: load_settings(learning_rate="0.1"), "learning_rate: '0.1' must lie"),
        (lambda reader: load_settings(data_dir=7), "data_dir: 7 must be the path"),
        (lambda reader: load_settings(style="noisy"), "style: 'noisy' must be a CaptchaStyle"),
        (lambda reader: CaptchaStyle(alphabet=5), "alphabet: 5 needs"),
        (lambda reader: CaptchaStyle(alphabet=b"0123"), "alphabet: b'0123' needs"),
        (lambda reader: CaptchaStyle(alphabet=[0, 1, 2]), r"alphabet: \(0, 1, 2\) needs"),
        (lambda reader: CaptchaStyle(fonts=7), "fonts: 7 is not a tuple"),
        (lambda reader: CaptchaStyle(fonts=None), "fonts: None is not a tuple"),
        (lambda reader: CaptchaStyle(noise_dots="30"), "noise_dots: '30' must be a whole number"),
        (lambda reader: CaptchaStyle(noise_dots=30.5), "noise_dots: 30.5 must be a whole number"),
        (lambda reader: CaptchaStyle(noise_dots=np.array([1, 2])), r"noise_dots: \(1, 2\) must be a whole number"),
        (lambda reader: CaptchaStyle(rotation=30), "rotation: 30 is not a tuple"),
        (lambda reader: CaptchaStyle(rotation=np.array([[1, 2]])), r"rotation: \(\(1, 2\),\) must be two"),
        (lambda reader: CaptchaStyle.preset(None), "no preset 'None'"),
        (lambda reader: CaptchaStyle.preset(["noisy"]), "no preset"),
        (lambda reader: draw_captcha(5020, CaptchaStyle(), 1), "5020 is a int"),
        (lambda reader: draw_captcha("5020", "noisy", 1), "style: 'noisy' must be a CaptchaStyle"),
        (lambda reader: draw_captcha(b"5020", CaptchaStyle(), 1), "b'5020' is a bytes"),
        (lambda reader: draw_captcha("5020", CaptchaStyle(), None), "seed: None must be a whole number"),
        (lambda reader: draw_captcha("5020", CaptchaStyle(), 0.5), "seed: 0.5 must be a whole number"),
        (lambda reader: split_of(2004), "2004 is a int"),
        (lambda reader: adopt_folder("mine", None), "folder: None is a NoneType"),
        (lambda reader: adopt_folder("mine", b"pictures"), "folder: b'pictures' is a bytes"),
        (lambda reader: adopt_folder("mine", "/", labels={"a.png": "5020"}), "labels: a dict holds none"),
        (lambda reader: adopt_folder(None, "/"), "cannot name a folder|no picture"),
        (lambda reader: run_experiment(None), "cannot name a folder"),
        (lambda reader: run_experiment("mine", style="noisy"), "style: 'noisy' must be a CaptchaStyle"),
        (lambda reader: try_style("noisy"), "style: 'noisy' must be a CaptchaStyle"),
        (lambda reader: remove_experiment(None), "cannot name a folder"),
        (lambda reader: build_alexnet(CaptchaStyle(), filters=16), "filters: 16 must be"),
        (lambda reader: build_alexnet(CaptchaStyle(), dropout="0.5"), "dropout: '0.5' must be"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_told(reader, call, said):
    with pytest.raises(TutorialError, match=said):
        call(reader)


def test_wrong_values_of_a_step_are_told(recorded):
    for processes in (0, -1, 1.5, "2"):
        recorded.manifest_path.unlink(missing_ok=True)
        with pytest.raises(TutorialError, match=r"processes: .* must be a whole number from 1"):
            generate(recorded, processes=processes)


def test_wrong_splits_and_batches_are_told(recorded):
    for split in ("Test", None, 3, ["test"]):
        with pytest.raises(TutorialError, match=r"no split .*There are: train, validation, test"):
            load_batches(recorded, split)
        with pytest.raises(TutorialError, match="no split"):
            list_images(recorded, split)
    for batch_size in (0, -1, 2.5, "32"):
        with pytest.raises(TutorialError, match=r"batch_size: .* must be a whole number from 1"):
            load_batches(recorded, "test", batch_size=batch_size)


@pytest.mark.parametrize(
    "shape", [(60, 160, 2), (60, 160, 5), (3, 60, 160), (4, 60, 160), (9600,), (), (1, 1, 60, 160, 3), (60, 160, 0)]
)
def test_an_array_that_may_be_read_in_two_ways_is_refused(reader, shape):
    with pytest.raises(ImageError, match="is not clearly one picture or a batch"):
        reader.read(np.zeros(shape, np.uint8))


def test_a_stream_of_pictures_is_read_part_by_part(reader):
    """No more pictures than a batch has are taken before the first of them are read."""
    taken, seen = [], []
    read_batch = reader._read_batch

    def noticed(images, errors):
        seen.append(len(taken))
        return read_batch(images, errors)

    def stream():
        for number in range(600):
            taken.append(number)
            yield np.full((60, 160), number % 256, np.uint8)

    reader._read_batch = noticed
    try:
        assert len(reader.read(stream())) == 600
    finally:
        del reader._read_batch
    assert seen == [256, 512, 600]
