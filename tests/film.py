"""Makes notebooks/pictures/explorer.gif: the explorer of notebook 2 in a browser, while characters come to overlap.

python -m tests.film; it needs Chromium and what tests/requirements.txt names.
"""

import io
import tempfile
from pathlib import Path

from PIL import Image

from tests.test_browser import NOTEBOOKS, NUMBERED, empty_page, grid, open_notebook, run_to_the_explorer, running_lab

TARGET = NOTEBOOKS / "pictures" / "explorer.gif"
FRAMES = 10  # one key press between two of them
WIDTH, COLORS, MILLISECONDS = 760, 64, 1000


def frames() -> list[Image.Image]:
    """The explorer with ever more overlap; the network that comes along reads them."""
    shown = []
    with tempfile.TemporaryDirectory() as folder, running_lab(Path(folder)) as lab, empty_page() as page:
        open_notebook(page, lab, NUMBERED[0], "default")
        run_to_the_explorer(page)
        page.get_by_text("The network of the full run that comes along reads").wait_for()
        page.locator(".widget-hslider", has=page.get_by_text("overlap", exact=True)).locator(".noUi-handle").focus()
        page.evaluate("document.querySelector('.widget-image').scrollIntoView({block: 'center'})")
        page.wait_for_timeout(1000)
        for _ in range(FRAMES):
            box = page.locator(".widget-image").first.bounding_box()
            last = page.get_by_text("overlap", exact=True).bounding_box()
            clip = {"x": box["x"], "y": box["y"], "width": 930, "height": last["y"] + last["height"] + 8 - box["y"]}
            shown.append(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB"))
            before = grid(page)
            page.keyboard.press("ArrowRight")
            page.wait_for_function("old => document.querySelector('.widget-image').src !== old", arg=before)
            page.wait_for_timeout(1000)  # until the ticks are there
    return shown


def main() -> None:
    """Record, scale and write it."""
    small = [frame.resize((WIDTH, round(frame.height * WIDTH / frame.width))) for frame in frames()]
    first, *others = (frame.quantize(COLORS, dither=Image.Dither.NONE) for frame in small)
    first.save(TARGET, save_all=True, append_images=others, duration=MILLISECONDS, loop=0, optimize=True)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
