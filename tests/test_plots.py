"""Every drawing shows its numbers, and survives no mistakes at all and nothing but mistakes."""

import inspect
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from helpers import plots

CLASSES = "0123456789"
IMAGE = np.tile(np.arange(160, dtype=np.uint8), (60, 1))
PROBABILITIES = np.eye(10)[[5, 0, 2, 0]] * 0.91 + 0.009
POINT = {
    "images": 0,
    "seconds": 1.5,
    "training digits": 0.1,
    "training captchas": 0.0,
    "validation digits": 0.11,
    "validation captchas": 0.0,
    "training loss": 2.3,
    "validation loss": 2.31,
    "position 1": 0.25,
    "position 2": 0.1,
}
ROW = {
    "epoch": 1,
    "loss": 2.3,
    "digit_accuracy": 0.1,
    "captcha_accuracy": 0.0,
    "validation_loss": 2.2,
    "validation_digit_accuracy": 0.2,
    "validation_captcha_accuracy": 0.01,
}
MISREAD = np.array([[5, 0, 2, 4], [5, 3, 2, 0], [6, 1, 2, 0]])  # PROBABILITIES say 5020
CONFUSION = np.full((4, 10, 10), 2)

SLOW = [{"seconds": 0, "captchas": 0.0}, {"seconds": 90, "captchas": 0.002}]
FAST = [{"seconds": 0, "captchas": 0.0}, {"seconds": 60, "captchas": 0.993}]
BINS = [(0.1, 0.2, 0.15, (0, 2, 0.0, 0.0, 0.66)), (0.9, 1.0, 0.95, (3, 4, 0.75, 0.3, 0.95))]
LOST = np.zeros((4, 5, 10))
LOST[2, 2, 4] = 0.8
SHARES = [[0.99, 0.1, 0.02], [0.5, 0.98, 0.0]]
CURVE = [(0, 0.9, 0.8, 0.95), (200, 0.3, 0.2, 0.4)]
SLOPES = {"drawing": 0.954, "b": 0.18, "c": 0.3}
CASES = {
    "new_axes": lambda: plots.new_axes()[1],
    "show_image": lambda: plots.show_image(IMAGE, "5020"),
    "gallery": lambda: plots.gallery([IMAGE] * 7, [f"text {i}" for i in range(7)], heading="some", colors=["red"] * 7),
    "knob_strips": lambda: plots.knob_strips(
        {"noise_dots": (["0", "30"], [IMAGE, IMAGE]), "height": (["60"], [IMAGE])}, heading="knobs"
    ),
    "mosaic": lambda: plots.mosaic(np.arange(5 * 12.0).reshape(5, 3, 4), 3, "five"),
    "class_balance": lambda: plots.class_balance(np.full((4, 10), 25), CLASSES, texts=80),
    "horizontal_bars": lambda: plots.horizontal_bars({"PNG": 3.0, "raw": 4.0}, "kB", "Size", unit=" kB"),
    "byte_map": lambda: plots.byte_map(bytes(range(80)), [("length", 8), ("data", 72)]),
    "network": lambda: plots.network([("conv1", (30, 80, 4), 1000), ("pool1", (15, 40, 4), 0), ("dense1", (16,), 99)]),
    "draw_progress": lambda: plots.draw_progress([POINT, {**POINT, "images": 200}], 400, 256, 10),
    "first_steps": lambda: plots.first_steps([POINT, {**POINT, "images": 200}], 2),
    "digit_against_whole": lambda: plots.digit_against_whole([POINT, {**POINT, "validation digits": 0.9}], 4),
    "probability_table": lambda: plots.probability_table(PROBABILITIES, CLASSES),
    "probability_bars": lambda: plots.probability_bars(IMAGE, PROBABILITIES, CLASSES, "5020"),
    "mistakes": lambda: plots.mistakes([IMAGE] * 3, np.stack([PROBABILITIES] * 3), MISREAD, CLASSES),
    "confusion_maps": lambda: plots.confusion_maps(CONFUSION, CLASSES),
    "confidence_histogram": lambda: plots.confidence_histogram(np.array([0.2, 0.9]), np.array([False, True])),
    "reliability_curve": lambda: plots.reliability_curve({"as trained": BINS, "corrected": BINS}, "sure and right"),
    "coverage_curve": lambda: plots.coverage_curve(np.array([0.5, 1.0]), np.array([1.0, 0.875])),
    "confusion_matrix": lambda: plots.confusion_matrix(CONFUSION.sum(axis=0), CLASSES),
    "occlusion_maps": lambda: plots.occlusion_maps(IMAGE, LOST, "5024"),
    "activations": lambda: plots.activations({"conv1": np.random.rand(30, 80, 4), "conv2": np.random.rand(8, 20, 9)}),
    "experiments": lambda: plots.experiments(
        ["one", "two"],
        [IMAGE] * 2,
        [([0, 9], [0.0, 0.5]), ([0, 12], [0.1, 0.9])],
        [(0.5, 0.4, 0.6, 100), (0.875, 0.8, 0.95, 60)],
    ),
    "loss_curves": lambda: plots.loss_curves({"with": [2.3, 1.0], "without": [2.3, 2.3]}, 10),
    "remedies": lambda: plots.remedies({"no remedy": [[2.3, 2.3]] * 2, "BatchNorm": [[2.3, 1.0]] * 2}, 10, 10),
    "amounts": lambda: plots.amounts({1: [(1000, 0.5, 0.4, 0.55)], 3: [(1000, 0.98, 0.97, 0.99)]}, 500),
    "accuracy_over_time": lambda: plots.accuracy_over_time({"old": SLOW, "new": FAST}, 1000, "faster"),
    "accuracy_matrix": lambda: plots.accuracy_matrix(["a", "b"], ["a", "b", "c"], np.array(SHARES), 1000),
    "knob_curves": lambda: plots.knob_curves({"plain": CURVE, "noisy": CURVE}, "dots", {"plain": 30, "noisy": 200}),
    "shares": lambda: plots.shares({"three": (33, 40, 0.825, 0.68, 0.913)}, "read whole [%]", "By length"),
    "slices": lambda: plots.slices({"contrast": {"1 to 2": (33, 40, 0.825, 0.68, 0.913)}, "size [px]": {}}, 0.9),
    "growth": lambda: plots.growth([10, 100], {"drawing": [1.0, 9.0], "b": [2.0, 3.0], "c": [1.0, 2.0]}, SLOPES),
    "learning_rate": lambda: plots.learning_rate([0.0, 0.002, 0.0], 100),
    "epochs": lambda: plots.epochs([ROW, {**ROW, "epoch": 2}]),
}


def figure_of(drawing) -> Figure:
    return drawing.figure if isinstance(drawing, Axes) else drawing


def pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def texts(figure: Figure) -> str:
    """Everything that is written in a figure."""
    FigureCanvasAgg(figure).draw()
    return "\n".join(text.get_text() for text in figure.findobj(plt.Text))


def test_every_drawing_has_a_case():
    functions = {
        name
        for name, value in vars(plots).items()
        if inspect.isfunction(value) and value.__module__.startswith(plots.__name__) and not name.startswith("_")
    }
    assert functions - {"live_display"} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_it_draws_something(name):
    drawing = CASES[name]()
    assert isinstance(drawing, (Axes, Figure))
    assert pixels(figure_of(drawing)).std() > 1


@pytest.mark.parametrize("name", sorted(CASES))
def test_one_chart_can_be_drawn_into_given_axes(name):
    if "ax" not in inspect.signature(getattr(plots, name)).parameters:
        assert not isinstance(CASES[name](), Axes) or name == "new_axes"
        return
    _, ax = plt.subplots()
    figures = plt.get_fignums()
    bound = {
        "show_image": (IMAGE,),
        "class_balance": (np.full((4, 10), 25), CLASSES, 80),
        "mosaic": (np.arange(12.0).reshape(1, 3, 4), 3),
        "horizontal_bars": ({"PNG": 3.0}, "kB", "Size"),
        "byte_map": (bytes(80), [("length", 80)]),
        "network": ([("conv1", (30, 80, 4), 1000)],),
        "probability_table": (PROBABILITIES, CLASSES),
        "confidence_histogram": (np.array([0.2, 0.9]), np.array([False, True])),
        "loss_curves": ({"one": [2.3, 2.0]}, 10),
        "accuracy_over_time": ({"one": FAST}, 10, "fast"),
        "first_steps": ([POINT], 2),
        "digit_against_whole": ([POINT], 4),
        "amounts": ({1: [(1000, 0.5, 0.45, 0.55)]}, 500),
        "accuracy_matrix": (["a", "b"], ["a", "b", "c"], np.array(SHARES), 1000),
        "knob_curves": ({"plain": CURVE}, "dots", {"plain": 30}),
        "shares": ({"three": (33, 40, 0.825, 0.68, 0.913)}, "read whole [%]", "By length"),
        "growth": ([10, 100], {"drawing": [1.0, 9.0], "b": [2.0, 3.0], "c": [1.0, 2.0]}, SLOPES),
        "reliability_curve": ({"as trained": BINS}, "sure and right"),
        "coverage_curve": (np.array([0.5, 1.0]), np.array([1.0, 0.875])),
        "confusion_matrix": (CONFUSION.sum(axis=0), CLASSES),
        "learning_rate": ([0.0, 1.0], 100),
    }[name]
    assert getattr(plots, name)(*bound, ax=ax) is ax
    assert plt.get_fignums() == figures  # no second figure


@pytest.mark.parametrize("image", [IMAGE, IMAGE[..., None], np.dstack([IMAGE] * 3)])
def test_an_image_is_shown_grey_or_coloured(image):
    shown = plots.show_image(image).images[0]
    assert shown.get_array().shape[:2] == (60, 160)
    assert (shown.norm.vmin, shown.norm.vmax) == (0, 255) or image.shape[-1] == 3


@pytest.mark.parametrize(("count", "shape"), [(0, 1), (1, 1), (5, 5), (6, 10), (11, 15)])
def test_a_gallery_has_a_place_for_every_picture(count, shape):
    figure = plots.gallery([IMAGE] * count, [f"text {i}" for i in range(count)])
    assert len(figure.axes) == shape
    assert sum(bool(ax.images) for ax in figure.axes) == count
    assert all(f"text {i}" in texts(figure) for i in range(count))
    assert ("none to show" in texts(figure)) == (count == 0)


def test_a_table_and_bars_tell_the_probabilities():
    table = plots.probability_table(PROBABILITIES, CLASSES)
    assert texts(table.figure).count("0.9190") == 4
    assert texts(table.figure).count("0.0090") == 36
    bars = plots.probability_bars(IMAGE, PROBABILITIES, CLASSES)
    assert [f"{character}: 91.9 %" in texts(bars) for character in "502"] == [True] * 3
    heights = [[bar.get_height() for bar in ax.patches] for ax in bars.axes[1:]]
    assert np.allclose(heights, 100 * PROBABILITIES)


@pytest.mark.parametrize(
    ("counts", "wrong"),
    [
        (np.stack([np.eye(10, dtype=int)] * 4), 0),  # no mistake at all
        (np.stack([np.ones((10, 10), int) - np.eye(10, dtype=int)] * 4), 360),  # nothing but mistakes
        (CONFUSION, 720),
    ],
)
def test_confusion_leaves_right_answers_out(counts, wrong):
    before = counts.copy()
    written = texts(plots.confusion_maps(counts, CLASSES))
    assert f"{wrong} wrong characters among {counts.sum():,}" in written
    assert f"position 1: {wrong // 4} wrong" in written
    assert (counts == before).all()


@pytest.mark.parametrize("right", [[True, True], [False, False], [True, False]])
def test_confidence_survives_no_mistakes_and_nothing_but_mistakes(right):
    ax = plots.confidence_histogram(np.array([0.2, 1.0]), np.array(right))
    written = texts(ax.figure)
    assert f"read right ({sum(right)})" in written
    assert f"read wrong ({2 - sum(right)})" in written
    assert pixels(ax.figure).std() > 1


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_progress_tells_the_last_accuracy(accuracy):
    points = [POINT, {**POINT, "images": 1200, "validation captchas": accuracy}]
    written = texts(plots.draw_progress(points, 2400, 256, 10))
    assert f"{100 * accuracy:.1f} % of 256 validation captchas whole" in written
    assert "50% of 2,400 images, 2 s, about 2 s left" in written


def test_progress_draws_the_loss_and_the_line_of_guessing():
    figure = plots.draw_progress([POINT, {**POINT, "images": 200, "validation loss": 0.5}], 400, 256, 10)
    below = figure.axes[1]
    assert [list(line.get_ydata()) for line in below.lines[:2]] == [[2.3, 2.3], [2.31, 0.5]]
    assert [line.get_linestyle() for line in below.lines[:2]] == ["-", "--"]
    assert np.allclose(below.lines[2].get_ydata(), np.log(10))
    assert "ln 10: guessing" in texts(figure)
    assert below.get_ylim() == (0, 1.35 * np.log(10))
    high = plots.draw_progress([POINT, {**POINT, "images": 200, "training loss": 8.0}], 400, 256, 10)
    assert high.axes[1].get_ylim() == pytest.approx((0, 8.4))


def test_the_first_steps_show_each_position_and_end_early():
    points = [{**POINT, "images": 100 * step, "position 2": step / 100} for step in range(101)]
    ax = plots.first_steps(points, 2)
    assert [line.get_label() for line in ax.lines] == ["position 1", "position 2"]
    assert np.allclose(ax.lines[1].get_ydata(), range(11))
    assert ax.lines[1].get_xdata()[-1] == 1000


def test_independent_digits_give_a_power():
    ax = plots.digit_against_whole([{**POINT, "validation digits": 0.9, "validation captchas": 0.7}], 4)
    assert np.allclose(np.interp(90, *ax.lines[0].get_data()), 65.61)
    assert [list(data) for data in ax.lines[1].get_data()] == [[90], [70]]


def test_experiments_carry_their_scores_and_intervals():
    figure = CASES["experiments"]()
    bars, first, second = [[ax for ax in figure.axes if ax.patches], *figure.axes[2::3]]
    assert bars == [first, second]
    assert [ax.patches[0].get_width() for ax in bars] == [50, 87.5]
    ends = [ax.collections[0].get_segments()[0][:, 0] for ax in bars]
    assert np.allclose(ends, [[40, 60], [80, 95]])
    assert all(len(ax.lines) == 2 for ax in bars)  # caps, so that a narrow interval is seen
    assert list(figure.axes[4].lines[0].get_ydata()) == [10, 90]
    assert "87.50 % of 60 (80.00–95.00)" in texts(figure)
    assert "12 s of training" in texts(figure)


def test_bars_carry_their_values():
    assert "3 kB" in texts(CASES["horizontal_bars"]().figure)
    nothing = plots.horizontal_bars({"none": 0.0}, "share", "Nothing")
    assert nothing.get_xlim()[1] > 0


def test_the_balance_marks_what_chance_explains():
    ax = plots.class_balance(np.array([[90, 110], [100, 100]]), "ab", texts=40)
    assert [bar.get_height() for bar in ax.patches[:2]] == [90, 110]
    assert "200 captchas" in texts(ax.figure)
    band = ax.patches[-1]
    half = 2 * np.sqrt(200 * 0.5 * 0.5 * (1 + 0.2 * 200 / 40))  # two deviations: drawn texts, and texts of the split
    assert np.allclose([band.get_y(), band.get_y() + band.get_height()], [100 - half, 100 + half])
    without = plots.class_balance(np.array([[90, 110], [100, 100]]), "a␣", texts=40)
    assert len(without.patches) == len(ax.patches) - 1


def test_the_network_writes_shapes_and_parameters():
    written = texts(CASES["network"]().figure)
    assert "30×80×4\n1,000" in written
    assert "15×40×4" in written


def test_bytes_are_written_in_hexadecimal_and_owned_by_parts():
    ax = plots.byte_map(bytes(range(100)), [("length", 2), ("data", 98)])
    written = texts(ax.figure)
    assert all(byte in written for byte in ("00", "2f", "54", "63"))
    assert "30" not in written.split()
    assert "36 more bytes" in written
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["length", "data"]
    colors = [cell.get_facecolor() for cell in ax.patches]
    assert colors[0] == colors[1] != colors[2] == colors[-1]


def test_loss_curves_draw_the_line_of_guessing():
    ax = plots.loss_curves({"one": [2.3, 1.0, 0.5]}, 10)
    assert "ln 10 = 2.303: guessing" in texts(ax.figure)
    assert any(np.allclose(line.get_ydata(), np.log(10)) for line in ax.lines)
    assert list(ax.lines[0].get_ydata()) == [2.3, 1.0, 0.5]


def test_epochs_draw_training_solid_and_validation_dashed():
    figure = plots.epochs([ROW, {**ROW, "epoch": 2, "validation_captcha_accuracy": 0.42}])
    losses = figure.axes[0].lines
    assert [line.get_linestyle() for line in losses] == ["-", "--"]
    assert [list(line.get_ydata()) for line in losses] == [[2.3, 2.3], [2.2, 2.2]]
    assert "42.0 % of validation captchas whole" in texts(figure)


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


def test_recipes_are_named_with_what_they_reached_and_no_two_names_overlap():
    same = {f"recipe {number}": FAST for number in range(7)}
    ax = plots.accuracy_over_time({"old": SLOW, **{f"recipe {n}": FAST for n in range(6)}}, 1000, "seven")
    written = texts(ax.figure)
    assert "old: 0.2 %" in written
    assert written.count("recipe") == 6
    assert written.count("99.3 %") == 6
    for curves in (same, {"old": SLOW, "new": FAST}):
        names = [text for text in plots.accuracy_over_time(curves, 1000, "title").texts]
        heights = sorted(text.xyann[1] for text in names)
        assert all(b - a >= 6.4 for a, b in itertools.pairwise(heights))
        assert heights[-1] <= 104


def test_a_matrix_writes_every_share():
    ax = CASES["accuracy_matrix"]()
    written = texts(ax.figure)
    assert all(f"{100 * share:.1f}" in written for row in SHARES for share in row)
    assert np.allclose(ax.images[0].get_array(), 100 * np.array(SHARES))


def test_curves_along_a_knob_carry_their_intervals_and_where_they_were_trained():
    ax = CASES["knob_curves"]()
    assert "trained with 200: noisy" in texts(ax.figure)
    assert [list(line.get_xdata()) for line in ax.lines[1::2]] == [[30, 30], [200, 200]]
    assert [list(line.get_ydata()) for line in ax.lines[::2]] == [[90, 30]] * 2
    band = ax.collections[0].get_paths()[0].vertices
    assert {round(y) for _, y in band} == {20, 40, 80, 95}


def test_shares_carry_counts_and_intervals():
    ax = CASES["shares"]()
    assert "82.5 %, 33 of 40" in texts(ax.figure)
    assert ax.patches[0].get_width() == 82.5
    assert list(ax.lines[0].get_xdata()) == [68, 91.3]
    scores = {"all": (9, 9, 1.0, 0.7, 1.0), "but one": (2603, 2604, 2603 / 2604, 0.998, 1.0)}
    written = texts(plots.shares(scores, "read whole [%]", "Nearly all").figure)
    assert "100.0 %, 9 of 9" in written
    assert "99.96 %, 2,603 of 2,604" in written


def test_growth_tells_its_slopes():
    ax = CASES["growth"]()
    assert "drawing: slope 0.95" in texts(ax.figure)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert [list(line.get_ydata()) for line in ax.lines] == [[1, 9], [2, 3], [1, 2], [1, 10]]


def test_reliability_carries_intervals_and_counts():
    ax = CASES["reliability_curve"]()
    assert [list(data) for data in ax.lines[1].get_data()] == [[15, 95], [0, 75]]
    ends = {round(y) for segment in ax.collections[0].get_segments() for _, y in segment}
    assert ends == {0, 66, 30, 95}
    written = texts(ax.figure).splitlines()
    assert {"2", "4", "as trained", "corrected"} <= set(written)


def test_coverage_tells_what_is_right_when_all_is_answered():
    ax = CASES["coverage_curve"]()
    assert [list(data) for data in ax.lines[0].get_data()] == [[50, 100], [100, 87.5]]
    assert ax.get_title().endswith("87.5 % of all")


def test_a_mistake_stands_beside_the_position_that_went_wrong():
    probabilities = np.stack([PROBABILITIES] * 3)
    probabilities[2, 0] = [0.35, 0, 0, 0, 0, 0.4, 0.25, 0, 0, 0]  # less sure than the other wrong position
    figure = plots.mistakes([IMAGE] * 3, probabilities, MISREAD, CLASSES)
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles[0].startswith("true 5024, read 5020:")
    assert titles[1::2] == ["position 4", "position 2", "position 2"]
    bars = figure.axes[1].patches
    assert [bar.get_hatch() for bar in bars].count(None) + [bar.get_hatch() for bar in bars].count("") == 9
    assert bars[0].get_hatch()  # what was read; the truth is told by its word
    words = {text.get_text(): text.xy[0] for text in figure.axes[1].texts}
    assert words == {"read": 0, "true": 4}


def test_without_a_mistake_that_is_said():
    assert "no mistake" in texts(plots.mistakes([], np.zeros((0, 4, 10)), np.zeros((0, 4), int), CLASSES))


def test_each_remedy_has_its_panel_with_the_line_of_guessing():
    figure = plots.remedies({f"remedy {i}": [[2.3, 2.2 - i / 5]] for i in range(6)}, mean_of=10, classes=10)
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in panels] == [f"remedy {i}" for i in range(6)]
    for index, ax in enumerate(panels):
        first, own, guessing = ax.lines
        assert list(first.get_xdata()) == [10, 20]
        assert list(own.get_ydata()) == pytest.approx([2.3, 2.2 - index / 5])
        assert guessing.get_ydata()[0] == pytest.approx(np.log(10))


def test_amounts_are_told_as_shares_read_wrong():
    ax = CASES["amounts"]()
    assert [text.get_text() for text in ax.texts] == ["50 %", "2 %"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.collections[0].get_segments()[0] == pytest.approx(np.array([[1000, 45], [1000, 60]]))  # wrong [%]


@pytest.mark.parametrize(("counts", "wrong"), [(np.eye(10, dtype=int) * 99, 0), (np.ones((10, 10), int), 90)])
def test_rare_confusions_are_seen_beside_many_right_answers(counts, wrong):
    counts = counts.copy()
    counts[3, 3] = 100_000
    ax = plots.confusion_matrix(counts, CLASSES)
    assert f"{wrong} wrong among {counts.sum():,} characters" in texts(ax.figure)
    shades = ax.images[0].get_array()
    assert np.allclose(10 ** shades[counts > 0], counts[counts > 0])


def test_each_position_has_its_map_and_its_character():
    figure = CASES["occlusion_maps"]()
    written = texts(figure)
    assert "position 3: 2, loses up to 80 %" in written
    assert "position 1: 5, loses up to 0 %" in written
    assert all(np.allclose(ax.images[1].get_array(), lost) for ax, lost in zip(figure.axes, LOST, strict=True))
    assert "position 5: nothing" in texts(plots.occlusion_maps(IMAGE, np.zeros((5, 2, 2)), "5024"))


def test_the_most_varied_channels_are_shown():
    values = np.zeros((4, 8, 9))
    values[..., 7] = np.arange(8)
    figure = plots.activations({"conv1": values, "few": np.random.rand(4, 8, 2)}, channels=3)
    assert np.array_equal(figure.axes[0].images[0].get_array(), values[..., 7])
    assert "conv1\n4 × 8 × 9" in texts(figure)
    assert [bool(ax.images) for ax in figure.axes] == [True] * 5 + [False]


def test_slices_carry_counts_intervals_and_the_mean():
    figure = CASES["slices"]()
    first = figure.axes[0]
    assert {round(y, 1) for y in first.collections[0].get_segments()[0][:, 1]} == {68.0, 91.3}
    written = texts(figure)
    assert "1 to 2\n40" in written
    assert "contrast" in written
    assert "size [px]" in written
    assert any(np.allclose(line.get_ydata(), 90) for line in first.lines)


def test_a_mosaic_has_its_tiles_in_rows():
    shown = CASES["mosaic"]().images[0].get_array()
    assert shown.shape == (2 * 5, 3 * 6)
    tile = 255 * np.arange(12).reshape(3, 4) / 11
    assert np.allclose(shown[1:4, 1:5], tile)
    assert np.allclose(shown[6:9, 7:11], tile)
    assert (shown[5:, 12:] == 255).all()  # the sixth is missing


def test_titles_tell_what_was_found():
    losses = {"without": [2.3] * 30, "with": [2.3] * 20 + [1.0] * 10}
    assert plots.loss_curves(losses, 10).get_title() == "Mean loss of the last 10 batches: 2.30 without, 1.00 with"
    remedies = {"none": [[2.3, 2.3]] * 2, "half": [[2.3, 0.4], [2.3, 2.2]], "norm": [[2.3, 1.2]] * 2}
    assert "after 20 batches: norm (green; grey: none;" in texts(plots.remedies(remedies, 10, 10))
    sure, right = np.array([0.99, 0.96, 0.97, 0.4]), np.array([True, True, False, True])
    assert plots.confidence_histogram(sure, right).get_title().endswith("2 of 3 right readings, 1 of 1 wrong ones")
    title = plots.coverage_curve(np.arange(1, 11) / 10, np.array([1.0] * 7 + [0.9, 0.8, 0.7])).get_title()
    assert title == "90.0 % of the surest 80 % are right, 70.0 % of all"
    facts = {
        "size [px]": {"small": (0, 10, 0.5, 0, 1), "large": (0, 10, 0.6, 0, 1)},
        "gap; negative is overlap [px]": {"close": (0, 10, 0.3, 0, 1), "far": (0, 10, 0.9, 0, 1)},
    }
    assert "Furthest apart: gap, 30 to 90 %" in texts(plots.slices(facts, 0.7))
    stages = {"conv1": np.zeros((30, 80, 4)), "conv2": np.zeros((8, 20, 9))}
    assert "From 30 × 80 points to 8 × 20" in texts(plots.activations(stages))
    counts = np.full((4, 10), 25)
    counts[1, 3] = 90
    assert plots.class_balance(counts, CLASSES, texts=80).get_title().startswith("39 of 40 counts lie within")
    assert plots.network([("conv1", (30, 80, 4), 1000), ("dense1", (16,), 99)]).get_title().startswith("1,099 param")
    assert plots.epochs([ROW, {**ROW, "validation_loss": 0.125}]).axes[0].get_title().endswith("0.125")


@pytest.mark.parametrize(
    ("shares", "title"),
    [
        ([(0.1, 0.1), (0.6, 0.2), (0.9, 0.8)], "Position 1 first: above 50 % after 100 images, position 2 after 200"),
        ([(0.1, 0.1), (0.6, 0.7), (0.4, 0.4)], "All positions pass 50 % together"),
        ([(0.1, 0.1), (0.2, 0.7)], "1 of 2 positions pass 50 %"),
    ],
)
def test_the_positions_leave_the_plateau_in_an_order(shares, title):
    points = [{**POINT, "images": 100 * i, "position 1": a, "position 2": b} for i, (a, b) in enumerate(shares)]
    assert plots.first_steps(points, 2).get_title() == title
