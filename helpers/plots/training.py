"""The live figure of a training run, and the place where it is shown."""

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from helpers.plots.basics import CAPTCHAS, DIGITS, GREEN, GREY, LOSS, say_none

LOSS_SHOWN = 1.6  # times the loss of guessing; what lies above is told in words


def live_display() -> Callable[[Figure], None]:
    """A function that shows a figure, each new one in the place of the last; nothing outside a notebook."""
    from IPython import get_ipython
    from IPython.display import display

    handle = None

    def show(fig: Figure) -> None:
        nonlocal handle
        if handle is not None:
            handle.update(fig)
        elif get_ipython() is not None:
            handle = display(fig, display_id=True)

    return show


def draw_progress(points: Sequence[Mapping[str, float]], total_images: int, probe_size: int, classes: int) -> Figure:
    """The live figure: accuracies and loss on training and validation captchas, and how far the training run is.

    Args:
        points: images seen, seconds, four accuracies (0 to 1) and two losses [nats] each.
        total_images: images that the whole training run will see.
        probe_size: captchas behind each point of a curve.
        classes: guessing reads one digit in so many right, and has a loss of ln(classes).
    """
    fig, (ax, below) = plt.subplots(2, figsize=(8, 5.2), height_ratios=(3, 1.3), sharex=True, layout="constrained")
    plt.close(fig)  # shown by its caller, not by the cell
    if not points:
        say_none(below)
        return say_none(ax).figure
    x, last, total = [point["images"] for point in points], points[-1], max(1, total_images)
    for split, style in (("training", "-"), ("validation", "--")):
        for thing, color in (("digits", DIGITS), ("captchas", CAPTCHAS)):
            y = [100 * point[f"{split} {thing}"] for point in points]
            ax.plot(x, y, style, color=color, label=f"{thing}, {split}")
        below.plot(x, [point[f"{split} loss"] for point in points], style, color=LOSS)
    guessing = {ax: (100 / classes, "guessing a digit"), below: (math.log(classes), f"ln {classes}: guessing")}
    for axes, (level, name) in guessing.items():
        axes.axhline(level, color=GREY, linewidth=0.8, linestyle=":")
        axes.annotate(name, (total, level), fontsize=8, color="#555555", ha="right",
                      textcoords="offset points", xytext=(0, 3))  # fmt: skip
        axes.spines[["top", "right"]].set_visible(False)
    done = last["images"] / total
    ax.axvspan(0, total, ymin=0.985, color="#DDDDDD")  # the progress bar
    ax.axvspan(0, last["images"], ymin=0.985, color=GREEN)
    left = f", about {last['seconds'] * (1 / done - 1):.0f} s left" if 0 < done < 1 else ""
    title = f"{done:.0%} of {total_images:,} images, {last['seconds']:.0f} s{left}: "
    title += f"{100 * last['validation captchas']:.1f} % of {probe_size} validation captchas read right"
    ax.set_title(title, fontsize=10)
    ax.set(xlim=(0, total), ylim=(-2, 106), ylabel=f"read right,\nof {probe_size} captchas [%]")
    ax.legend(loc="lower right", fontsize=9, frameon=False, bbox_to_anchor=(1, 0.3))
    top = LOSS_SHOWN * math.log(classes)
    losses = [point[f"{split} loss"] for point in points for split in ("training", "validation")]
    if (highest := max(filter(math.isfinite, losses), default=0.0)) > top:
        below.annotate(f"the loss rises to {highest:.3g}", (0.5, 1), xycoords="axes fraction", fontsize=8,
                       ha="center", va="top", color=LOSS)  # fmt: skip
    below.set(ylim=(0, top), ylabel="loss\n[nats per digit]")
    below.set_xlabel("training images seen; the bar at the top is the progress")
    return fig
