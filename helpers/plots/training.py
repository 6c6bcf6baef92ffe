"""A network as a diagram, the live figure of its training run, and the place where it is shown."""

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from helpers.plots.basics import BLUE, CAPTCHAS, DIGITS, GREEN, GREY, LOSS, VERMILION, open_axes, say_none

LOSS_SHOWN = 1.6  # times the loss of guessing; what lies above is told in words


def network(layers: Sequence[tuple[str, tuple[int, ...], int]], ax: Axes | None = None) -> Axes:
    """Layers (name, output shape without the batch, parameters) as boxes: as high as the picture they hand on."""
    total = sum(parameters for _, _, parameters in layers)
    title = f"{total:,} parameters; below each layer the shape it passes on, [height × width × channels], and its own"
    ax = open_axes(ax, title, width=max(11, 0.8 * len(layers)), height=3.4)
    if not layers:
        return say_none(ax)
    tallest = max((shape[0] for _, shape, _ in layers if len(shape) == 3), default=1)
    x = 0.0
    for name, shape, parameters in layers:
        image = len(shape) == 3
        height = 0.35 + 1.65 * (shape[0] / tallest if image else 0.45)
        width = 0.35 + 0.05 * np.sqrt(shape[2]) if image else 0.35
        color = VERMILION if "conv" in name else GREY if "pool" in name else BLUE if "dense" in name else GREEN
        box = {"facecolor": color, "alpha": 0.75, "edgecolor": "none", "boxstyle": "round,pad=0.03"}
        ax.add_patch(FancyBboxPatch((x, -height / 2), width, height, **box))
        ax.text(x + width / 2, height / 2 + 0.12, name.replace(" ", "\n"), ha="center", va="bottom", fontsize=9)
        label = "×".join(map(str, shape)) + (f"\n{parameters:,}" if parameters else "")
        ax.text(x + width / 2, -height / 2 - 0.12, label, ha="center", va="top", fontsize=8, color="#444444")
        x += width + 0.85
    ax.set(xlim=(-0.4, x - 0.2), ylim=(-1.6, 1.4))
    ax.set_axis_off()
    return ax


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
