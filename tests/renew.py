"""What stands behind `make notebooks`: the committed notebooks, executed in place where they are stale.

python -m tests.renew        executes what is stale and says why
python -m tests.renew --all  executes everything
"""

import argparse
import base64
import io
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image

from helpers.__main__ import carried_out
from helpers.execution import REPOSITORY, STAMP, execute, name_of, notebooks_of
from helpers.files import written_whole
from helpers.settings import Settings
from tests.stamps import changes, stamp

READS = {  # the files of earlier notebooks that a notebook reads
    "03_write_tfrecords": ["manifest.json"],
    "04_train_alexnet": ["records/manifest.json"],
    "05_read_captchas": ["manifest.json", "model.keras"],
    "solutions/03_write_tfrecords": ["manifest.json"],
    "solutions/05_read_captchas": ["manifest.json", "model.keras"],
    "beyond/why_it_learns": ["records/manifest.json", "model.keras"],
    "beyond/what_it_sees": ["model.keras"],
    "beyond/where_it_fails": ["model.keras"],
    "beyond/try_styles": ["model.keras"],
}
MAKERS = {"manifest.json": "02", "records/manifest.json": "03", "model.keras": "04"}  # the notebook that makes it


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


def pack_pictures(path: Path) -> None:
    """Store the pictures in a notebook's outputs in fewer bytes."""
    notebook = nbformat.read(path, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    for output in outputs:
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = packed_png(output.data["image/png"])
    with written_whole(path) as temporary:
        nbformat.write(notebook, temporary)


def packed_png(data: str) -> str:
    """The same PNG in fewer bytes, both as base64: without unused transparency, and packed well."""
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    if picture.mode == "RGBA" and picture.getextrema()[3] == (255, 255):
        picture = picture.convert("RGB")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    packed = base64.b64encode(file.getvalue()).decode()
    return min(data, packed, key=len)


def notebooks(settings: Settings, everything: bool = False) -> None:
    """Execute in place the stale notebooks, or all; where the data folder lacks what they read, fill it first."""
    order, current = notebooks_of() + notebooks_of("solutions/0*") + notebooks_of("beyond/*"), 0
    for path in order:
        reasons = ["all were asked for"] if everything else outdated(path, settings)
        if reasons:
            more = f" and {len(reasons) - 3} more" * (len(reasons) > 3)
            now = stamp_now(nbformat.read(path, as_version=4), path, settings)
            execute(path, path, f": {', '.join(reasons[:3])}{more}", now)
            pack_pictures(path)
            continue
        current += 1
        if any(path in makers(other, settings) and outdated(other, settings) for other in order):
            with tempfile.TemporaryDirectory() as folder:
                execute(path, Path(folder) / path.name, " fills the data folder")
    print(f"{current} of {len(order)} notebooks were up to date.")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="execute also what is up to date")
    return carried_out(partial(notebooks, everything=parser.parse_args(arguments).all))


if __name__ == "__main__":
    sys.exit(main())
