"""What stands behind `make run`, `make notebooks` and `make clean`.

python -m helpers run        executes copies of the five notebooks in the data folder, and prints the accuracy
python -m helpers notebooks  executes in place what is stale and says why; with --all, everything
python -m helpers clean      deletes the experiments in the data folder, after showing them and what stays
"""

import argparse
import base64
import io
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from PIL import Image

from helpers.errors import TutorialError
from helpers.experiments.cleaning import clean
from helpers.files import read_json, written_whole
from helpers.files.stamps import REPOSITORY, changes, stamp
from helpers.scores import proportion
from helpers.settings import Settings, load_settings

STAMP = "captcha_notebooks"
SLOW = 5.0  # seconds; such a cell gets a line of its own
CELL_TIMEOUT = 3600  # seconds
READS = {  # the files of earlier notebooks that a notebook reads
    "03_write_tfrecords": ["manifest.json"],
    "04_train_alexnet": ["records/manifest.json"],
    "05_read_captchas": ["manifest.json", "model.keras"],
    "solutions/03_write_tfrecords": ["manifest.json"],
    "solutions/05_read_captchas": ["manifest.json", "model.keras"],
    "beyond/why_it_learns": ["records/manifest.json", "model.keras"],
    "beyond/what_it_sees": ["model.keras"],
    "beyond/where_it_fails": ["model.keras"],
}
MAKERS = {"manifest.json": "02", "records/manifest.json": "03", "model.keras": "04"}  # the notebook that makes it


def notebooks_of(pattern: str = "0*") -> list[Path]:
    """The five notebooks, in order; or "solutions/0*", or "beyond/*", what goes beyond the five."""
    return sorted((REPOSITORY / "notebooks").glob(f"{pattern}.ipynb"))


def name_of(path: Path) -> str:
    """A notebook's name as it is shown, such as "solutions/03_write_tfrecords"."""
    return "/".join(path.with_suffix("").parts[-2:]).removeprefix("notebooks/")


def tidy_outputs(notebook: nbformat.NotebookNode) -> None:
    """Keep what can be seen without a kernel.

    Of a progress bar that is the last state of its line, as a terminal shows it at the end; of widgets,
    which only a running kernel can show, it is their text. Pictures are packed into fewer bytes.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)
            elif "data" in output:
                output.data.pop("application/vnd.jupyter.widget-view+json", None)
                if "image/png" in output.data:
                    output.data["image/png"] = packed_png(output.data["image/png"])


def packed_png(data: str) -> str:
    """The same PNG in fewer bytes, both as base64: without unused transparency, and packed well."""
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    if picture.mode == "RGBA" and picture.getextrema()[3] == (255, 255):
        picture = picture.convert("RGB")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    packed = base64.b64encode(file.getvalue()).decode()
    return min(data, packed, key=len)


def stamp_now(notebook: nbformat.NotebookNode, path: Path, settings: Settings) -> dict[str, Any]:
    """The stamp of a notebook that is executed now."""
    reads = {name: settings.folder / name for name in READS.get(name_of(path), [])}
    return stamp(notebook, settings.profile, {name: file for name, file in reads.items() if file.exists()}, REPOSITORY)


def outdated(path: Path, settings: Settings) -> list[str]:
    """Why the stored outputs of a notebook are stale; empty if they are up to date."""
    notebook = nbformat.read(path, as_version=4)
    return changes(notebook.metadata.get(STAMP), stamp_now(notebook, path, settings))


def makers(path: Path, settings: Settings) -> set[Path]:
    """The notebooks that make what this one reads and the data folder lacks, and those that they need in turn."""
    numbers = {MAKERS[name] for name in READS.get(name_of(path), []) if not (settings.folder / name).exists()}
    direct = {maker for maker in notebooks_of() if maker.name[:2] in numbers}
    return direct.union(*(makers(maker, settings) for maker in direct))


def progress(total: int) -> dict[str, Callable[..., None]]:
    """What is printed while cells are executed: on a terminal about each, elsewhere about the slow ones."""
    live = sys.stdout.isatty()
    state = {"number": 0, "started": 0.0}

    def begin(cell: nbformat.NotebookNode, cell_index: int) -> None:
        if cell.cell_type == "code":
            state.update(number=state["number"] + 1, started=time.perf_counter())
            if live:
                print(f"\r  cell {state['number']} of {total}", end="\x1b[K", flush=True)

    def end(cell: nbformat.NotebookNode, cell_index: int, **_: object) -> None:
        seconds = time.perf_counter() - state["started"]
        if seconds > SLOW:
            first_line = cell.source.strip().splitlines()[0][:60]
            print(f"{chr(13) * live}  cell {state['number']} of {total}: {seconds:.0f} s  {first_line}", flush=True)

    return {"on_cell_start": begin, "on_cell_executed": end}


def execute(path: Path, target: Path, settings: Settings, why: str = "") -> None:
    """Execute one notebook and write it to `target` with its outputs; if a cell fails, without a stamp.

    Raises:
        CellExecutionError: a cell failed.
    """
    print(f"{name_of(path)}{why}", flush=True)
    started, notebook = time.perf_counter(), nbformat.read(path, as_version=4)
    executed_from = stamp_now(notebook, path, settings)
    notebook.metadata.pop(STAMP, None)
    total = sum(cell.cell_type == "code" for cell in notebook.cells)
    place = {"metadata": {"path": str(path.parent)}}
    quiet = {"record_timing": False, "store_widget_state": False, "extra_arguments": ["--log-level=40"]}  # errors only
    hooks = {"coalesce_streams": True, **progress(total)}
    client = NotebookClient(notebook, timeout=CELL_TIMEOUT, kernel_name="python3", resources=place, **quiet, **hooks)
    try:
        client.execute()
        notebook.metadata[STAMP] = executed_from
    finally:
        tidy_outputs(notebook)
        with written_whole(target) as temporary:
            nbformat.write(notebook, temporary)
    print(f"{chr(13) * sys.stdout.isatty()}  {total} cells, {time.perf_counter() - started:.0f} s", flush=True)


def notebooks(settings: Settings, everything: bool = False) -> None:
    """Execute in place the stale notebooks, or all; where the data folder lacks what they read, fill it first."""
    order, current = notebooks_of() + notebooks_of("solutions/0*") + notebooks_of("beyond/*"), 0
    for path in order:
        reasons = ["all were asked for"] if everything else outdated(path, settings)
        if reasons:
            more = f" and {len(reasons) - 3} more" * (len(reasons) > 3)
            execute(path, path, settings, f": {', '.join(reasons[:3])}{more}")
            continue
        current += 1
        if any(path in makers(other, settings) and outdated(other, settings) for other in order):
            with tempfile.TemporaryDirectory() as folder:
                execute(path, Path(folder) / path.name, settings, " fills the data folder")
    print(f"{current} of {len(order)} notebooks were up to date.")


def run(settings: Settings) -> None:
    """Execute copies of the five notebooks, and print the result."""
    started = time.perf_counter()
    copies = settings.folder / "notebooks"
    for path in notebooks_of():
        execute(path, copies / path.name, settings)
    metrics = read_json(settings.metrics_path, made_by="notebook 04_train_alexnet")
    print(f"\nwhole-captcha accuracy {proportion(metrics['captchas_right'], metrics['test_count'])}")
    print(f"executed notebooks: {os.path.relpath(copies)}  ({(time.perf_counter() - started) / 60:.1f} minutes)")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m helpers", description=__doc__, formatter_class=form)
    parser.add_argument("task", choices=["run", "notebooks", "clean"])
    parser.add_argument("--all", action="store_true", help="with notebooks: execute also what is up to date")
    options = parser.parse_args(arguments)
    os.environ["CAPTCHA_UNATTENDED"] = "1"  # no person sits at the kernels that are started here
    os.environ.pop("JPY_SESSION_NAME", None)
    try:
        settings = load_settings()
        os.environ |= {"CAPTCHA_PROFILE": settings.profile, "CAPTCHA_DATA_DIR": str(settings.data_dir)}
        tasks = {"run": run, "clean": clean, "notebooks": partial(notebooks, everything=options.all)}
        tasks[options.task](settings)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"\nA cell failed:\n{error}", file=sys.stderr)
        return 1
    except (TutorialError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
