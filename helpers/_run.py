"""Machinery behind `make run` and `make notebooks`: executes the notebooks and shows where it is.

python -m helpers._run run        the five, on the full profile, into copies in the data folder
python -m helpers._run refresh    all of them, in place, stamped with what they were run from
python -m helpers._run clean      says what lies in the data folder and how large it is, deletes it
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import os
import re
import shutil
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from helpers import _storage
from helpers.scores import Proportion
from helpers.settings import Settings, load_settings

REPOSITORY = Path(__file__).resolve().parent.parent
STAMP = "captcha_notebooks"
SLOW = 5.0  # seconds; such a cell gets a line of its own
CELL_TIMEOUT = 3600  # seconds


def numbered_notebooks() -> list[Path]:
    """The five notebooks, in order."""
    return sorted((REPOSITORY / "notebooks").glob("0*.ipynb"))


def further_notebooks() -> list[Path]:
    """What goes beyond the five, in no order."""
    return sorted((REPOSITORY / "notebooks" / "beyond").glob("*.ipynb"))


def solution_notebooks() -> list[Path]:
    """Their solutions, in order."""
    return sorted((REPOSITORY / "notebooks" / "solutions").glob("0*.ipynb"))


def helpers_digest() -> str:
    """A digest of all that a notebook's outputs may depend on outside itself."""
    files = [path for path in sorted((REPOSITORY / "helpers").rglob("*.py")) if path != Path(__file__).resolve()]
    return _storage.files_digest([*files, REPOSITORY / "requirements.txt"], REPOSITORY)


def sources_digest(notebook: nbformat.NotebookNode) -> str:
    """A digest of a notebook's code cells."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def stamp(notebook: nbformat.NotebookNode, profile: str) -> dict[str, str]:
    """What a notebook was executed from."""
    return {"profile": profile, "sources": sources_digest(notebook), "helpers": helpers_digest()}


def tidy_outputs(notebook: nbformat.NotebookNode) -> None:
    """Keep what a reader without a kernel can see.

    Of a progress bar that is what a terminal would show at the end, the last state of the line; of
    widgets, which only a running kernel can show, their text. Pictures are packed better.
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
    """The same pixels in fewer bytes, both as base64: no transparency that nothing uses, and packed well."""
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    if picture.mode == "RGBA" and picture.getextrema()[3] == (255, 255):
        picture = picture.convert("RGB")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    packed = base64.b64encode(file.getvalue()).decode()
    return min(data, packed, key=len)


def execute(path: Path, target: Path, profile: str) -> None:
    """Execute one notebook and write it to `target` with its outputs, also if a cell fails.

    Raises:
        CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    total = sum(cell.cell_type == "code" for cell in notebook.cells)
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

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=40"],  # errors only
        on_cell_start=begin,
        on_cell_executed=end,
    )
    started = time.perf_counter()
    print(path.stem, flush=True)
    try:
        client.execute()
        notebook.metadata[STAMP] = stamp(notebook, profile)
    finally:
        tidy_outputs(notebook)
        with _storage.written_whole(target) as temporary:
            nbformat.write(notebook, temporary)
    print(f"{chr(13) * live}  {total} cells, {time.perf_counter() - started:.0f} s", flush=True)


def test_score(settings: Settings) -> Proportion:
    """The held-out score that notebook 4 stored."""
    m = _storage.read_json(settings.metrics_path, made_by="notebook 04_train_alexnet")
    return Proportion(
        m["captchas_right"],
        m["test_count"],
        m["captcha_accuracy"],
        m["captcha_accuracy_low"],
        m["captcha_accuracy_high"],
    )


def run(settings: Settings) -> None:
    """Execute the five notebooks into copies, and print the result."""
    started = time.perf_counter()
    copies = settings.folder / "notebooks"
    for path in numbered_notebooks():
        execute(path, copies / path.name, settings.profile)
    print(f"\nwhole-captcha accuracy {test_score(settings)}")
    print(f"executed notebooks: {os.path.relpath(copies)}  ({(time.perf_counter() - started) / 60:.1f} minutes)")


def refresh(settings: Settings) -> None:
    """Execute all notebooks in place."""
    for path in numbered_notebooks() + solution_notebooks() + further_notebooks():
        execute(path, path, settings.profile)


def clean(settings: Settings) -> None:
    """Delete the data folder, after saying what is in it."""
    folder = settings.data_dir
    if not folder.exists():
        print("There is no data folder: nothing to delete.")
        return
    for entry in sorted(folder.iterdir()):
        files = [file for file in entry.rglob("*") if file.is_file()] if entry.is_dir() else [entry]
        print(f"{os.path.relpath(entry)}: {len(files):,} files, {sum(f.stat().st_size for f in files) / 1e6:,.0f} MB")
    if input("Delete all of this? [y/N] ").strip().lower() == "y":
        shutil.rmtree(folder)
        print("Deleted.")
    else:
        print("Nothing was deleted.")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["run", "refresh", "clean"])
    task = parser.parse_args().task
    settings = load_settings()
    os.environ["CAPTCHA_PROFILE"] = settings.profile
    try:
        {"run": run, "refresh": refresh, "clean": clean}[task](settings)
    except CellExecutionError as error:
        print(f"\nA cell failed:\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
