"""`Explorer`: sliders for a style, and a grid of captchas that follows them, with what a network reads in it."""

import dataclasses
import functools
import html
import threading
from typing import Any

import ipywidgets as widgets

from helpers.captchas.fonts import FONT_FILES
from helpers.captchas.styles import PRESETS, CaptchaStyle
from helpers.errors import TutorialError
from helpers.experiments import fitting_networks, knobs
from helpers.experiments.choice import bring_font, chosen_style, keep
from helpers.experiments.grid import arranged, as_png, glance, marked, samples, specimen
from helpers.settings import load_settings, person_sits

OWN = "your own"


class Explorer(widgets.VBox):
    """A grid of captchas above presets and sliders, drawn anew at each move.

    It first shows `style`, or else the style last used. "Use this style" makes the attribute `style` what is shown.
    Each captcha is marked with what a fitting network reads; `read()` loads it, in the background if a person sits.
    """

    last_used: CaptchaStyle | None = None

    def __init__(self, style: CaptchaStyle | None = None) -> None:
        sliders = knobs.SLIDERS.items()
        self.knobs = {name: kind(description=label, **knobs.KNOB) for name, (kind, *_, label) in sliders}
        self.knobs["alphabet"] = widgets.Text(description="alphabet", continuous_update=False, **knobs.KNOB)
        self.knobs["fonts"] = widgets.SelectMultiple(description="fonts", rows=8, **knobs.KNOB)
        self.preset = widgets.Dropdown(options=[OWN, *PRESETS], description="preset", **knobs.KNOB)
        self.picture = widgets.Image(format="png", layout=widgets.Layout(max_width="690px", object_fit="contain"))
        self.refusal, self.line, self.told = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.network = widgets.Dropdown(description="read by", **knobs.KNOB)
        self._found, self._asked, self._read = {}, None, None
        self.button = widgets.Button(description="Use this style", button_style="primary")
        self.letters = widgets.Image(format="png", layout=widgets.Layout(max_width="690px"))  # of a font of one's own
        self.upload = widgets.FileUpload(accept=",".join(FONT_FILES), description="A font of my own")
        self.upload.layout = knobs.KNOB["layout"]
        self.tries = knobs.TryIt(lambda: self.drawn)
        self._show(style or CaptchaStyle())
        if not style:
            with knobs.refusing(self.refusal, "The style last used is not shown."):
                self._show(Explorer.last_used or chosen_style())
        self.style = self.drawn

        for name, knob in self.knobs.items():
            knob.observe(functools.partial(self._turned, name), "value")
        self.preset.observe(self._chosen, "value")
        self.network.observe(lambda change: self._read_by(change["new"]), "value")
        self.button.on_click(self._use)
        self.upload.observe(self._brought, "value")
        fields = widgets.GridBox([self.preset, self.network, *self.knobs.values(), self.upload], layout=knobs.BESIDE)
        buttons = widgets.HBox([self.tries.button, self.button])
        above, below = [self.picture, self.told, self.refusal, self.letters], [self.line, self.tries]
        super().__init__([*above, fields, buttons, *below, widgets.HTML(knobs.GONE)])
        self._read_by(self.network.value)

    def __repr__(self) -> str:
        return "(Here are sliders and a grid of captchas, when a kernel runs this cell.)"

    def _show(self, style: CaptchaStyle) -> None:
        """Draw `style` and set every knob to it."""
        self._draw(dataclasses.replace(style, check_fonts=True))
        self._setting = True
        knobs.set_knobs(self.knobs, style)
        self._setting = False

    def _draw(self, style: CaptchaStyle) -> None:
        self._samples = texts, images = samples(style)
        self.drawn, self.refusal.value, self._refused = style, "", {}
        own = [font for font in style.fonts if font.lower().endswith(FONT_FILES)]
        self.letters.layout.display = None if own else "none"
        self.letters.value = as_png(specimen(own[0], style.alphabet)) if own else b""
        if (asked := (style.alphabet, style.length, style.height, style.image_width)) != self._asked:
            self._asked, self._found = asked, fitting_networks(load_settings(), style)
            self.network.options, self.network.value = tuple(self._found), next(iter(self._found), None)
        self.picture.value = as_png(arranged(images, marks=[("", "white")] * len(texts) if self._found else ()))
        self._mark()
        self.preset.value = next((name for name in PRESETS if style == CaptchaStyle.preset(name)), OWN)

    def read(self) -> None:
        """Load the chosen network, if one fits, and mark each captcha with what it reads."""
        name = self.network.value
        with knobs.refusing(self.told, "Not loaded."):
            if path := self._found.get(name, (None,))[0]:
                read = glance(path, path.stat().st_mtime)
                self._read = read if name == self.network.value else self._read  # another may be chosen meanwhile
            self._mark()

    def _read_by(self, name: str | None) -> None:
        """Another network was chosen: where a person sits, load it, meanwhile without marks."""
        self._read = None
        self._mark()
        if name and person_sits():
            threading.Thread(target=self.read, daemon=True).start()

    def _mark(self) -> None:
        """Mark the captchas that are shown, and tell how many are read right; or what would be shown here."""
        name, (texts, images) = self.network.value, self._samples
        if not name:
            self.told.value = "No trained network reads captchas of this alphabet, length and size, to mark them here."
        elif not self._read:
            self.told.value = f"The network of {html.escape(name)} is not loaded yet."
        else:
            marks = marked(texts, self._read(images))
            if texts is self._samples[0]:  # no newer grid came meanwhile
                self.picture.value, right = as_png(arranged(images, marks=marks)), sum(m[0] == "✓" for m, _ in marks)
                told = f"The network of {html.escape(name)} reads {right} of these {len(texts)}"
                self.told.value = f"{told}, at one glance: here it does not look at doubtful ones again."

    def _turned(self, name: str, change: Any) -> None:
        """Draw with the changed field and those refused before; or keep the picture, and say why."""
        if self._setting:
            return
        self._refused[name] = knobs.value_of(name, change["new"])
        with knobs.refusing(self.refusal, "Not drawn."):
            self._draw(dataclasses.replace(self.drawn, **self._refused, check_fonts=True))

    def _chosen(self, change: Any) -> None:
        if change["new"] != OWN and self.drawn != (style := CaptchaStyle.preset(change["new"])):
            self._show(style)

    def _brought(self, change: Any) -> None:
        """A font of one's own: show its characters and draw with it, if it has all of them."""
        self.upload.value = ()  # so that the same file can be chosen again
        for file in change["new"]:
            with knobs.refusing(self.refusal, "This font is not used."):
                font = bring_font(file["name"], file["content"], self.drawn.alphabet)
                self._show(dataclasses.replace(self.drawn, fonts=font))

    def _use(self, button: Any) -> None:
        self.style = Explorer.last_used = self.drawn
        code = html.escape(self.style.to_python())
        self.line.value = f"<p><code>STYLE = {code}</code></p><p>Now give EXPERIMENT a new name below, and run on.</p>"
        try:
            keep(self.style)
        except (OSError, TutorialError) as reason:
            self.line.value += f"<p><b>It is not kept for the next kernel:</b> {html.escape(str(reason))}</p>"
