"""What functions and objects do, recognised by their code and settings, not by their names.

An edited function keeps its name, so functions are told apart by their instructions and by what they use. What an
installed package brings is recognised by its name, since the pinned versions fix it.
"""

import copyreg
import dis
import functools
import hashlib
import json
import sys
import types
from importlib.metadata import packages_distributions
from itertools import chain
from typing import Any

import numpy as np

NAMED = ("name", "keras_history", "input_layers", "output_layers")  # where Keras' settings hold names of layers


@functools.cache
def _libraries() -> set[str]:
    return {*packages_distributions(), *sys.stdlib_module_names} - {"helpers", "tests", "conftest"}


def _of_library(value: Any) -> bool:
    module = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None) or ""
    return module.split(".")[0] in _libraries()


class Fingerprints:
    """Describes values; each object once, however often it is met."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, Any]] = {}  # with the object, so that no second one gets its number

    def of(self, value: Any) -> str:
        """A text that is equal, in every process, for what computes the same."""
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
            return f"{type(value).__name__} {value!r}"
        value = getattr(value, "python_function", value)  # of what tf.function made
        if id(value) not in self._known:
            self._known[id(value)] = "met on the way", value
            parts = json.dumps(self._parts(value), sort_keys=True)
            self._known[id(value)] = hashlib.sha256(parts.encode()).hexdigest(), value
        return self._known[id(value)][0]

    def _parts(self, value: Any) -> list[Any]:
        kind = type(value)
        if isinstance(value, (list, tuple)):
            return [self.of(kind), *map(self.of, value)]
        if isinstance(value, dict):
            return [self.of(kind), *([self.of(key), self.of(item)] for key, item in value.items())]
        if isinstance(value, (set, frozenset)):
            return [self.of(kind), *sorted(map(self.of, value))]
        if isinstance(value, np.ndarray):
            return [str(value.dtype), list(value.shape), *(map(self.of, value.flat) if value.dtype == object
                    else [hashlib.sha256(value.tobytes()).hexdigest()])]  # fmt: skip
        if isinstance(value, types.ModuleType) or (
            isinstance(value, (type, types.FunctionType)) and _of_library(value)
        ):
            return [getattr(value, "__module__", ""), getattr(value, "__qualname__", value.__name__)]
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            body = {name: getattr(item, "__func__", item) for name, item in vars(value).items()}
            plain = {n: i for n, i in body.items() if not n.startswith("__") or isinstance(i, types.FunctionType)}
            return [value.__qualname__, *map(self.of, value.__bases__), self.of(plain)]
        if isinstance(value, types.MethodType):
            return [self.of(value.__func__), self.of(value.__self__)]
        if isinstance(value, property):
            return [self.of(value.fget)]
        if "random" in kind.__module__ and kind.__name__ in ("Generator", "Random", "RandomState"):
            return [kind.__name__]  # not its state, which changes with each use
        return [self.of(kind), *self._state(value)]

    def _state(self, value: Any) -> list[str]:
        """What an object holds: a tensor's numbers, what Keras says of its own, or what pickle would keep."""
        if hasattr(value, "numpy"):
            try:
                return [self.of(np.asarray(value.numpy()))]
            except Exception:  # a symbolic tensor has none
                return []
        if hasattr(value, "get_config"):
            try:  # settings without names, which Keras counts, and without code: that is told apart
                config = unnamed(value.get_config())
            except Exception:  # some objects, and functions without a file, have none
                config = None
            return [self.of(config), self.of(self._parts_of_keras(value))]
        try:
            made_by, *rest = copyreg.dispatch_table.get(type(value), lambda it: it.__reduce_ex__(2))(value)
        except Exception:  # what cannot be pickled is told by its kind
            return []
        lists = [list(part) if part is not None and not isinstance(part, (tuple, dict)) else part for part in rest]
        return [self.of(made_by), *map(self.of, lists)]

    def _parts_of_keras(self, value: Any) -> dict[str, Any]:
        """Functions and objects that Keras' settings tell by name only, and what a class of one's own keeps."""
        own, found = not _of_library(type(value)), {}
        for name, item in sorted(vars(value).items()):
            hidden = (name.startswith("_") and name != "_learning_rate") or name in ("name", "built", "path")
            variable = any(hasattr(part, "assign") for part in (item if isinstance(item, (list, tuple)) else [item]))
            told = own or callable(item) or hasattr(item, "get_config")
            if told and not hidden and not variable and not name.endswith("_function"):  # these Keras makes itself
                found[name] = item
        return found

    def _function(self, function: types.FunctionType) -> list[Any]:
        """A function's instructions, its defaults, and what it takes from around it."""
        names = set(_names(function.__code__))
        known = function.__globals__
        around = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
        used = {name: known[name] for name in sorted(_names(function.__code__, globally=True)) if name in known}
        defaults = [*(function.__defaults__ or ()), function.__kwdefaults__]
        values = chain(around, defaults, *used.items())
        return [self._code(function.__code__), *(self._used(value, names) for value in values)]

    def _used(self, value: Any, names: set[str]) -> Any:
        """A value that a function uses; of a module only what the function names."""
        if not isinstance(value, types.ModuleType) or _of_library(value):
            return self.of(value)
        inside = {name: getattr(value, name) for name in sorted(names) if hasattr(value, name)}
        return [value.__name__, *([name, self._used(item, names - {name})] for name, item in inside.items())]

    def _code(self, code: types.CodeType) -> list[Any]:
        """Instructions with what they load: no comments, no docstring, not where the code stands."""
        return [
            [step.opname, self._code(step.argval) if isinstance(step.argval, types.CodeType) else self.of(step.argval)]
            for step in dis.get_instructions(code)
        ]


def _names(code: types.CodeType, globally: bool = False) -> set[str]:
    """The names in some code and in the functions inside it; `globally`, those that are looked up in its module."""
    inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    steps = dis.get_instructions(code)
    own = {step.argval for step in steps if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")} if globally else code.co_names
    return set(own).union(*(_names(part, globally) for part in inner))


def unnamed(config: Any, named: bool = False, order: dict[str, str] | None = None) -> Any:
    """Keras' settings without packed code; names that it counts in one kernel (conv2d_7) become their order."""
    order = {} if order is None else order
    if isinstance(config, str) and named:
        return order.setdefault(config, f"#{len(order)}")
    if isinstance(config, (list, tuple)):
        return [unnamed(item, named, order) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "__lambda__":
        return "a function"
    kept = {key: item for key, item in config.items() if key not in ("registered_name", "compile_config")}
    return {key: unnamed(item, key in NAMED, order) for key, item in sorted(kept.items())}


def described(value: Any) -> str:
    """What `value` computes, as a text that is the same in every process."""
    return Fingerprints().of(value)
