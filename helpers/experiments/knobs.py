"""A slider, a list or a text box for each field of a style, and a button to try it."""

import contextlib
import html
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from ipywidgets import FloatRangeSlider, FloatSlider, IntRangeSlider, IntSlider

from helpers import plots
from helpers.captchas.fonts import FONT_FILES, known_fonts
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import TutorialError
from helpers.experiments.choice import own_fonts
from helpers.experiments.grid import NOTHING
from helpers.experiments.scoreboard import draw_scoreboard, list_tries

KNOB = {"style": {"description_width": "120px"}, "layout": widgets.Layout(width="auto", min_width="0")}
BESIDE = widgets.Layout(grid_template_columns="repeat(auto-fit, minmax(320px, 1fr))", grid_gap="0 24px", width="98%")
GONE = (  # what Lab shows of widgets whose kernel was restarted: not broken links, but one sentence
    "<style>.jupyter-widgets-disconnected::before { display: none !important } .explorer-gone { display: none }"
    ".jupyter-widgets-disconnected .explorer-gone { display: block }</style>"
    "<b class='explorer-gone'>The kernel was restarted. Run this cell again to go on.</b>"
)
SLIDERS = {  # field of a style: its slider, lowest, highest and step; a style beyond these widens it
    "font_sizes": (IntRangeSlider, 20, 80, 2, "font sizes [px]"),
    "rotation": (IntRangeSlider, -90, 90, 5, "rotation [degrees]"),
    "warp_x": (FloatRangeSlider, 0, 1, 0.1, "warp across"),
    "warp_y": (FloatRangeSlider, 0, 1, 0.1, "warp down"),
    "plain": (FloatSlider, 0, 1, 0.1, "plain captchas"),
    "space_probability": (FloatSlider, 0, 1, 0.1, "gaps"),
    "overlap": (FloatSlider, 0, 1, 0.05, "overlap"),
    "noise_dots": (IntSlider, 0, 300, 10, "dots"),
    "dot_width": (IntSlider, 1, 10, 1, "dot width [px]"),
    "noise_curves": (IntSlider, 0, 10, 1, "curves"),
    "text_color": (IntRangeSlider, 0, 255, 1, "text colour"),
    "background_color": (IntRangeSlider, 0, 255, 1, "background"),
    "length": (IntRangeSlider, 1, 8, 1, "length"),
}


@contextlib.contextmanager
def refusing(told: widgets.HTML, what: str) -> Iterator[None]:
    """Where the block fails with an error of ours or of the disk, `told` shows what was not done, and why."""
    try:
        yield
    except (TutorialError, OSError) as reason:
        told.value = f"<b>{what}</b> {html.escape(str(reason))}"


def set_knobs(knobs: dict[str, Any], style: CaptchaStyle) -> None:
    """Set every knob to `style`; a slider gets the range and the step that it needs for that."""
    brought = sorted(str(file) for file in own_fonts().glob("*") if file.suffix.lower() in FONT_FILES)
    knobs["fonts"].options = tuple((Path(f).stem, f) for f in dict.fromkeys((*style.fonts, *brought, *known_fonts())))
    knobs["fonts"].value, knobs["alphabet"].value = style.fonts, style.alphabet
    for name, (_, lowest, highest, step, _) in SLIDERS.items():
        knob, value = knobs[name], getattr(style, name)
        ends = (min(value), max(value)) if isinstance(value, tuple) else (value, value)
        lowest, highest = min(lowest, ends[0]), max(highest, ends[1])
        decimals = max(len(f"{number:.6f}".rstrip("0").split(".")[1]) for number in (step, *ends))
        if any(round((end - lowest) / step, 6) % 1 for end in ends):  # it lies between two steps
            step = 10**-decimals
        with knob.hold_sync():
            knob.min, knob.max, knob.step, knob.readout_format = lowest, highest, step, f".{decimals}f"
            knob.value = ends if isinstance(value, tuple) else value


def value_of(name: str, value: Any) -> Any:
    """What a knob's value means for its field."""
    if name == "font_sizes":
        return tuple(sorted({value[0], sum(value) // 2, value[1]}))
    if name in SLIDERS:  # 3 steps of 0.1 are not 0.3
        return tuple(round(end, 6) for end in value) if isinstance(value, tuple) else round(value, 6)
    return value


class TryIt(widgets.VBox):
    """What a button "Try it" shows of the style that `style_of` gives; the scoreboard, as soon as there is a try."""

    def __init__(self, style_of: Callable[[], CaptchaStyle]) -> None:
        self.style_of, self.said, self.button = style_of, widgets.Output(), widgets.Button(description="Try it")
        look = widgets.Layout(max_width="840px", object_fit="contain")
        self.board = widgets.Image(value=NOTHING, format="png", layout=look)
        self.button.on_click(self._try)
        super().__init__([self.said, self.board])
        self._show_board()

    def _show_board(self) -> None:
        try:
            if list_tries():
                self.board.value = plots.as_png(draw_scoreboard().figure)
        except TutorialError as reason:
            self.said.append_stdout(f"{reason}\n")

    def _try(self, button: widgets.Button) -> None:
        """Try the style that is shown; meanwhile the knobs wait."""
        from helpers.experiments.tries import try_style  # imports TensorFlow

        self.said.clear_output()
        with self.said:
            try:
                style = self.style_of()
                print(f"{style.to_python()}\n{try_style(style)}")
            except TutorialError as reason:
                print(reason)
        self._show_board()
