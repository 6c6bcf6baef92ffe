"""What the stored outputs of a notebook depend on, so that only what is stale is executed again.

Code counts as its syntax tree, without docstrings and comments. A helper module counts as a whole where code that
counts imports it, even inside a function; of `helpers.plots` only the definitions that are used count.
"""

import ast
import hashlib
import re
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from helpers.files import file_digest, text_digest

REPOSITORY = Path(__file__).resolve().parents[1]
RUNNER = {"helpers/__main__.py"}  # it executes notebooks; what they show does not depend on it
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def stamp(notebook: NotebookNode, profile: str, reads: dict[str, Path], root: Path = REPOSITORY) -> dict[str, Any]:
    """All that a notebook's outputs depend on, as digests by name; `reads` are its files in the data folder."""
    cells = [cell_statements(cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    code = ast.Module([statement for cell in cells for statement in cell], [])
    texts = {node.value for node in ast.walk(code) if isinstance(node, ast.Constant)}
    helpers = reached(code, root)
    results = sorted((root / "notebooks" / "results").glob("*.json")) if "helpers/files/results.py" in helpers else []
    pins = re.findall(r"^[^#\s]+==[^#\s]+", (root / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    return {
        "profile": profile,
        "cells": digest(*map(canonical, cells)),
        "pins": digest(*sorted(pins)),
        "helpers": helpers,
        "results": {f"notebooks/results/{p.name}": digest(p.read_text("utf-8")) for p in results if p.stem in texts},
        "reads": {name: data_digest(path) for name, path in reads.items()},
    }


def changes(old: dict[str, Any] | None, new: dict[str, Any]) -> list[str]:
    """Why a notebook that was stamped `old` is stale; of what it reads only the files in `new` are compared."""
    if not old or "cells" not in old:
        return ["it was never executed to its end"]
    pairs = [("its cells", old["cells"], new["cells"]), ("a pin", old["pins"], new["pins"])]
    for kind in ("helpers", "results", "reads"):
        names = sorted(new[kind] if kind == "reads" else {*old[kind], *new[kind]})
        pairs += [(name, old[kind].get(name), new[kind].get(name)) for name in names]
    profile = [f"the profile was {old['profile']}"] * (old["profile"] != new["profile"])
    return profile + [f"{name} changed" for name, before, now in pairs if before != now]


def reached(code: ast.AST, root: Path = REPOSITORY) -> dict[str, str]:
    """The helpers that code depends on, directly or through one another: a digest by name."""
    paths = {path.relative_to(root).as_posix(): path for path in sorted((root / "helpers").rglob("*.py"))}
    known = [piece for name in paths.keys() - RUNNER for piece in pieces(paths[name].read_text("utf-8"), name)]
    todo, seen, texts = set(uses(code)), set(), {}
    while todo:
        parts = todo.pop().split(".")
        names = {".".join(parts[:end]) for end in range(1, len(parts) + 1)} - seen
        seen |= names
        for _, key, text, used in (piece for piece in known if piece[0] in names):
            todo |= used
            if text:
                texts.setdefault(key, set()).add(text)
    return {key: digest(*sorted(found)) for key, found in sorted(texts.items())}


@cache
def pieces(source: str, path: str) -> list[tuple[str, str, str, frozenset[str]]]:
    """A module in pieces, of `plots` its definitions: (dotted name, name in the stamp, text, dotted names it uses)."""
    tree, module = ast.parse(source), path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if not f"{module}.".startswith("helpers.plots."):
        return [(module, path, canonical(tree), uses(tree))]
    tops = [top for statement in tree.body[bool(ast.get_docstring(tree)) :] for top in defined(statement)]
    names, found = {name for name, _ in tops}, []
    for name, part in tops:
        own = names & {node.id for node in ast.walk(part) if isinstance(node, ast.Name)}
        used = uses(part) | {f"helpers.plots.{other}" for other in own}
        text = "" if used and isinstance(part, ast.ImportFrom) else canonical(part)  # what is passed on counts itself
        key = f"plots.{name}" if name else "plots"
        found.append((f"helpers.{key}", key, text, used))
    return found


def defined(statement: ast.stmt) -> list[tuple[str, ast.AST]]:
    """The names that a statement at the top of a module defines, each with its part; "" where that is not plain."""
    match statement:
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            parts = [type(statement)(**{**vars(statement), "names": [alias]}) for alias in aliases]
            return [((part.names[0].asname or part.names[0].name).split(".")[0], part) for part in parts]
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            return [(getattr(name, "id", ""), value) for name, value in zip(names, values, strict=True)]
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target) | target:
            return [(getattr(target, "id", getattr(target, "name", "")), statement)]


def uses(code: ast.AST) -> frozenset[str]:
    """The dotted names of the helpers that code imports, and of what it takes from `plots`, always by that name."""
    found = set()
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "plots":
            found.add(f"helpers.plots.{node.attr}")
    flat = (re.sub(r"^helpers\.plots\..*\.", "helpers.plots.", name) for name in found)  # there the name is enough
    return frozenset(name for name in flat if name.startswith("helpers"))


def canonical(node: Any) -> str:
    """A syntax tree as a text that is the same on every Python, without docstrings and positions."""
    if isinstance(node, list):
        return f"[{' '.join(map(canonical, node))}]"
    if isinstance(node, ast.Constant) or not isinstance(node, ast.AST):
        return ascii(node.value if isinstance(node, ast.Constant) else node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, DOCUMENTED):  # texts that stand alone explain what stands above them
        fields["body"] = [part for part in node.body if not isinstance(getattr(part, "value", None), ast.Constant)
                          or not isinstance(part, ast.Expr)]  # fmt: skip
    elif isinstance(node, ast.JoinedStr):  # Python 3.12.1 ends some of them with an empty text
        fields["values"] = [value for value in node.values if getattr(value, "value", None) != ""]
    kept = [f"{name}={canonical(value)}" for name, value in fields.items() if value is not None and value != []]
    return f"{type(node).__name__}({' '.join(kept)})"


def cell_statements(source: str) -> list[ast.stmt]:
    """A cell's statements, IPython's own syntax translated; of what is no Python, its text."""
    try:
        statements = ast.parse(TransformerManager().transform_cell(re.sub(r"\A\s*%%", "%", source))).body
    except SyntaxError:
        statements = [ast.Expr(ast.Constant(source))]
    return statements + [ast.Expr(ast.Constant(";"))] * source.rstrip().endswith(";")  # it hides the last value


def data_digest(path: Path) -> str:
    """The digest of a file that a notebook reads; of a network, without the date and addresses that Keras adds."""
    if not zipfile.is_zipfile(path):
        return file_digest(path)[:12]
    with zipfile.ZipFile(path) as archive:
        names = sorted(set(archive.namelist()) - {"metadata.json"})
        parts = (re.sub(rb'"shared_object_id": \d+', b"", archive.read(name)) for name in names)
        return digest(*(f"{name} {hashlib.sha256(part).hexdigest()}" for name, part in zip(names, parts, strict=True)))


def digest(*texts: str) -> str:
    """Enough of the SHA-256 of some texts to tell them from others."""
    return text_digest("\0".join(texts))[:12]
