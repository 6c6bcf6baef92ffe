"""Files are whole or not there, manifests notice a change, and one process writes at a time."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import files
from helpers.errors import StepError
from helpers.files import (
    file_digest,
    only_writer,
    read_json,
    read_rows,
    read_sealed,
    sealed,
    short,
    write_json,
    written_whole,
)
from helpers.files.disk import TEMPORARY

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
JSON_OBJECTS = st.dictionaries(st.text().filter(lambda key: key != "digest"), JSON_VALUES, max_size=4)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_written_file_is_there_and_its_temporary_one_is_not(tmp_path):
    path = tmp_path / "new" / "network.keras"
    with written_whole(path) as temporary:
        assert temporary.suffix == ".keras"
        assert temporary.parent == path.parent
        temporary.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert names(path.parent) == ["network.keras"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(error), written_whole(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_only_unfinished_files_are_removed(tmp_path):
    """Whoever holds the lock knows that no living process is writing them, wherever they lie."""
    (tmp_path / "kept.png").write_bytes(b"1")
    for folder in (tmp_path, tmp_path / "images" / "train", tmp_path / "networks" / "mine" / "checkpoint"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{TEMPORARY}17-half.png").write_bytes(b"2")
    with only_writer(tmp_path), only_writer(tmp_path / "not there"):
        pass
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"] == ["kept.png"]


@given(JSON_OBJECTS)
def test_equal_values_have_equal_texts(value):
    backwards = dict(reversed(value.items()))
    assert files.to_json(backwards) == files.to_json(value)
    assert json.loads(files.to_json(value)) == value


def test_json_round_trip(tmp_path):
    write_json(tmp_path / "a.json", {"style": {"alphabet": "äß␣"}, "seed": 1})
    assert read_json(tmp_path / "a.json", "notebook 02") == {"style": {"alphabet": "äß␣"}, "seed": 1}


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe", None])
def test_a_missing_or_broken_json_file_names_itself_and_the_notebook(tmp_path, content):
    path = tmp_path / "broken.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StepError, match=r"broken\.json.*notebook 02_generate_captchas"):
        read_json(path, "notebook 02_generate_captchas")


@given(JSON_OBJECTS, st.data())
def test_a_sealed_manifest_is_read_back_and_notices_every_change(tmp_path_factory, value, data):
    path = tmp_path_factory.mktemp("sealed") / "manifest.json"
    write_json(path, sealed(value))
    assert read_sealed(path, "notebook 02") == value

    changed = sealed(value)
    key = data.draw(st.sampled_from([*changed, "one more"]))
    if key in changed and data.draw(st.booleans()):
        del changed[key]
    else:
        changed[key] = "something else"
    write_json(path, changed)
    with pytest.raises(StepError, match=r"manifest\.json was changed.*run notebook 02"):
        read_sealed(path, "notebook 02")


def test_digests_depend_on_names_order_and_bytes(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    digests = {files.files_digest([one, two], tmp_path), files.files_digest([two, one], tmp_path)}
    two.write_bytes(b"3")
    digests.add(files.files_digest([one, two], tmp_path))
    two.write_bytes(b"2")
    two.rename(tmp_path / "zwei")
    digests.add(files.files_digest([one, tmp_path / "zwei"], tmp_path))
    assert len(digests) == 4
    assert files.file_digest(one) == hashlib.sha256(b"1").hexdigest()
    assert files.text_digest("ä") == hashlib.sha256("ä".encode()).hexdigest()


def test_a_file_is_read_once_for_its_digest_until_it_changes(tmp_path, monkeypatch):
    path, read = tmp_path / "one", []
    monkeypatch.setattr(files, "file_digest", lambda path: read.append(path) or path.read_text())
    path.write_text("1")
    assert [files.known_digest(path) for _ in range(3)] == ["1"] * 3
    path.write_text("12")
    assert files.known_digest(path) == "12"
    path.write_text("34")
    os.utime(path, (1, 1))
    assert files.known_digest(path) == "34"
    assert read == [path] * 3


def test_paths_are_shown_without_the_machine(tmp_path, monkeypatch):
    assert short(Path("/home/ann/data/default/images/train/00000_5020.png")) == "default/images/train/00000_5020.png"
    assert short(Path("/home/ann/data/default/records/manifest.json")) == "default/records/manifest.json"
    assert short(Path("/home/ann/data/default/model.keras")) == "default/model.keras"
    monkeypatch.chdir(tmp_path)
    assert short(tmp_path / "my" / "picture.png") == "my/picture.png"
    assert short("picture.png") == "picture.png"


def test_versions_are_the_installed_ones():
    versions = files.package_versions("captcha", "pillow")
    assert versions.keys() == {"python", "captcha", "pillow"}
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert versions["captcha"].count(".") == 2


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path):
    with only_writer(tmp_path / "busy"):
        with pytest.raises(StepError, match=r"Another process is writing to .*busy"), only_writer(tmp_path / "busy"):
            raise AssertionError("two writers at once")
        with only_writer(tmp_path / "other"):
            pass  # another folder has its own lock
    with only_writer(tmp_path / "busy"):
        assert (tmp_path / "busy" / ".lock").is_file()


def test_a_writer_that_fails_gives_its_lock_back(tmp_path):
    with pytest.raises(RuntimeError), only_writer(tmp_path):
        raise RuntimeError
    with only_writer(tmp_path), pytest.raises(StepError), only_writer(tmp_path):
        raise AssertionError("two writers at once")


def test_another_process_is_refused_too(tmp_path):
    code = (
        "import sys; from pathlib import Path; from helpers.files import only_writer\n"
        "with only_writer(Path(sys.argv[1])): print('writing')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with only_writer(tmp_path):
        refused = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert refused.returncode == 1
    assert "Another process is writing" in refused.stderr
    assert subprocess.run(command, capture_output=True, text=True, timeout=120).stdout == "writing\n"


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL])
@pytest.mark.skipif(os.name == "nt", reason="Windows locks in another way")
def test_a_disk_without_locks_is_not_taken_for_another_process(tmp_path, monkeypatch, error):
    import fcntl

    def no_locks(*_):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with (
        pytest.raises(StepError, match=r"cannot be locked or written .*Set CAPTCHA_DATA_DIR") as told,
        only_writer(tmp_path),
    ):
        raise AssertionError("written without a lock")
    assert "Another process" not in str(told.value)


class TensorFlowError(Exception):
    """What TensorFlow and h5py raise has no errno."""


@pytest.mark.parametrize(
    "error",
    [OSError(28, "full"), OSError(122, "quota"), TensorFlowError("x; No space left on device")],
)
def test_a_full_disk_is_told_in_a_sentence_and_the_old_file_stays(tmp_path, error):
    path = tmp_path / "model.keras"
    path.write_text("old")
    with (
        pytest.raises(StepError, match=r"^The disk of .* is full: model.keras needs more than the [\d.,]+ MB that are"),
        written_whole(path) as temporary,
    ):
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["model.keras"]


@pytest.mark.parametrize("error", [OSError(30, "Read-only"), PermissionError(13, "denied")])
def test_a_closed_disk_is_told_in_a_sentence(tmp_path, error):
    closed = r"state\.json cannot be written \(.*\)\. Change the folder's permissions"
    with pytest.raises(StepError, match=closed), written_whole(tmp_path / "state.json"):
        raise error


def test_too_little_room_is_told_before_the_work(tmp_path):
    files.check_room(tmp_path, 1, "The images")
    with pytest.raises(StepError, match=r"The images take at least 1,000,000,000,000.0 MB, and the disk of .* has"):
        files.check_room(tmp_path / "not there yet", 1e18, "The images")


def test_what_a_live_writer_has_not_finished_is_left_alone(tmp_path):
    """A folder inside with a lock of its own has a writer of its own."""
    for place in (tmp_path, tmp_path / "images" / "test", tmp_path / "networks" / "mine", tmp_path / "other"):
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{TEMPORARY}1-a").write_text("half")
    with only_writer(tmp_path / "networks" / "mine"):
        live = tmp_path / "networks" / "mine" / f"{TEMPORARY}2-model.keras"
        live.write_text("half")
        with only_writer(tmp_path):
            left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob(f"{TEMPORARY}*"))
    assert left == [f"networks/mine/{TEMPORARY}2-model.keras"]


def test_a_folder_where_a_file_should_be_is_told_and_stays(tmp_path):
    (place := tmp_path / "experiment.json").mkdir()
    (place / "mine.txt").write_text("mine")
    wanted = r"experiment\.json is a folder, where a file should be\. Move it elsewhere"
    calls = (read_json, lambda path, _: write_json(path, {}), lambda path, _: file_digest(path), read_rows)
    for call in calls:
        with pytest.raises(StepError, match=wanted):
            call(place, "notebook 2")
    assert (place / "mine.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_where_a_folder_should_be_is_told_and_stays(tmp_path):
    (place := tmp_path / "data").write_text("mine")
    for call in (lambda: write_json(place / "a" / "b.json", {}), lambda: only_writer(place / "a").__enter__()):
        with pytest.raises(StepError, match=r"data is a file, where a folder should be\. Move it elsewhere"):
            call()
    assert place.read_text() == "mine"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_not_to_be_deleted(tmp_path):
    write_json(path := tmp_path / "a.json", {})
    path.chmod(0)
    with pytest.raises(StepError, match="Change its permissions"):
        read_json(path, "notebook 2")


def test_a_permission_is_told_as_one(tmp_path, monkeypatch):
    write_json(path := tmp_path / "a.json", {})

    def refused(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(
        StepError, match=r"a\.json cannot be read \(Permission denied\)\. Change its permissions"
    ) as told:
        read_json(path, "notebook 2")
    assert "elete" not in str(told.value) and str(tmp_path) not in str(told.value)
