"""What functions and objects do, told by their code and settings, not by their names.

Names say too little: two lambdas are both called `<lambda>`, and an edited function keeps its name. So
functions are told apart by their compiled code and by the values and functions that it uses.
"""

import functools
import hashlib
import json
import sys
import types
from typing import Any

import numpy as np

LIBRARIES = {"keras", "tensorflow", "numpy", *sys.stdlib_module_names}
"""Their code is fixed by the pinned versions, so its name is enough."""


def described(value: Any, seen: frozenset[int] = frozenset()) -> Any:
    """What `value` computes, as a JSON value that is the same in every process: code and settings, no addresses."""
    if id(value) in seen:
        return "described above"
    inner = functools.partial(described, seen=seen | {id(value)})
    if isinstance(value, (list, tuple)):
        return [inner(item) for item in value]
    if isinstance(value, dict):
        return {str(key): inner(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(json.dumps(inner(item), sort_keys=True) for item in value)
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    if hasattr(value, "__array__") and not isinstance(value, type):
        array = value.numpy() if hasattr(value, "numpy") else np.asarray(value)
        return [str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
    if hasattr(value, "python_function"):  # what tf.function made
        return inner(value.python_function)
    if isinstance(value, functools.partial):
        return inner([value.func, value.args, value.keywords])
    if isinstance(value, types.MethodType):
        return inner([value.__func__, value.__self__])
    return _named(value, inner)


def _named(value: Any, inner: Any) -> Any:
    """Modules, functions, classes and objects: by name where a library has them, else by their code."""
    name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', getattr(value, '__name__', ''))}"
    if isinstance(value, types.FunctionType):
        return name if _of_library(value) else _function(value, inner)
    if isinstance(value, type):
        return name if _of_library(value) else [name, inner([value.__bases__, _class_body(value)])]
    if isinstance(value, (types.ModuleType, types.BuiltinFunctionType)):
        return value.__name__
    content = value.get_config() if hasattr(value, "get_config") else getattr(value, "__dict__", {})
    return inner([type(value), {key: item for key, item in content.items() if key != "name"}])


def _of_library(value: Any) -> bool:
    module = value.__name__ if isinstance(value, types.ModuleType) else value.__module__ or ""
    return module.split(".")[0] in LIBRARIES


def _class_body(value: type) -> dict[str, Any]:
    """Methods, properties and plain values of a class."""
    body = {key: getattr(item, "__func__", getattr(item, "fget", item)) for key, item in vars(value).items()}
    return {key: item for key, item in body.items() if not key.startswith("__") or isinstance(item, types.FunctionType)}


def _function(function: types.FunctionType, inner: Any) -> list[Any]:
    """A function's code, its defaults, and what it takes from around it."""
    code, documentation = function.__code__, function.__doc__
    around = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
    names, known = sorted(_names(code)), function.__globals__
    used = {name: known[name] for name in names if name in known}
    for name, value in used.items():
        if isinstance(value, types.ModuleType) and not _of_library(value):
            used[name] = {attribute: getattr(value, attribute) for attribute in names if hasattr(value, attribute)}
    return inner([_code(code, documentation), function.__defaults__, function.__kwdefaults__, around, used])


def _names(code: types.CodeType) -> set[str]:
    """The global names in some code and in the functions inside it."""
    return set(code.co_names).union(*(_names(part) for part in code.co_consts if isinstance(part, types.CodeType)))


def _code(code: types.CodeType, documentation: str | None = None) -> list[Any]:
    """The instructions and constants; neither comments nor docstring, nor where the code stands."""
    constants = [_code(part) if isinstance(part, types.CodeType) else part for part in code.co_consts]
    if documentation is not None and constants[:1] == [documentation]:
        constants[0] = None
    return [code.co_code.hex(), list(code.co_names), constants]
