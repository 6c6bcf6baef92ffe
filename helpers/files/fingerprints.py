"""What a network computes, without the names that TensorFlow and Keras give and count."""

import functools
import json
import re
from collections.abc import Iterable
from typing import Any

from helpers import files

NAMED = ("name", "keras_history", "input_layers", "output_layers")  # where Keras' settings hold names of layers
UNTOLD = ("_class", "_output_shapes", "container", "shared_name")  # attributes of operations that compute nothing


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
    kept = sorted(config.keys() - {"registered_name", "compile_config"})
    return {key: unnamed(config[key], key in NAMED, order) for key in kept}


def operations(graph: Any) -> str:
    """A digest of a tf.Graph, given as GraphDef: its operations, what each takes, its attributes; without any names."""
    functions = {function.signature.name: function for function in graph.library.function}

    @functools.cache
    def function_told(name: str) -> str:
        if name not in functions:
            return name
        inside, signature = functions[name], functions[name].signature
        given = [each.name for each in signature.input_arg]
        return told(inside.node_def, given, [inside.ret[each.name] for each in signature.output_arg])

    def value_told(value: Any) -> Any:
        called = [value.func] if value.HasField("func") else value.list.func
        return [function_told(each.name) for each in called] or value.SerializeToString(deterministic=True).hex()

    def told(nodes: Iterable[Any], given: Iterable[str] = (), returned: Iterable[str] = ()) -> str:
        number = {name: str(index) for index, name in enumerate([*given, *(node.name for node in nodes)])}

        def numbered(values: Iterable[str]) -> list[str]:  # such as "name:0", or "^name", which only has to come before
            found = [re.sub(r"[^:^]+", lambda name: number.get(name[0], name[0]), each, count=1) for each in values]
            return sorted(found, key=lambda each: each if each[0] == "^" else "")

        rows: list[Any] = [numbered(returned)]
        for node in nodes:
            names = [name for name in node.attr if name not in UNTOLD and name[0] != "_"]
            attributes = {name: value_told(node.attr[name]) for name in names}
            rows.append([function_told(node.op), numbered(node.input), attributes])
        return files.text_digest(json.dumps(rows, sort_keys=True))

    return told(graph.node)
