"""Follow a path such as `model.coef_` or `data["train"][0]` to a value, without running code of the user's."""

from __future__ import annotations

import ast
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, GetSetDescriptorType, ModuleType
from typing import Any

from opencode_nb.closest import did_you_mean
from opencode_nb.kernel.values.attributes import stored
from opencode_nb.kernel.values.kinds import LIBRARIES, is_a, kind, package
from opencode_nb.kernel.values.plain import shown
from opencode_nb.tools.privacy import Level, Piece

LONGEST = 200
"""Maximum length of a path, in characters."""

KEYS = 10
"""Keys that an error names."""

_MISSING = object()
_FORM = 'Give a variable, or a path of attributes and constant keys, such as df, model.coef_ or data["train"][0].'


class PathError(Exception):
    """A path that leads nowhere. `pieces` say why, each at its privacy level."""

    def __init__(self, *pieces: Piece) -> None:
        super().__init__("".join(piece.text for piece in pieces))
        self.pieces = pieces


@dataclass(frozen=True, slots=True)
class Found:
    """The value at the end of a path, the variable that it starts from, and all names and keys on the way."""

    value: object
    root: str
    names: tuple[object, ...]


def resolve(path: str, namespace: Mapping[str, object], known: Mapping[str, object]) -> Found:
    """Return the value that a path leads to. Errors suggest the `known` names. Raises PathError."""
    root, steps = _parsed(path)
    if root not in namespace:
        guess = did_you_mean(root, known) or " Call variables to see what there is."
        raise PathError(Piece(f"There is no variable `{root}`.{guess}", Level.NAMES))
    value = namespace[root]
    for step in steps:
        value = step.of(value)
    return Found(value, root, (root, *(step.name for step in steps)))


@dataclass(frozen=True, slots=True)
class _Attribute:
    name: str

    def of(self, value: Any) -> object:
        """Return the attribute if reading it runs no code of the user's. Raises PathError."""
        if package(value) in LIBRARIES and not is_a(value, (type, ModuleType)):
            found = self._of_library(value)
        else:
            found = vars(value).get(self.name, _MISSING) if is_a(value, ModuleType) else self._stored(value)
        if found is _MISSING:
            raise PathError(Piece(f"A `{kind(value)}` stores no attribute `{self.name}`. {_RUN}", Level.NAMES))
        return found

    def _of_library(self, value: object) -> object:
        try:
            return getattr(value, self.name, _MISSING)
        except Exception as error:  # a property that does not apply to this value
            why = f"`{self.name}` of a `{kind(value)}` cannot be read: {type(error).__name__}."
            raise PathError(Piece(why, Level.NAMES)) from None

    def _stored(self, value: object) -> object:
        found = stored(value, self.name, _MISSING)
        if is_a(found, GetSetDescriptorType):
            return found.__get__(value)  # type: ignore[attr-defined]  # C code of Python's own
        if is_a(found, (staticmethod, classmethod)):
            return found.__func__  # type: ignore[attr-defined]
        if hasattr(type(found), "__get__") and not is_a(found, (FunctionType, BuiltinFunctionType)):
            raise PathError(Piece(f"`{self.name}` of a `{kind(value)}` is computed by code. {_RUN}", Level.NAMES))
        return found


@dataclass(frozen=True, slots=True)
class _Item:
    name: Any

    def of(self, value: Any) -> object:
        """Return the item if reading it runs no code of the user's. Raises PathError."""
        if is_a(value, dict):
            return self._read(lambda: self._of_mapping(value), value)
        base: Any = next((of for of in (list, tuple, str, bytes, deque) if is_a(value, of)), None)
        if base is not None:
            return self._read(lambda: base.__getitem__(value, self.name), value)
        if package(value) in LIBRARIES:
            return self._read(lambda: value[self.name], value)
        raise PathError(Piece(f"Reading an item of a `{kind(value)}` runs its code. {_RUN}", Level.NAMES))

    def _of_mapping(self, value: dict[Any, object]) -> object:
        if not dict.__contains__(value, self.name):  # a defaultdict would add it
            few = ", ".join(map(shown, list(itertools.islice(dict.keys(value), KEYS))))
            raise PathError(Piece("There is no such key.", Level.NAMES), Piece(f" Keys: {few or 'none'}."))
        return dict.__getitem__(value, self.name)

    def _read(self, read: Callable[[], object], value: object) -> object:
        try:
            return read()
        except PathError:
            raise
        except Exception as error:  # libraries have errors of their own
            why = f"A `{kind(value)}` has no such item: {type(error).__name__}."
            raise PathError(Piece(why, Level.NAMES)) from None


_RUN = "To run code, use the tool python."


def _parsed(path: str) -> tuple[str, list[_Attribute | _Item]]:
    """Return the variable's name and the steps from it. Raises PathError."""
    try:
        if len(path) <= LONGEST:
            root, *steps = _steps(ast.parse(path.strip(), mode="eval").body)
            return str(root), steps  # type: ignore[return-value]  # the first is the name
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    raise PathError(Piece(f"This is no path to a value. {_FORM}", Level.NONE))


def _steps(node: ast.expr) -> Iterator[str | _Attribute | _Item]:
    """Yield the name and the steps of an expression. Raises ValueError for what is not a path."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield from _steps(node.value)
        yield _Attribute(node.attr)
    elif isinstance(node, ast.Subscript):
        yield from _steps(node.value)
        yield _Item(ast.literal_eval(node.slice))
    else:
        raise ValueError
