"""Sliders for a style, and a grid of captchas that follows them.

`Explorer()` as the last line of a cell shows it; `explorer.style` is the style that "Use this style"
was pressed for last. `preview` draws the same grid as a still picture.
"""

from __future__ import annotations

import dataclasses
import html
import io
import random
from typing import Any

import ipywidgets as widgets
from PIL import Image

from helpers.captchas import draw_captcha
from helpers.errors import StyleError
from helpers.styles import PRESETS, CaptchaStyle

COLUMNS, ROWS = 4, 4
GAP = 6  # pixels between two captchas
OWN = "your own"
KNOB = {"style": {"description_width": "120px"}, "layout": widgets.Layout(width="400px")}


def preview(style: CaptchaStyle, columns: int = COLUMNS, rows: int = ROWS) -> Image.Image:
    """A grid of captchas, RGB. Texts and seeds are always the same, so that only the style changes."""
    width, height = style.image_width + GAP, style.height + GAP
    grid = Image.new("RGB", (columns * width - GAP, rows * height - GAP), "#888888")
    for index in range(columns * rows):
        generator = random.Random(index)
        text = "".join(generator.choices(style.alphabet, k=generator.randint(*style.length)))
        row, column = divmod(index, columns)
        grid.paste(draw_captcha(text, style, seed=index), (column * width, row * height))
    return grid


def _knobs() -> dict[str, widgets.Widget]:
    """A control for each field of a style that is worth turning, by the field's name."""
    span, number = widgets.IntRangeSlider, widgets.IntSlider
    share, shares = widgets.FloatSlider, widgets.FloatRangeSlider
    return {
        "fonts": widgets.SelectMultiple(options=PRESETS["many fonts"]["fonts"], description="fonts", rows=5, **KNOB),
        "font_sizes": span(min=20, max=80, step=2, description="font sizes [px]", **KNOB),
        "rotation": span(min=-90, max=90, step=5, description="rotation [degrees]", **KNOB),
        "warp_x": shares(min=0, max=1, step=0.1, description="warp across", readout_format=".1f", **KNOB),
        "warp_y": shares(min=0, max=1, step=0.1, description="warp down", readout_format=".1f", **KNOB),
        "plain": share(min=0, max=1, step=0.1, description="plain captchas", readout_format=".1f", **KNOB),
        "space_probability": share(min=0, max=1, step=0.1, description="gaps", readout_format=".1f", **KNOB),
        "overlap": share(min=0, max=1, step=0.05, description="overlap", **KNOB),
        "noise_dots": number(min=0, max=300, step=10, description="dots", **KNOB),
        "dot_width": number(min=1, max=10, description="dot width [px]", **KNOB),
        "noise_curves": number(min=0, max=10, description="curves", **KNOB),
        "text_color": span(min=0, max=255, description="text colour", **KNOB),
        "background_color": span(min=0, max=255, description="background", **KNOB),
        "length": span(min=1, max=8, description="length", **KNOB),
        "alphabet": widgets.Text(description="alphabet", continuous_update=False, **KNOB),
    }


class Explorer(widgets.VBox):
    """Presets and sliders beside a grid of captchas, which is drawn anew at each move.

    A style that cannot be drawn is refused in place, and the last picture stays.

    Args:
        style: what is shown first; None goes on with the style last used in this kernel, so that
            running the cell again forgets nothing. In a new kernel that is the default.

    Attributes:
        style: the style that "Use this style" was pressed for last; at first what is shown first.
    """

    last_used = CaptchaStyle()

    def __init__(self, style: CaptchaStyle | None = None) -> None:
        self.style = self.drawn = style or Explorer.last_used
        self.knobs = _knobs()
        fonts = self.knobs["fonts"]
        fonts.options = tuple(dict.fromkeys((*fonts.options, *self.style.fonts)))
        self.preset = widgets.Dropdown(options=[OWN, *PRESETS], description="preset", **KNOB)
        self.picture = widgets.Image(format="png", layout=widgets.Layout(max_width="690px", object_fit="contain"))
        self.refusal = widgets.HTML()
        self.button = widgets.Button(description="Use this style", button_style="primary")
        self.line = widgets.HTML()
        self._show(self.style)

        for knob in self.knobs.values():
            knob.observe(self._turned, "value")
        self.preset.observe(self._chosen, "value")
        self.button.on_click(self._use)
        left = widgets.VBox([self.preset, *self.knobs.values()])
        right = widgets.VBox([self.picture, self.refusal, self.button, self.line])
        super().__init__([widgets.HBox([left, right])])

    def __repr__(self) -> str:
        return "(Here are sliders and a grid of captchas, when a kernel runs this cell.)"

    def _show(self, style: CaptchaStyle) -> None:
        """Set every control to `style`, then draw once."""
        self._setting = True
        for name, knob in self.knobs.items():
            value = getattr(style, name)
            knob.value = (min(value), max(value)) if name == "font_sizes" else value
        self._setting = False
        self._draw(style)

    def _read(self) -> CaptchaStyle:
        """The style that the controls show. What has no control stays as it was."""
        values = {name: knob.value for name, knob in self.knobs.items()}
        smallest, largest = values.pop("font_sizes")
        if (smallest, largest) != (min(self.drawn.font_sizes), max(self.drawn.font_sizes)):
            values["font_sizes"] = tuple(sorted({smallest, (smallest + largest) // 2, largest}))
        for name, value in values.items():  # 3 steps of 0.1 are not 0.3
            if isinstance(value, float):
                values[name] = round(value, 2)
            elif name in ("warp_x", "warp_y"):
                values[name] = tuple(round(end, 2) for end in value)
        return dataclasses.replace(self.drawn, **values, check_fonts=True)

    def _draw(self, style: CaptchaStyle) -> None:
        file = io.BytesIO()
        preview(style).save(file, "PNG", compress_level=1)
        self.drawn, self.picture.value, self.refusal.value = style, file.getvalue(), ""
        same = [name for name in PRESETS if style == CaptchaStyle.preset(name)]
        self._setting = True
        self.preset.value = same[0] if same else OWN
        self._setting = False

    def _turned(self, change: Any) -> None:
        if self._setting:
            return
        try:
            self._draw(self._read())
        except StyleError as reason:
            self.refusal.value = f"<b>Not drawn.</b> {html.escape(str(reason))}"

    def _chosen(self, change: Any) -> None:
        if not self._setting and change["new"] != OWN:
            self._show(CaptchaStyle.preset(change["new"]))

    def _use(self, button: Any) -> None:
        self.style = Explorer.last_used = self.drawn
        self.line.value = (
            f"<p><code>STYLE = {html.escape(self.style.to_python())}</code></p>"
            "<p>Now give EXPERIMENT a name of its own below, and run on from there.</p>"
        )
