"""What stands behind `make run` and `make clean`, and what reads pictures without Jupyter.

python -m helpers run    executes copies of the five notebooks in the data folder, and prints the accuracy
python -m helpers clean  deletes the experiments in the data folder, after showing them and what stays
python -m helpers read   reads pictures: FILE ... [--csv] [--experiment NAME]
"""

import codecs
import os
import re
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm import tqdm

from helpers.errors import Stopped, TutorialError
from helpers.experiments import score_of
from helpers.experiments.cleaning import clean
from helpers.files import written_whole
from helpers.scores import proportion
from helpers.settings import Settings, load_settings

REPOSITORY = Path(__file__).resolve().parents[1]
STAMP = "captcha_notebooks"  # the entry in a notebook's metadata that tells from what it was executed
CELL_TIMEOUT = 3600  # seconds


def notebooks_of(pattern: str = "0*") -> list[Path]:
    """The five notebooks, in order; or "solutions/0*", or "beyond/*", what goes beyond the five."""
    return sorted((REPOSITORY / "notebooks").glob(f"{pattern}.ipynb"))


def name_of(path: Path) -> str:
    """A notebook's name as it is shown, such as "solutions/03_write_tfrecords"."""
    return "/".join(path.with_suffix("").parts[-2:]).removeprefix("notebooks/")


def tidy_outputs(notebook: nbformat.NotebookNode) -> None:
    """Keep what can be seen without a kernel: the last state of a progress bar's line, and the text of a widget."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if output.output_type == "stream":
            output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)
        output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


def execute(path: Path, target: Path, why: str = "", stamp: dict[str, Any] | None = None) -> None:
    """Execute a notebook and write it to `target` with its outputs and stamp; CellExecutionError if a cell fails."""
    print(f"{name_of(path)}{why}", flush=True)
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop(STAMP, None)
    place = {"metadata": {"path": str(path.parent)}}
    quiet = {"record_timing": False, "store_widget_state": False, "extra_arguments": ["--log-level=40"]}  # errors only
    options = {"kernel_name": "python3", "coalesce_streams": True, "timeout": CELL_TIMEOUT, "resources": place, **quiet}
    look = {"bar_format": "  cell {n_fmt} of {total_fmt} |{bar}| {elapsed} {postfix}", "ncols": 99, "mininterval": 1}
    bar = tqdm(total=sum(cell.cell_type == "code" for cell in notebook.cells), file=sys.stdout, **look)
    starts = {"on_cell_start": lambda cell, cell_index: bar.set_postfix_str(cell.source.strip().split("\n")[0][:40])}
    try:
        with bar:
            NotebookClient(notebook, **options, **starts, on_cell_executed=lambda **_: bar.update()).execute()
        notebook.metadata |= {STAMP: stamp} if stamp else {}
    finally:
        tidy_outputs(notebook)
        with written_whole(target) as temporary:
            nbformat.write(notebook, temporary)


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
    given = parser.parse_intermixed_args(arguments)
    if (given.task == "read") != bool(given.files) or (given.task != "read" and (given.csv or given.experiment)):
        parser.error("`read` takes files and these options, and no other task does")

    def read(settings: Settings) -> None:
        from helpers.experiments.from_files import read_files  # imports TensorFlow

        try:
            read_files(load_settings(given.experiment or "default", settings.profile), given.files, given.csv)
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
