"""What makes a stored output stale, and what does not, in a small tree of helpers."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from tests.stamps import REPOSITORY, canonical, cell_statements, changes, data_digest, digest, stamp, uses

TREE = {
    "helpers/__init__.py": '"""All."""\n',
    "helpers/__main__.py": "import helpers.unreached\n",
    "helpers/unreached.py": "X = 1\n",
    "helpers/files/__init__.py": "",
    "helpers/files/results.py": "def load_result(name): return name\n",
    "helpers/data/__init__.py": "SPLITS = 3\n",
    "helpers/data/images.py": "def draw(): return 1\n",
    "helpers/data/records.py": (
        '"""Records."""\n\n\nclass Record:\n    """One."""\n\n\ndef write(count=1):\n    """Write."""\n'
        "    from helpers.data.images import draw\n\n    return draw() + count  # all\n"
    ),
    "helpers/training/__init__.py": "from helpers.training.fit import train\n",
    "helpers/training/fit.py": "from helpers import plots\n\n\ndef train(): return plots.progress(1)\n",
    "helpers/plots/__init__.py": (
        '"""Drawings."""\nfrom helpers.plots.basics import BLUE, GREY\n'
        'from helpers.plots.charts import gallery, progress\n\n__all__ = ["gallery", "progress"]\n'
    ),
    "helpers/plots/basics.py": 'import matplotlib.pyplot as plt\n\nBLUE, GREY = "blue", "grey"\nDIGITS = BLUE\n',
    "helpers/plots/charts.py": (
        "from matplotlib.axes import Axes\nfrom helpers.plots.basics import DIGITS, GREY\n\n\n"
        'def gallery(images: Axes):\n    """A gallery."""\n    return _frame(images, GREY)\n\n\n'
        "def _frame(image, color): return image, color\n\n\n"
        "def progress(points): return points, DIGITS\n\n\ndef alone(): return GREY\n"
    ),
    "notebooks/results/plateau.json": '{"rows": 1}',
    "notebooks/results/growth.json": '{"rows": 2}',
    "requirements.txt": "# exact\nnumpy==2.0.0\npillow==11.0.0  # pictures\n-e .\n",
}
RECORDS = "from helpers.data.records import write\nwrite()"
GALLERY = "from helpers import plots\nfig = plots.gallery([])"
TRAIN = "from helpers.training import train\ntrain()"
RESULTS = "from helpers.files.results import load_result\nfor name in ('plateau', 'other'): load_result(name)"

EVERYTHING = '''
def draw(image, /, *more: int, size=None, **style) -> u"Axes":
    """Drawn."""
    title = f"{size!r:>{image}}" f"{{}}" "and" f"{style:%H}" f"{size=}"
    return {**style, None: ..., 1: 2.5, "\\u00e9": b"\\xff"}, title

match draw:
    case {"a": 1, **rest} | [1, *_]:
        pass
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a few helpers."""
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def notebook(*sources: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def after(root: Path, source: str, name: str, old: str, new: str) -> list[str]:
    """The reasons why a notebook of one cell is stale after `old` became `new` in a file."""
    before = stamp(notebook(source), "full", {}, root)
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new), encoding="utf-8")
    return changes(before, stamp(notebook(source), "full", {}, root))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Records."""', '"""Records of all images."""'),
        ('    """Write."""\n', ""),
        ('"""One."""', '"""One\n    of many.\n    """'),
        ("# all", "# nearly all"),
        ("draw() + count", "(\n        draw()\n        + count\n    )"),
    ],
)
def test_a_docstring_a_comment_or_a_line_break_makes_nothing_stale(root, old, new):
    assert after(root, RECORDS, "helpers/data/records.py", old, new) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("helpers/data/records.py", "+ count", "- count"),
        ("helpers/data/records.py", "count=1", "count=2"),
        ("helpers/data/images.py", "return 1", "return 2"),  # imported inside a function
        ("helpers/data/__init__.py", "SPLITS = 3", "SPLITS = 4"),  # executed on the way
        ("helpers/__init__.py", '"""All."""', "import os"),
    ],
)
def test_changed_code_is_named(root, name, old, new):
    assert after(root, RECORDS, name, old, new) == [f"{name} changed"]


@pytest.mark.parametrize("name", ["helpers/unreached.py", "helpers/__main__.py"])
def test_what_is_not_reached_and_what_only_runs_make_nothing_stale(root, name):
    source = f"{RECORDS}\nimport helpers.__main__" if "__main__" in name else RECORDS
    assert after(root, source, name, "\n", "\nY = 2\n") == []


def test_a_new_import_makes_stale_what_it_reaches(root):
    reasons = after(root, RECORDS, "helpers/data/images.py", "def draw", "import helpers.unreached\n\n\ndef draw")
    assert reasons == ["helpers/data/images.py changed", "helpers/unreached.py changed"]


@pytest.mark.parametrize(
    ("name", "old", "new", "gallery", "train"),
    [
        ("charts", "return _frame(images, GREY)", "return _frame(GREY, images)", ["plots.gallery"], []),
        ("charts", '"""A gallery."""', '"""Many pictures."""', [], []),
        ("charts", "return image, color", "return color, image", ["plots._frame"], []),
        ("charts", "return points, DIGITS", "return DIGITS, points", [], ["plots.progress"]),
        ("charts", "def alone(): return GREY", "def alone(): return 7", [], []),
        ("charts", "from matplotlib.axes", "from matplotlib.pyplot", ["plots.Axes"], []),
        ("basics", '"grey"', '"silver"', ["plots.GREY"], []),
        ("basics", '"blue"', '"navy"', [], ["plots.BLUE"]),  # through a constant of a constant
        ("basics", "DIGITS = BLUE", "DIGITS = GREY", [], ["plots.DIGITS", "plots.BLUE", "plots.GREY"]),
        ("basics", "import matplotlib.pyplot as plt", "import matplotlib as plt", [], []),
        ("basics", "DIGITS = BLUE", "DIGITS = BLUE\nplt.rcdefaults()", ["plots", "plots.plt"], ["plots", "plots.plt"]),
        ("__init__", "Drawings.", "All drawings.", [], []),
        ("__init__", '__all__ = ["gallery", "progress"]', "__all__ = []", [], []),
        ("__init__", "import gallery, progress", "import alone, gallery, progress", [], []),
    ],
)
def test_of_the_plots_only_what_is_used_counts(root, name, old, new, gallery, train):
    path = f"helpers/plots/{name}.py"
    before = stamp(notebook(TRAIN), "full", {}, root)
    assert after(root, GALLERY, path, old, new) == [f"{each} changed" for each in gallery]
    reasons = changes(before, stamp(notebook(TRAIN), "full", {}, root))
    assert sorted(reasons) == sorted(f"{each} changed" for each in train)


@pytest.mark.parametrize(
    "source",
    [
        "from helpers.plots import gallery\ngallery([])",
        "from helpers.plots.charts import gallery as draw\ndraw([])",
        "def later():\n    from helpers import plots\n    return map(plots.gallery, [])",
    ],
)
def test_a_plot_is_reached_however_it_is_imported(root, source):
    found = after(root, source, "helpers/plots/charts.py", "return image, color", "return image")
    assert found == ["plots._frame changed"]


def test_a_definition_may_move_within_the_plots(root):
    before = stamp(notebook(GALLERY), "full", {}, root)
    text = (root / "helpers/plots/charts.py").read_text()
    frame = "def _frame(image, color): return image, color\n"
    (root / "helpers/plots/frames.py").write_text(frame)
    moved = f"from helpers.plots.frames import _frame\n{text.replace(frame, '')}"
    (root / "helpers/plots/charts.py").write_text(moved)
    assert changes(before, stamp(notebook(GALLERY), "full", {}, root)) == []


def test_the_plots_are_always_called_plots():
    """`uses` relies on it: a plot that is reached by another way would not count."""
    code = [ast.parse(path.read_text(encoding="utf-8")) for path in (REPOSITORY / "helpers").rglob("*.py")]
    for path in (REPOSITORY / "notebooks").rglob("*.ipynb"):
        cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        code.append(ast.Module([statement for cell in cells for statement in cell_statements(cell)], []))
    for tree in code:
        nodes = list(ast.walk(tree))
        for node in nodes:
            if isinstance(node, ast.ImportFrom):
                assert not node.level
                assert all(alias.name != "*" for alias in node.names)
                assert all(alias.name != "plots" or not alias.asname for alias in node.names)
            elif isinstance(node, ast.Import):
                assert all(not alias.name.startswith("helpers.plots") for alias in node.names)
        taken = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
        assert all(id(n) in taken for n in nodes if isinstance(n, ast.Name) and n.id == "plots")


def test_results_count_where_they_are_named(root):
    assert after(root, RESULTS, "notebooks/results/plateau.json", "1", "3") == [
        "notebooks/results/plateau.json changed"
    ]
    assert after(root, RESULTS, "notebooks/results/growth.json", "2", "4") == []
    assert after(root, "'plateau'", "notebooks/results/plateau.json", "3", "5") == []  # a text, but nothing is loaded


def test_pins_count_but_not_what_is_said_about_them(root):
    assert after(root, "1", "requirements.txt", "# pictures", "# draws") == []
    assert after(root, "1", "requirements.txt", "-e .", "-e . # ours") == []
    assert after(root, "1", "requirements.txt", "pillow==11.0.0", "pillow==11.0.1") == ["a pin changed"]


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        (["1 + 1"], ["1 + 2"], True),
        (["1 + 1  # two"], ["(1 +\n 1)"], False),
        (["a = 1\na"], ["a = 1", "a"], True),  # another cell shows something else
        (["f(1)"], ["f(1);"], True),  # hides the value
        (['"a text"'], ['"another"'], True),  # shown, so no docstring
        (["def f():\n    'Old.'\n    return 1"], ["def f():\n    'New.'\n    return 1"], False),
        (["%time f()"], ["%time g()"], True),
        (["!ls"], ["!pwd"], True),
        (["f??"], ["g??"], True),
        (["%%bash\necho a b"], ["%%bash\necho a c"], True),
    ],
)
def test_cells_count_as_what_they_show(root, old, new, stale):
    before, now = (stamp(notebook(*sources), "full", {}, root) for sources in (old, new))
    assert changes(before, now) == ["its cells changed"] * stale


@pytest.mark.parametrize("line", ["%matplotlib inline", "!ls", "write??", "%%time", "%%time -x"])
def test_helpers_are_seen_beside_ipython_syntax(root, line):
    source = f"{line}\n{RECORDS}"
    assert after(root, source, "helpers/data/images.py", "1", "2") == ["helpers/data/images.py changed"]


def test_prose_does_not_count(root):
    lesson = notebook("1")
    before = stamp(lesson, "full", {}, root)
    lesson.cells.append(nbformat.v4.new_markdown_cell("More."))
    assert changes(before, stamp(lesson, "full", {}, root)) == []


def test_what_is_not_stamped_or_quick_is_stale(root, tmp_path):
    quick, full = (stamp(notebook("1"), profile, {}, root) for profile in ("quick", "full"))
    assert changes(quick, full) == ["the profile was quick"]
    for other in (None, {}, {"profile": "full", "sources": "0", "helpers": "0"}):  # the last is of version 1
        assert changes(other, full) == ["it was never executed to its end"]


def test_of_what_is_read_only_what_is_there_is_compared(root):
    (root / "manifest.json").write_text("{}")
    reads = {"manifest.json": root / "manifest.json"}
    before = stamp(notebook("1"), "full", reads, root)
    assert changes(before, stamp(notebook("1"), "full", {}, root)) == []
    assert changes(before, stamp(notebook("1"), "full", reads, root)) == []
    (root / "manifest.json").write_text("[]")
    assert changes(before, stamp(notebook("1"), "full", reads, root)) == ["manifest.json changed"]
    assert changes(stamp(notebook("1"), "full", {}, root), before) == ["manifest.json changed"]


def test_the_digest_of_a_network_does_not_depend_on_its_date(tmp_path):
    digests = []
    for date, weights in (("today", "1"), ("tomorrow", "1"), ("today", "2")):
        with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
            archive.writestr("metadata.json", date)
            archive.writestr("model.weights.h5", weights)
        digests.append(data_digest(tmp_path / "model.keras"))
    assert digests[0] == digests[1] != digests[2]
    (tmp_path / "model.keras").write_bytes(b"damaged")
    assert data_digest(tmp_path / "model.keras") not in digests


def test_the_text_of_a_tree_is_the_same_on_every_python():
    text = canonical(ast.parse(EVERYTHING))
    assert "Drawn" not in text
    assert canonical(ast.JoinedStr([ast.Constant("a"), ast.Constant("")])) == canonical(
        ast.JoinedStr([ast.Constant("a")])
    )
    assert digest(text) == "822db932ed51"  # as Python 3.11.7, 3.12.1 and 3.13.0 say


def test_uses_tells_imports_and_plots():
    source = "import os, helpers.data.images\nfrom helpers import plots, scores\nplots.gallery(os.path)"
    expected = {"helpers.data.images", "helpers.plots", "helpers.plots.gallery", "helpers.scores"}
    assert uses(ast.parse(source)) == expected


def test_the_same_network_saved_in_two_processes_has_one_digest(tmp_path):
    code = (
        "import sys; from pathlib import Path; from helpers.captchas.styles import CaptchaStyle\n"
        "from helpers.network.alexnet import build_alexnet; from helpers.network.saved import save_network\n"
        "from helpers.quiet_tensorflow import keras\n"
        "keras.utils.set_random_seed(1); style = CaptchaStyle()\n"
        "model = build_alexnet(style, filters=(4, 4, 4, 4, 4), dense_units=(8, 8))\n"
        "save_network(Path(sys.argv[1]), model, style)"
    )
    paths = [tmp_path / "one.keras", tmp_path / "two.keras"]
    for path in paths:
        subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=120)
    assert data_digest(paths[0]) == data_digest(paths[1])
