"""What stands behind `make run` and `make clean`, and what reads pictures without Jupyter.

python -m helpers run    executes copies of the five notebooks in the data folder, and prints the accuracy
python -m helpers clean  deletes the experiments in the data folder, after showing them and what stays
python -m helpers read   reads pictures, patterns and folders: FILE ... [--csv] [--experiment NAME]
                         [--out TABLE.csv] [--processes N]
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
    parser.add_argument("task", choices=["run", "clean", "read"])
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--csv", action="store_true", help="rows of file, text, confidence, familiar and error")
    parser.add_argument("--experiment", help="whose network reads the files, if not that of default")
    parser.add_argument("--out", metavar="TABLE", help="write these rows into a file instead; it is gone on with")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="how many read at once")
    given = parser.parse_intermixed_args(arguments)
    if (given.task == "read") != bool(given.files) or (
        given.task != "read" and (given.csv or given.experiment or given.out or given.processes != 1)
    ):
        parser.error("`read` takes files and these options, and no other task does")

    def read(settings: Settings) -> None:
        from helpers.experiments.from_files import read_files  # imports TensorFlow

        try:
            own = load_settings(given.experiment or "default", settings.profile)
            read_files(own, given.files, given.csv, given.out, given.processes)
        except KeyboardInterrupt:
            raise Stopped("Stopped.") from None

    return carried_out({"run": run, "clean": clean, "read": read}[given.task])


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
    except KeyboardInterrupt:
        print("\nStopped. Images, records and finished epochs are kept: the same command goes on.", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
