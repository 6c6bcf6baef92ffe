"""The house: what each room is for, which way imports run, and that it stays small."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import helpers

FOLDER = Path(helpers.__file__).parent
REPOSITORY = FOLDER.parent
MODULES = {
    ".".join(path.relative_to(FOLDER).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(FOLDER.rglob("*.py"))
    if path != FOLDER / "__init__.py"
}
ROOMS = {  # room: the rooms that it may import from
    "errors": set(),
    "scores": set(),
    "plots": set(),
    "files": {"errors"},
    "quiet_tensorflow": {"errors"},
    "precision": {"quiet_tensorflow"},
    "captchas": {"errors", "files"},
    "settings": {"errors", "files", "captchas"},
    "data": {"errors", "files", "captchas", "settings", "quiet_tensorflow", "plots"},
    "network": {"errors", "files", "captchas", "settings", "quiet_tensorflow"},
    "training": {
        *("errors", "files", "captchas", "settings", "quiet_tensorflow"),
        *("precision", "data", "network", "scores", "plots"),
    },
    "reading": {"errors", "files", "captchas", "settings", "quiet_tensorflow", "network", "scores"},
    "experiments": {
        *("errors", "files", "captchas", "settings", "quiet_tensorflow"),
        *("precision", "data", "network", "training", "reading", "scores", "plots"),
    },
    "execution": {"files"},
    "__main__": {"errors", "files", "settings", "scores", "experiments", "execution"},
}
STEPS = ("captchas", "settings", "data", "network", "training", "reading")  # the way of the data
MOST_ROOMS, MOST_LINES_OF_STEPS, MOST_LINES_IN_ALL, MOST_LINES_OF_A_FILE = 15, 3_000, 6_100, 150


@cache
def imports(name: str) -> frozenset[str]:
    """What a module imports, wherever in it: full names, as in `helpers.data.images` and `numpy`."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} has a relative import"
            inside = (f"{node.module}.{alias.name}".removeprefix("helpers.") for alias in node.names)
            found |= {f"helpers.{module}" for module in inside if module in MODULES} or {node.module}
    return frozenset(found)


def own(name: str) -> set[str]:
    """The helper modules that a module imports."""
    return {module.removeprefix("helpers.") for module in imports(name) if module.startswith("helpers.")}


def reached(name: str) -> set[str]:
    """A helper module, all that it imports, and the packages that Python executes on the way."""
    found, todo = set(), [name]
    while todo:
        if (module := todo.pop()) in MODULES and module not in found:
            found.add(module)
            todo += [*own(module), module.split(".")[0]]
    return found


def test_there_are_few_rooms_and_each_is_known():
    rooms = {name.split(".")[0] for name in MODULES}
    assert rooms == set(ROOMS)
    assert len(rooms) <= MOST_ROOMS


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_one_way_between_rooms(name):
    room = name.split(".")[0]
    assert {module.split(".")[0] for module in own(name)} - {room} <= ROOMS[room]


def test_no_imports_run_in_a_circle():
    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        for module in own(name) - done:
            visit(module, (*way, name))
        done.add(name)

    done: set[str] = set()
    for name in MODULES:
        visit(name, ())
    assert done == set(MODULES)


def test_the_flow_really_is_used():
    assert own("data.generate") >= {"captchas.drawing", "data.images", "settings"}
    assert own("training.fit") >= {"data.records", "network.saved"}
    assert own("reading.reader") >= {"captchas.pictures", "network.saved"}


def test_reading_needs_neither_training_nor_anything_that_draws():
    modules = reached("reading")
    assert {"network.saved", "captchas.styles", "settings.load"} <= modules
    assert not {module for module in modules if module.split(".")[0] in ("training", "plots", "data", "experiments")}
    outside = {name.split(".")[0] for module in modules for name in imports(module)}
    assert not {"matplotlib", "IPython", "ipywidgets", "tqdm"} & outside


def test_modules_that_only_draw_do_not_import_tensorflow():
    modules = ["captchas.drawing", "captchas.pictures", "data.generate", "experiments.explorer"]
    modules += ["plots", "scores", "files.results"]
    code = (
        "import importlib, json, sys\n"
        f"for name in {modules}:\n"
        "    importlib.import_module(f'helpers.{name}')\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    loaded = json.loads(result.stdout)
    assert {"captcha", "matplotlib", "numpy"} <= set(loaded)
    assert not {"tensorflow", "keras"} & set(loaded)


def lines(names: list[str]) -> int:
    return sum(len(MODULES[name].read_text(encoding="utf-8").splitlines()) for name in names)


def test_it_stays_small():
    remedy = "shorten something; or, with a good reason, raise the limit in this file"
    steps, whole = lines([name for name in MODULES if name.split(".")[0] in STEPS]), lines(list(MODULES))
    assert steps <= MOST_LINES_OF_STEPS, f"{steps} lines of what the lessons open: {remedy}"
    assert whole <= MOST_LINES_IN_ALL, f"{whole} lines in all: {remedy}"
    longer = {name for name in MODULES if lines([name]) > MOST_LINES_OF_A_FILE}
    assert not longer, f"more than {MOST_LINES_OF_A_FILE} lines in {longer}: split it"


def test_the_readme_names_every_file():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    folders = {name.split(".")[0] for name in MODULES if "." in name}
    for name in MODULES:
        room, *rest = name.split(".")
        if rest and room in (*STEPS, "experiments"):
            assert f"`{rest[-1]}`" in text.split(f"| `{room}` |")[1].split("\n| `")[0], name
        assert f"`{room}/`" in text if room in folders else f"`{room}`" in text, name


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_a_docstring(name):
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{name} does not say why it exists"
    functions = (ast.FunctionDef, ast.ClassDef)
    nodes = [node for node in tree.body if isinstance(node, functions)]
    nodes += [
        item
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for item in node.body
        if isinstance(item, functions) and not item.name.startswith("on_")  # Keras documents its hooks
    ]
    silent = [node.name for node in nodes if not node.name.startswith("_") and not ast.get_docstring(node)]
    assert silent == []


def reads_environment(path: Path) -> bool:
    """Whether a module asks for an environment variable."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return any(isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") for node in nodes)


def test_only_the_settings_read_the_environment():
    readers = {name for name, path in MODULES.items() if reads_environment(path)}
    assert readers - {"quiet_tensorflow", "files.cores", "experiments.cluster", "__main__"} == {
        "settings.load"
    }  # the first two: TensorFlow's own


def test_keras_and_tensorflow_come_from_one_place():
    """Else TensorFlow could be imported before its switches are set."""
    for name in MODULES:
        if name != "quiet_tensorflow":
            assert not {module.split(".")[0] for module in imports(name)} & {"keras", "tensorflow"}, name
    for path in [*REPOSITORY.glob("notebooks/**/*.ipynb"), *REPOSITORY.glob("tests/**/*.py")]:
        pattern = r'^\s*"?(import (keras|tensorflow)|from (keras|tensorflow)\b.* import)'
        assert not re.search(pattern, path.read_text(encoding="utf-8"), flags=re.MULTILINE), path.name


# compared or tested with where they are installed
OPTIONAL = {
    "django",
    "h5py",
    "ddddocr",
    "multicolorcaptcha",
    "onnx",
    "onnxruntime",
    "playwright",
    "tf2onnx",
    "torch",
    "wheezy",
}


def test_all_that_is_imported_is_pinned():
    text = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8")
    pinned = {name.lower().replace("_", "-") for name in re.findall(r"^([\w-]+)==", text, flags=re.MULTILINE)}
    sources = [path.read_text(encoding="utf-8") for path in [*MODULES.values(), *REPOSITORY.glob("tests/**/*.py")]]
    for path in REPOSITORY.glob("notebooks/**/*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    tops = {name.split(".")[0] for name in names} - sys.stdlib_module_names - OPTIONAL
    packages = importlib.metadata.packages_distributions()
    ours = {
        "helpers",
        "tests",
        "notebooks",
        "solutions",
        "checks",
        *(path.stem for path in REPOSITORY.glob("tests/*.py")),
    }
    for top in tops - ours:
        assert {name.lower().replace("_", "-") for name in packages[top]} & pinned, f"{top} is not pinned"
