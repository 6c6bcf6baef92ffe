"""A learner's way through JupyterLab, in a real browser: every notebook, its widgets, its links, in both themes.

Needs Chromium and what tests/requirements.txt names, which the notebooks themselves do not need. Without
them this file is skipped, unless CAPTCHA_BROWSER=required. It takes a quarter of an hour, and leaves pictures of
what it saw in tests/screenshots. CAPTCHA_BROWSER=everything also runs the notebooks beyond the five, 8 minutes more.
"""

import csv
import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from helpers import files
from helpers.captchas.drawing import draw_captcha
from helpers.captchas.fonts import find_font
from helpers.captchas.styles import CaptchaStyle

REQUIRED = os.environ.get("CAPTCHA_BROWSER") in ("required", "everything")  # then a skip would be a failure
sync_api = (importlib.import_module if REQUIRED else pytest.importorskip)("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOKS = REPOSITORY / "notebooks"
NUMBERED = [path.name for path in sorted(NOTEBOOKS.glob("0[2-5]*.ipynb"))]
BEYOND = [f"beyond/{path.name}" for path in sorted((NOTEBOOKS / "beyond").glob("*.ipynb"))]
SCREENSHOTS = REPOSITORY / "tests" / "screenshots"
EXPLORER, PICKER = "explorer = ", "Picker("  # the cells that show widgets
KERNEL = "jupyterapp.shell.currentWidget.sessionContext.session?.kernel"
# The kernel is idle between two cells as well: only when nothing runs for two seconds are all through.
QUIET = f"""() => {{
    const cells = jupyterapp.shell.currentWidget.content.widgets;
    const busy = !finished || {KERNEL}.status !== "idle" || cells.some(cell => cell.model.executionState === "running");
    quiet = busy ? null : quiet ?? Date.now();
    return quiet !== null && Date.now() - quiet > 2000; }}"""
MINUTE = 60_000  # milliseconds, as the browser counts

pytestmark = pytest.mark.skipif(CHROMIUM is None and not REQUIRED, reason="Chromium is not installed")


class Lab(NamedTuple):
    """A running JupyterLab."""

    address: str
    data: Path
    started: float  # on the clock that time.perf_counter reads


@contextmanager
def running_lab(folder):
    """A JupyterLab, as `make lab` starts it, on a copy of this project in `folder`, with its data there too."""
    for name in ("notebooks", "helpers", ".github"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "README.md", folder)
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (as_made,) = re.findall(r"/jupyter lab .*?(--LabApp\.default_url=\S+)", makefile)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    own = {name: str(folder / name) for name in ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")}
    of_tests = ("CAPTCHA_UNATTENDED", "MPLBACKEND")  # a person's kernel shows figures
    person = {name: value for name, value in os.environ.items() if name not in of_tests}
    started = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--IdentityProvider.token=test",
         "--LabApp.expose_app_in_browser=True", "--allow-root", as_made],
        cwd=folder,
        env={**person, **own, "CAPTCHA_DATA_DIR": str(folder / "data"), "CAPTCHA_PROFILE": "quick"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield Lab(f"http://localhost:{port}/lab/tree/notebooks/{{}}?token=test&reset", folder / "data", started)
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def empty_page():
    """A page of a browser without a window."""
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1300, "height": 1400})
        page.set_default_timeout(5 * MINUTE)
        yield page
        browser.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def page(lab):
    with empty_page() as empty:
        yield empty


def open_notebook(page, lab, name, experiment):
    """Open a notebook and write the experiment's name into its cell."""
    deadline = time.monotonic() + 60
    while True:
        try:
            page.goto(lab.address.format(name))
            break
        except sync_api.Error:  # the server is not up yet
            assert time.monotonic() < deadline, "JupyterLab does not start"
            time.sleep(1)
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady")
    page.wait_for_function(f"{KERNEL}?.status === 'idle'")
    page.wait_for_function("window.jupyterapp.shell.currentWidget.content.widgets.length > 10")
    page.evaluate(
        """name => { for (const cell of jupyterapp.shell.currentWidget.content.model.cells) {
            const source = cell.sharedModel.getSource();
            if (cell.type === "code" && source.startsWith('EXPERIMENT = '))
                cell.sharedModel.setSource(source.replace('"default"', `"${name}"`));
        } }""",
        experiment,
    )


def run(page, command):
    """Run cells and wait until they are through; the notebook as it is then."""
    page.evaluate(
        """command => { window.quiet = null; window.finished = false;
            jupyterapp.commands.execute(command).finally(() => { window.finished = true; }); }""",
        command,
    )
    page.wait_for_function(QUIET, polling=100)
    notebook = json.loads(
        page.evaluate("JSON.stringify(jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON())")
    )
    for cell in notebook["cells"]:
        if "raises-exception" not in cell["metadata"].get("tags", []):
            errors = [output for output in cell.get("outputs", []) if output["output_type"] == "error"]
            assert not errors, f"{''.join(cell['source'])}\n{errors}"
    return notebook


WATCH = """() => { window.live = {pictures: new Set(), vanished: 0, text: ""};
    const cell = jupyterapp.shell.currentWidget.content.widgets.findLast(
        cell => cell.model.sharedModel.getSource().includes("training = train(model, settings)"));
    setInterval(() => {
        if (cell.isDisposed || cell.model.executionState !== "running") return;
        const shown = cell.model.outputs.toJSON().map(output => output.data?.["image/png"]).filter(Boolean);
        shown.forEach(picture => live.pictures.add(picture));
        live.vanished += live.pictures.size > 0 && shown.length === 0;
    }, 50); }"""


def take_screenshots(page, name):
    """Pictures of the whole notebook as it is now, in the light and the dark theme."""
    SCREENSHOTS.mkdir(exist_ok=True)
    outer = "jupyterapp.shell.currentWidget.content.outerNode"
    usual = page.viewport_size
    page.set_viewport_size({"width": usual["width"], "height": 3_000})
    for theme in ("Dark", "Light"):
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {theme}")
        page.wait_for_function("theme => document.body.dataset.jpThemeLight === String(theme === 'Light')", arg=theme)
        for number in range(30):
            page.evaluate(f"top => {outer}.scrollTo(0, top)", 2_800 * number)
            page.wait_for_timeout(150)  # until what has come into view is rendered
            at = page.evaluate(f"{outer}.scrollTop")
            page.screenshot(path=SCREENSHOTS / f"{name.replace('/', '-')}-{theme.lower()}-{number:02}.png")
            if at < 2_800 * number - 1:
                break
    page.set_viewport_size(usual)


def close(page):
    """Free the kernel's memory."""
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def go_below(page, start):
    """Make the cell below the one that starts so the active one, as a click on it does."""
    page.evaluate(
        """start => { const notebook = jupyterapp.shell.currentWidget.content;
            notebook.activeCellIndex = 1 + notebook.widgets.findIndex(
                cell => cell.model.sharedModel.getSource().startsWith(start)); }""",
        start,
    )


def run_to_the_explorer(page):
    """Run the cells of notebook 2 down to the explorer."""
    go_below(page, EXPLORER)
    run(page, "notebook:run-all-above")
    page.locator(".widget-image").first.wait_for()
    page.wait_for_function("document.querySelector('.widget-image').naturalWidth > 600")


def grid(page):
    """The address of the picture that the explorer shows: a new one each time that it is drawn."""
    return page.locator(".widget-image").first.get_attribute("src")


def bring_a_font(page, folder):
    """Give the explorer a font, then a text; it draws with the one, and refuses the other."""
    shutil.copyfile(find_font("DejaVuSerif"), folder / "mine.ttf")
    (folder / "notes.ttf").write_text("no font")
    button, before = page.get_by_role("button", name="A font of my own"), grid(page)
    for name in ("mine.ttf", "notes.ttf"):
        with page.expect_file_chooser() as chooser:
            button.click()
        chooser.value.set_files(folder / name)
        if name == "mine.ttf":
            page.wait_for_function("old => document.querySelector('.widget-image').src !== old", arg=before)
            page.wait_for_function("document.querySelectorAll('.widget-image')[1].naturalWidth > 300")  # its letters
    page.get_by_text("This font is not used. fonts: 'notes.ttf'").wait_for()


def board_is_shown(page):
    """Wait until the scoreboard stands below the explorer."""
    page.wait_for_function("[...document.querySelectorAll('.widget-image')].at(-1).naturalWidth > 600")


def choose_a_picture(page, folder):
    """Give the picker of notebook 5 a captcha, then a text; it reads the one and refuses the other."""
    draw_captcha("5020", CaptchaStyle.preset("noisy"), seed=1).save(folder / "mine.png")
    (folder / "notes.png").write_text("no picture")
    go_below(page, PICKER)
    button = page.get_by_role("button", name="Choose a file")
    broken = ("notes.png", "notes.png is no readable image")
    for name, answer in (("mine.png", "Read as"), broken, ("mine.png", "Read as"), broken):
        with page.expect_file_chooser() as chooser:
            button.click()
        chooser.value.set_files(folder / name)
        page.get_by_text(answer).first.wait_for()


def test_the_first_captcha_comes_soon(page, lab):
    open_notebook(page, lab, "01_check_environment.ipynb", "default")
    page.evaluate("jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")  # pictures of an earlier run
    page.wait_for_function("document.querySelector('.jp-OutputArea img') === null")
    page.evaluate(
        """() => { window.shown = null; setInterval(() => {
            shown ??= document.querySelector(".jp-OutputArea img")?.naturalWidth > 0 ? Date.now() : null; }, 50); }"""
    )
    opened = time.perf_counter() - lab.started
    begun = page.evaluate("Date.now()")
    notebook = run(page, "notebook:run-all-cells")
    shown = (page.evaluate("shown") - begun) / 1000
    print(f"from the start of JupyterLab: notebook 1 after {opened:.1f} s, a captcha after {opened + shown:.1f} s")
    (told,) = re.findall(r"\*\*([\d.]+ minutes)\*\* of training", json.dumps(notebook))
    print(f"forecast of the training run: {told}")
    take_screenshots(page, "01_check_environment.ipynb")
    close(page)


def test_a_knob_a_preset_a_second_experiment_and_a_picture_of_ones_own(page, lab, tmp_path):
    for name in NUMBERED:
        open_notebook(page, lab, name, "default")
        page.evaluate(WATCH if name.startswith("04") else "null")
        started = time.perf_counter()
        run(page, "notebook:run-all-cells")
        print(f"{name}: {time.perf_counter() - started:.0f} s")
        if name.startswith("04"):
            seen, vanished = page.evaluate("[live.pictures.size, live.vanished]")
            (_, *_, last) = files.read_rows(lab.data / "quick" / "default" / "progress.csv")
            print(f"{seen} pictures of the training run, which took {last['seconds'] / 60:.1f} minutes")
            assert seen >= 5 and not vanished
        take_screenshots(page, name)
        close(page)

    open_notebook(page, lab, NUMBERED[0], "noisy")
    run_to_the_explorer(page)
    dots = page.locator(".widget-hslider", has=page.get_by_text("dots", exact=True))
    page.get_by_text("The network of default reads").wait_for()  # the grid was there before it
    before, picture = grid(page), page.locator(".widget-image").first.screenshot()
    told = page.get_by_text("The network of default reads").inner_text()
    dots.locator(".noUi-handle").focus()
    started = time.perf_counter()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("old => document.querySelector('.widget-image').src !== old", arg=before)
    print(f"redrawn {1000 * (time.perf_counter() - started):.0f} ms after the key")
    assert dots.locator(".widget-readout").inner_text() == "40"
    page.wait_for_function("document.querySelector('.widget-image').naturalWidth > 600")
    assert page.locator(".widget-image").first.screenshot() != picture
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.querySelector('.widget-readout').innerText !== '40'")

    bring_a_font(page, tmp_path)
    page.get_by_label("preset").focus()
    page.keyboard.type("noisy")
    page.get_by_text("dots", exact=True).locator("..").get_by_text("200", exact=True).wait_for()
    page.wait_for_function("old => !document.body.innerText.includes(old)", arg=told)  # fewer of these are read
    page.get_by_role("button", name="Try it").click()
    page.get_by_text("what the new one still reads of the old style").wait_for()
    board_is_shown(page)
    (row,) = json.loads((lab.data / "tries.json").read_text())["rows"]
    assert row["start"] == "default" and row["before"][0] < row["accuracy"][0]
    page.get_by_role("button", name="Use this style").focus()
    page.keyboard.press("Enter")
    page.get_by_text('STYLE = CaptchaStyle.preset("noisy")').first.wait_for()
    go_below(page, EXPLORER)
    run(page, "notebook:run-all-below")
    page.evaluate(f"{KERNEL}.restart()")
    page.wait_for_function(f"{KERNEL}.status === 'idle'")
    run_to_the_explorer(page)
    board_is_shown(page)  # the row is still there
    page.get_by_text("dots", exact=True).locator("..").get_by_text("200", exact=True).wait_for()  # and so is the style
    close(page)

    for name in NUMBERED[1:]:
        open_notebook(page, lab, name, "noisy")
        notebook = run(page, "notebook:run-all-cells")
        if name == NUMBERED[-1]:
            choose_a_picture(page, tmp_path)
        close(page)
    (cell,) = [cell for cell in notebook["cells"] if cell["source"].startswith("experiments = ")]
    table = cell["outputs"][0]["data"]["text/markdown"]
    assert "| default | `CaptchaStyle()` |" in table
    assert '| noisy | `CaptchaStyle.preset("noisy")` |' in table
    (cell,) = [cell for cell in notebook["cells"] if cell["source"] == "ax = draw_scoreboard()"]
    assert any("image/png" in output["data"] for output in cell["outputs"])


def follow(page, target):
    """Click the last link to this file, a path in the repository, and wait until it is open."""
    page.locator(f".jp-RenderedMarkdown:visible a[href*='/files/{target}']").last.click()
    page.wait_for_function("path => jupyterapp.shell.currentWidget?.context?.path === path", arg=target)
    page.wait_for_function("jupyterapp.shell.currentWidget.context.isReady")


def test_the_links_lead_through_the_lessons_and_to_the_overview(page, lab):
    paths = [f"notebooks/{path.name}" for path in sorted(NOTEBOOKS.glob("0*.ipynb"))]
    open_notebook(page, lab, Path(paths[0]).name, "default")
    for path in [*paths[1:], *paths[-2::-1]]:  # to the last, and back to the first
        follow(page, path)
    for path in ("README.md", paths[1]):
        follow(page, path)
    page.evaluate("jupyterapp.shell.closeAll()")


def label_by_keyboard(page, truth, until):
    """Press Enter for each right guess, and write the text over each wrong one, until so many are labelled."""
    field, done = page.locator(".widget-textarea textarea"), page.locator(".widget-html-content")
    while not (said := done.get_by_text(" labelled, ").first.inner_text()).split("\n")[1].startswith(f"{until} "):
        if field.input_value() != (text := truth[said.split("\n")[0]]):
            field.press("Control+A")
            page.keyboard.type(text)  # without a pause, and Enter right behind it
        field.press("Enter")
        page.wait_for_function("old => !document.body.innerText.includes(old)", arg=said.split("\n")[1])


def test_pictures_are_labelled_by_keyboard_also_after_a_restart(page, lab, tmp_path):
    labelled = NOTEBOOKS / "pictures" / "own" / "held_out"
    with open(labelled / "labels.csv", newline="", encoding="utf-8") as file:
        truth = {row["file"]: row["text"] for row in list(csv.DictReader(file))[:30]}
    for name in truth:
        shutil.copy(labelled / name, tmp_path)
    open_notebook(page, lab, "beyond/your_own_pictures.ipynb", "default")
    page.evaluate(
        """code => { for (const cell of jupyterapp.shell.currentWidget.content.model.cells)
            if (cell.type === "code" && cell.sharedModel.getSource().includes("Labeller(robust"))
                cell.sharedModel.setSource(code); }""",
        f"labeller = Labeller(robust, {str(tmp_path)!r})\nlabeller",
    )
    for until in (10, 20):
        go_below(page, "labeller = ")
        run(page, "notebook:run-all-above")
        label_by_keyboard(page, truth, until)
        page.evaluate(f"{KERNEL}.restart()")
        page.wait_for_function(f"{KERNEL}.status === 'idle'")
    close(page)
    with open(tmp_path / "labels.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 and all(row["text"] == truth[row["file"]] for row in rows)
    assert any(row["guess"] != row["text"] for row in rows) and any(row["guess"] == row["text"] for row in rows)


@pytest.mark.skipif(os.environ.get("CAPTCHA_BROWSER") != "everything", reason="CAPTCHA_BROWSER=everything runs it")
def test_every_notebook_beyond_the_five_runs_after_them(page, lab):
    for name in BEYOND:
        open_notebook(page, lab, name, "default")
        run(page, "notebook:run-all-cells")
        take_screenshots(page, name)
        close(page)
