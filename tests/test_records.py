"""Records hold every image to the pixel, and a damaged shard is noticed by its name."""

import ast
import dataclasses
import itertools
import os
import re
import shutil
import struct
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from helpers import files
from helpers.captchas.pictures import open_image, to_grey
from helpers.captchas.styles import CaptchaStyle
from helpers.data import records
from helpers.data.generate import generate
from helpers.data.images import list_images
from helpers.data.records import (
    load_batches,
    load_grey,
    load_greys,
    parse_batch,
    to_example,
    write_captchas,
    write_records,
)
from helpers.data.shards import check_shards, records_manifest
from helpers.data.texts import SPLITS
from helpers.errors import ImageError, StepError, Stopped
from helpers.files import cores
from helpers.files.disk import TEMPORARY
from helpers.quiet_tensorflow import tf
from helpers.settings import load_settings
from helpers.training.augmentation import shift_batch


def record_ends(path: Path) -> list[int]:
    """Where each record of a TFRecord file ends: length 8, its checksum 4, data, its checksum 4."""
    content, ends, at = path.read_bytes(), [], 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        at += 8 + 4 + length + 4
        ends.append(at)
    assert ends[-1] == len(content)
    return ends


def names(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name != ".lock")


def contents(batches) -> list[bytes]:
    """The pixels of every record, in the order in which they come."""
    return [image.tobytes() for images, _ in batches for image in images.numpy()]


@pytest.mark.parametrize("preset", ["default", "five digits", "lengths 3 to 6"])
def test_an_example_survives_the_round_trip(preset):
    style = CaptchaStyle.preset(preset)
    texts = [style.alphabet[length] * length for length in range(style.min_length, style.max_length + 1)]
    random = np.random.default_rng(1)
    greys = [random.integers(0, 256, (style.height, style.image_width), dtype=np.uint8) for _ in texts]
    serialized = [to_example(grey, text, style).SerializeToString() for grey, text in zip(greys, texts, strict=True)]
    images, labels = parse_batch(tf.constant(serialized), style)
    assert images.dtype == tf.uint8
    assert labels.dtype == tf.int32
    assert images.shape == (len(texts), style.height, style.image_width, 1)
    assert labels.shape == (len(texts), style.positions)
    assert (images.numpy()[..., 0] == np.stack(greys)).all()
    assert [style.labels_to_text(row) for row in labels.numpy()] == texts
    assert tf.train.Example.FromString(serialized[0]).features.feature["text"].bytes_list.value[0] == texts[0].encode()


@pytest.mark.parametrize("split", SPLITS)
def test_every_record_is_its_image_to_the_pixel(shared_recorded, split):
    images, labels = zip(*load_batches(shared_recorded, split, batch_size=32), strict=True)
    images, labels = np.concatenate(images), np.concatenate(labels)
    renderings = list_images(shared_recorded, split)
    assert len(images) == len(labels) == len(renderings) == shared_recorded.counts[split]
    for image, label, rendering in zip(images, labels, renderings, strict=True):
        assert (image[..., 0] == to_grey(open_image(rendering.path))).all()
        assert shared_recorded.style.labels_to_text(label) == rendering.text


def test_shards_are_named_and_counted_as_the_design_says(shared_recorded):
    shards = [f"train-{i:05d}-of-00004.tfrecord" for i in range(4)]
    shards += [f"{split}-{i:05d}-of-00002.tfrecord" for split in ("test", "validation") for i in range(2)]
    assert names(shared_recorded.records_folder) == sorted([*shards, "manifest.json"])
    counts = check_shards(shared_recorded, "validation")
    assert [len(record_ends(Path(path))) for path in counts] == list(counts.values()) == [50, 10]
    manifest = files.read_sealed(shared_recorded.records_folder / "manifest.json", "notebook 03")
    assert manifest["style"] == shared_recorded.style.to_dict()
    assert [shard["count"] for shard in manifest["shards"]["train"]] == [50] * 4
    assert {len(shard["digest"]) for shards in manifest["shards"].values() for shard in shards} == {64}


def test_the_dataset_knows_its_shapes_and_how_many_batches_it_has(shared_recorded):
    batches = load_batches(shared_recorded, "train")
    images, labels = batches.element_spec
    assert images.shape.as_list() == [None, 60, 160, 1]
    assert labels.shape.as_list() == [None, 4]
    assert batches.cardinality() == 7  # 200 images in batches of 32
    assert [len(images) for images, _ in batches] == [32] * 6 + [8]


def test_varying_lengths_make_the_whole_way(tmp_path):
    style = CaptchaStyle.preset("lengths 3 to 6", height=32, width=64, font_sizes=20)
    settings = load_settings(
        "lengths", data_dir=tmp_path, style=style, train_count=6, validation_count=3, test_count=3, image_format="jpg"
    )
    generate(settings, processes=1)
    write_records(settings)
    for split in SPLITS:
        images, labels = next(iter(load_batches(settings, split)))
        assert images.shape[1:] == (32, 64, 1)
        texts = [style.labels_to_text(row) for row in labels.numpy()]
        assert texts == [rendering.text for rendering in list_images(settings, split)]


def test_written_records_are_not_written_again(recorded, monkeypatch):
    monkeypatch.setattr(records, "write_captchas", lambda *_: pytest.fail("wrote again"))
    manifest = write_records(recorded)
    assert manifest == files.read_sealed(recorded.records_folder / "manifest.json", "notebook 03")


def test_writing_twice_gives_the_same_bytes(drawn, shared_drawn, tmp_path):
    manifest = write_records(drawn)
    assert sum(shard["count"] for shards in manifest["shards"].values() for shard in shards) == 320
    (drawn.records_folder / "manifest.json").unlink()
    assert write_records(drawn) == manifest


class Broken(Exception):
    pass


def fail_at(number: int):
    """A `to_example` that fails at a certain call."""
    calls = itertools.count(1)

    def to_example_or_fail(*arguments):
        if next(calls) == number:
            raise Broken
        return to_example(*arguments)

    return to_example_or_fail


def test_processes_write_the_same_bytes_and_a_progress_bar(drawn, shared_recorded, monkeypatch, capsys):
    monkeypatch.setattr(records, "RECORDS_PER_SHARD", 50)
    monkeypatch.setattr(records, "MANY", 100)
    workers = []
    monkeypatch.setattr(cores, "_ahead", lambda *work, ahead=cores._ahead: workers.append(work[3]) or ahead(*work))
    manifest = write_records(drawn)
    assert workers == [os.cpu_count()]
    assert manifest == files.read_sealed(shared_recorded.records_folder / "manifest.json", "notebook 03")
    assert "100%" in (line := capsys.readouterr().out.splitlines()[-1])
    assert "320/320" in line


def test_an_image_that_a_process_cannot_decode_is_named(drawn, monkeypatch):
    monkeypatch.setattr(records, "MANY", 100)
    images = list_images(drawn, "train")
    images[150].path.write_bytes(b"no picture")
    with pytest.raises(ImageError, match=f"{images[150].path.name} is no readable image"):
        list(load_greys(images, drawn.style))


def test_a_shard_is_written_whole_or_not_at_all(drawn, monkeypatch):
    images = list_images(drawn, "test")
    path = drawn.records_folder / "test-00000-of-00001.tfrecord"
    monkeypatch.setattr(records, "to_example", fail_at(30))
    with pytest.raises(Broken):
        write_captchas(path, images, drawn.style)
    assert names(drawn.records_folder) == []
    entry = write_captchas(path, images, drawn.style)
    assert names(drawn.records_folder) == [path.name]
    assert entry == {"name": path.name, "count": 60, "digest": files.file_digest(path)}


def test_interrupted_records_are_incomplete_and_can_be_written_again(drawn, monkeypatch):
    monkeypatch.setattr(records, "RECORDS_PER_SHARD", 50)
    monkeypatch.setattr(records, "to_example", fail_at(130))
    with pytest.raises(Broken):
        write_records(drawn)
    assert names(drawn.records_folder) == ["train-00000-of-00004.tfrecord", "train-00001-of-00004.tfrecord"]
    with pytest.raises(StepError, match="missing or incomplete"):
        load_batches(drawn, "train")
    (drawn.records_folder / f"{TEMPORARY}9-train-00002-of-00004.tfrecord").write_bytes(b"of a killed process")
    write_records(drawn)
    assert len(names(drawn.records_folder)) == 9
    assert len(contents(load_batches(drawn, "train"))) == 200


def flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def cut_between_records(path: Path) -> None:
    os.truncate(path, record_ends(path)[-3])


def cut_inside_a_record(path: Path) -> None:
    os.truncate(path, record_ends(path)[-3] - 7)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (flip_bit, "is damaged"),
        (cut_between_records, "is damaged: it had 50 records"),
        (cut_inside_a_record, "is damaged"),
        (empty, "is damaged"),
        (Path.unlink, "is missing"),
    ],
)
def test_a_damaged_shard_is_named_and_written_anew(recorded, damage, complaint, capsys):
    damage(recorded.records_folder / "train-00002-of-00004.tfrecord")
    message = rf"tiny/records/train-00002-of-00004\.tfrecord {complaint}.*notebook 03_write_tfrecords"
    with pytest.raises(StepError, match=message):
        load_batches(recorded, "train")
    assert len(contents(load_batches(recorded, "test"))) == 60  # the other splits are whole
    write_records(recorded)  # as the message says
    assert re.search(f"written anew, since .*train-00002-of-00004.tfrecord {complaint}", capsys.readouterr().out)
    assert len(contents(load_batches(recorded, "train"))) == 200


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("damage", [cut_between_records, empty])
def test_tensorflow_alone_does_not_notice_a_missing_tail_but_the_count_does(recorded, damage, shuffle, monkeypatch):
    path = recorded.records_folder / "train-00002-of-00004.tfrecord"
    checked = check_shards(recorded, "train")
    damage(path)
    assert len(list(tf.data.TFRecordDataset(str(path)))) < 50  # no error: records are silently missing
    monkeypatch.setattr(records, "check_shards", lambda *_: checked)
    with pytest.raises(tf.errors.FailedPreconditionError, match="expected to contain 200 elements but contained only"):
        contents(load_batches(recorded, "train", shuffle=shuffle))


def test_a_shard_in_the_place_of_another_is_noticed(recorded):
    one, two = (recorded.records_folder / f"train-0000{i}-of-00004.tfrecord" for i in (0, 1))
    one.write_bytes(two.read_bytes())
    with pytest.raises(StepError, match="train-00000-of-00004"):
        check_shards(recorded, "train")


def test_a_manifest_that_was_changed_is_noticed(recorded):
    path = recorded.records_folder / "manifest.json"
    path.write_text(path.read_text().replace('"count": 50', '"count": 49'))
    with pytest.raises(StepError, match=r"records/manifest\.json was changed"):
        load_batches(recorded, "train")


def test_records_of_another_style_are_refused(recorded):
    other = dataclasses.replace(recorded, style=CaptchaStyle(noise_dots=200))
    with pytest.raises(StepError, match=r"captchas of another style.*notebook 03_write_tfrecords"):
        load_batches(other, "train")


def test_missing_records_name_notebook_3(drawn):
    with pytest.raises(StepError, match=r"'tiny' are missing.*notebook 03_write_tfrecords"):
        load_batches(drawn, "train")


def test_missing_images_name_notebook_2(drawn):
    (drawn.folder / "manifest.json").unlink()
    with pytest.raises(StepError, match="notebook 02_generate_captchas"):
        write_records(drawn)
    assert not drawn.records_folder.exists()


def test_images_that_were_changed_after_they_were_made_are_refused(drawn):
    path = list_images(drawn, "validation")[3].path
    Image.new("RGB", (160, 60), "white").save(path)
    with pytest.raises(StepError, match=rf"{path.name} was changed since it was drawn.*notebook 02_generate_captchas"):
        write_records(drawn)
    assert not drawn.records_folder.exists()


def test_an_image_of_another_size_is_named(drawn):
    rendering = list_images(drawn, "test")[0]
    Image.new("RGB", (80, 60)).save(rendering.path)
    with pytest.raises(StepError, match=f"{rendering.path.name} is 80x60 pixels.*160x60"):
        load_grey(rendering, drawn.style)


def test_records_of_other_images_are_written_anew(recorded, tmp_path):
    manifest = files.read_sealed(recorded.records_folder / "manifest.json", "notebook 03")
    files.write_json(recorded.records_folder / "manifest.json", files.sealed({**manifest, "images_digest": "0" * 64}))
    assert write_records(recorded)["images_digest"] == manifest["images_digest"]


def test_a_second_writer_is_refused(drawn):
    with files.only_writer(drawn.folder), pytest.raises(StepError, match="Another process is writing"):
        write_records(drawn)
    assert not drawn.records_folder.exists()


def test_shuffling_gives_every_record_once_an_epoch_in_ever_new_order(shared_recorded):
    in_order = contents(load_batches(shared_recorded, "train"))
    batches = load_batches(shared_recorded, "train", shuffle=True)
    first, second = contents(batches), contents(batches)
    assert sorted(first) == sorted(second) == sorted(in_order)
    assert len(set(in_order)) == 200
    assert first != in_order
    assert second != first
    assert batches.cardinality() == 7
    # Mixed across the shards: the first batch does not come from one of them only.
    assert len({in_order.index(image) // 50 for image in first[:32]}) > 1


def test_nothing_waits_a_minute_for_the_tuner_of_batches(shared_recorded):
    """Whether the tuner misses its signal is a matter of luck, so see that there is none."""
    for shuffle in (False, True):
        batches = load_batches(shared_recorded, "train", shuffle=shuffle)
        assert batches.map(shift_batch).prefetch(1).options().autotune.enabled is False


def test_the_seed_decides_the_order(shared_recorded):
    orders = [contents(load_batches(shared_recorded, "train", shuffle=True, seed=seed)) for seed in (1, 1, 2, None)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    own_seed = load_batches(shared_recorded, "train", shuffle=True, seed=shared_recorded.seed)
    assert orders[3] == contents(own_seed)


def test_labels_stay_with_their_images_when_shuffled(shared_recorded):
    truth = {to_grey(open_image(image.path)).tobytes(): image.text for image in list_images(shared_recorded, "train")}
    for images, labels in load_batches(shared_recorded, "train", shuffle=True):
        for image, label in zip(images.numpy(), labels.numpy(), strict=True):
            assert truth[image.tobytes()] == shared_recorded.style.labels_to_text(label)


def test_the_bytes_of_a_record_do_not_depend_on_the_run(shared_recorded):
    """A protobuf may write the entries of a map in any order; ours are sorted by name."""
    for path in shared_recorded.records_folder.glob("*.tfrecord"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            assert record == tf.train.Example.FromString(record).SerializeToString(deterministic=True)


LESSON = Path(__file__).resolve().parent.parent / "notebooks" / "03_write_tfrecords.ipynb"
IN_THE_LESSON = ("class_numbers, ", "features =", "serialized =", "def parse(", "def same(", "batch =", "def mixed_")
CHECKED = ("as the helper's", "yours gives the same", "yours are the same")
WIDTH = '"width": tf.train.Feature(int64_list=tf.train.Int64List(value=[160])),'
# What a learner may change in the lesson, and which of the three comparisons then fail.
CHANGES = {
    "nothing": ("", "", ()),
    "a fourth feature": ("features = {", "features = {" + WIDTH, CHECKED[:1]),
    "a feature renamed": ('"labels": tf.train', '"digits": tf.train', CHECKED[:1]),
    "a feature that no record has": ('FixedLenFeature([], tf.string),', 'FixedLenFeature([], tf.string), '
                                     '"width": tf.io.FixedLenFeature([1], tf.int64),', CHECKED[1:]),
    "pixels as fractions": ("return images,", "return images / 255,", CHECKED[1:]),
    "labels as they are stored": ('tf.cast(parsed["labels"], tf.int32)', 'parsed["labels"]', CHECKED[1:]),
    "images alone": ('return images, tf.cast(parsed["labels"], tf.int32)', "return images", CHECKED[1:]),
    "labels of any number": ("FixedLenFeature([style.positions], tf.int64)", "VarLenFeature(tf.int64)", CHECKED[1:]),
    "a small buffer": ("2_000", "100", CHECKED[2:]),
    "no buffer": (".shuffle(2_000, seed=seed)", "", CHECKED[2:]),
    "one shard after the other": ("cycle_length=len(paths)", "cycle_length=1", CHECKED[2:]),
    "another seed": ("shuffle(2_000, seed=seed)", "shuffle(2_000, seed=7)", CHECKED[2:]),
    "other batches": ("batch(64).map", "batch(32).map", CHECKED[2:]),
    "no parser": (".map(parse)", "", CHECKED[2:]),
    "no batches": ("mixed.batch(64)", "mixed", CHECKED[2:]),
    "nothing prepared": (".prefetch(4)", "", ()),
}  # fmt: skip


def shown_by(source: str, names: dict[str, object]) -> object:
    """What a notebook shows below a cell: the value of its last expression."""
    *lines, last = ast.parse(source).body
    exec(compile(ast.Module(lines, []), "cell", "exec"), names)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return exec(compile(ast.Module([last], []), "cell", "exec"), names)


@pytest.mark.parametrize("damage", ["none", "a picture", "a text"])
def test_the_lesson_compares_every_record_with_its_picture(shared_recorded, damage, monkeypatch):
    cells = [cell.source for cell in nbformat.read(LESSON, as_version=4).cells if cell.cell_type == "code"]
    (cell,) = (cell for cell in cells if cell.startswith("def every_record("))
    listed = list_images(shared_recorded, "validation")
    if damage == "a picture":
        monkeypatch.setattr(records, "load_greys", lambda images, _: (load_grey(listed[0], _) for image in images))
    names = {"np": np, "records": records, "settings": shared_recorded, "style": shared_recorded.style}
    names |= {"SPLITS": SPLITS, "list_images": list_images}
    if damage == "a text":
        names["list_images"] = lambda *a: [image._replace(text="0000") for image in list_images(*a)]
    exec(compile(cell, "cell", "exec"), names)
    different, counts = names["different"], shared_recorded.counts
    missed = {"none": counts, "a picture": {"validation": 1}, "a text": {}}[damage]
    assert different == {split: counts[split] - missed.get(split, 0) for split in SPLITS}


@pytest.mark.parametrize("change", CHANGES)
def test_the_lesson_compares_its_own_lines_with_the_helpers_and_never_raises(shared_recorded, change):
    before, after, different = CHANGES[change]
    cells = [cell.source for cell in nbformat.read(LESSON, as_version=4).cells if cell.cell_type == "code"]
    cells = [cell for cell in cells if cell.startswith(IN_THE_LESSON) or CHECKED[2] in cell]
    assert len(cells) == len(IN_THE_LESSON) + 1
    assert before in "".join(cells)
    first = list_images(shared_recorded, "train")[0]
    names = {"tf": tf, "np": np, "records": records, "settings": shared_recorded, "style": shared_recorded.style}
    names |= {
        "first": first,
        "grey": load_grey(first, shared_recorded.style),
        "manifest": write_records(shared_recorded),
    }
    shown: dict[str, object] = {}
    for cell in cells:
        value = shown_by(cell.replace(before, after) if before else cell, names)
        shown |= value if isinstance(value, dict) else {}
    assert [name for name in CHECKED if shown[name] is not True] == list(different)


def test_a_stop_by_hand_while_packing_says_what_is_kept_and_is_carried_on(drawn, shared_recorded, monkeypatch):
    numbers = itertools.count()

    def interrupted(*arguments):
        if next(numbers) == 120:
            raise KeyboardInterrupt
        return to_example(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(records, "RECORDS_PER_SHARD", 50)
        patch.setattr(records, "to_example", interrupted)
        with pytest.raises(Stopped, match=r"^Stopped\. The images are kept; no record is\. Run this again"):
            write_records(drawn)
        patch.setattr(records, "to_example", to_example)
        assert not drawn.records_manifest_path.exists()
        assert write_records(drawn)["shards"] == records_manifest(shared_recorded)["shards"]


def test_an_image_that_is_replaced_while_it_is_packed_is_noticed(drawn, monkeypatch):
    image = list_images(drawn, "test")[0].path

    def replaced(*arguments):
        image.write_bytes(list_images(drawn, "test")[1].path.read_bytes())
        return to_example(*arguments)

    monkeypatch.setattr(records, "to_example", replaced)
    with pytest.raises(StepError, match=rf"{image.name} was changed"):
        write_records(drawn)
    assert not drawn.records_manifest_path.exists()


def test_once_they_are_packed_the_images_may_go(recorded, monkeypatch):
    shutil.rmtree(recorded.images_folder)
    assert write_records(recorded) == records_manifest(recorded)
    assert len(list(load_batches(recorded, "test"))) == 2
    sorted(recorded.records_folder.glob("test*"))[0].unlink()
    with pytest.raises(StepError, match=r"is missing \(200 of 200 images are\).*notebook 02_generate_captchas again"):
        write_records(recorded)
