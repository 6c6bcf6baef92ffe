"""Everything that is drawn. Knows arrays and texts only.

A function that draws one chart takes `ax=None` and returns the axes; one that draws several returns
the figure. In curves of accuracy, solid lines are training and dashed lines are not; blue is a
digit, vermilion a whole captcha.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

# Okabe and Ito 2008: told apart with every common kind of colour blindness.
BLUE, VERMILION, GREEN, GREY, YELLOW = "#0072B2", "#D55E00", "#009E73", "#7F7F7F", "#E69F00"
DIGITS, CAPTCHAS = BLUE, VERMILION


def new_axes(width: float = 7.5, height: float = 3.6) -> tuple[Figure, Axes]:
    """A figure of one chart, `width` x `height` inches, without the upper and right frame."""
    fig, ax = plt.subplots(figsize=(width, height), layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return fig, ax


def show_image(image: Any, title: str = "", ax: Axes | None = None) -> Axes:
    """One picture, grey or coloured, without ticks."""
    if ax is None:
        _, ax = plt.subplots(figsize=(4, 1.9), layout="constrained")
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color("#CCCCCC")
    if title:
        ax.set_title(title, fontsize=10)
    return ax


def gallery(
    images: Sequence[Any],
    titles: Sequence[str] | None = None,
    columns: int = 5,
    heading: str = "",
    colors: Sequence[str] | None = None,
) -> Figure:
    """Pictures in rows, each under its title.

    Args:
        colors: of the titles; the titles themselves must tell what a colour tells.
    """
    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    fig, axes = plt.subplots(
        rows, columns, figsize=(1.65 * columns, (0.9 if titles else 0.7) * rows + 0.35 * bool(heading)),
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for ax in axes.flat:
        ax.set_axis_off()
    for index, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        ax.set_axis_on()
        show_image(image, titles[index] if titles else "", ax)
        ax.title.set_fontsize(9)
        if colors:
            ax.title.set_color(colors[index])
    if not len(images):
        axes[0, 0].text(0.5, 0.5, "none to show", ha="center", va="center")
    if heading:
        fig.suptitle(heading, fontsize=11)
    return fig


def knob_strips(strips: Mapping[str, tuple[Sequence[str], Sequence[Any]]], heading: str = "") -> Figure:
    """A row of pictures for each knob, its values from low to high.

    Args:
        strips: knob -> (values as text, pictures).
    """
    columns = max(len(values) for values, _ in strips.values())
    fig, axes = plt.subplots(
        len(strips), columns, figsize=(1.6 * columns + 1.1, 0.86 * len(strips) + 0.3), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for row, (knob, (values, images)) in zip(axes, strips.items(), strict=True):
        for ax in row[len(values) :]:
            ax.set_axis_off()
        for ax, value, image in zip(row, values, images, strict=False):
            show_image(image, value, ax)
            ax.title.set_fontsize(8.5)
        row[0].set_ylabel(knob.replace("_", "\n"), rotation=0, ha="right", va="center", fontsize=10)
    if heading:
        fig.suptitle(heading, fontsize=11)
    return fig


def class_balance(counts: np.ndarray, classes: str, texts: int, ax: Axes | None = None) -> Axes:
    """How often each class stands at each position, with the spread that chance explains.

    Chance comes in twice: a split got four fifths of all texts, and each captcha draws one of these.
    No band is drawn where lengths vary, because "nothing here" cannot stand everywhere.

    Args:
        counts: [positions, classes].
        texts: different texts in the split.
    """
    if ax is None:
        _, ax = new_axes()
    positions = len(counts)
    total = counts.sum(axis=1).mean()
    expected = total / counts.shape[1]
    spread = 2 * np.sqrt(expected * (1 - 1 / counts.shape[1]) * (1 + 0.2 * total / texts))
    shades = plt.get_cmap("viridis")(np.linspace(0.1, 0.85, positions))
    x = np.arange(counts.shape[1])
    for position, row in enumerate(counts):
        offset = (position - (positions - 1) / 2) * 0.8 / positions
        ax.bar(x + offset, row, 0.8 / positions, color=shades[position], label=f"position {position + 1}")
    if "␣" not in classes:
        low, high = expected - spread, expected + spread
        ax.axhspan(low, high, color=GREY, alpha=0.3, zorder=3, label="expected ± 2 deviations")
    ax.set_xticks(x, list(classes))
    ax.set_xlabel("character")
    ax.set_ylabel("captchas")
    ax.set_title(f"How often each character stands at each position ({total:,.0f} captchas)")
    ax.legend(fontsize=8, ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.18), frameon=False)
    return ax


def horizontal_bars(
    values: Mapping[str, float],
    xlabel: str,
    title: str,
    ax: Axes | None = None,
    unit: str = "",
) -> Axes:
    """One bar for each name, its value written at its end."""
    if ax is None:
        _, ax = new_axes(7.5, 0.45 * len(values) + 1.3)
    names = list(values)
    ax.barh(names, list(values.values()), color=BLUE, height=0.6)
    for index, name in enumerate(names):
        value = f"{values[name]:,.0f}" if values[name] >= 100 and not unit else f"{values[name]:.{4 if unit else 3}g}"
        ax.annotate(f" {value}{unit}", (values[name], index), va="center", fontsize=9,
                    textcoords="offset points", xytext=(2, 0))  # fmt: skip
    ax.invert_yaxis()
    ax.set_xlim(0, 1.18 * max([*values.values(), 1e-9]))
    ax.set_xlabel(xlabel)
    ax.set_title(title)
    return ax


def byte_map(record: bytes, parts: Sequence[tuple[str, int]], ax: Axes | None = None) -> Axes:
    """The first 48 and the last 16 bytes of a record as coloured cells in hexadecimal.

    Args:
        parts: (name, bytes) in order.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(8, 3), layout="constrained")
    colors = ["#BFD7EA", "#FFE0B3", "#C7E9C0", "#F6C6C0"]
    owner = [part for part, (_, size) in enumerate(parts) for _ in range(size)]
    for row, start in enumerate([0, 16, 32, len(record) - 16]):
        y = row if row < 3 else 3.6
        for column in range(16):
            index = start + column
            ax.add_patch(plt.Rectangle((column, y), 1, 1, facecolor=colors[owner[index]], edgecolor="white"))
            ax.text(
                column + 0.5, y + 0.5, f"{record[index]:02x}", ha="center", va="center", fontsize=9, family="monospace"
            )
    ax.text(8, 3.3, f"… {len(record) - 64:,} more bytes …", ha="center", va="center", fontsize=9)
    handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in colors[: len(parts)]]
    names = [name for name, _ in parts]
    ax.legend(handles, names, ncols=4, fontsize=9, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0))
    ax.set_xlim(0, 16)
    ax.set_ylim(4.6, 0)
    ax.set_axis_off()
    ax.set_title("The first 48 and the last 16 bytes of the record, in hexadecimal", fontsize=10)
    return ax


def network(layers: Sequence[tuple[str, tuple[int, ...], int]], ax: Axes | None = None) -> Axes:
    """A chain of layers as boxes: as high as the picture they hand on, as wide as its channels.

    Args:
        layers: (name, output shape without the batch, parameters).
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(11, 3.4), layout="constrained")
    tallest = max(shape[0] for _, shape, _ in layers if len(shape) == 3)
    x = 0.0
    for name, shape, parameters in layers:
        image = len(shape) == 3
        height = 0.35 + 1.65 * (shape[0] / tallest if image else 0.45)
        width = 0.35 + 0.05 * np.sqrt(shape[2]) if image else 0.35
        color = VERMILION if "conv" in name else GREY if "pool" in name else BLUE if "dense" in name else GREEN
        box = FancyBboxPatch((x, -height / 2), width, height, boxstyle="round,pad=0.03",
                             facecolor=color, alpha=0.75, edgecolor="none")  # fmt: skip
        ax.add_patch(box)
        ax.text(x + width / 2, height / 2 + 0.12, name.replace(" ", "\n"), ha="center", va="bottom", fontsize=9)
        label = "×".join(map(str, shape)) + (f"\n{parameters:,}" if parameters else "")
        ax.text(x + width / 2, -height / 2 - 0.12, label, ha="center", va="top", fontsize=8, color="#444444")
        x += width + 0.85
    ax.set_xlim(-0.4, x - 0.2)
    ax.set_ylim(-1.6, 1.4)
    ax.set_axis_off()
    ax.set_title("Each layer with the shape it hands on, [height × width × channels], and its parameters", fontsize=10)
    return ax


def live_display() -> Callable[[Figure], None]:
    """A function that shows a figure, each new one in the place of the last.

    Outside a notebook it shows nothing.
    """
    from IPython import get_ipython
    from IPython.display import display

    handle = None

    def show(fig: Figure) -> None:
        nonlocal handle
        if get_ipython() is None:
            return
        if handle is None:
            handle = display(fig, display_id=True)
        else:
            handle.update(fig)

    return show


def draw_progress(points: Sequence[Mapping[str, float]], total_images: int, probe_size: int, classes: int) -> Figure:
    """The live figure: accuracies on training and validation captchas, and how far the training is.

    Args:
        points: images seen, seconds and four accuracies (0 to 1) each.
        total_images: images that the whole training will see.
        probe_size: captchas behind each point of a curve.
        classes: guessing reads one digit in so many right.
    """
    fig, ax = new_axes(8, 4)
    plt.close(fig)  # shown by its caller, not by the cell
    x = [point["images"] for point in points]
    for thing, color in (("digits", DIGITS), ("captchas", CAPTCHAS)):
        for split, style in (("training", "-"), ("validation", "--")):
            y = [100 * point[f"{split} {thing}"] for point in points]
            ax.plot(x, y, style, color=color, label=f"{thing}, {split}")
    ax.axhline(100 / classes, color=GREY, linewidth=0.8, linestyle=":")
    ax.annotate("guessing a digit", (total_images, 100 / classes), fontsize=8, color="#555555",
                ha="right", textcoords="offset points", xytext=(0, 3))  # fmt: skip
    last = points[-1]
    done = last["images"] / total_images
    ax.axvspan(0, total_images, ymin=0.985, color="#DDDDDD")  # the progress bar
    ax.axvspan(0, last["images"], ymin=0.985, color=GREEN)
    left = f", about {last['seconds'] * (1 / done - 1):.0f} s left" if 0 < done < 1 else ""
    ax.set_xlim(0, total_images)
    ax.set_ylim(-2, 106)
    ax.set_xlabel("training images seen; the bar above is the progress")
    ax.set_ylabel(f"read right, of {probe_size} captchas [%]")
    ax.set_title(
        f"{done:.0%} of {total_images:,} images, {last['seconds']:.0f} s{left}: "
        f"{100 * last['validation captchas']:.1f} % of {probe_size} validation captchas whole",
        fontsize=10,
    )
    ax.legend(loc="lower right", fontsize=9, frameon=False, bbox_to_anchor=(1, 0.3))
    return fig


def probability_table(probabilities: np.ndarray, classes: str, ax: Axes | None = None) -> Axes:
    """Probabilities as numbers in a shaded table; of many classes, the ten most probable.

    Args:
        probabilities: [positions, classes].
    """
    kept = np.sort(np.argsort(-probabilities.max(axis=0), kind="stable")[:10])
    shown = probabilities[:, kept]
    if ax is None:
        _, ax = plt.subplots(figsize=(8.5, 0.42 * len(shown) + 0.9), layout="constrained")
    ax.imshow(shown, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(shown):
        color = "white" if value > 0.6 else "black"
        ax.text(column, row, f"{value:.4f}", ha="center", va="center", fontsize=8, color=color)
    ax.set_xticks(range(len(kept)), [classes[index] for index in kept])
    ax.set_yticks(range(len(shown)), [f"position {i + 1}" for i in range(len(shown))])
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    ax.set_title("Probability of each character at each position", fontsize=10)
    return ax


def probability_bars(image: Any, probabilities: np.ndarray, classes: str, title: str = "") -> Figure:
    """A captcha, and below it one small bar chart for each position.

    Args:
        probabilities: [positions, classes].
    """
    positions = len(probabilities)
    fig = plt.figure(figsize=(max(6.0, (2.1 if len(classes) < 16 else 4) * positions), 3.5), layout="constrained")
    grid = fig.add_gridspec(2, positions, height_ratios=(1, 1.3))
    show_image(image, title, fig.add_subplot(grid[0, :]))
    for position, row in enumerate(probabilities):
        ax = fig.add_subplot(grid[1, position])
        best = int(row.argmax())
        colors = [VERMILION if c == best else BLUE for c in range(len(classes))]
        ax.bar(range(len(classes)), 100 * row, color=colors)
        ax.set_xticks(range(len(classes)), list(classes), fontsize=8 if len(classes) < 16 else 7)
        ax.set_ylim(0, 118)
        ax.set_yticks([0, 50, 100])
        ax.annotate(f"{classes[best]}: {100 * row[best]:.1f} %", (0.5, 0.98), xycoords="axes fraction",
                    ha="center", va="top", fontsize=9)  # fmt: skip
        ax.set_title(f"position {position + 1}", fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
        if position == 0:
            ax.set_ylabel("probability [%]")
    return fig


def confusion_maps(counts: np.ndarray, classes: str) -> Figure:
    """For each position: which character was read as which, right answers left out.

    Args:
        counts: [positions, true class, read class].
    """
    wrong = counts.copy()
    wrong[:, range(len(classes)), range(len(classes))] = 0
    positions = len(counts)
    wide = len(classes) > 16
    size = (5.0 * positions, 5.8) if wide else (2.5 * positions, 3.2)
    fig, axes = plt.subplots(1, positions, figsize=size, layout="constrained", squeeze=False)
    for position, ax in enumerate(axes[0]):
        ax.imshow(wrong[position], cmap="Oranges", vmin=0, vmax=max(1, wrong.max()))
        for true, read in zip(*np.nonzero(wrong[position]), strict=True):
            ax.text(read, true, wrong[position, true, read], ha="center", va="center", fontsize=8)
        ax.set_xticks(range(len(classes)), list(classes), fontsize=7 if wide else 8)
        ax.set_yticks(range(len(classes)), list(classes), fontsize=7 if wide else 8)
        ax.set_title(f"position {position + 1}: {wrong[position].sum()} wrong", fontsize=10)
        ax.set_xlabel("read as")
    axes[0, 0].set_ylabel("true character")
    fig.suptitle(f"{wrong.sum()} wrong characters among {counts.sum():,}", fontsize=11)
    return fig


def confidence_histogram(confidence: np.ndarray, right: np.ndarray, ax: Axes | None = None) -> Axes:
    """How sure the network was, of right and of wrong readings; a logarithmic count.

    Args:
        confidence: 0 to 1, [captchas].
        right: whether each was read right, bool [captchas].
    """
    if ax is None:
        _, ax = new_axes()
    bins = np.linspace(0, 1, 21)
    ax.hist(confidence[right], bins, color=BLUE, alpha=0.6, label=f"read right ({right.sum():,})")
    ax.hist(confidence[~right], bins, histtype="step", linewidth=2, color=VERMILION, hatch="///",
            label=f"read wrong ({(~right).sum():,})")  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(bottom=0.7)
    ax.set_xlabel("confidence: probability that the whole text is right")
    ax.set_ylabel("captchas")
    ax.legend(loc="upper left", fontsize=9)
    return ax


def experiments(
    names: Sequence[str],
    samples: Sequence[Any],
    curves: Sequence[tuple[Sequence[float], Sequence[float]]],
    scores: Sequence[tuple[float, float, float, int]],
) -> Figure:
    """A row for each experiment: one of its captchas, its training, its held-out score.

    Args:
        curves: (seconds, share of validation captchas read whole) of each.
        scores: (share, low, high, count) of each on its test split.
    """
    rows = max(1, len(names))
    fig, axes = plt.subplots(
        rows, 3, figsize=(9.5, 1.15 * rows + 1), width_ratios=[1, 1.3, 1.3], layout="constrained", squeeze=False,
        sharex="col", sharey="col",
    )  # fmt: skip
    for row, name, sample, (seconds, shares), (share, low, high, count) in zip(
        axes, names, samples, curves, scores, strict=True
    ):
        show_image(sample, name, row[0])
        row[1].plot(seconds, 100 * np.asarray(shares), "--", color=CAPTCHAS)
        row[1].set_title(f"{seconds[-1]:,.0f} s of training", fontsize=9)
        row[2].barh([0], [100 * share], color=CAPTCHAS, height=0.5)
        row[2].plot([100 * low, 100 * high], [0, 0], color="black", linewidth=3)
        row[2].set_title(f"{100 * share:.2f} % of {count:,} ({100 * low:.2f}–{100 * high:.2f})", fontsize=9)
    for row in axes:
        row[1].set_ylim(-5, 105)
        row[1].set_ylabel("[%]")
        row[2].set_xlim(0, 101)
        row[2].set_yticks([])
        for ax in row[1:]:
            ax.spines[["top", "right"]].set_visible(False)
    axes[-1, 1].set_xlabel("time in training [s]")
    axes[-1, 2].set_xlabel("test captchas read whole [%]\n(black: the 95 % interval)")
    fig.suptitle("A captcha of each, validation captchas read whole during training, and the test", fontsize=11)
    return fig


def loss_curves(curves: Mapping[str, Sequence[float]], classes: int, ax: Axes | None = None) -> Axes:
    """Loss after each batch, with the line ln(classes) on which a network is guessing.

    Args:
        curves: name -> loss of each batch.
    """
    if ax is None:
        _, ax = new_axes()
    for (name, losses), color in zip(curves.items(), (GREY, GREEN, YELLOW, BLUE), strict=False):
        ax.plot(range(1, len(losses) + 1), losses, color=color, label=name)
    ax.axhline(np.log(classes), color="black", linewidth=1, linestyle=":")
    ax.annotate(f"ln {classes} = {np.log(classes):.3f}: guessing", (1, np.log(classes)), fontsize=9,
                textcoords="offset points", xytext=(4, 4))  # fmt: skip
    ax.set_ylim(0, 1.35 * np.log(classes))
    ax.set_xlabel("batch")
    ax.set_ylabel("loss (cross entropy) [nats]")
    ax.set_title("Who leaves the plateau?")
    ax.legend(loc="lower left", fontsize=9)
    return ax


def accuracy_over_time(
    curves: Mapping[str, Sequence[Mapping[str, float]]], count: int, title: str, ax: Axes | None = None
) -> Axes:
    """Held-out accuracy of several recipes against the time spent in training, each named at its end.

    Args:
        curves: name -> points with "seconds" and "captchas" (0 to 1).
        count: captchas behind each point.
    """
    if ax is None:
        _, ax = new_axes(8, 4.4)
    colors = (GREY, YELLOW, "#CC79A7", "#56B4E9", GREEN, VERMILION, BLUE)
    ends = sorted((100 * points[-1]["captchas"], name) for name, points in curves.items())
    heights: dict[str, float] = {}
    for end, name in ends:  # names that would overlap are moved apart
        heights[name] = max(end, max(heights.values(), default=-9.0) + 6.5)
    excess = max(0.0, max(heights.values()) - 104)
    for (name, points), color in zip(curves.items(), colors[-len(curves) :], strict=True):
        x = [point["seconds"] for point in points]
        y = [100 * point["captchas"] for point in points]
        ax.plot(x, y, color=color, linewidth=2, marker="o", markersize=3)
        ax.annotate(f"{name}: {y[-1]:.1f} %", (x[-1], y[-1]), xytext=(1.03, heights[name] - excess),
                    textcoords=("axes fraction", "data"), fontsize=9, color=color, va="center",
                    arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6})  # fmt: skip
    ax.set_xlim(left=0)
    ax.set_ylim(-3, 104)
    ax.set_xlabel("time in training [s]")
    ax.set_ylabel(f"read whole, of {count:,} validation captchas [%]")
    ax.set_title(title, fontsize=10)
    return ax


def learning_rate(rates: Sequence[float], steps: int, ax: Axes | None = None) -> Axes:
    """The learning rate over all steps of a training.

    Args:
        rates: at equal distances from the first step to the last.
    """
    if ax is None:
        _, ax = new_axes(7.5, 2.6)
    ax.plot(np.linspace(0, steps, len(rates)), rates, color=GREEN)
    ax.set_xlim(0, steps)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("training step (one batch each)")
    ax.set_ylabel("learning rate")
    ax.set_title("One cycle: up for a tenth of the steps, then down to nearly nothing")
    return ax


def epochs(rows: Sequence[Mapping[str, float]]) -> Figure:
    """Loss and accuracies after each epoch, training solid and validation dashed.

    Args:
        rows: with epoch, loss, two accuracies (0 to 1), and the same with "validation_".
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    x = [int(row["epoch"]) for row in rows]
    for prefix, style, split in (("", "-o", "training"), ("validation_", "--s", "validation")):
        left.plot(x, [row[f"{prefix}loss"] for row in rows], style, color=GREEN, label=split)
        for thing, color in (("digit", DIGITS), ("captcha", CAPTCHAS)):
            y = [100 * row[f"{prefix}{thing}_accuracy"] for row in rows]
            right.plot(x, y, style, color=color, label=f"{thing}s, {split}")
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_xticks(x)
        ax.set_xlabel("epoch")
        ax.legend(fontsize=9)
    left.set_ylim(bottom=0)
    left.set_ylabel("loss (cross entropy) [nats]")
    left.set_title("The loss falls")
    right.set_ylabel("read right [%]")
    right.set_title(f"{100 * rows[-1]['validation_captcha_accuracy']:.1f} % of validation captchas whole")
    return fig
