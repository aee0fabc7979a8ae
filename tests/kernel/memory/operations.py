"""What random code does to a namespace: make values, share them, change them in place, delete them."""

from __future__ import annotations

import collections
import contextlib
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

NAMES = "abcd"


class Plain:
    def __init__(self) -> None:
        self.items = [1]
        self.count = 0


class Slotted:
    __slots__ = ("items", "rest")

    rest: Any

    def __init__(self) -> None:
        self.items: dict[Any, Any] = {"k": [1]}


@dataclass
class Data:
    items: list[Any] = field(default_factory=list)
    count: float = float("nan")


class OwnList(list[Any]):
    items: Any
    extra: Any


class OwnDict(dict[Any, Any]):
    __slots__ = ("items_",)


MAKERS: tuple[Callable[[], Any], ...] = (
    lambda: 1,
    lambda: "text",
    lambda: float("nan"),
    lambda: [1, [2], {"k": [3]}],
    lambda: {"k": [1], 2: {3}},
    lambda: {1, "x", (2, 3)},
    lambda: ([1], {"k": 1}),
    lambda: frozenset({1, 2}),
    lambda: bytearray(b"abc"),
    lambda: collections.deque([1, [2]], maxlen=5),
    lambda: collections.defaultdict(list, k=[1]),
    lambda: collections.OrderedDict(k=[1], j=2),
    lambda: collections.Counter("aab"),
    Plain,
    Slotted,
    Data,
    lambda: OwnList([1, [2]]),
    lambda: OwnDict(k=[1]),
    lambda: SimpleNamespace(items=[1]),
    lambda: np.arange(6.0),
    lambda: np.zeros((2, 3), dtype="i4"),
    lambda: np.array([[1], 2, None], dtype=object),
    lambda: np.array(["x", "yy"]),
    lambda: np.random.default_rng(1),
    lambda: random.Random(1),
    lambda: pd.DataFrame({"x": [1, 2, None], "y": ["a", "b", None], "z": [[1], 2, "c"]}),
    lambda: pd.Series([1.5, None], index=["u", "v"], name="s"),
    lambda: pl.DataFrame({"x": [1, 2], "y": ["a", None]}),
    lambda: pl.Series("s", [1.0, float("nan")]),
)


def _hold(holder: Any, value: Any, key: int) -> None:
    """Put a value into a container, or make it an attribute."""
    match holder:
        case list() | collections.deque():
            holder.append(value)
        case dict():
            holder[key] = value
        case np.ndarray() if holder.dtype == object and holder.size:
            holder.flat[key % holder.size : key % holder.size + 1] = np.array([value, None], dtype=object)[:1]
        case Plain() | Data() | SimpleNamespace() | OwnList():
            holder.items = value
        case Slotted():
            holder.rest = value


def _change_list(value: Any, key: int) -> None:
    match key % 4:
        case 0:
            value.append(key)
        case 1:
            value.clear()
        case 2 if value:
            value[key % len(value)] = key
        case 3:
            value.reverse()


def _change_dict(value: Any, key: int) -> None:
    match key % 4:
        case 0:
            value[key] = [key]
        case 1:
            value.clear()
        case 2 if value:
            value.pop(next(iter(value)))
        case 3 if value:  # the last comes first
            last = next(reversed(value))
            value[last] = value.pop(last)


def _change_frame(value: pd.DataFrame, key: int) -> None:
    match key % 6:
        case 0 if len(value):
            value.iloc[0, 0] = key
        case 1:
            value[f"new{key}"] = key
        case 2 if value.shape[1]:
            value.pop(value.columns[0])
        case 3 if value.shape[1]:
            value.columns = [f"c{key}_{index}" for index in range(value.shape[1])]
        case 4:
            value.attrs["note"] = key
        case 5:
            value.index.name = f"i{key}"


def _change_series(value: Any, key: int) -> None:
    match key % 3:
        case 0 if len(value):
            value.iloc[0] = key
        case 1:
            value.name = f"n{key}"
        case 2:
            value.index = range(key, key + len(value))


def _change_array(value: Any, key: int) -> None:
    if value.dtype == object:
        value[key % len(value)] = [key]
    elif value.dtype.kind == "U":
        value[0] = str(key)[:2]
    elif key % 2:
        value += key
    elif value.ndim == 2:
        value.shape = value.shape[::-1]


def _change_polars(value: Any, key: int) -> None:
    if isinstance(value, pl.Series):
        value[0] = float(key)
    elif key % 2:
        value.insert_column(0, pl.Series(f"n{len(value.columns)}", [key] * value.height))
    else:
        value[0, 0] = key


def change(value: Any, key: int) -> None:
    """Change a value in place, in a way that the key chooses; values that never change stay."""
    match value:
        case OwnList() if key % 5 == 0:
            value.extra = key
        case list() | bytearray() | collections.deque():
            _change_list(value, key % 256)
        case dict():
            _change_dict(value, key)
        case set():
            value ^= {key, "x"}
        case Plain() | Data():
            value.count = key
            if key % 2:
                vars(value)["extra"] = [key]
        case Slotted() if key % 2 and hasattr(value, "items"):
            del value.items
        case Slotted():
            value.items = {key: key}
        case SimpleNamespace():
            vars(value).pop("items", None)
        case np.ndarray():
            _change_array(value, key)
        case np.random.Generator() | random.Random():
            value.random()
        case pd.DataFrame():
            _change_frame(value, key)
        case pd.Series():
            _change_series(value, key)
        case pl.DataFrame() | pl.Series():
            _change_polars(value, key)


Operation = tuple[str, str, str, int]


def run(namespace: dict[str, Any], operations: list[Operation]) -> None:
    """Carry the operations out; those whose names are not there do nothing."""
    for act, name, other, key in operations:
        if act == "make":
            namespace[name] = MAKERS[key % len(MAKERS)]()
        elif act == "environment":
            _change_process(key)
        elif name in namespace:
            with contextlib.suppress(TypeError):  # what a value does not take, such as a number in a column of texts
                _act(namespace, act, name, other, key)


def _act(namespace: dict[str, Any], act: str, name: str, other: str, key: int) -> None:
    value = namespace[name]
    match act:
        case "delete":
            del namespace[name]
        case "alias":
            namespace[other] = value
        case "hold" if other in namespace:
            _hold(value, namespace[other], key)
        case "inner":
            inner = inside(value)
            namespace[other] = inner[key % len(inner)] if inner else value
        case "view" if isinstance(value, np.ndarray) and value.ndim:
            namespace[other] = value[: 1 + key % 3]
        case "change":
            change(value, key)
        case "change inner" if inner := inside(value):
            change(inner[key % len(inner)], key)


def inside(value: Any) -> list[Any]:
    """Return what a value holds directly."""
    match value:
        case dict():
            return [*value.values()]
        case OwnList():
            return [*value, *vars(value).values()]
        case list() | tuple() | collections.deque():
            return [*value]
        case Plain() | Data() | SimpleNamespace():
            return [*vars(value).values()]
        case Slotted():
            return [getattr(value, name) for name in Slotted.__slots__ if hasattr(value, name)]
        case pd.DataFrame():
            return [item for index in range(value.shape[1]) for item in value.iloc[:, index].tolist()]
        case np.ndarray() if value.dtype == object:
            return [*value.flat]
    return []


def _change_process(key: int) -> None:
    match key % 4:
        case 0:
            os.environ["OPENCODE_NB_TEST"] = str(key)
        case 1:
            os.environ.pop("OPENCODE_NB_TEST", None)
        case 2:
            random.random()
        case 3:
            np.random.random()


def picture(namespace: dict[str, Any]) -> dict[Any, Any]:
    """Return what each name is bound to and what each object holds, by identity: equal pictures, equal namespaces."""
    seen: dict[Any, Any] = {("name", name): _token(value) for name, value in namespace.items()}
    queue = list(namespace.values())
    while queue:
        value = queue.pop()
        if _is_object(value) and id(value) not in seen:
            seen[id(value)] = _content(value)
            queue += inside(value)
    return seen | {("process", key): value for key, value in _process().items()}


def _process() -> dict[str, Any]:
    numpy_state = np.random.get_state()
    return {
        "cwd": os.getcwd(),  # noqa: PTH109
        "env": os.environ.get("OPENCODE_NB_TEST"),
        "random": random.getstate(),
        "numpy": repr([part.tolist() if isinstance(part, np.ndarray) else part for part in numpy_state]),
    }


def _is_object(value: Any) -> bool:
    return value is not None and not isinstance(value, (int, float, str, bytes, bool, frozenset))


def _token(value: Any) -> Any:
    return id(value) if _is_object(value) else repr(value)


def _content(value: Any) -> Any:
    match value:
        case dict():
            return [(repr(key), _token(item)) for key, item in value.items()]
        case OwnList():
            return [*map(_token, value)], {key: _token(item) for key, item in vars(value).items()}
        case list() | tuple() | collections.deque():
            return [*map(_token, value)]
        case set():
            return sorted(map(repr, value))
        case Plain() | Data() | SimpleNamespace():
            return {key: _token(item) for key, item in vars(value).items()}
        case np.ndarray() if value.dtype == object:
            return value.shape, [*map(_token, value.flat)]
        case np.ndarray():
            return value.shape, str(value.dtype), value.tobytes()
        case pd.DataFrame():
            labels = [*map(repr, value.columns)], [*map(repr, value.index)], value.index.name, repr(value.attrs)
            return labels, [*map(str, value.dtypes)], [*map(_token, inside(value))]
        case pd.Series():
            return value.name, [*map(repr, value.index)], str(value.dtype), [*map(repr, value)]
        case pl.DataFrame():
            return repr(value.to_dict(as_series=False))
        case pl.Series():
            return value.name, repr(value.to_list())
        case random.Random():
            return value.getstate()
        case np.random.Generator():
            return repr(value.bit_generator.state)
        case Slotted():
            return [_token(getattr(value, name, "unset")) for name in Slotted.__slots__]
    return repr(value)
