"""What stands behind `make run` and `make clean`, and what reads pictures without Jupyter.

python -m helpers run    executes copies of the five notebooks in the data folder, and prints the accuracy
python -m helpers clean  deletes the experiments in the data folder, after showing them and what stays
python -m helpers read   reads pictures, patterns and folders: FILE ... [--csv] [--experiment NAME]
                         [--out TABLE.csv] [--processes N]
python -m helpers train  draws, packs, trains and tests an experiment, in step with the workers that TF_CONFIG names:
                         [--experiment NAME] [--shards ADDRESS] [--wait SECONDS]
python -m helpers cluster  starts that on this computer, in several processes: [--workers N] and these options
"""

import codecs
import os
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable

from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from helpers.errors import Stopped, TutorialError
from helpers.execution import execute, notebooks_of
from helpers.experiments import score_of
from helpers.experiments.cleaning import clean
from helpers.scores import proportion
from helpers.settings import Settings, load_settings

OPTIONS = {"read": ("files", "csv", "experiment", "out", "processes"), "train": ("experiment", "shards", "wait")}
OPTIONS["cluster"] = ("workers", *OPTIONS["train"])


def run(settings: Settings) -> None:
    """Execute copies of the five notebooks, and print the result."""
    started = time.perf_counter()
    copies = settings.folder / "notebooks"
    for path in notebooks_of():
        execute(path, copies / path.name)
    metrics = score_of(settings)
    print(f"\nwhole-captcha accuracy {proportion(metrics['captchas_right'], metrics['test_count'])}")
    print(f"executed notebooks: {os.path.relpath(copies)}  ({(time.perf_counter() - started) / 60:.1f} minutes)")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = ArgumentParser("python -m helpers", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["run", "clean", "read", "train", "cluster"])
    parser.add_argument("files", nargs="*", default=[], metavar="FILE")
    parser.add_argument("--csv", action="store_true", help="rows of file, text, confidence, familiar and error")
    parser.add_argument("--experiment", help="which one reads the files or is trained, if not default")
    parser.add_argument("--out", metavar="TABLE", help="write these rows into a file instead; it is gone on with")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="how many read at once")
    parser.add_argument("--workers", type=int, metavar="N", help="how many processes train together, 2 if not told")
    parser.add_argument("--shards", metavar="ADDRESS", help="where the shards lie, if not in the experiment's folder")
    parser.add_argument("--wait", type=float, metavar="SECONDS", help="how long a worker waits for the others to come")
    given = parser.parse_intermixed_args(arguments)
    told = [name for name, value in vars(given).items() if name != "task" and value != parser.get_default(name)]
    if unwanted := [name for name in told if name not in OPTIONS.get(given.task, ())]:
        parser.error(f"`{given.task}` takes no {', '.join(unwanted)}")
    if given.task == "read" and not given.files:
        parser.error("`read` takes files, patterns or folders")

    def read(settings: Settings) -> None:
        from helpers.experiments.from_files import read_files  # imports TensorFlow

        try:
            own = load_settings(given.experiment or "default", settings.profile)
            read_files(own, given.files, given.csv, given.out, given.processes)
        except KeyboardInterrupt:
            raise Stopped("Stopped.") from None

    def train(settings: Settings) -> None:
        from helpers.experiments.cluster import WAIT, join
        from helpers.experiments.whole import run_experiment  # imports TensorFlow

        name, strategy = given.experiment or "default", join(given.wait or WAIT)
        new = name == "default" and not (settings.folder / "experiment.json").exists()
        metrics = run_experiment(name, settings.style if new else None, strategy=strategy, shards=given.shards or "")
        print(f"whole-captcha accuracy {proportion(metrics['captchas_right'], metrics['test_count'])}")

    def cluster(settings: Settings) -> None:
        from helpers.experiments.cluster import start_workers

        more = [f"--{name}={getattr(given, name)}" for name in OPTIONS["train"] if getattr(given, name)]
        start_workers(given.workers or 2, [sys.executable, "-m", "helpers", "train", *more])

    return carried_out({"run": run, "clean": clean, "read": read, "train": train, "cluster": cluster}[given.task])


def in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    """What a console shows instead of letters that it lacks: a hyphen for a dash, else a question mark."""
    lacking = error.object[error.start : error.end]
    return "".join("-" if letter == "–" else "?" for letter in lacking), error.end


def carried_out(task: Callable[[Settings], None]) -> int:
    """Run a task with the settings from the environment: its exit status, 1 after an error, which is printed."""
    codecs.register_error("plain", in_plain_letters)  # some consoles have no dash and no tick
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="plain")
    os.environ["CAPTCHA_UNATTENDED"] = "1"  # no person sits at the kernels that are started here
    os.environ.pop("JPY_SESSION_NAME", None)
    try:
        settings = load_settings()
        os.environ |= {"CAPTCHA_PROFILE": settings.profile, "CAPTCHA_DATA_DIR": str(settings.data_dir)}
        task(settings)
        return 0
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"\nA cell failed:\n{error}", file=sys.stderr)
    except (TutorialError, OSError) as error:
        print(error, file=sys.stderr)
        return getattr(error, "status", 1)
    except KeyboardInterrupt:
        print("\nStopped. Images, records and finished epochs are kept: the same command goes on.", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
