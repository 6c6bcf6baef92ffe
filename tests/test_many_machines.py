"""The same captchas, whoever draws them: threads, processes, and Dask's workers, one of them killed."""

import csv
import importlib
import os
import signal
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from helpers import __main__ as command
from helpers import files
from helpers.captchas.drawing import draw_captcha, save_captcha
from helpers.captchas.styles import CaptchaStyle
from helpers.data import generate as generating
from helpers.data.generate import generate
from helpers.errors import ImageError, SettingsError, StepError, Stopped
from helpers.experiments import from_files
from helpers.experiments.from_files import read_files
from helpers.settings import Settings, load_settings

COUNTS = {"train_count": 500, "validation_count": 70, "test_count": 70}


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> dict:
    """What one process draws."""
    return generate(load_settings("one", data_dir=tmp_path_factory.mktemp("one"), **COUNTS), processes=1)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return load_settings("one", data_dir=tmp_path, **COUNTS)


def processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, get_context("spawn"))


def drawn_alike(manifest: dict, reference: dict, settings: Settings) -> bool:
    """Whether the digest is the same, and each file holds what the list says."""
    lines = settings.list_path.read_text(encoding="utf-8").splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)
    assert len(listed) == sum(COUNTS.values())
    same = all(files.file_digest(settings.folder / name) == digest for name, digest in listed.items())
    return same and manifest["images_digest"] == reference["images_digest"]


@pytest.mark.parametrize("kind", [processes, lambda: ThreadPoolExecutor(3)])
def test_any_executor_draws_the_same_and_stays_open(settings, reference, kind):
    with kind() as executor:
        assert drawn_alike(generate(settings, executor=executor), reference, settings)
        assert executor.submit(len, "open").result() == 4


def test_what_an_executor_began_another_completes(settings, reference, monkeypatch):
    class Stopping(ThreadPoolExecutor):
        calls = 0

        def submit(self, *given, **more):
            self.calls += 1
            if self.calls > 4:
                raise KeyboardInterrupt
            return super().submit(*given, **more)

    monkeypatch.setattr("helpers.files.cores.AHEAD", 2)
    with Stopping(1) as executor, pytest.raises(Stopped, match=r"128 of 640 images are kept"):
        generate(settings, executor=executor)
    assert drawn_alike(generate(settings, processes=2), reference, settings)


def test_a_killed_process_is_told_and_the_next_call_goes_on(settings, reference, monkeypatch):
    with processes() as executor:
        pids = {executor.submit(os.getpid).result() for _ in range(20)}
        store = generating._store

        def deadly(content, path):
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            pids.clear()
            return store(content, path)

        monkeypatch.setattr(generating, "_store", deadly)
        monkeypatch.setattr("helpers.files.cores.AHEAD", 2)
        with pytest.raises(StepError, match="A worker process was killed"):
            generate(settings, executor=executor)
    with processes() as executor:
        assert drawn_alike(generate(settings, executor=executor), reference, settings)


@pytest.mark.parametrize("wrong", [2, "dask", ProcessPoolExecutor, object()])
def test_what_is_no_executor_is_refused(settings, wrong):
    with pytest.raises(SettingsError, match=r"not a concurrent\.futures\.Executor"):
        generate(settings, executor=wrong)
    assert not settings.manifest_path.exists()


@pytest.fixture
def dask_client():
    """A Dask scheduler with two worker processes on this computer."""
    needed = os.environ.get("CAPTCHA_BROWSER") == "required"  # then a skip would be a failure
    distributed = (importlib.import_module if needed else pytest.importorskip)("distributed")
    cluster = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": None}
    with distributed.LocalCluster(**cluster) as started, distributed.Client(started) as client:
        yield client


def test_dask_draws_the_same_though_a_worker_is_killed(dask_client, settings, reference, monkeypatch):
    pids, store = dask_client.run(os.getpid), generating._store
    first = next(iter(pids.values()))
    killed = []

    def deadly(content, path):
        if not killed:
            os.kill(first, signal.SIGKILL)
            killed.append(first)
        return store(content, path)

    monkeypatch.setattr(generating, "_store", deadly)
    monkeypatch.setattr("helpers.files.cores.CHUNK", 8)  # 80 parts, so that most are not begun then
    executor = dask_client.get_executor()
    assert isinstance(executor, Executor)
    assert drawn_alike(generate(settings, executor=executor), reference, settings)
    assert killed == [first] and len(pids) == 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two hundred captchas, and one file that is none."""
    place = tmp_path_factory.mktemp("pictures")
    style = CaptchaStyle()
    for seed in range(200):
        save_captcha(draw_captcha(f"{seed:04}", style, seed), place / f"{seed:04}.png")
    (place / "0100.png").write_text("not a picture")
    return place


@pytest.fixture
def nothing(tmp_path, monkeypatch) -> Settings:
    """Settings in an empty data folder: `default` comes along, and reads."""
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path / "data"))
    return load_settings()


@pytest.fixture(scope="module")
def expected(folder, tmp_path_factory) -> list[dict]:
    """What one process reads."""
    out = tmp_path_factory.mktemp("table") / "readings.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPTCHA_DATA_DIR", str(out.parent / "data"))
        with pytest.raises(ImageError, match=r"1 of 200 files could not be read\."):
            read_files(load_settings(), [str(folder)], out=out)
    found = rows_of(out)
    assert [row["file"] for row in found] == [str(path) for path in sorted(folder.glob("*.png"))]
    assert sum(row["text"] == Path(row["file"]).stem for row in found) >= 195
    assert [Path(row["file"]).stem for row in found if row["error"]] == ["0100"]
    assert len({row["network"] for row in found}) == 1
    return found


def rows_of(table) -> list[dict]:
    with open(table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def alike(found: list[dict], expected: list[dict]) -> bool:
    """The same texts, and confidences that differ by rounding only."""
    same = [[row[name] for row in rows] for rows in (found, expected) for name in ("file", "text", "familiar", "error")]
    near = [float(one["confidence"]) - float(other["confidence"]) for one, other in zip(found, expected, strict=True)]
    return same[:4] == same[4:] and max(map(abs, near)) < 1e-3


def test_several_processes_read_the_same(nothing, folder, expected, tmp_path, capsys):
    out = tmp_path / "readings.csv"
    assert command.main(["read", str(folder), "--out", str(out), "--processes", "2"]) == 1
    said = capsys.readouterr()
    assert said.out == "" and "200/200" in said.err and "1 of 200 files could not be read." in said.err
    assert alike(rows_of(out), expected)


def test_an_executor_reads_the_same_and_only_what_is_missing(nothing, folder, expected, tmp_path, monkeypatch):
    out = tmp_path / "readings.csv"
    read, calls = from_files.read_part, []

    def counted(source, paths):
        calls.extend(paths)
        if len(calls) > 150:
            raise KeyboardInterrupt
        return read(source, paths)

    monkeypatch.setattr(from_files, "read_part", counted)
    with pytest.raises(Stopped, match=r"readings\.csv is kept: the same command goes on"):
        read_files(nothing, [str(folder)], out=out)
    assert len(rows_of(out)) == 128
    out.write_bytes(out.read_bytes()[:-5])  # the power fails within a row
    calls.clear()
    monkeypatch.setattr(from_files, "read_part", lambda source, paths: calls.extend(paths) or read(source, paths))
    with ThreadPoolExecutor(1) as executor, pytest.raises(ImageError, match="1 of 200"):
        read_files(nothing, [str(folder)], out=out, executor=executor)
    assert len(calls) == 200 - 127 + 1  # and the picture that could not be read
    assert alike(sorted(rows_of(out), key=lambda row: row["file"]), expected)
    calls.clear()
    broken, good = folder / "0100.png", folder / "0101.png"
    kept, others = broken.read_bytes(), [row for row in rows_of(out) if not row["error"]]
    with pytest.raises(ImageError, match="1 of 200"):  # what could not be read is tried again, and told again
        read_files(nothing, [str(folder)], out=out)
    assert calls == [str(broken)] and len(rows_of(out)) == 200
    read_files(nothing, [str(good)], out=out)  # of another picture: the error stays in the table
    assert [row["file"] for row in rows_of(out) if row["error"]] == [str(broken)]
    try:
        broken.write_bytes(good.read_bytes())
        read_files(nothing, [str(folder)], out=out)
    finally:
        broken.write_bytes(kept)
    assert rows_of(out)[:-1] == others and rows_of(out)[-1]["text"] == rows_of(out)[100]["text"] == "0101"


def test_readings_of_another_network_are_not_mixed(nothing, folder, expected, tmp_path):
    out = tmp_path / "readings.csv"
    first = str(folder / "0001.png")
    read_files(nothing, [first], out=out)
    before = out.read_bytes()
    with pytest.raises(StepError, match=r"readings\.csv holds readings of another network\. Choose another name\."):
        read_files(load_settings("robust"), [first], out=out)
    assert out.read_bytes() == before


@pytest.mark.parametrize("content", [b"file,text\na.png,5020\n", b"\n", b"notes", b"\xff\xd8\x80 a picture"])
def test_a_file_that_is_no_table_of_readings_stays_as_it_is(nothing, folder, tmp_path, content):
    out = tmp_path / "labels.csv"
    out.write_bytes(content)
    with pytest.raises(StepError, match=r"labels\.csv is no table of readings\. Choose another name\."):
        read_files(nothing, [str(folder / "0001.png")], out=out)
    assert out.read_bytes() == content
