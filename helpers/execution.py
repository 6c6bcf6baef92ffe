"""Execute notebooks, and show how far they are."""

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

from helpers.files import written_whole

REPOSITORY = Path(__file__).resolve().parents[1]
STAMP = "captcha_notebooks"  # the entry in a notebook's metadata that tells from what it was executed
CELL_TIMEOUT = 3600  # seconds
BAR = re.compile(r"<([\d:]+), +([^\]]+/s)")  # the time to go and the rate, as tqdm writes them


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


class Watched(NotebookClient):
    """Shows beside its `bar` how the running cell begins, and what that cell's own bar, or live plot, says."""

    def tell(self, cell: nbformat.NotebookNode, said: str = "", done: int = 0) -> None:
        """Write this beside the bar, at most once a second, and move it on by so many cells that are `done`."""
        begins = cell.source.strip().split("\n")[0][:40].rstrip(":")
        self.bar.set_postfix_str(f"{begins}: {said}" if said else begins, refresh=False)
        self.bar.update(done)

    def process_message(self, msg: dict[str, Any], cell: nbformat.NotebookNode, cell_index: int) -> Any:
        """As NotebookClient does; what is printed, and the title of a figure that is shown again, may tell more."""
        content = msg["content"]
        if bars := BAR.findall(content.get("text", "")):
            self.tell(cell, "{} left, {}".format(*bars[-1]))
        elif content.get("transient") and (title := content["metadata"].get("image/png", {}).get("alt")):
            self.tell(cell, title.partition(":")[0])
        return super().process_message(msg, cell, cell_index)


def execute(path: Path, target: Path, why: str = "", stamp: dict[str, Any] | None = None) -> None:
    """Execute a notebook and write it to `target` with its outputs and stamp; CellExecutionError if a cell fails."""
    print(f"{name_of(path)}{why}", flush=True)
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop(STAMP, None)
    place = {"metadata": {"path": str(path.parent)}}
    quiet = {"record_timing": False, "store_widget_state": False, "extra_arguments": ["--log-level=40"]}  # errors only
    options = {"kernel_name": "python3", "coalesce_streams": True, "timeout": CELL_TIMEOUT, "resources": place, **quiet}
    look = {"bar_format": "  cell {n_fmt} of {total_fmt} |{bar:20}| {elapsed}{postfix}", "miniters": 0}
    client = Watched(notebook, **options)
    client.on_cell_start = lambda cell, **_: client.tell(cell)
    client.on_cell_executed = lambda cell, **_: client.tell(cell, done=1)
    try:
        cells = sum(cell.cell_type == "code" for cell in notebook.cells)
        with tqdm(total=cells, file=sys.stdout, mininterval=1, **look) as client.bar:
            client.execute()
        notebook.metadata |= {STAMP: stamp} if stamp else {}
    finally:
        tidy_outputs(notebook)
        with written_whole(target) as temporary:
            nbformat.write(notebook, temporary)
