"""The scoreboard as a figure, and below the explorer with a button "Try it"."""

import textwrap
from collections.abc import Callable

import ipywidgets as widgets
from matplotlib.axes import Axes

from helpers import plots
from helpers.captchas.styles import CaptchaStyle
from helpers.errors import TutorialError
from helpers.experiments.grid import sample_of
from helpers.experiments.scoreboard import Try, from_row, list_tries
from helpers.files.results import load_result


def draw_scoreboard() -> Axes:
    """A row for each try, your own and those that come along: in words, a captcha, what was misread, the seconds."""
    named = [(in_words(row), row) for row in list_tries()]
    named += [(f"came along: {in_words(row)}", row) for row in map(from_row, load_result("tries")["rows"])]
    shown = {f"{textwrap.fill(textwrap.shorten(name, 68), 36)}, {row.seconds:.0f} s": row for name, row in named}
    scores, captchas = {name: row.accuracy for name, row in shown.items()}, [sample_of(r.style) for r in shown.values()]
    title = "Mistakes after a try, and how long it took"
    return plots.shares(scores, "misread [%], with 95 % intervals", title, mistakes=True, pictures=captchas)


def in_words(row: Try) -> str:
    """What a style changes of the default one, and where its network began."""
    default, words = CaptchaStyle().to_dict(), []
    for name, value in row.style.to_dict().items():
        if value != default[name]:
            if isinstance(value, list):  # of several, or the ends of a range
                several = name in ("fonts", "font_sizes")
                value = (", " if several else " to ").join(map(str, value if several else dict.fromkeys(value)))
            words.append(f"{name.replace('_', ' ')}: {value}")
    begun = {None: ["from random weights"], "default": []}.get(row.start, [f"from {row.start}"])
    return "; ".join([*(words or ["the default style"]), *begun])


class TryIt(widgets.VBox):
    """What a button "Try it" shows of the style that `style_of` gives; the scoreboard, as soon as there is a try."""

    def __init__(self, style_of: Callable[[], CaptchaStyle]) -> None:
        self.style_of, self.said, self.board = style_of, widgets.Output(), widgets.Image(format="png")
        self.board.layout = widgets.Layout(max_width="840px", object_fit="contain")
        self.button = widgets.Button(description="Try it")
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
