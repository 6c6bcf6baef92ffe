"""The data set: splits for ever, the same pictures however they are made, and nothing lost or mixed."""

import collections
import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import signal
import string
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers import files
from helpers.captchas.drawing import draw_captcha
from helpers.captchas.fonts import find_font, kept_name
from helpers.captchas.pictures import open_image
from helpers.captchas.styles import CaptchaStyle
from helpers.data import generate as generating
from helpers.data import images as checking
from helpers.data.generate import generate
from helpers.data.images import check_images, image_manifest, list_images, renderings
from helpers.data.texts import SPLITS, check_texts, count_texts, derive_seed, draw_text, split_of
from helpers.errors import SettingsError, StepError, Stopped, StyleError, TutorialError
from helpers.files import cores
from helpers.files.disk import TEMPORARY
from helpers.settings import Settings, load_settings, open_experiment

SMALL = {"train_count": 20, "validation_count": 5, "test_count": 5}
GOLDEN_DIGEST = "40a08ca7d3bcb5ab9c3ea400a966bc55ee3f61fa5219e58ea74a2e3f00471ba9"
GOLDEN_PIXELS = "41a232bb62033813d631efb3c39bca40c43f8aa73a2a37234a42b05e832c0a2d"  # without the notes in them


def small(folder: Path, name: str = "small", **changes) -> Settings:
    return load_settings(name, data_dir=folder, **{**SMALL, **changes})


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes; the lock file is always empty."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_the_10_000_codes_are_split_for_ever():
    counts = collections.Counter(split_of(f"{number:04d}") for number in range(10_000))
    assert counts == {"train": 7950, "validation": 1038, "test": 1012}


@given(st.text(max_size=12))
def test_a_text_has_one_split_that_its_own_sha_256_decides(text):
    remainder = int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) % 10
    assert split_of(text) == ("test", "validation", *["train"] * 8)[remainder]


@given(st.integers(0, 2**64), st.sampled_from(SPLITS), st.integers(1, 6), st.integers(0, 3))
def test_a_drawn_text_belongs_to_its_split_and_style(seed, split, shortest, more):
    style = CaptchaStyle(alphabet=string.digits + "ABC", length=(shortest, shortest + more))
    if shortest + more == 1:
        return  # too few texts for three splits, see check_texts
    text = draw_text(style, split, seed)
    assert split_of(text) == split
    assert style.check_text(text) == text
    assert draw_text(style, split, seed) == text


def test_seeds_differ_for_every_part():
    parts = itertools.product((0, 1, 2026), SPLITS, range(300))
    seeds = [derive_seed(*part) for part in parts]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**64 for seed in seeds)
    assert derive_seed(1, "train", 2) == derive_seed(1, "train", 2)
    assert derive_seed(11, "train", 2) != derive_seed(1, "1train", 2)


def test_renderings_are_in_order_and_do_not_depend_on_the_counts(tmp_path):
    few = list(renderings(small(tmp_path), "train"))
    many = list(renderings(small(tmp_path, train_count=50), "train"))
    assert many[:20] == few
    assert [rendering.path.name[:6] for rendering in few[:2]] == ["00000_", "00001_"]
    assert sorted(few, key=lambda r: r.path.name) == few
    other_seed = list(renderings(small(tmp_path, seed=1), "train"))
    assert [r.text for r in other_seed] != [r.text for r in few]
    wide = list(itertools.islice(renderings(small(tmp_path, train_count=123_456), "train"), 1))
    assert wide[0].path.name.startswith("000000_")


def test_no_text_is_in_two_splits(shared_drawn):
    texts = [{image.text for image in list_images(shared_drawn, split)} for split in SPLITS]
    assert all(texts)
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert not texts[1] & texts[2]


def test_a_style_with_too_few_texts_is_refused_before_anything_is_written(tmp_path):
    check_texts(CaptchaStyle(length=2))
    with pytest.raises(SettingsError, match="10 different texts"):
        check_texts(CaptchaStyle(length=1))
    with pytest.raises(SettingsError, match="14 different texts"):
        generate(small(tmp_path, style=CaptchaStyle(alphabet="01", length=(1, 3))), processes=1)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_font_is_refused_before_anything_is_written(tmp_path):
    fields = CaptchaStyle().to_dict() | {"fonts": ["gone.ttf"]}
    style = CaptchaStyle.from_dict(fields, check_fonts=False)
    with pytest.raises(StyleError, match=r"gone\.ttf"):
        generate(small(tmp_path, style=style), processes=1)
    assert list(tmp_path.iterdir()) == []


def test_the_files_are_where_the_design_says(tmp_path):
    settings = small(tmp_path)
    manifest = generate(settings, processes=1)
    files = snapshot(settings.folder)
    images = [name for name in files if name.startswith("images/")]
    assert sorted(set(files) - set(images)) == ["experiment.json", "images.sha256", "manifest.json"]
    assert collections.Counter(name.split("/")[1] for name in images) == {"train": 20, "validation": 5, "test": 5}
    assert manifest == image_manifest(settings)
    assert manifest["counts"] == settings.counts
    assert manifest["versions"].keys() >= {"captcha", "pillow"}
    for split in SPLITS:
        for text, seed, path in list_images(settings, split):
            assert path.stem.split("_")[1] == text
            assert open_image(path).tobytes() == draw_captcha(text, settings.style, seed).tobytes()


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="FreeType may draw differently elsewhere"
)
def test_the_golden_digest(tmp_path):
    settings = small(tmp_path, seed=2026, style=CaptchaStyle())
    assert generate(settings, processes=1)["images_digest"] == GOLDEN_DIGEST
    paths = [image.path for split in SPLITS for image in list_images(settings, split)]
    for path in paths:
        open_image(path).save(path, compress_level=1)
    assert files.files_digest(paths, settings.images_folder) == GOLDEN_PIXELS


def test_jpg_is_the_same_every_time_too(tmp_path):
    settings = [small(tmp_path / name, image_format="jpg") for name in ("one", "two")]
    one, two = (generate(each, processes=1)["images_digest"] for each in settings)
    assert one == two
    path = list_images(settings[0], "test")[0].path
    assert path.suffix == ".jpg"
    with Image.open(path) as image:
        assert image.format == "JPEG"


def test_another_seed_or_style_is_another_digest(tmp_path):
    changes = [{}, {"seed": 1}, {"style": CaptchaStyle(noise_dots=31)}, {"train_count": 21}]
    digests = {
        generate(small(tmp_path, f"number-{index}", **change), processes=1)["images_digest"]
        for index, change in enumerate(changes)
    }
    assert len(digests) == len(changes)


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> tuple[str, dict[str, bytes]]:
    """170 captchas drawn in one go by one process: digest and files."""
    settings = small(tmp_path_factory.mktemp("reference"), train_count=160)
    return generate(settings, processes=1)["images_digest"], snapshot(settings.folder)


def test_two_processes_draw_the_same(tmp_path, reference):
    settings = small(tmp_path, train_count=160)
    digest = generate(settings, processes=2)["images_digest"]
    assert digest == reference[0]
    assert snapshot(settings.folder) == reference[1]


def test_an_interrupted_data_set_is_completed_to_the_same_bytes(tmp_path, reference):
    settings = small(tmp_path, train_count=160)
    generate(settings, processes=1)
    paths = [image.path for image in list_images(settings, "train")]
    kept = paths[0].stat().st_mtime_ns
    for path in paths[3:90:2]:
        path.unlink()
    (settings.images_folder / "test" / f"{TEMPORARY}99-00000_1234.png").write_bytes(b"half a picture")
    (settings.folder / "manifest.json").unlink()
    with pytest.raises(StepError, match=r"missing or incomplete.*notebook 02_generate_captchas"):
        image_manifest(settings)

    assert generate(settings, processes=1)["images_digest"] == reference[0]
    assert snapshot(settings.folder) == reference[1]
    assert paths[0].stat().st_mtime_ns == kept  # what was there was not drawn again


KILLED_HALFWAY = """
import os, signal, sys
from pathlib import Path
from helpers.data.generate import generate
from helpers.settings import load_settings

write, count = Path.write_bytes, 0

def write_or_die(path, content):
    global count
    count += 1
    if count == 70:
        write(path, b"half a picture")
        os.kill(os.getpid(), signal.SIGKILL)
    return write(path, content)

Path.write_bytes = write_or_die
settings = load_settings("small", data_dir=Path(sys.argv[1]), train_count=160, validation_count=5, test_count=5)
generate(settings, processes=1)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_process_killed_halfway_is_carried_on_by_the_next(tmp_path, reference):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_HALFWAY, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    settings = small(tmp_path, train_count=160)
    left = snapshot(settings.folder)
    assert sum(name.endswith(".png") for name in left) == 70  # 69 whole and one half, under a temporary name
    assert sum(TEMPORARY in name for name in left) == 1
    assert "manifest.json" not in left

    assert generate(settings, processes=2)["images_digest"] == reference[0]
    assert snapshot(settings.folder) == reference[1]


def test_a_complete_data_set_is_not_drawn_again(drawn, monkeypatch):
    before = snapshot(drawn.folder)
    monkeypatch.setattr(generating, "_draw_files", lambda *_: pytest.fail("drew again"))
    assert generate(drawn, processes=1) == image_manifest(drawn)
    assert snapshot(drawn.folder) == before


@pytest.mark.parametrize(("patience", "shown"), [(0, True), (100, False)])
def test_what_is_checked_for_long_shows_a_bar(drawn, monkeypatch, capsys, patience, shown):
    for module in (checking, generating):
        monkeypatch.setattr(module, "PATIENCE", patience)
    count = sum(drawn.counts.values())
    for step, images in ((check_images, count), (lambda settings: list_images(settings, "train"), drawn.train_count)):
        capsys.readouterr()
        step(drawn)
        assert bool(re.search(rf"100%.* {images}/{images} \[.* images/s\]", capsys.readouterr().out)) is shown
    drawn.manifest_path.unlink()
    generate(drawn)  # the bar of checking begins at nothing, that of drawing where the other ends
    assert ("  0%|" in capsys.readouterr().out) is shown


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"style": CaptchaStyle(noise_dots=200)}, "noise_dots: 30, not 200"),
        ({"style": CaptchaStyle(length=5)}, "length: .*4, 4.*, not .*5, 5"),
        ({"seed": 7}, "seed: 2026, not 7"),
        ({"train_count": 7}, "train_count: 200, not 7"),
        ({"image_format": "jpg"}, "image_format: png, not jpg"),
    ],
)
def test_the_same_name_with_other_settings_is_refused_and_nothing_changes(drawn, change, difference):
    before = snapshot(drawn.folder)
    with pytest.raises(StepError, match=f"'tiny' exists with other settings .*{difference}"):
        generate(dataclasses.replace(drawn, **change), processes=1)
    assert snapshot(drawn.folder) == before


def test_other_epochs_are_no_other_experiment(drawn):
    assert generate(dataclasses.replace(drawn, epochs=9, learning_rate=0.1), processes=1) == image_manifest(drawn)


@pytest.mark.parametrize("style", [CaptchaStyle(), CaptchaStyle(noise_dots=31)])
def test_a_lost_description_is_restored_from_the_manifest(drawn, style):
    before = snapshot(drawn.folder)
    (drawn.folder / "experiment.json").unlink()
    with contextlib.nullcontext() if style == drawn.style else pytest.raises(StepError, match="noise_dots: 30, not 31"):
        generate(dataclasses.replace(drawn, style=style), processes=1)
    assert snapshot(drawn.folder) == before


def test_what_nothing_describes_is_drawn_again(drawn):
    """Pictures of another style, whose names fit, are not taken for those of this one."""
    before = snapshot(drawn.folder)
    other = dataclasses.replace(drawn, style=CaptchaStyle(noise_dots=31))
    for name in ("experiment.json", "manifest.json"):
        (drawn.folder / name).unlink()
    digest = generate(other, processes=1)["images_digest"]
    for name in ("experiment.json", "manifest.json"):
        (drawn.folder / name).unlink()
    generate(drawn, processes=1)
    assert snapshot(drawn.folder) == before
    assert digest != image_manifest(drawn)["images_digest"]


def spoil_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("damage", ["a bit", "cut", "another text", "missing", "no list", "half a list"])
def test_drawing_vouches_only_for_bytes_that_it_has_checked(drawn, damage):
    """With manifest.json gone, a damaged picture does not enter the new digest."""
    before, images = snapshot(drawn.folder), list_images(drawn, "train")
    victim, written = images[7].path, drawn.list_path.read_text()
    {
        "a bit": lambda: spoil_a_bit(victim),
        "cut": lambda: victim.write_bytes(victim.read_bytes()[:-40]),
        "another text": lambda: victim.write_bytes(images[8].path.read_bytes()),
        "missing": victim.unlink,
        "no list": drawn.list_path.unlink,
        "half a list": lambda: drawn.list_path.write_text(written[: len(written) // 2]),
    }[damage]()
    if "list" not in damage and damage != "missing":
        with pytest.raises(StepError, match=f"tiny: images/train/{victim.name} was changed since it was drawn"):
            check_images(drawn)
    (drawn.folder / "manifest.json").unlink()  # as the message says
    generate(drawn, processes=1)
    assert snapshot(drawn.folder) == before
    check_images(drawn)


@pytest.mark.parametrize("complete", [True, False])
def test_a_foreign_file_is_named_and_left_alone(drawn, complete):
    foreign = drawn.images_folder / "validation" / "holiday.png"
    foreign.write_bytes(b"a picture of somebody")
    if not complete:
        (drawn.folder / "manifest.json").unlink()
    before = snapshot(drawn.folder)
    with pytest.raises(StepError, match=r"tiny/images/validation/holiday\.png is not an image of this experiment"):
        generate(drawn, processes=1)
    assert snapshot(drawn.folder) == before


@pytest.mark.parametrize("complete", [True, False])
def test_a_hidden_file_of_the_system_does_no_harm(drawn, complete):
    (drawn.images_folder / "test" / ".DS_Store").write_bytes(b"Finder")
    digest = image_manifest(drawn)["images_digest"]
    if not complete:
        (drawn.folder / "manifest.json").unlink()
    assert generate(drawn, processes=1)["images_digest"] == digest


def test_missing_images_are_named_and_drawn_again_as_the_message_says(drawn):
    before = snapshot(drawn.folder)
    images = list_images(drawn, "test")
    for image in images[4:6]:
        image.path.unlink()
    with pytest.raises(StepError, match=f"{images[4].path.name} is missing .2 of 60 images are.*notebook 02"):
        generate(drawn, processes=1)
    (drawn.folder / "manifest.json").unlink()
    generate(drawn, processes=1)
    assert snapshot(drawn.folder) == before


@pytest.mark.parametrize(
    "tamper",
    [
        lambda manifest: manifest.update(images_digest="0" * 64),
        lambda manifest: manifest["counts"].update(train=1),
        lambda manifest: manifest["versions"].update(pillow="1.0"),
        lambda manifest: manifest.pop("digest"),
    ],
)
def test_a_manifest_that_was_changed_is_noticed(drawn, tamper):
    path = drawn.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    tamper(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(StepError, match=r"manifest\.json was changed"):
        list_images(drawn, "train")


def test_a_second_writer_is_refused(tmp_path):
    settings = small(tmp_path)
    with (
        files.only_writer(settings.folder),
        pytest.raises(StepError, match=r"Another process is writing to .*small"),
    ):
        generate(settings, processes=1)
    assert not settings.images_folder.exists()
    assert generate(settings, processes=1)["counts"] == settings.counts


def numbers_of(_: dict, part: list[int]) -> tuple[int, list[int]]:
    """What a process did, and which process it was."""
    return os.getpid(), part


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("count", [0, 1, cores.CHUNK, cores.CHUNK + 1, 13 * cores.CHUNK - 1])
def test_parts_hold_every_job_once_and_in_order(processes, count, capsys):
    results = list(cores.on_all_cores(numbers_of, CaptchaStyle(), list(range(count)), processes))
    parts = [part for _, part in results]
    assert list(itertools.chain(*parts)) == list(range(count))
    assert all(0 < len(part) <= cores.CHUNK for part in parts)
    assert ({pid for pid, _ in results} <= {os.getpid()}) == (processes == 1 or count <= 2 * cores.CHUNK)
    assert f"{count}/{count}" in capsys.readouterr().out.splitlines()[-1] or count == 0


def test_processes_work_only_a_few_parts_ahead(monkeypatch):
    """Else the results of all parts would be in memory at once."""
    asked = []

    class Pool(contextlib.nullcontext):
        def shutdown(self, cancel_futures):
            assert cancel_futures

        def submit(self, work, fields, part):
            asked.append(part)
            future = Future()
            future.set_result(part)
            return future

    monkeypatch.setattr(cores, "ProcessPoolExecutor", lambda *_, **__: Pool(Pool()))
    count = 100 * cores.CHUNK
    for taken, _ in enumerate(cores.on_all_cores(None, CaptchaStyle(), list(range(count)), 2), start=1):
        assert len(asked) <= taken + 8
    assert taken == len(asked) == 100


@pytest.mark.parametrize("style", [CaptchaStyle(length=1), CaptchaStyle(alphabet="AB", length=2)])
def test_a_split_without_texts_is_refused_and_not_waited_for(style):
    texts = ["".join(text) for text in itertools.product(style.alphabet, repeat=style.max_length)]
    for split in SPLITS:
        if any(split_of(text) == split for text in texts):
            assert split_of(draw_text(style, split, 1)) == split
        else:
            with pytest.raises(
                SettingsError, match=f"{len(texts)} different texts, too few for three splits .* 0 {split}"
            ):
                draw_text(style, split, 1)


def test_a_misspelled_split_is_refused_and_not_waited_for():
    with pytest.raises(SettingsError, match="no split 'val'"):
        draw_text(CaptchaStyle(), "val", 1)


def test_a_style_of_few_texts_needs_some_in_each_split(monkeypatch):
    style = CaptchaStyle(alphabet="0123456789", length=2)
    check_texts(style)
    monkeypatch.setattr("helpers.data.texts.split_of", lambda text: "train")
    count_texts.cache_clear()
    with pytest.raises(SettingsError, match=r"100 different texts.* \(100 train, 0 validation, 0 test\)"):
        check_texts(style)
    count_texts.cache_clear()


# fonts of one's own


@pytest.fixture
def own_font(tmp_path) -> Path:
    return Path(shutil.copyfile(find_font("DejaVuSerif"), tmp_path / "Mine.ttf"))


def in_own_font(font: Path, folder: Path, **changes) -> Settings:
    counts = {"train_count": 6, "validation_count": 2, "test_count": 2, **changes}
    return load_settings("mine", style=CaptchaStyle(fonts=str(font)), data_dir=folder, **counts)


def test_an_experiment_keeps_its_font_and_can_be_drawn_elsewhere(own_font, tmp_path):
    settings = in_own_font(own_font, tmp_path / "data")
    digest = generate(settings)["images_digest"]
    assert [path.read_bytes() for path in settings.own_fonts.iterdir()] == [own_font.read_bytes()]
    stored = json.loads((settings.folder / "experiment.json").read_text())["style"]["fonts"]
    assert stored == [path.name for path in settings.own_fonts.iterdir()]
    own_font.unlink()
    shutil.copytree(settings.folder, tmp_path / "elsewhere" / "quick" / "copy")
    moved = open_experiment("copy", data_dir=tmp_path / "elsewhere")
    assert Path(moved.style.fonts[0]).is_relative_to(tmp_path / "elsewhere")
    moved.manifest_path.unlink()
    shutil.rmtree(moved.images_folder / "train")
    assert generate(moved)["images_digest"] == digest


def test_another_font_of_the_same_name_is_another_style(own_font, tmp_path):
    settings = in_own_font(own_font, tmp_path / "data")
    generate(settings)
    assert generate(settings)  # the same again
    shutil.copyfile(find_font("DejaVuSans"), own_font)
    with pytest.raises(StepError, match=r"exists with other settings \(fonts: .*Mine-\w{8}\.ttf.*, not .*Mine-\w{8}"):
        generate(in_own_font(own_font, tmp_path / "data"))


def test_a_kept_font_that_was_changed_or_removed_is_not_drawn_with(own_font, tmp_path):
    settings = in_own_font(own_font, tmp_path / "data")
    generate(settings)
    settings.manifest_path.unlink()
    (kept,) = settings.own_fonts.iterdir()
    for spoil in (lambda: shutil.copyfile(find_font("DejaVuSans"), kept), kept.unlink):
        spoil()
        with pytest.raises(StyleError, match=rf"there is no font '{kept.name}'"):
            generate(open_experiment("mine", data_dir=tmp_path / "data"))


def test_a_font_of_the_packages_stays_a_name_also_by_its_path(tmp_path):
    for name in ("DroidSansMono", "DejaVuSerif"):
        style = CaptchaStyle(fonts=str(find_font(name)))
        assert style.to_dict()["fonts"] == [name]
    generate(in_own_font(find_font("DejaVuSerif"), tmp_path))
    assert not open_experiment("mine", data_dir=tmp_path).own_fonts.exists()


def test_the_note_in_a_picture_does_not_depend_on_where_the_font_lies(own_font, tmp_path):
    elsewhere = shutil.copyfile(own_font, tmp_path / kept_name(str(own_font)))
    notes = [draw_captcha("5020", CaptchaStyle(fonts=str(path)), 1).info["drawn"] for path in (own_font, elsewhere)]
    assert notes[0] == notes[1]


def test_a_stop_by_hand_says_what_is_kept_and_is_carried_on(tmp_path, reference, monkeypatch):
    settings, drawn = small(tmp_path, train_count=160), itertools.count(1)

    def interrupted(*arguments):
        if next(drawn) == 100:
            raise KeyboardInterrupt
        return draw_captcha(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(generating, "draw_captcha", interrupted)
        with pytest.raises(Stopped, match=r"^Stopped\. 64 of 170 images are kept\. Run this again: it goes on\.$"):
            generate(settings, processes=1)
    assert len(settings.list_path.read_text().splitlines()) == 64
    assert generate(settings, processes=1)["images_digest"] == reference[0]
    assert snapshot(settings.folder) == reference[1]


WITH_WORKERS = """
import sys
import time
from helpers.data.generate import generate
from helpers.settings import load_settings

if __name__ == "__main__":
    generate(load_settings("tiny", data_dir=sys.argv[1], train_count=50_000), processes=2)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent(tmp_path, how):
    script = tmp_path / "script.py"
    script.write_text(WITH_WORKERS)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, script, tmp_path], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as parent:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.rglob("0*.png"))) < 300 and time.monotonic() < deadline:
            time.sleep(0.1)
        workers = psutil.Process(parent.pid).children(recursive=True)
        parent.send_signal(how)
        parent.wait()
    assert len(workers) >= 2
    assert not psutil.wait_procs(workers, timeout=2)[1]


def test_no_more_processes_are_started_than_windows_can_wait_for(monkeypatch):
    started = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, processes, *_):
            started.append(processes)
            super().__init__(2)

    monkeypatch.setattr(cores, "ProcessPoolExecutor", Pool)
    assert list(cores.on_all_cores(lambda style, part: len(part), None, [0] * 200, processes=100)) == [64, 64, 64, 8]
    assert started == [61]


def test_a_script_without_a_main_guard_is_told_of_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(WITH_WORKERS.replace('if __name__ == "__main__":', "if True:"))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, str(script), str(tmp_path)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert "the call has to stand under `if __name__ == '__main__':`" in result.stderr.splitlines()[-1]
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize("text", [2004, None, b"2004"])
def test_a_text_of_another_type_is_told(text):
    with pytest.raises(SettingsError, match=f"A text must be a string.*is a {type(text).__name__}"):
        split_of(text)


def test_a_changed_image_is_noticed_wherever_its_split_is_listed(drawn):
    """A picture of another text, whole and valid, would otherwise count as the network's mistake in notebook 5."""
    settings = drawn
    one, other = list_images(settings, "test")[:2]
    original = one.path.read_bytes()
    shutil.copyfile(other.path, one.path)
    for step in (lambda: list_images(settings, "test"), lambda: generate(settings)):
        with pytest.raises(StepError, match=f"images/test/{one.path.name} was changed since it was drawn"):
            step()
    assert list_images(settings, "train")
    one.path.write_bytes(original)
    lines = settings.list_path.read_text(encoding="utf-8").splitlines()
    settings.list_path.write_text("\n".join(line.replace("a", "b") for line in lines), encoding="utf-8")
    assert list_images(settings, "test")[0] == one  # only the list is damaged: the manifest vouches for the images
    one.path.unlink()
    one.path.mkdir()
    with pytest.raises(TutorialError, match=f"{one.path.name}"):
        list_images(settings, "test")
