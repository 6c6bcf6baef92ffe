"""`Explorer`: sliders for a style, and a grid of captchas that follows them; `preview`: the grid as a still picture."""

import dataclasses
import functools
import html
import io
import random
from typing import Any

import ipywidgets as widgets
from ipywidgets import FloatRangeSlider, FloatSlider, IntRangeSlider, IntSlider
from PIL import Image

from helpers.captchas.drawing import draw_captcha
from helpers.captchas.styles import PRESETS, CaptchaStyle
from helpers.errors import TutorialError
from helpers.experiments.choice import chosen_style, keep_style

GAP = 6  # pixels between two captchas
OWN = "your own"
KNOB = {"style": {"description_width": "120px"}, "layout": widgets.Layout(width="400px")}
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


def preview(style: CaptchaStyle, columns: int = 4, rows: int = 4) -> Image.Image:
    """A grid of captchas, RGB. Texts and seeds are always the same, so that only the style changes."""
    width, height = style.image_width + GAP, style.height + GAP
    grid = Image.new("RGB", (columns * width - GAP, rows * height - GAP), "#888888")
    for index in range(columns * rows):
        chance = random.Random(index)
        text = "".join(chance.choices(style.alphabet, k=chance.randint(*style.length)))
        grid.paste(draw_captcha(text, style, seed=index), (index % columns * width, index // columns * height))
    return grid


class Explorer(widgets.VBox):
    """Presets and sliders beside a grid of captchas, which is drawn anew at each move.

    The grid first shows `style`, or else the style last used. When "Use this style" is pressed, the attribute
    `style` becomes what is shown.
    """

    last_used: CaptchaStyle | None = None

    def __init__(self, style: CaptchaStyle | None = None) -> None:
        self.knobs = {
            "fonts": widgets.SelectMultiple(description="fonts", rows=5, **KNOB),
            **{name: kind(description=label, **KNOB) for name, (kind, *_, label) in SLIDERS.items()},
            "alphabet": widgets.Text(description="alphabet", continuous_update=False, **KNOB),
        }
        self.preset = widgets.Dropdown(options=[OWN, *PRESETS], description="preset", **KNOB)
        self.picture = widgets.Image(format="png", layout=widgets.Layout(max_width="690px", object_fit="contain"))
        self.refusal, self.line = widgets.HTML(), widgets.HTML()
        self.button = widgets.Button(description="Use this style", button_style="primary")
        try:
            self._show(style or Explorer.last_used or chosen_style())
        except TutorialError as reason:
            if style:
                raise
            self._show(CaptchaStyle())
            self.refusal.value = f"<b>The style last used is not shown.</b> {html.escape(str(reason))}"
        self.style = self.drawn

        for name, knob in self.knobs.items():
            knob.observe(functools.partial(self._turned, name), "value")
        self.preset.observe(self._chosen, "value")
        self.button.on_click(self._use)
        left = widgets.VBox([self.preset, *self.knobs.values()])
        right = widgets.VBox([self.picture, self.refusal, self.button, self.line])
        super().__init__([widgets.HBox([left, right])])

    def __repr__(self) -> str:
        return "(Here are sliders and a grid of captchas, when a kernel runs this cell.)"

    def _show(self, style: CaptchaStyle) -> None:
        """Draw `style` and set every control to it; a slider gets the range and the step that it needs for that."""
        self._draw(dataclasses.replace(style, check_fonts=True))
        self._setting = True
        self.knobs["fonts"].options = tuple(dict.fromkeys((*PRESETS["many fonts"]["fonts"], *style.fonts)))
        self.knobs["fonts"].value, self.knobs["alphabet"].value = style.fonts, style.alphabet
        for name, (_, lowest, highest, step, _) in SLIDERS.items():
            knob, value = self.knobs[name], getattr(style, name)
            ends = (min(value), max(value)) if isinstance(value, tuple) else (value, value)
            lowest, highest = min(lowest, ends[0]), max(highest, ends[1])
            decimals = max(len(f"{number:.6f}".rstrip("0").split(".")[1]) for number in (step, *ends))
            if any(round((end - lowest) / step, 6) % 1 for end in ends):  # it lies between two steps
                step = 10**-decimals
            with knob.hold_sync():
                knob.min, knob.max, knob.step, knob.readout_format = lowest, highest, step, f".{decimals}f"
                knob.value = ends if isinstance(value, tuple) else value
        self._setting = False

    def _draw(self, style: CaptchaStyle) -> None:
        file = io.BytesIO()
        preview(style).save(file, "PNG", compress_level=1)
        self.drawn, self.picture.value, self.refusal.value, self._refused = style, file.getvalue(), "", {}
        self.preset.value = next((name for name in PRESETS if style == CaptchaStyle.preset(name)), OWN)

    def _turned(self, name: str, change: Any) -> None:
        """Draw with the changed field and those refused before; or keep the picture, and say why."""
        if self._setting:
            return
        value = change["new"]
        if name == "font_sizes":
            value = tuple(sorted({value[0], sum(value) // 2, value[1]}))
        elif name in SLIDERS:  # 3 steps of 0.1 are not 0.3
            value = tuple(round(end, 6) for end in value) if isinstance(value, tuple) else round(value, 6)
        self._refused[name] = value
        try:
            self._draw(dataclasses.replace(self.drawn, **self._refused, check_fonts=True))
        except TutorialError as reason:
            self.refusal.value = f"<b>Not drawn.</b> {html.escape(str(reason))}"

    def _chosen(self, change: Any) -> None:
        if change["new"] != OWN and self.drawn != (style := CaptchaStyle.preset(change["new"])):
            self._show(style)

    def _use(self, button: Any) -> None:
        self.style = Explorer.last_used = self.drawn
        code = html.escape(self.style.to_python())
        self.line.value = f"<p><code>STYLE = {code}</code></p><p>Now give EXPERIMENT a new name below, and run on.</p>"
        try:
            keep_style(self.style)
        except OSError as reason:
            self.line.value += f"<p><b>It is not kept for the next kernel:</b> {html.escape(str(reason))}</p>"
