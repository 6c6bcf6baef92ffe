"""Every drawing shows its numbers, and survives nothing, one, many, no mistakes at all and nothing but mistakes."""

import base64
import inspect
import io
import itertools

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox
from nbclient import NotebookClient
from PIL import Image

from helpers import plots
from helpers.plots.basics import INK, in_notebook
from helpers.scores import proportion

CLASSES = "0123456789"
IMAGE = np.tile(np.arange(160, dtype=np.uint8), (60, 1))
PROBABILITIES = np.eye(10)[[5, 0, 2, 0]] * 0.91 + 0.009
PROBES = {"training": 256, "validation": 256}
POINT = {
    "images": 0,
    "seconds": 1.5,
    "training digits": 0.1,
    "training captchas": 0.0,
    "validation digits": 0.11,
    "validation captchas": 0.0,
    "training loss": 2.3,
    "validation loss": 2.31,
}
LINE = {"one": ([1, 10, 100], [2.0, 3.0, 5.0])}
INTERVALS = {"one": ([15, 95], [0.0, 75.0], [0.0, 30.0], [66.0, 95.0])}
SHARES = {"three": (33, 40, 0.825, 0.68, 0.913)}
LABELS = ("title", "x [s]", "y [%]")
LAYERS = [("conv1", (30, 80, 4), 1000), ("pool1", (15, 40, 4), 0), ("dense1", (16,), 99)]
MATRIX = np.array([[99.0, 10.0, 2.0], [50.0, 98.0, 0.0]])
KNOBS = {"noise_dots": (["0", "30"], [IMAGE, IMAGE]), "height": (["60"], [IMAGE])}

CASES = {
    "show_image": lambda **k: plots.show_image(IMAGE, "5020", **k),
    "gallery": lambda: plots.gallery([IMAGE] * 7, [f"text {i}" for i in range(7)], heading="some", colors=["red"] * 7),
    "strips": lambda: plots.strips(KNOBS, "knobs"),
    "network": lambda **k: plots.network(LAYERS, **k),
    "horizontal_bars": lambda **k: plots.horizontal_bars({"PNG": 3.0, "raw": 4.0}, "kB", "Size", unit=" kB", **k),
    "shares": lambda **k: plots.shares(SHARES, "read whole [%]", "By length", **k),
    "curves": lambda **k: plots.curves(LINE, *LABELS, **k),
    "panels": lambda: plots.panels(3, columns=2, heading="three")[0],
    "heat_map": lambda **k: plots.heat_map(MATRIX, ["a", "b"], ["a", "b", "c"], "Read", "read", "trained on", **k),
    "character_bars": lambda **k: plots.character_bars(PROBABILITIES[0], CLASSES, "position 1", true=6, **k),
    "probability_bars": lambda: plots.probability_bars(IMAGE, PROBABILITIES, CLASSES, "5020"),
    "draw_progress": lambda: plots.draw_progress([POINT, {**POINT, "images": 200}], 400, PROBES, 10),
}
NOTHING = {
    "show_image": lambda **k: plots.show_image(np.zeros((0, 0)), **k),
    "gallery": lambda: plots.gallery([]),
    "strips": lambda: plots.strips({}),
    "network": lambda **k: plots.network([], **k),
    "horizontal_bars": lambda **k: plots.horizontal_bars({}, "kB", "Size", **k),
    "shares": lambda **k: plots.shares({}, "read whole [%]", "By length", **k),
    "curves": lambda **k: plots.curves({}, *LABELS, **k),
    "panels": lambda: plots.panels(0, columns=2)[0],
    "heat_map": lambda **k: plots.heat_map(np.zeros((0, 0)), [], [], "Read", **k),
    "character_bars": lambda **k: plots.character_bars(np.zeros(0), "", **k),
    "probability_bars": lambda: plots.probability_bars(IMAGE, np.zeros((0, 10)), CLASSES),
    "draw_progress": lambda: plots.draw_progress([], 400, PROBES, 10),
}
FUNCTIONS = {name: each for name, each in vars(plots).items() if inspect.isfunction(each) and name != "as_png"}
ONE_CHART = sorted(name for name, function in FUNCTIONS.items() if "ax" in inspect.signature(function).parameters)


def figure_of(drawing) -> Figure:
    return drawing.figure if isinstance(drawing, Axes) else drawing


def pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def texts(drawing) -> str:
    """Everything that is written in a figure."""
    figure = figure_of(drawing)
    FigureCanvasAgg(figure).draw()
    return "\n".join(text.get_text() for text in figure.findobj(plt.Text) if text.get_visible())


def drawn(ax: Axes) -> dict:
    """The curves of a chart by their names."""
    return {box.get_label(): box.lines[0] for box in ax.containers}


def looks(lines) -> list[tuple]:
    return [
        (to_hex(line.get_color()), line.get_linestyle(), str(line._dash_pattern), line.get_marker()) for line in lines
    ]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_every_drawing_has_a_case():
    functions = {
        name
        for name, value in vars(plots).items()
        if inspect.isfunction(value) and value.__module__.startswith(plots.__name__) and not name.startswith("_")
    }
    assert functions - {"as_png"} == set(FUNCTIONS)
    assert functions - {"as_png", "live_display"} == set(CASES) == set(NOTHING)


@pytest.mark.parametrize("name", CASES)
def test_it_draws_something(name):
    drawing = CASES[name]()
    assert isinstance(drawing, (Axes, Figure))
    assert pixels(figure_of(drawing)).std() > 1
    assert "none to show" not in texts(drawing)


@pytest.mark.parametrize("name", NOTHING)
def test_where_there_is_nothing_that_is_said(name):
    assert "none to show" in texts(NOTHING[name]())


@pytest.mark.parametrize("name", ONE_CHART)
@pytest.mark.parametrize("cases", [CASES, NOTHING], ids=["something", "nothing"])
def test_one_chart_can_be_drawn_into_given_axes(name, cases):
    _, ax = plt.subplots()
    figures = plt.get_fignums()
    assert cases[name](ax=ax) is ax
    assert plt.get_fignums() == figures  # no second figure


def test_what_draws_several_returns_a_figure():
    several = set(CASES) - set(ONE_CHART)
    assert all(isinstance(CASES[name](), Figure) for name in several)
    assert all(isinstance(CASES[name](), Axes) for name in ONE_CHART)


# pictures


@pytest.mark.parametrize("image", [IMAGE, IMAGE[..., None], np.dstack([IMAGE] * 3)])
def test_an_image_is_shown_grey_or_coloured_without_ticks(image):
    ax = plots.show_image(image)
    shown = ax.images[0]
    assert shown.get_array().shape[:2] == (60, 160)
    assert (shown.norm.vmin, shown.norm.vmax) == (0, 255) or image.shape[-1] == 3
    assert [*ax.get_xticks(), *ax.get_yticks()] == []


def test_values_that_are_no_grey_levels_have_colours_of_their_own_range():
    shown = plots.show_image(IMAGE / 1000, colormap="magma").images[0]
    assert (shown.norm.vmin, shown.norm.vmax, shown.cmap.name) == (0, 0.159, "magma")


@pytest.mark.parametrize(("count", "shape"), [(0, 1), (1, 1), (5, 5), (6, 10), (11, 15)])
def test_a_gallery_has_a_place_for_every_picture(count, shape):
    figure = plots.gallery([IMAGE] * count, [f"text {i}" for i in range(count)])
    assert len(figure.axes) == shape
    assert sum(bool(ax.images) for ax in figure.axes) == count
    assert all(f"text {i}" in texts(figure) for i in range(count))
    assert ("none to show" in texts(figure)) == (count == 0)


@pytest.mark.parametrize("wrong", [{"titles": ["one"]}, {"colors": ["red"] * 3}, {"shades": [np.zeros((2, 2))]}])
def test_a_gallery_refuses_what_does_not_fit_its_pictures(wrong):
    with pytest.raises(ValueError, match="argument"):
        plots.gallery([IMAGE] * 2, **wrong)


def test_shades_lie_over_their_pictures():
    shades = [np.zeros((5, 10)), np.eye(5, 10) * 0.8]
    figure = plots.gallery([IMAGE] * 2, ["first", "second"], shades=shades, width=3.8)
    for ax, shade in zip(figure.axes, shades, strict=True):
        below, above = ax.images
        assert np.array_equal(above.get_array(), shade)
        assert above.get_extent() == below.get_extent()
        assert 0 < above.get_alpha() < 1


def test_strips_have_a_row_for_each_name():
    figure = plots.strips({**KNOBS, "none": ([], [])})
    assert [bool(ax.images) for ax in figure.axes] == [True, True, True, False, False, False]
    assert [ax.get_ylabel() for ax in figure.axes[::2]] == ["noise\ndots", "height", "none"]
    assert [ax.get_title() for ax in figure.axes[:4]] == ["0", "30", "60", ""]
    assert texts(figure).count("none to show") == 1
    with pytest.raises(ValueError, match="argument"):
        plots.strips({"height": (["45", "60"], [IMAGE])})  # a title without a picture


# panels


@pytest.mark.parametrize(("count", "shape"), [(0, 1), (1, 1), (3, 4), (8, 8), (25, 26)])
def test_panels_are_as_many_as_asked_for(count, shape):
    figure, axes = plots.panels(count, columns=2, heading="What was found")
    assert (len(axes), len(figure.axes)) == (count, shape)
    assert all(ax.axison for ax in axes)
    assert not any(ax.axison for ax in figure.axes[count:])
    assert "What was found" in texts(figure)


def test_the_lowest_panel_of_a_column_has_its_numbers_also_above_an_empty_place():
    _, axes = plots.panels(3, columns=2, sharex=True)
    for ax in axes:
        ax.plot([0, 1], [0, 1])
    shown = [ax.xaxis.get_tick_params()["labelbottom"] for ax in axes]
    assert shown == [False, True, True]


# layers


def test_the_network_writes_shapes_and_parameters():
    written = texts(CASES["network"]())
    assert "30 × 80 × 4;  1,000" in written
    assert "15 × 40 × 4" in written
    assert "1,099 parameters, 91 % of them in conv1" in written
    assert "16;  99" in texts(plots.network(LAYERS[-1:]))  # no layer with a picture


def test_the_network_is_as_thick_as_its_pictures_and_as_long_as_its_channels():
    ax = plots.network([("images", (60, 160, 1), 0), ("conv1", (30, 80, 4), 9), ("dense_with_a_long_name", (512,), 9)])
    assert [bar.get_width() for bar in ax.patches] == [1, 4, 512]
    thick = [bar.get_height() for bar in ax.patches]
    assert thick == sorted(thick, reverse=True)
    assert [text.get_text() for text in ax.get_legend().texts] == ["other", "convolution", "dense"]
    assert ax.figure.get_size_inches()[0] <= 8.5


@pytest.mark.parametrize("count", [1, 5, 30])
def test_layers_of_any_network_keep_their_names_apart(count):
    ax = plots.network([(f"a_layer_with_a_long_name_{n}", (8, 20, 2**n % 500 + 1), n) for n in range(count)])
    FigureCanvasAgg(ax.figure).draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


# what a notebook shows


def test_a_notebook_shows_figures_sharp_without_a_background_and_with_words():
    ax = CASES["horizontal_bars"]()
    content, told = in_notebook(ax.figure)
    image = Image.open(io.BytesIO(content))
    assert image.size in [(2 * told["width"] + odd, 2 * told["height"] + even) for odd in (0, 1) for even in (0, 1)]
    assert told["alt"] == ax.get_title() != ""
    alpha = np.asarray(image.convert("RGBA"))[..., 3]
    assert (alpha[:5] == 0).all()
    assert (alpha == 0).mean() > 0.3
    assert in_notebook(plots.gallery([np.zeros((6, 16))], ["one"], heading="All"))[1]["alt"] == "All"


@pytest.mark.parametrize("background", [1.0, 0.0667])  # white, and the dark theme of JupyterLab
def test_what_is_written_can_be_read_on_both_themes(background):
    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance((background,) * 3), luminance(INK)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) > 4
    for name in ("horizontal_bars", "curves", "shares", "gallery", "heat_map", "draw_progress"):
        for text in figure_of(CASES[name]()).findobj(plt.Text):
            on_a_shade = text.axes is not None and text in text.axes.texts and name == "heat_map"
            assert to_hex(text.get_color()) not in ("#000000", "#ffffff") or on_a_shade, text


def test_a_kernel_shows_that_figure():
    source = "from helpers import plots\nax = plots.horizontal_bars({'a': 1}, 'x', 'one bar')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in ("1", source, source)])
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MPLBACKEND")
        NotebookClient(notebook, kernel_name="python3").execute()
    for cell in notebook.cells[1:]:
        (output,) = cell.outputs
        assert output.metadata["image/png"]["alt"] == "one bar"
        assert "needs_background" not in output.metadata
        image = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
        assert image.width // 2 == output.metadata["image/png"]["width"]


@pytest.mark.parametrize("values", [{"a": 3.0, "b": 250_000}, {"a": 0.004, "b": 2.0}])
def test_a_logarithmic_axis_has_plain_numbers(values):
    written = texts(plots.horizontal_bars(values, "per second", "rates", logarithmic=True))
    assert "mathdefault" not in written and "$" not in written
    assert ("100,000" in written) == (max(values.values()) > 1e5)


# bars


def test_bars_carry_their_values():
    ax = CASES["horizontal_bars"]()
    assert [bar.get_width() for bar in ax.patches] == [3, 4]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["PNG", "raw"]
    assert "3 kB" in texts(ax)
    assert "12,346" in texts(plots.horizontal_bars({"many": 12345.6}, "captchas", "Many"))
    assert plots.horizontal_bars({"none": 0.0}, "share", "Nothing").get_xlim()[1] > 0
    assert plots.horizontal_bars({"loss": -3.0, "gain": 1.0}, "change", "Both").get_xlim()[0] < -3


def test_shares_carry_counts_and_intervals():
    ax = CASES["shares"]()
    assert "82.5 %, 33 of 40" in texts(ax)
    assert ax.patches[0].get_width() == 82.5
    assert list(ax.lines[0].get_xdata()) == [68, 91.3]


def test_a_figure_becomes_a_file_and_is_closed():
    ax = CASES["shares"]()
    assert plots.as_png(ax.figure).startswith(b"\x89PNG")
    assert not plt.fignum_exists(ax.figure.number)


def test_mistakes_are_dots_on_a_logarithmic_axis_that_shows_none_at_its_end():
    scores = {"few": proportion(996, 1_000), "none": proportion(50, 50), "all": proportion(0, 40)}
    ax = plots.shares(scores, "misread [%]", "Mistakes", mistakes=True)
    assert ax.get_xscale() == "log" and not ax.patches
    least, most = ax.get_xlim()
    dots, intervals = ([line for line in ax.lines if (line.get_marker() == "o") == dot] for dot in (True, False))
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([0.4, least, 100])
    for interval, score in zip(intervals, scores.values(), strict=True):
        ends = [100 * (1 - score.high), 100 * (1 - score.low)]
        assert list(interval.get_xdata()) == pytest.approx(np.clip(ends, least, most))
    assert 0 < least < 100 * (1 - scores["few"].high)
    assert "99.6 % right, 996 of 1,000" in texts(ax)


@pytest.mark.parametrize("right", [50, 49])
def test_the_end_of_the_axis_of_mistakes_says_0_where_a_dot_stands_there_for_none(right):
    ax = plots.shares({"one": proportion(right, 50)}, "misread [%]", "Mistakes", mistakes=True)
    ax.figure.canvas.draw()
    inside = [tick.label1.get_text() for tick in ax.xaxis.get_major_ticks() if tick.get_loc() >= ax.get_xlim()[0]]
    assert (inside[0] == "0") == ("0" in inside) == (right == 50)


def test_pictures_stand_beside_their_shares():
    pictures = [np.zeros((60, 160, 3), np.uint8), np.full((60, 1600), 255, np.uint8)]
    ax = plots.shares({"a": (1, 2, 0.5, 0.1, 0.9), "b": (2, 2, 1.0, 0.3, 1.0)}, "read [%]", "Two", pictures=pictures)
    boxes = [artist for artist in ax.artists if isinstance(artist, AnnotationBbox)]
    assert [box.xy[1] for box in boxes] == [0, 1]
    ax.figure.canvas.draw()
    for label, box in zip(ax.get_yticklabels(), boxes, strict=True):  # no name under its picture
        assert label.get_window_extent().x1 <= box.get_window_extent().x0 + 1


@pytest.mark.parametrize(
    ("right", "count", "written"),
    [
        (9, 9, "100.0 %, 9 of 9"),
        (0, 9, "0.0 %, 0 of 9"),
        (2603, 2604, "99.96 %, 2,603 of 2,604"),
        (99_999, 100_000, "99.999 %, 99,999 of 100,000"),
        (1, 10_000, "0.01 %, 1 of 10,000"),
    ],
)
def test_a_share_is_not_rounded_to_none_or_all(right, count, written):
    share = right / count
    assert written in texts(plots.shares({"some": (right, count, share, share, share)}, "read [%]", "Nearly"))


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("length", [3, 100])
@pytest.mark.parametrize("count", [1, 3, 8, 25])
def test_any_number_of_curves_is_drawn_and_told_apart(count, length, ordered):
    lines = {f"curve {i}": (range(length), [i] * length) for i in range(count)}
    ax = plots.curves(lines, *LABELS, ordered=ordered)
    assert {name: list(line.get_ydata()) for name, line in drawn(ax).items()} == {n: y for n, (_, y) in lines.items()}
    assert len(set(looks(drawn(ax).values()))) == count
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(lines)
    assert all(name in texts(ax) for name in lines)


@pytest.mark.parametrize("count", [8, 25])
def test_points_without_lines_are_told_apart_too(count):
    ax = plots.curves({f"points {i}": ([1, 2], [i, i]) for i in range(count)}, *LABELS, joined=False)
    lines = drawn(ax).values()
    assert {line.get_linestyle() for line in lines} == {"None"}
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == count


def test_a_curve_without_points_is_named_beside_the_others():
    ax = plots.curves({"none": ([], []), "no columns": [], **LINE}, *LABELS)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["none", "no columns", "one"]
    assert "none to show" in texts(plots.curves({"none": ([], [])}, *LABELS))
    assert plots.curves(LINE, *LABELS, legend=False).get_legend() is None


def test_a_curve_of_one_point_is_seen():
    (line,) = drawn(plots.curves({"one": ([1], [2])}, *LABELS)).values()
    assert line.get_marker() != "None"


def test_curves_carry_their_intervals():
    ax = plots.curves(INTERVALS, *LABELS)
    assert [list(data) for data in drawn(ax)["one"].get_data()] == [[15, 95], [0, 75]]
    (bars,) = ax.containers[0].lines[2]
    assert [[y for _, y in segment] for segment in bars.get_segments()] == [[0, 66], [30, 95]]
    assert len(ax.containers[0].lines[1]) == 2  # caps, so that a narrow interval is seen


def test_held_out_curves_are_dashed_in_the_colour_of_their_thing():
    lines = {f"{thing}, {split}": ([1, 2], [3, 4]) for split in ("training", "validation") for thing in "ab"}
    dashed = ["a, validation", "b, validation"]
    ax = plots.curves(lines, *LABELS, colors=[plots.DIGITS, plots.CAPTCHAS] * 2, dashed=dashed)
    styles = [(to_hex(line.get_color()), line.get_linestyle()) for line in drawn(ax).values()]
    blue, vermilion = plots.DIGITS.lower(), plots.CAPTCHAS.lower()
    assert styles == [(blue, "-"), (vermilion, "-"), (blue, "--"), (vermilion, "--")]


def test_references_are_dotted_levels_and_curves():
    references = {"guessing": np.log(10), "linear": ([1, 100], [1, 100]), **{f"more {i}": i for i in range(3)}}
    ax = plots.curves(LINE, *LABELS, references=references)
    dotted = {line.get_label(): line for line in ax.lines if line.get_label() in references}
    assert list(dotted) == list(references)
    assert np.allclose(dotted["guessing"].get_ydata(), np.log(10))
    assert list(dotted["linear"].get_ydata()) == [1, 100]
    assert all(line.get_linestyle() in (":", "--") for line in dotted.values())  # "--": a pattern of dots
    assert dotted["guessing"]._dash_pattern != dotted["linear"]._dash_pattern
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "one"


def test_names_can_be_left_out():
    ax = plots.curves(LINE, *LABELS, legend=False, references={"level": 1})
    assert ax.get_legend() is None
    unnamed = plots.curves(LINE, *LABELS, references={"": 1})
    assert [text.get_text() for text in unnamed.get_legend().get_texts()] == ["one"]


def test_values_and_notes_are_written():
    ax = plots.curves(LINE, *LABELS, write="{:.1f} %", notes=[(1, "2,000"), (10, "30")])
    assert [text.get_text() for text in ax.texts] == ["2.0 %", "3.0 %", "5.0 %", "2,000", "30"]
    assert [text.xy[0] for text in ax.texts[-2:]] == [1, 10]


def test_zero_has_its_place_across_a_logarithmic_axis():
    ax = plots.curves({"one": ([0, 10, 100], [5, 3, 1])}, *LABELS, xscale="log")
    assert list(ax.get_xticks()) == [5, 10, 100]  # 0 at half of the smallest number
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "10", "100"]


def test_limits_and_scales_are_set_and_logarithmic_axes_have_plain_numbers():
    ax = plots.curves({"one": ([3000, 30_000], [0.5, 40])}, *LABELS, xscale="log", yscale="log", ylim=(0.1, 200))
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_ylim()) == ("log", "log", (0.1, 200))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["3,000", "30,000"]
    assert {"0.1", "1", "10", "100"} <= set(texts(ax).splitlines())


@pytest.mark.parametrize("write", ["", "{:.3g} %"])
@pytest.mark.parametrize("values", [[5.0, 0.0, 20.0], [0.0, 0.0, 0.0]])
def test_a_logarithmic_axis_drops_no_zero(values, write):
    lines = {"wrong": ([1, 2, 3], values, values, [value + 1 for value in values])}
    ax = plots.curves(lines, *LABELS, yscale="log", write=write)
    shown = drawn(ax)["wrong"].get_ydata()
    low, high = ax.get_ylim()
    assert all(low <= y <= high for y in shown)
    assert [y for y, value in zip(shown, values, strict=True) if value] == [value for value in values if value]
    written = [text.get_text() for text in ax.texts]
    assert written.count("0 %" if write else "0") == values.count(0)


@pytest.mark.parametrize("values", [[100.0, 100.0], [0.0, 0.0]])
def test_curves_survive_no_mistakes_and_nothing_but_mistakes(values):
    ax = plots.curves({"read": ([0, 1], values, values, values)}, *LABELS, ylim=(-3, 103))
    assert list(drawn(ax)["read"].get_ydata()) == values
    assert pixels(ax.figure).std() > 1


# tables and readings


def test_a_heat_map_writes_every_number_on_its_shade():
    ax = plots.heat_map(MATRIX, ["a", "b"], ["a", "b", "a long name"], "Read", write="{:.1f}", most=100)
    assert [text.get_text() for text in ax.texts] == ["99.0", "10.0", "2.0", "50.0", "98.0", "0.0"]
    assert np.array_equal(ax.images[0].get_array(), MATRIX)
    assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (0, 100)
    assert {"a", "b", "a long name", "Read"} <= set(texts(ax).splitlines())
    assert {text.get_color() for text in ax.texts} == {"black", "white"}


@pytest.mark.parametrize("counts", [np.eye(10, dtype=int) * 99, np.ones((10, 10), int), np.zeros((10, 10), int)])
def test_rare_confusions_are_seen_beside_many_right_answers(counts):
    counts = counts.copy()
    counts[3, 3] *= 1000
    ax = plots.heat_map(counts, CLASSES, CLASSES, "wrong", "read as", "true", logarithmic=True)
    shades = ax.images[0].get_array()
    assert np.allclose(10 ** shades[counts > 0], counts[counts > 0])
    assert [text.get_text() for text in ax.texts] == [f"{count:,}" if count else "" for count in counts.flat]


def test_a_heat_map_refuses_names_that_do_not_fit():
    with pytest.raises(ValueError, match="do not fit 3 rows and 2 columns"):
        plots.heat_map(MATRIX, "abc", "ab", "Read")


def test_bars_tell_the_probabilities():
    bars = plots.probability_bars(IMAGE, PROBABILITIES, CLASSES)
    assert [f"{character}: 91.9 %" in texts(bars) for character in "502"] == [True] * 3
    sure = np.tile([0.9997, 0.0003, *[0.0] * 8], (4, 1))
    assert "0: over 99.9 %" in texts(plots.probability_bars(IMAGE, sure, CLASSES))
    heights = [[bar.get_height() for bar in ax.patches] for ax in bars.axes[1:]]
    assert np.allclose(heights, 100 * PROBABILITIES)
    assert [ax.get_title() for ax in bars.axes[1:]] == [f"position {i}" for i in (1, 2, 3, 4)]


@pytest.mark.parametrize("true", [0, 4, 5, 6, 9])
def test_what_was_read_is_hatched_and_the_truth_told_by_its_word(true):
    ax = plots.character_bars(PROBABILITIES[0], CLASSES, "position 1", true=true)
    assert [index for index, bar in enumerate(ax.patches) if bar.get_hatch()] == [5]
    assert [(text.get_text(), text.xy[0]) for text in ax.texts] == [("true", true), ("read", 5)]
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(list(100 * PROBABILITIES[0]))
    FigureCanvasAgg(ax.figure).draw()
    first, second = (text.get_window_extent() for text in ax.texts)
    assert true == 5 or not first.overlaps(second)


# the live figure


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_progress_tells_the_last_accuracy(accuracy):
    points = [POINT, {**POINT, "images": 1200, "validation captchas": accuracy}]
    written = texts(plots.draw_progress(points, 2400, PROBES, 10))
    assert f"{100 * accuracy:.1f} % of 256 validation captchas read right" in written
    assert "50% of 2,400 images, 2 s, 800 a second, about 2 s left:\n" in written


def test_progress_draws_the_loss_and_the_line_of_guessing():
    figure = plots.draw_progress([POINT, {**POINT, "images": 200, "validation loss": 0.5}], 400, PROBES, 10)
    _, above, _, below = figure.axes
    assert [list(line.get_ydata()) for line in below.lines[:2]] == [[2.3, 2.3], [2.31, 0.5]]
    assert [line.get_linestyle() for line in below.lines[:2]] == ["-", "--"]
    assert [line.get_linestyle() for line in above.lines[:4]] == ["-", "-", "--", "--"]
    assert [line.get_color() for line in above.lines[:4]] == [plots.DIGITS, plots.CAPTCHAS] * 2
    assert np.allclose(below.lines[2].get_ydata(), np.log(10))
    assert "ln 10: guessing" in texts(figure)
    assert below.get_ylim() == pytest.approx((0, 1.6 * np.log(10)))
    assert not any("rises" in text for text in texts(figure))


@pytest.mark.parametrize("split", ["training", "validation"])
def test_progress_tells_a_loss_that_lies_above_the_axis(split):
    points = [POINT, {**POINT, "images": 100, f"{split} loss": 50.24}, {**POINT, "images": 200, f"{split} loss": 0.5}]
    figure = plots.draw_progress(points, 400, PROBES, 10)
    assert figure.axes[3].get_ylim() == pytest.approx((0, 1.6 * np.log(10)))  # the descent from ln 10 is seen
    assert "the loss rises to 50.2" in texts(figure)
    (note,) = (text for text in figure.axes[3].texts if "rises" in text.get_text())
    assert note.xy[0] == 200 and note.get_ha() == "left"  # beside the peak, not upon the curve that comes down


def test_progress_tells_the_highest_loss_that_is_a_number():
    points = [{**POINT, "training loss": np.nan}, {**POINT, "training loss": 8.0}, {**POINT, "training loss": np.inf}]
    assert "the loss rises to 8" in texts(plots.draw_progress(points, 400, PROBES, 10))


def test_progress_shows_what_is_misread_on_a_logarithmic_axis():
    points = [POINT, {**POINT, "images": 200, "validation captchas": 0.75, "training captchas": 1.0}]
    _, _, wrong, _ = plots.draw_progress(points, 400, PROBES, 10).axes
    assert wrong.get_yscale() == "log"
    ends = [line.get_ydata()[-1] for line in wrong.lines]
    assert ends[3] == pytest.approx(25)
    assert ends[1] == wrong.get_yticks()[0] > wrong.get_ylim()[0]  # none
    assert [label.get_text() for label in wrong.get_yticklabels()] == ["0", "1", "10", "100"]


def test_progress_of_a_few_pictures_tells_how_many_were_read():
    few = {"training": 47, "validation": 2}
    figure = plots.draw_progress([POINT, {**POINT, "images": 200}], 400, few, 10)
    assert "of 2 validation captchas read right" in figure.get_suptitle()
    ticks = figure.axes[2].get_yticks()
    assert ticks[0] == pytest.approx(50 / 47)
    assert all(above > 1.5 * below for below, above in itertools.pairwise(ticks))  # or their labels would overlap


def test_progress_survives_a_training_run_of_no_images():
    assert "0% of 0 images" in texts(plots.draw_progress([POINT], 0, PROBES, 10))


def test_outside_a_notebook_nothing_is_shown(capsys):
    show = plots.live_display()
    assert show(plt.figure()) is None
    assert capsys.readouterr().out == ""


def test_in_a_notebook_one_figure_takes_the_place_of_the_last(monkeypatch):
    import IPython
    import IPython.display

    calls = []

    class Handle:
        def update(self, figure):
            calls.append(("update", figure))

    def display(figure, display_id):
        calls.append(("display", figure))
        return Handle()

    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "display", display)
    show = plots.live_display()
    for figure in ("first", "second", "third"):
        show(figure)
    assert calls == [("display", "first"), ("update", "second"), ("update", "third")]


def test_a_chart_has_its_title_and_the_units_of_its_axes():
    ax = CASES["curves"]()
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == LABELS
    ax = CASES["heat_map"]()
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == ("Read", "read", "trained on")
    for name, title, xlabel in (("shares", "By length", "read whole [%]"), ("horizontal_bars", "Size", "kB")):
        ax = CASES[name]()
        assert (ax.get_title(), ax.get_xlabel()) == (title, xlabel)


def test_text_is_drawn_and_never_parsed():
    name = r"$\nothing{ of mathematics$"
    for titles, heading in (([name], ""), ([name, name], name)):
        plots.as_png(plots.gallery([np.zeros((6, 16))] * len(titles), titles, heading=heading))
