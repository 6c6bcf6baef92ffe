"""Several workers train one network: the same weights as one process gives, and what is told when one of them fails."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import __main__ as command
from helpers import precision
from helpers.data import records
from helpers.data.generate import generate
from helpers.data.records import load_batches, read_share, shared_shards, write_records
from helpers.errors import StepError
from helpers.experiments import cluster, whole
from helpers.experiments.cluster import free_addresses, join, meet, start_workers
from helpers.experiments.whole import run_experiment
from helpers.precision import has_bfloat16, repeatable
from helpers.quiet_tensorflow import keras, tf
from helpers.settings import CaptchaStyle, Settings, load_settings
from helpers.training.augmentation import shift_batch
from helpers.training.fit import compile_model
from helpers.training.workers import WorkerLost, Workers, loss_told
from tests.together import COUNTS, KINDS, numbers, recipe
from tests.together import tiny as exactly_tiny

REPOSITORY = Path(__file__).resolve().parents[1]
LEARN = [sys.executable, "-m", "tests.together", "learn"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Settings:
    """A small experiment in shards of 50 records."""
    settings = load_settings("tiny", "quick", data_dir=tmp_path_factory.mktemp("packed"), **COUNTS)
    generate(settings, processes=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "RECORDS_PER_SHARD", 50)
        write_records(settings)
    return settings


def kept(folder: Path, name: str) -> list[np.ndarray]:
    """Weights that a worker kept."""
    with np.load(folder / f"{name}.npz") as file:
        return [file[f"arr_{index}"] for index in range(len(file.files) - 1)]


@pytest.fixture(scope="module")
def together(packed) -> Path:
    """What two workers leave that train together."""
    start_workers(2, [*LEARN, str(packed.data_dir)], restarts=0)
    return packed.data_dir


def one_process(folder: Path, kind: str, workers: int) -> list[np.ndarray]:
    """The weights after the same training run in one process, whose batches are those of all the workers."""
    settings = recipe(kind, folder)
    model = exactly_tiny(settings, tf.distribute.get_strategy(), kind)
    steps, size = -(-settings.train_count // settings.batch_size), settings.batch_size // workers
    with precision.quick_layers(model, False):
        for epoch in range(settings.epochs):
            parts = []
            for worker in range(workers):  # each mixes its captchas by a seed of its own
                keras.utils.set_random_seed(settings.seed + epoch + 1_000 * worker)
                share = {"seed": settings.seed + epoch, "share": (worker, workers)}
                parts.append(load_batches(settings, "train", size, shuffle=True, **share))
            joined = tf.data.Dataset.zip(tuple(parts)).map(
                lambda *parts: tuple(tf.concat(each, 0) for each in zip(*parts, strict=True))
            )
            model.fit(joined.take(steps), verbose=0, shuffle=False)
    return numbers(model)


@pytest.mark.parametrize(("kind", "most"), [("exact", 5e-5), ("one step", 2e-5)])
def test_two_workers_end_with_the_weights_of_one_process(packed, together, kind, most):
    found, expected = kept(together, f"{kind}-0"), one_process(packed.data_dir, kind, 2)
    assert len(found) == len(expected)
    model = exactly_tiny(packed, tf.distribute.get_strategy(), kind)
    begun = [variable.numpy() for variable in model.weights]
    moved = max(np.abs(one - two).max() for one, two in zip(expected, begun, strict=False))
    assert moved > 10 * most  # they were trained
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=most, atol=most)


@pytest.mark.parametrize("kind", KINDS)
def test_all_workers_end_with_the_same_weights(together, kind):
    for one, two in zip(kept(together, f"{kind}-0"), kept(together, f"{kind}-1"), strict=True):
        assert (one == two).all()


def test_only_the_first_keeps_files_and_rows(packed, together):
    rows = [int(np.load(together / f"usual-{worker}.npz")["rows"]) for worker in range(2)]
    assert rows == [2, 0]
    assert len(list(packed.checkpoint_folder.glob("*.json"))) == 2


def test_workers_with_other_settings_refuse_to_train(together):
    told = [(together / f"refused-{worker}.txt").read_text("utf-8") for worker in range(2)]
    assert told[0] == told[1]
    assert told[0].startswith("Worker 1 has other captchas, settings or code than worker 0")


def test_two_devices_of_one_computer_train_alike(packed, together, tmp_path):
    """Two virtual processors, since there is no GPU."""
    shutil.copytree(packed.folder, tmp_path / "quick/tiny")
    code = (
        "from helpers.quiet_tensorflow import tf\n"
        "import sys\n"
        "from pathlib import Path\n"
        "from tests import together\n"
        "assert len(tf.config.list_logical_devices('CPU')) == 2\n"
        "together.learn(Path(sys.argv[1]))\n"
    )
    before = (
        "tf = __import__('tensorflow')\n"  # before its devices are counted
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", before + code, tmp_path], capture_output=True, text=True, timeout=300, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    for one, two in zip(kept(tmp_path, "exact-0"), one_process(packed.data_dir, "exact", 1), strict=True):
        np.testing.assert_allclose(one, two, rtol=5e-5, atol=5e-5)


# --- who gets which records


def read(settings: Settings, share: tuple[int, int]) -> list[bytes]:
    """The records of one round of a worker's share."""
    dataset = shared_shards(records.check_shards(settings, "train"), *share).flat_map(read_share)
    return list(dataset.as_numpy_iterator())


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 7])
def test_every_record_goes_to_one_worker(packed, workers):
    shares = [read(packed, (worker, workers)) for worker in range(workers)]
    whole = [record for share in shares for record in share]
    everything = tf.data.TFRecordDataset(list(records.check_shards(packed, "train"))).as_numpy_iterator()
    assert Counter(whole) == Counter(everything)
    assert max(map(len, shares)) - min(map(len, shares)) <= 5  # at most one of each shard that all of them read


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.integers(1, 6))
def test_equal_shards_are_dealt_out_whole(counts, workers):
    named = {str(index): count for index, count in enumerate(counts)}
    taken = Counter()
    for worker in range(workers):
        for path, every, first in shared_shards(named, worker, workers).as_numpy_iterator():
            assert (every, first) in ((1, 0), (workers, worker))
            taken[path.decode(), int(every)] += 1
    full = counts.count(max(counts)) // workers * workers
    assert sum(every == 1 for _, every in taken) == (full if workers > 1 else len(counts))
    assert {path for path, _ in taken} == set(named)
    assert all(times == every for (_, every), times in taken.items())


def test_a_share_comes_in_full_batches_for_ever(packed):
    batches = load_batches(packed, "train", 16, shuffle=True, share=(1, 2))
    assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
    assert {len(images) for images, _ in batches.take(30)} == {16}


def test_shards_may_lie_on_any_file_system(packed):
    for path in records.check_shards(packed, "train"):
        tf.io.gfile.copy(path, f"ram://shards/{Path(path).name}", overwrite=True)
    away = load_settings("tiny", "quick", data_dir=packed.data_dir, shards="ram://shards", **COUNTS)
    for one, two in zip(load_batches(away, "train"), load_batches(packed, "train"), strict=True):
        assert (one[0].numpy() == two[0].numpy()).all()
    name = f"ram://shards/{Path(path).name}"
    content = tf.io.gfile.GFile(name, "rb").read()
    with tf.io.gfile.GFile(name, "wb") as file:
        file.write(content[:-1])
    with pytest.raises(StepError, match=f"{Path(path).name} is damaged"):
        load_batches(away, "train")
    tf.io.gfile.remove(name)
    with pytest.raises(StepError, match=f"{Path(path).name} is missing"):
        load_batches(away, "train")


# --- who comes, and who is lost


def test_workers_meet_whoever_comes_first():
    addresses, met = free_addresses(3), []

    def come(number: int) -> None:
        time.sleep(0.3 * number)
        meet(addresses, number, wait=20)
        met.append(number)
        time.sleep(0.1)
        with socket.create_server(("", int(addresses[number].rpartition(":")[2]))):  # as TensorFlow then listens
            time.sleep(3)

    threads = [threading.Thread(target=come, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(met) == [0, 1, 2]


def test_a_worker_that_never_comes_is_named():
    addresses = free_addresses(3)
    with (
        socket.create_server(("127.0.0.1", int(addresses[2].rpartition(":")[2]))),
        pytest.raises(StepError, match=r"After 1 seconds there was still no worker 1 \(127\.0\.0\.1:\d+\)\. Is it"),
    ):
        meet(addresses, 0, wait=1)


@pytest.mark.parametrize(
    "told",
    [
        '{"cluster": {"worker"',
        '{"cluster": {"worker": ["host:1", "host:2"]}}',
        '{"cluster": {"worker": ["host:1"]}, "task": {"type": "worker", "index": 3}}',
        '{"cluster": 5}',
    ],
)
def test_a_bad_tf_config_is_told(monkeypatch, told):
    monkeypatch.setenv("TF_CONFIG", told)
    with pytest.raises(StepError, match=r"TF_CONFIG cannot be used .*It should look like \{"):
        join()


def test_without_others_it_is_the_strategy_of_every_program(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    strategy = join()
    assert strategy.num_replicas_in_sync == 1
    alone = Workers(strategy)
    assert (alone.first, alone.count, alone.added_up([1, 2]).tolist()) == (True, 1, [1, 2])
    alone.agree({"captchas": "ab" * 32})


def test_tensorflow_that_computed_already_cannot_join(monkeypatch):
    addresses = free_addresses(1)
    told = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(told))
    with pytest.raises(StepError, match=r"Start Python anew, and call join\(\) before TensorFlow computes anything"):
        join()


def test_what_differs_is_named_with_the_workers(monkeypatch):
    alone = Workers(None)
    alone.count = 3
    monkeypatch.setattr(alone, "added_up", lambda rows: np.array([[[1], [2]], [[1], [3]], [[1], [4]]], float))
    with pytest.raises(StepError, match=r"Worker 1, 2 has other packages than worker 0"):
        alone.agree({"captchas": "01", "packages": "02"})


def test_the_loss_of_a_worker_is_told():
    with pytest.raises(WorkerLost, match="Start all of them again: finished epochs are kept") as caught, loss_told():
        raise tf.errors.UnavailableError(None, None, "Collective ops is aborted by: recvmsg:Connection reset by peer")
    assert caught.value.status == 75


def test_a_batch_that_cannot_be_shared_out_is_refused(packed, tiny):
    model = compile_model(tiny(packed.style), packed)
    alone = Workers(None)
    alone.replicas = 3
    fit = alone.fitting(model, load_batches(packed, "validation"), [])
    with pytest.raises(StepError, match="A batch of 32 cannot be shared out to 3 workers"):
        fit(packed, 0, shift_batch)


def test_that_is_refused_before_anything_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    three = SimpleNamespace(cluster_resolver=None, num_replicas_in_sync=3)
    with pytest.raises(StepError, match="A batch of 32 cannot be shared out to 3 workers"):
        run_experiment("few", CaptchaStyle(), profile="quick", strategy=three)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("first", [True, False])
def test_a_drawn_experiment_has_the_same_recipe_on_every_worker(tmp_path, monkeypatch, first):
    monkeypatch.setenv("CAPTCHA_DATA_DIR", str(tmp_path))
    found = []

    def share_of(settings):
        found.append(settings)
        raise StepError("far enough")

    monkeypatch.setattr(whole, "Workers", lambda strategy: SimpleNamespace(first=first, share_of=share_of))
    with pytest.raises(StepError, match="far enough"):
        run_experiment("few", CaptchaStyle(), start_from="default", profile="quick")
    assert found == [load_settings("few", "quick", style=CaptchaStyle())]


def test_a_network_built_outside_is_refused(packed, tiny):
    model, several = compile_model(tiny(packed.style), packed), Workers(None)
    several.strategy, several.replicas = object(), 2
    with pytest.raises(StepError, match=r"under `with strategy\.scope\(\):`"):
        several.prepare(model)


# --- processes on this computer


kills = pytest.mark.skipif(sys.platform == "win32", reason="there, the status does not tell a kill from an error")


def write(folder: Path, body: str) -> list[str]:
    path = folder / "worker.py"
    path.write_text("import json, os, sys, time, pathlib\nplace = pathlib.Path(sys.argv[1])\n" + body)
    return [sys.executable, str(path), str(folder)]


NUMBER = "told = json.loads(os.environ['TF_CONFIG'])\nnumber = told['task']['index']\n"


def test_each_process_gets_its_number_and_all_addresses(tmp_path):
    body = NUMBER + "(place / f'{number}.json').write_text(json.dumps([told, os.environ['TF_NUM_INTRAOP_THREADS']]))"
    start_workers(3, write(tmp_path, body))
    told = [json.loads((tmp_path / f"{number}.json").read_text()) for number in range(3)]
    addresses = told[0][0]["cluster"]["worker"]
    assert len(set(addresses)) == 3
    assert [each["cluster"]["worker"] for each, _ in told] == [addresses] * 3
    assert {int(cores) for _, cores in told} == {max(1, os.cpu_count() // 3)}


@kills
def test_after_a_kill_all_are_started_again(tmp_path, capfd):
    body = NUMBER + (
        "tries = place / f'tries-{number}'\n"
        "tries.write_text(tries.read_text() + 'x' if tries.exists() else 'x')\n"
        "if len(tries.read_text()) < 3:\n"
        "    os.kill(os.getpid(), 9) if number else sys.exit(75)\n"
    )
    start_workers(2, write(tmp_path, body))
    assert [(tmp_path / f"tries-{number}").read_text() for number in range(2)] == ["xxx", "xxx"]
    assert "Worker 1 was killed. All are started again: 9 times more" in capfd.readouterr().out


@kills
def test_a_worker_that_falls_silent_is_ended_and_started_again(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(cluster, "GRACE", 1)
    body = NUMBER + (
        "file = place / f'process-{number}-{os.getpid()}'\n"
        "file.touch()\n"
        "if len(list(place.glob(f'process-{number}-*'))) == 1:\n"
        "    os.kill(os.getpid(), signal.SIGSTOP) if number else sys.exit(75)\n"
    )
    start_workers(2, write(tmp_path, "import signal\n" + body))
    assert "A worker fell silent. All are started again: 10 times more" in capfd.readouterr().out
    processes = [int(path.name.rpartition("-")[2]) for path in tmp_path.glob("process-*")]
    assert len(processes) == 4 and not any(map(psutil.pid_exists, processes))


@kills
def test_who_is_killed_again_and_again_is_given_up(tmp_path):
    with pytest.raises(StepError, match="Workers were lost 3 times"):
        start_workers(2, write(tmp_path, "os.kill(os.getpid(), 9)"), restarts=2)


def test_an_error_of_its_own_ends_all(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "GRACE", 1)
    body = NUMBER + "sys.exit('no such experiment') if number else time.sleep(60)"
    started = time.monotonic()
    with pytest.raises(StepError, match="Worker 1 ended with an error"):
        start_workers(2, write(tmp_path, body))
    assert time.monotonic() - started < 30


@kills
def test_a_killed_worker_costs_at_most_an_epoch(tmp_path):
    """`make cluster WORKERS=2`, with few captchas; one worker is killed after the first epoch."""
    counts = {"train_count": 128, "validation_count": 32, "test_count": 32}
    settings = load_settings("few", "quick", data_dir=tmp_path, **counts)
    generate(settings, processes=1)
    environment = {**os.environ, "CAPTCHA_DATA_DIR": str(tmp_path), "CAPTCHA_PROFILE": "quick"}
    arguments = [sys.executable, "-m", "helpers", "cluster", "--workers", "2", "--experiment", "few"]
    with open(tmp_path / "out.txt", "w") as out:
        job = subprocess.Popen(arguments, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=REPOSITORY)
        ends = time.monotonic() + 300
        while not list(settings.checkpoint_folder.glob("epoch-001*.json")) and time.monotonic() < ends:
            assert job.poll() is None, (tmp_path / "out.txt").read_text()
            time.sleep(0.1)
        children = sorted(psutil.Process(job.pid).children(), key=lambda child: child.create_time())
        assert len(children) == 2
        children[1].kill()
        assert job.wait(timeout=300) == 0, (tmp_path / "out.txt").read_text()
    told = (tmp_path / "out.txt").read_text()
    assert "Worker 1 was killed. All are started again" in told
    assert "whole-captcha accuracy" in told.splitlines()[-1]
    assert len(records.files.read_rows(settings.history_path)) == 3
    assert json.loads(settings.metrics_path.read_text())["test_count"] == 32


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "a.png"], "`train` takes no files"),
        (["run", "--workers", "2"], "`run` takes no workers"),
        (["train", "--workers", "2"], "`train` takes no workers"),
        (["cluster", "--processes", "2"], "`cluster` takes no processes"),
        (["train", "--processes", "0"], "`train` takes no processes"),
        (["read"], "`read` takes files, patterns or folders"),
    ],
)
def test_a_task_takes_only_its_own_options(capsys, arguments, told):
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert told in capsys.readouterr().err


# --- what a device can


@pytest.mark.parametrize(
    ("found", "can"), [([(9, 0)], True), ([(8, 0), (8, 6)], True), ([(7, 5)], False), ([(9, 0), (7, 0)], False)]
)
def test_gpus_tell_whether_they_multiply_bfloat16(monkeypatch, tmp_path, found, can):
    monkeypatch.setattr(precision, "gpus", lambda: found)
    assert has_bfloat16(tmp_path / "none") is can


def test_an_operation_that_is_not_deterministic_is_told(monkeypatch, capsys):
    switched, calls = [], []
    monkeypatch.setattr(precision, "make_deterministic", switched.append)

    def work() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise tf.errors.UnimplementedError(None, None, "A deterministic GPU implementation of X is missing. Sorry.")

    repeatable(work)
    assert (len(calls), switched) == (2, [False])
    assert "may give other weights here: A deterministic GPU implementation of X is missing." in capsys.readouterr().out
    with pytest.raises(tf.errors.UnimplementedError, match="no such kernel"):
        repeatable(lambda: (_ for _ in ()).throw(tf.errors.UnimplementedError(None, None, "no such kernel")))
