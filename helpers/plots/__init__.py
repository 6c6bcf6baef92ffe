"""Everything that is drawn. Knows arrays and texts only.

A function that draws one chart takes `ax=None` and returns the axes; one that draws several returns
the figure. Where training and validation are drawn together, solid lines are training and dashed
ones validation, blue is a digit and vermilion a whole captcha.
"""

from helpers.plots.basics import horizontal_bars, new_axes
from helpers.plots.comparisons import accuracy_matrix, amounts, experiments, growth, knob_curves, shares, slices
from helpers.plots.confidence import confidence_histogram, coverage_curve, reliability_curve
from helpers.plots.pictures import byte_map, class_balance, gallery, knob_strips, mosaic, network, show_image
from helpers.plots.plateau import first_steps, loss_curves, remedies
from helpers.plots.readings import (
    activations,
    confusion_maps,
    confusion_matrix,
    mistakes,
    occlusion_maps,
    probability_bars,
    probability_table,
)
from helpers.plots.training import (
    accuracy_over_time,
    digit_against_whole,
    draw_progress,
    epochs,
    learning_rate,
    live_display,
)

__all__ = [
    "accuracy_matrix",
    "accuracy_over_time",
    "activations",
    "amounts",
    "byte_map",
    "class_balance",
    "confidence_histogram",
    "confusion_maps",
    "confusion_matrix",
    "coverage_curve",
    "digit_against_whole",
    "draw_progress",
    "epochs",
    "experiments",
    "first_steps",
    "gallery",
    "growth",
    "horizontal_bars",
    "knob_curves",
    "knob_strips",
    "learning_rate",
    "live_display",
    "loss_curves",
    "mistakes",
    "mosaic",
    "network",
    "new_axes",
    "occlusion_maps",
    "probability_bars",
    "probability_table",
    "reliability_curve",
    "remedies",
    "shares",
    "show_image",
    "slices",
]
