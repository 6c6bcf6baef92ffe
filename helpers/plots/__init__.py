"""All figures. They know arrays and texts only; the caller works out what a figure shows, and gives it as the title.

A function that draws one chart takes `ax=None` and returns the axes; one that draws several returns the figure. Each
draws any number of things, also none. Where training and validation are drawn together, solid lines are training and
dashed ones validation, blue is a digit, vermilion a whole captcha and green a loss.
"""

from helpers.plots.bars import horizontal_bars, shares
from helpers.plots.basics import CAPTCHAS, DIGITS, GREY, LOSS, as_png, panels
from helpers.plots.curves import curves
from helpers.plots.pictures import gallery, show_image, strips
from helpers.plots.readings import character_bars, heat_map, probability_bars
from helpers.plots.training import draw_progress, live_display, network
