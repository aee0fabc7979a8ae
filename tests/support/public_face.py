"""The public face as data: every public name, with its members, their kinds, signatures and docstrings.

`python -m tests.support.public_face` records it in tests/data/public_face.json. Record only what you mean to promise.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import opencode_nb

RECORDED = Path(__file__).parents[1] / "data/public_face.json"

PROTOCOLS = {
    *("__aenter__", "__aexit__", "__aiter__", "__await__", "__bool__", "__call__", "__contains__", "__enter__"),
    *("__exit__", "__getitem__", "__iter__", "__len__"),
}
"""Methods between underscores that say how an object is used."""

MADE_BY_THE_PACKAGE = {"AsyncSession", "Diff", "FileDiff", "Server", "Session", "ToolCall", "Turn"}
"""Classes that nobody calls but the package: what they take is no promise."""

Face = dict[str, dict[str, str]]
"""Dotted public name -> its kind, signature and the first line of its docstring."""


def public_face() -> Face:
    """Describe every public name of the package, and every public member that the package itself defines."""
    found: Face = {}
    for name in sorted(opencode_nb.__all__):
        value = getattr(opencode_nb, name)
        found[name] = _described(value)
        if inspect.isclass(value):
            for member, raw in _members(value):
                found[f"{name}.{member}"] = _described(raw)
    return found


def _members(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield the public members of a class with its bases, without those of other packages' classes."""
    for name in sorted(dir(owner)):
        if name.startswith("_") and name not in PROTOCOLS:
            continue
        home = next((base for base in owner.__mro__ if name in vars(base)), None)
        if home is not None and home.__module__.split(".")[0] == "opencode_nb":
            yield name, vars(home)[name]


def _described(value: Any) -> dict[str, str]:
    kind, function = _kind(value)
    return {"kind": kind, "signature": _signature(function), "doc": _first_line(function)}


def _kind(value: Any) -> tuple[str, Any]:
    """Return what kind of member this is, and what has its signature and docstring."""
    if isinstance(value, classmethod | staticmethod):
        return type(value).__name__, value.__func__
    if isinstance(value, property):
        return "property" if value.fset is None else "property that can be set", value
    if inspect.isclass(value):
        return "class", value
    if inspect.iscoroutinefunction(value):
        return "coroutine function", value
    if inspect.isasyncgenfunction(value):
        return "async generator function", value
    return ("function", value) if inspect.isroutine(value) else ("value", value)


class _Plain:
    """An annotation that is shown without the modules of its names: where a class stands is no promise."""

    def __init__(self, annotation: Any) -> None:
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        text = re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z_])", "", text)
        self.text = re.sub(r"\bJson\b", "dict[str, Any]", text)  # an alias, which is not always known by its name

    def __repr__(self) -> str:
        return self.text


def _signature(function: Any) -> str:
    if isinstance(function, property):
        return f"-> {_Plain(_type_of(function))}"
    if not callable(function) or getattr(function, "__name__", "") in MADE_BY_THE_PACKAGE:
        return ""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # an exception, with the signature of its base
        return ""
    parameters = [
        parameter.replace(annotation=_plain(parameter.annotation))
        for parameter in sorted(signature.parameters.values(), key=_order)
    ]
    return str(signature.replace(parameters=parameters, return_annotation=_plain(signature.return_annotation)))


def _order(parameter: inspect.Parameter) -> tuple[int, str]:
    """Keep the order, but for keywords, whose order nobody's call depends on."""
    return parameter.kind, parameter.name if parameter.kind is parameter.KEYWORD_ONLY else ""


def _type_of(member: property) -> Any:
    """Return what a property gives: `Forwarded[str](...)` has it in brackets, others on their function."""
    brackets = getattr(member, "__orig_class__", None)
    return brackets.__args__[0] if brackets else inspect.signature(member.fget or len).return_annotation


def _plain(annotation: Any) -> Any:
    return annotation if annotation is inspect.Signature.empty else _Plain(annotation)


def _first_line(value: Any) -> str:
    described = callable(value) or isinstance(value, property)
    return (inspect.getdoc(value) or "").partition("\n")[0] if described else ""


def main() -> None:
    """Record the face as it is now."""
    RECORDED.write_text(
        json.dumps(public_face(), indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
