"""The rules that hold for all helpers: what imports what, and that everything says what it is."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import helpers

FOLDER = Path(helpers.__file__).parent
ORDER = [
    "errors",
    "_storage",
    "results",
    "fonts",
    "_style_checks",
    "styles",
    "settings",
    "pictures",
    "generator",
    "captchas",
    "explorer",
    "dataset",
    "quiet_tensorflow",
    "precision",
    "_shards",
    "records",
    "distortion",
    "alexnet",
    "optimizer",
    "scores",
    "analysis",
    "calibration",
    "plots",
    "_callbacks",
    "training",
    "evaluation",
    "reading",
    "picker",
    "experiments",
]
FREE = ("errors", "scores", "plots")  # these import no other helper
WITHOUT_TENSORFLOW = [*ORDER[: ORDER.index("quiet_tensorflow")], "scores", "analysis", "plots"]
MODULES = sorted(FOLDER.rglob("*.py"))


def module_path(name: str) -> Path:
    """The file of a module, or of the package of that name."""
    file = FOLDER / f"{name}.py"
    return file if file.exists() else FOLDER / name / "__init__.py"


def imported_helpers(path: Path) -> set[str]:
    """The helper modules that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "helpers":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("helpers."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name} has a relative import"
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("helpers.")}
    return found


@pytest.mark.parametrize("name", ORDER)
def test_a_module_imports_only_from_those_above_it(name):
    imports = imported_helpers(module_path(name)) - {name}
    if name in FREE:
        assert imports == set()
    assert imports <= {*ORDER[: ORDER.index(name)], "scores", "plots", "errors"}


def test_what_draws_imports_nothing_but_what_draws():
    files = sorted((FOLDER / "plots").glob("*.py"))
    assert len(files) > 3
    for path in files:
        assert imported_helpers(path) <= {"plots"}, path.name


def test_the_flow_really_is_used():
    assert imported_helpers(FOLDER / "dataset.py") >= {"captchas", "settings"}
    assert imported_helpers(FOLDER / "records.py") >= {"dataset"}


def test_modules_that_only_draw_do_not_import_tensorflow():
    code = (
        "import importlib, json, sys\n"
        f"for name in {WITHOUT_TENSORFLOW}:\n"
        "    importlib.import_module(f'helpers.{name}')\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    loaded = json.loads(result.stdout)
    assert {"captcha", "matplotlib", "numpy"} <= set(loaded)
    assert not {"tensorflow", "keras"} & set(loaded)


def test_the_package_says_what_each_module_is_for():
    names = [path.relative_to(FOLDER).parts[0].removesuffix(".py") for path in MODULES]
    public = sorted({name for name in names if not name.startswith("_")})
    listed = [line.split()[0] for line in helpers.__doc__.splitlines() if "  " in line.strip()]
    assert sorted(listed) == public


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_everything_public_has_a_docstring(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path.name} does not say why it exists"
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
    readers = {path.stem for path in MODULES if reads_environment(path)}
    assert readers - {"quiet_tensorflow", "_run"} == {"settings"}  # quiet_tensorflow: TensorFlow's own log level
