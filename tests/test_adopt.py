"""A folder of labelled pictures becomes an experiment: nothing in it is changed, lost or mixed up on the way."""

import contextlib
import csv
import itertools
import json
import random
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from helpers import files
from helpers.captchas.drawing import draw_captcha
from helpers.captchas.pictures import fit_to_style
from helpers.captchas.styles import CaptchaStyle
from helpers.data import adopt, adopt_folder
from helpers.data.generate import generate
from helpers.data.images import check_images, image_manifest, list_images
from helpers.data.records import load_batches, write_records
from helpers.data.texts import SPLITS, split_of
from helpers.errors import SettingsError, StepError, StyleError
from helpers.experiments import whole
from helpers.experiments.choice import choose
from helpers.experiments.whole import run_experiment
from helpers.files.labels import labels_of
from helpers.reading import Reader
from helpers.settings import load, load_settings, open_experiment

COUNT = 120


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """An empty data folder."""
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def drawn():
    """Texts and pictures, larger than the network needs them."""
    chance = random.Random(1)
    texts = ["".join(chance.choices("0123456789", k=4)) for _ in range(COUNT)]
    return [(text, draw_captcha(text, CaptchaStyle(), seed).resize((200, 75))) for seed, text in enumerate(texts)]


@pytest.fixture
def pictures(tmp_path, drawn):
    """A folder of pictures named after a number and their text."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for index, (text, picture) in enumerate(drawn):
        picture.save(folder / f"{index:04d}_{text}.png")
    return folder


def content(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_becomes_an_experiment(pictures, data, drawn, capsys):
    before = content(pictures)
    settings = adopt_folder("mine", pictures)
    assert content(pictures) == before
    assert settings == open_experiment("mine") and settings.adopted
    assert settings.folder == data / "quick" / "mine"
    assert sum(settings.counts.values()) == COUNT
    rows = image_manifest(settings)["pictures"]
    assert [row["file"] for row in rows] == sorted(path.name for path in before)
    for split in SPLITS:
        images = list_images(settings, split)
        chosen = [row for row in rows if row["split"] == split]
        assert [image.text for image in images] == [row["text"] for row in chosen]
        for image, row in zip(images, chosen, strict=True):
            assert split_of(image.text) == split and row["file"].endswith(f"_{image.text}.png")
            seen = fit_to_style(pictures / row["file"], settings.style)
            assert np.array_equal(np.asarray(Image.open(image.path)), seen)  # as `Reader` sees it
    check_images(settings)
    said = capsys.readouterr().out
    for part in ("120 labelled pictures", "characters: 0123456789; in a text: 4", "pixels: 200x75; scaled to 160x60"):
        assert part in said
    assert said.count(".png: ") == 3 and said.rstrip().endswith("left out 0")
    assert re.search(rf"train {settings.train_count}, validation {settings.validation_count}, test", said)


def test_records_of_it_hold_the_same_pixels_and_labels(pictures):
    settings = adopt_folder("mine", pictures)
    write_records(settings)
    for split in SPLITS:
        images, labels = (np.concatenate(part) for part in zip(*load_batches(settings, split), strict=True))
        listed = list_images(settings, split)
        assert [settings.style.labels_to_text(label) for label in labels] == [image.text for image in listed]
        assert all(np.array_equal(a[..., 0], Image.open(b.path)) for a, b in zip(images, listed, strict=True))


def test_it_is_drawn_neither_by_its_name_nor_over_it(pictures):
    settings = adopt_folder("mine", pictures)
    with pytest.raises(StepError, match="labelled pictures that were adopted: there is nothing to draw"):
        generate(settings)
    with pytest.raises(StepError, match=r"exists with other settings .*it was adopted, not drawn"):
        choose("mine", CaptchaStyle())


def test_the_same_pictures_are_adopted_once_and_others_are_refused(pictures, drawn):
    settings = adopt_folder("mine", pictures)
    before = content(settings.folder)
    assert adopt_folder("mine", pictures) == settings
    assert content(settings.folder) == before
    drawn[0][1].transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(pictures / "9999_0000.png")
    with pytest.raises(StepError, match=r"'mine' is another experiment, or other pictures .* such as 'mine-2'"):
        adopt_folder("mine", pictures)
    assert content(settings.folder) == before
    assert sum(adopt_folder("mine-2", pictures).counts.values()) == COUNT + 1
    generate(choose("drawn", CaptchaStyle(), train_count=8, validation_count=2, test_count=2), processes=1)
    with pytest.raises(StepError, match="'drawn' is another experiment"):
        adopt_folder("drawn", pictures)


@pytest.mark.parametrize("written", [1, 2, 40, COUNT + 1, COUNT + 2, COUNT + 3])
def test_a_stop_loses_nothing_and_the_next_call_ends_well(pictures, monkeypatch, written):
    """After so many files: settings, pictures, settings with the final counts, manifest."""
    with monkeypatch.context() as stopped:
        whole_write, count = files.written_whole, itertools.count(1)

        @contextlib.contextmanager
        def stop(path):
            with whole_write(path) as temporary:
                yield temporary
            if next(count) == written:
                raise KeyboardInterrupt

        stopped.setattr(files, "written_whole", stop)
        with pytest.raises(KeyboardInterrupt):
            adopt_folder("mine", pictures)
    settings = load_settings("mine")
    assert settings.manifest_path.exists() == (written == COUNT + 3)
    if written < COUNT + 3:
        with pytest.raises(StepError, match="missing or incomplete"):
            list_images(open_experiment("mine"), "train")
    settings = adopt_folder("mine", pictures)
    check_images(settings)
    assert sorted(path.name for path in settings.folder.iterdir() if path.name != ".lock") == [
        "experiment.json", "images", "manifest.json",
    ]  # fmt: skip


def test_a_picture_that_was_lost_is_made_again(pictures):
    settings = adopt_folder("mine", pictures)
    first = list_images(settings, "test")[0].path
    whole_picture = first.read_bytes()
    first.unlink()
    with pytest.raises(StepError, match=rf"{first.name} is missing .*manifest.json and adopt its folder again"):
        list_images(settings, "test")
    settings.manifest_path.unlink()
    adopt_folder("mine", pictures)
    assert first.read_bytes() == whole_picture


def test_a_lost_description_is_restored(pictures, data):
    settings = adopt_folder("mine", pictures)
    before = content(settings.folder)
    (settings.folder / "experiment.json").unlink()
    assert adopt_folder("mine", pictures) == settings
    assert content(settings.folder) == before


def test_images_without_their_experiment_are_not_written_over(pictures, data):
    settings = adopt_folder("mine", pictures)
    for name in ("experiment.json", "manifest.json"):
        (settings.folder / name).unlink()
    before = content(settings.folder)
    with pytest.raises(StepError, match="'mine' is another experiment"):
        adopt_folder("mine", pictures)
    assert content(settings.folder) == before


@pytest.mark.parametrize(
    ("names", "texts"),
    [
        (["5020.png", "0042.png"], ["5020", "0042"]),
        (["0001_5020.png", "0002_0042.png", "0003_7731.png"], ["5020", "0042", "7731"]),
        (
            ["5020_1.png", "0042_2.png", "7731_3.png", "7731_4.png", "9000_77.png"],
            ["5020", "0042", "7731", "7731", "9000"],
        ),
        (["17_aB3.jpg", "18_77x.jpg"], ["aB3", "77x"]),
        (["aB3_17.jpg", "77x_18.jpg"], ["aB3", "77x"]),
        (["é5ü.png"], ["é5ü"]),
    ],
)
def test_labels_in_names_are_recognised(tmp_path, names, texts):
    for name in names:
        (tmp_path / name).touch()
    for other in ("notes.txt", ".5021.png", "thumbs.db", "a-b.png"):
        (tmp_path / other).touch()
    found, left_out = labels_of(tmp_path)
    assert found == dict(zip(names, texts, strict=True))
    assert list(found) == sorted(names)
    assert left_out == {"a-b.png": "it has no label"}


@pytest.mark.parametrize("name", ["{number:06}_{text:02}.png", "{text:02}_{number:06}.png"])
def test_a_number_that_repeats_is_the_text_also_in_a_large_folder(tmp_path, name):
    files = {name.format(number=number, text=number * 7 % 100): f"{number * 7 % 100:02}" for number in range(300)}
    for file in files:  # all numbers from 0 to 99 are texts
        (tmp_path / file).touch()
    assert labels_of(tmp_path)[0] == files


def test_a_counter_that_repeats_is_still_told_from_texts_that_lie_apart(tmp_path):
    names = [f"{number}_{5000 + 37 * number + 7 * part}.png" for number in range(20) for part in range(2)]
    for name in names:
        (tmp_path / name).touch()
    assert labels_of(tmp_path)[0] == {name: name.split("_")[1].removesuffix(".png") for name in names}


def test_a_pattern_says_where_the_label_stands(tmp_path):
    for name in ("site-5020-x.png", "site-0042-y.png", "other.png"):
        (tmp_path / name).touch()
    found, left_out = labels_of(tmp_path, r"site-(?P<text>\d+)-.")
    assert found == {"site-0042-y.png": "0042", "site-5020-x.png": "5020"}
    assert list(left_out) == ["other.png"]
    for pattern, wrong in ((r"site-(\d+", "no regular expression"), (r"site-(\d+)-.", "no group text")):
        with pytest.raises(SettingsError, match=wrong):
            labels_of(tmp_path, pattern)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_labels_in_a_csv_file(tmp_path, encoding):
    (tmp_path / "more").mkdir()
    for name in ("a.png", "b.png", "c.png", "more/d.png"):
        (tmp_path / name).touch()
    rows = [
        ("a.png", "1111"),
        ("b.png", " 22,2 "),
        ("a.png", "3333"),
        ("c.png", ""),
        ("more/d.png", "ü"),
        ("e.png", "5"),
    ]
    with open(tmp_path / "labels.CSV", "w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([("file", "text", "who"), *((*row, "me") for row in rows), ("e.png", "5", "")])
    for given in (tmp_path / "labels.CSV", "labels.CSV"):  # its path, or its name in the folder
        found, left_out = labels_of(tmp_path, given)
        assert found == {"a.png": "3333", "b.png": "22,2", "more/d.png": "ü"}  # the last row of a file counts
        assert left_out == {"c.png": "it has no label", "e.png": "there is no such file"}


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        (b"name,text\na.png,1\n", "has no column file"),
        (b"a.png,1\n", "has no column file and text"),
        (b"", "has no column file and text"),
        (b"file,text\na.png,\xff\xfe\n", "cannot be read as a CSV file in UTF-8"),
        (None, "cannot be read as a CSV file"),
        (b"file,text\nz.png,1\n", "No picture has a label, not even a.png"),
    ],
)
def test_a_csv_file_that_cannot_be_used_is_told(tmp_path, written, wrong):
    (tmp_path / "a.png").touch()
    if written is not None:
        (tmp_path / "labels.csv").write_bytes(written)
    with pytest.raises(SettingsError, match=wrong):
        labels_of(tmp_path, tmp_path / "labels.csv")


def test_labels_that_are_not_there_or_not_clear_are_told(tmp_path):
    with pytest.raises(SettingsError, match="holds no pictures"):
        labels_of(tmp_path)
    (tmp_path / "a-b.png").touch()
    with pytest.raises(SettingsError, match=r"not even a-b\.png\. Rename it to 5020\.png"):
        labels_of(tmp_path)
    for name in ("1_2.png", "2_1.png"):
        (tmp_path / name).touch()
    with pytest.raises(SettingsError, match=r"Which part of 1_2\.png is the text"):
        labels_of(tmp_path)
    for name in ("3_4.png", "4_3.png", "3_1.png", "1_3.png"):  # both count, and both repeat
        (tmp_path / name).touch()
    with pytest.raises(SettingsError, match=r"Which part of 1_2\.png is the text"):
        labels_of(tmp_path)


def test_folders_that_cannot_be_adopted_are_refused(tmp_path, pictures, data):
    with pytest.raises(SettingsError, match="nowhere is no folder"):
        adopt_folder("mine", tmp_path / "nowhere")
    inside = data / "quick" / "here"
    inside.mkdir(parents=True)
    for path in pictures.iterdir():
        path.rename(inside / path.name)
    with pytest.raises(SettingsError, match="lies in the data folder, which `make clean` empties"):
        adopt_folder("mine", inside)
    assert not (data / "quick" / "mine").exists()


@pytest.mark.parametrize("texts", [["5020"] * 8, ["5020", "5021", "7733"]])
def test_too_few_texts_are_told_by_their_splits(tmp_path, data, texts):
    folder = tmp_path / "few"
    folder.mkdir()
    for index, text in enumerate(texts):
        draw_captcha(text, CaptchaStyle(), index).save(folder / f"{index}_{text}.png")
    with pytest.raises(SettingsError, match=r"too few for three splits \(\d train, \d validation, \d test\)"):
        adopt_folder("mine", folder)
    assert not data.exists()


def test_a_picture_twice_counts_once_and_with_two_labels_is_refused(pictures, drawn, data):
    text, picture = drawn[5]
    picture.save(pictures / f"9000_{text}.png")
    settings = adopt_folder("mine", pictures)
    assert image_manifest(settings)["left_out"] == {f"9000_{text}.png": f"it is the same picture as 0005_{text}.png"}
    assert sum(settings.counts.values()) == COUNT
    picture.save(pictures / "9001_0000.png")
    with pytest.raises(
        SettingsError, match=rf"0005_{text}\.png and 9001_0000\.png are the same picture, labelled {text}"
    ):
        adopt_folder("other", pictures)
    (pictures / "9001_0000.png").unlink()
    assert sum(adopt_folder("other", pictures).counts.values()) == COUNT  # it goes on


def test_broken_pictures_are_named_and_left_out(pictures, capsys):
    for index, written in enumerate((b"", b"no picture", next(pictures.iterdir()).read_bytes()[:-500])):
        (pictures / f"{9000 + index}_1234.png").write_bytes(written)
    settings = adopt_folder("mine", pictures)
    assert sum(settings.counts.values()) == COUNT
    left_out = image_manifest(settings)["left_out"]
    assert list(left_out) == ["9000_1234.png", "9001_1234.png", "9002_1234.png"]
    said = capsys.readouterr().out
    assert all(re.search(rf"left out: {name}, since \S+{name} is no readable image", said) for name in left_out)
    assert "left out 3" in said


def test_lengths_sizes_and_letters_are_told(tmp_path, capsys):
    folder, chance = tmp_path / "letters", random.Random(2)
    folder.mkdir()
    for index in range(80):
        text = "".join(chance.choices("abAxyz7", k=chance.randint(3, 5)))
        size = ((100, 40), (120, 40), (90, 30), (80, 30))[index % 4]
        Image.effect_noise(size, 50).save(folder / f"{index:05d}_{text}.png")
    settings = adopt_folder("mine", folder)
    assert settings.style.length == (3, 5) and settings.style.alphabet == "7Aabxyz"
    said = capsys.readouterr().out
    assert "characters: 7Aabxyz; in a text: 3 to 5" in said
    assert re.search(r"pixels: \d+x\d+, \d+x\d+, \d+x\d+ and others; scaled to 200x60", said)
    assert "a and A count as different" in said


def test_labels_that_no_style_can_hold_are_refused(tmp_path):
    (tmp_path / "labels.csv").write_text("file,text\n" + "".join(f"{n}.png,a {n}\n" for n in range(60)))
    for number in range(60):
        (tmp_path / f"{number}.png").touch()
    with pytest.raises(StyleError, match="alphabet: ' ' cannot be part of a file name"):
        adopt_folder("mine", tmp_path, "labels.csv")


def test_many_pictures_are_shared_out_to_processes(pictures, monkeypatch):
    alone = adopt_folder("alone", pictures)
    monkeypatch.setattr(adopt, "FEW", 10)
    monkeypatch.setattr("helpers.files.cores.CHUNK", 16)
    together = adopt_folder("together", pictures)
    digests = [image_manifest(settings)["images_digest"] for settings in (alone, together)]
    assert digests[0] == digests[1]


def test_it_is_adopted_without_tensorflow():
    loaded = "'tensorflow' in sys.modules, 'matplotlib' in sys.modules"
    code = f"import sys; from helpers.data import adopt_folder; print({loaded})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_it_goes_to_a_score_in_one_call(pictures, monkeypatch, tiny, capsys):
    monkeypatch.setattr(whole, "build_alexnet", tiny)
    monkeypatch.setattr(whole, "STEPS", 12)
    monkeypatch.setattr(load, "STEPS", 24)
    settings = adopt_folder("mine", pictures)
    metrics = run_experiment("mine")
    assert metrics["test_count"] == settings.test_count and metrics["train_images"] == settings.train_count
    reader = Reader.load("mine")
    read = [reading.text for reading in reader.read([image.path for image in list_images(settings, "test")])]
    right = sum(text == image.text for text, image in zip(read, list_images(settings, "test"), strict=True))
    assert metrics["captchas_right"] == right
    adopt_folder("other", pictures)
    warm = run_experiment("other", start_from="mine")
    assert warm["test_count"] == settings.test_count
    capsys.readouterr()
    assert run_experiment("other", start_from="mine") == warm
    assert "trained before" in capsys.readouterr().out
    rows = files.read_rows(open_experiment("other").history_path)
    assert len(rows) == settings.epochs


@pytest.mark.parametrize("count", [1, 30, 300, 3_000, 100_000])
def test_few_pictures_are_shown_often_and_many_once_in_each_epoch(count):
    settings = load_settings("mine", adopted=True, train_count=count).with_steps(300)
    each = -(-count // settings.batch_size)
    assert settings.passes == 1 or abs(settings.epochs * settings.passes * each - 300) <= settings.epochs * each
    assert (settings.passes > 1) == (count < 3_000)
    assert settings.epoch_images == settings.passes * count


def test_whoever_opens_few_pictures_trains_long_enough(pictures):
    adopted = adopt_folder("mine", pictures)
    assert adopted.passes == open_experiment("mine").passes > 50
    assert open_experiment("mine", passes=2).passes == 2
    assert open_experiment("mine", epochs=30).passes < adopted.passes / 5


def test_an_experiment_of_before_is_still_drawn(pictures, data):
    generate(choose("drawn", CaptchaStyle(), train_count=8, validation_count=2, test_count=2), processes=1)
    stored = json.loads((data / "quick" / "drawn" / "experiment.json").read_text())
    assert "adopted" not in stored
    assert not open_experiment("drawn").adopted
    with pytest.raises(SettingsError, match="adopted was fixed with the images"):
        open_experiment("drawn", adopted=True)
