"""A network as a diagram, the live figure of its training run, and the place where it is shown."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.basics import BLUE, CAPTCHAS, DIGITS, GREEN, GREY, LOSS, VERMILION, open_axes, say_none

KINDS = {"conv": "convolution", "pool": "pooling", "dense": "dense"}
COLORS = {"convolution": VERMILION, "pooling": GREY, "dense": BLUE, "other": GREEN}
LOSS_SHOWN = 1.6  # times the loss of guessing; what lies above is told in words


def network(layers: Sequence[tuple[str, tuple[int, ...], int]], ax: Axes | None = None) -> Axes:
    """Layers (name, output shape without the batch, parameters) as bars, one below the other.

    A bar is as long as the layer has channels or units, and as thick as the picture that it hands on is high.
    """
    total = sum(parameters for _, _, parameters in layers)
    largest, _, most = max(layers, key=lambda layer: layer[2], default=("", (), 0))
    title = f"{total:,} parameters, {100 * most / max(1, total):.0f} % of them in {largest}"
    ax = open_axes(ax, title, width=8, height=0.34 * len(layers) + 1)
    if not layers:
        return say_none(ax)
    tallest = max((shape[0] for _, shape, _ in layers if len(shape) == 3), default=1)
    named: dict[str, Any] = {}
    for index, (name, shape, parameters) in enumerate(layers):
        kind = next((kind for part, kind in KINDS.items() if part in name), "other")
        thickness = 0.12 + 0.75 * (shape[0] / tallest if len(shape) == 3 else 0)
        named[kind] = ax.barh(index, shape[-1], thickness, color=COLORS[kind], alpha=0.75)
        written = " × ".join(map(str, shape)) + (f";  {parameters:,}" if parameters else "")
        ax.annotate(written, (shape[-1], index), va="center", fontsize=9, textcoords="offset points", xytext=(6, 0))
    ax.set_yticks(range(len(layers)), [name for name, _, _ in layers], fontsize=9)
    ax.invert_yaxis()
    ax.set(xscale="log", xlim=(0.7, 40 * max(shape[-1] for _, shape, _ in layers)))
    ax.xaxis.set_major_formatter("{x:,.9g}")
    ax.set_xlabel("channels, or units (logarithmic); beside each layer height × width × channels, and its parameters")
    ax.legend(named.values(), named, loc="upper right", fontsize=9)
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


def draw_progress(
    points: Sequence[Mapping[str, float]], total_images: int, probes: Mapping[str, int], classes: int
) -> Figure:
    """The live figure: how far the training run is; what is read right, misread, and the loss, on both splits.

    Args:
        points: images seen, seconds, four accuracies (0 to 1) and two losses [nats] each.
        total_images: images that the whole training run will see.
        probes: captchas behind each point of a curve, of "training" and of "validation".
        classes: guessing reads one digit in so many right, and has a loss of ln(classes).
    """
    rows = [["bar", "bar"], ["right", "wrong"], ["loss", "loss"]]
    fig, parts = plt.subplot_mosaic(rows, figsize=(8, 5.4), height_ratios=(0.12, 3, 1.3), layout="constrained")
    plt.close(fig)  # shown by its caller, not by the cell
    bar, right, wrong, loss = parts.values()
    bar.set_axis_off()
    if not points:
        for axes in parts.values():
            say_none(axes)
        return fig
    x, last, total = [point["images"] for point in points], points[-1], max(1, total_images)
    least = 50 / max(probes.values())  # where none is drawn
    for split, style in (("training", "-"), ("validation", "--")):
        for thing, color in (("digits", DIGITS), ("captchas", CAPTCHAS)):
            y = 100 * np.array([point[f"{split} {thing}"] for point in points])
            right.plot(x, y, style, color=color, label=f"{thing}, {split}")
            wrong.plot(x, np.maximum(100 - y, least), style, color=color)
        loss.plot(x, [point[f"{split} loss"] for point in points], style, color=LOSS)
    levels = (right, 100 / classes, "guessing a digit"), (loss, math.log(classes), f"ln {classes}: guessing")
    for axes, level, name in levels:
        axes.axhline(level, color=GREY, linewidth=0.8, linestyle=":")
        axes.annotate(name, (total, level), fontsize=8, ha="right", textcoords="offset points", xytext=(0, 3))
    for axes in (right, wrong, loss):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set(xlim=(0, total), xticks=np.linspace(0, total, 5 if axes is loss else 3))
        axes.xaxis.set_major_formatter("{x:,.0f}")
    done = last["images"] / total
    bar.barh([0, 0], [1, done], color=["#BBBBBB", GREEN])
    bar.set(xlim=(0, 1))
    left = f", about {last['seconds'] * (1 / done - 1):.0f} s left" if 0 < done < 1 else ""
    rate = f", {last['images'] / last['seconds']:,.0f} a second" * (last["seconds"] > 0 < done)
    title = f"{done:.0%} of {total_images:,} images, {last['seconds']:.0f} s{rate}{left}:\n"
    title += f"{100 * last['validation captchas']:.1f} % of {probes['validation']} validation captchas read right"
    fig.suptitle(title, fontsize=10)
    right.set(ylim=(-2, 104), ylabel="read right [%]")
    right.legend(loc="center right", fontsize=8)
    wrong.set(yscale="log", ylim=(0.8 * least, 120), ylabel="misread [%] (logarithmic)")
    shown = [tick for tick in (1, 10, 100) if tick > 1.5 * least]
    wrong.set_yticks([least, *shown], ["0", *map(str, shown)])
    wrong.minorticks_off()
    top = LOSS_SHOWN * math.log(classes)
    losses = [(point[f"{split} loss"], seen) for point, seen in zip(points, x, strict=True)
              for split in ("training", "validation") if math.isfinite(point[f"{split} loss"])]  # fmt: skip
    if above := [seen for value, seen in losses if value > top]:
        where = min((seen for seen in x if seen > max(above)), default=total)  # beside the peak, where it has come down
        loss.annotate(f"the loss rises to {max(losses)[0]:.3g}", (where, 1), xycoords=("data", "axes fraction"),
                      fontsize=8, ha="left" if where < 0.7 * total else "right", va="top", color=LOSS)  # fmt: skip
    loss.set(ylim=(0, top), ylabel="loss\n[nats per digit]", xlabel="training images seen")
    return fig
