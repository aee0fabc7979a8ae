"""The note with each prompt: what changed in the kernel since the agent last looked, in a line for each variable.

A variable is known by its identity, type and shape, or by its value where that is a short one of Python's own; its data
is not read. So what changes inside a value of the same shape is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, NamedTuple

from opencode_nb.kernel.context.cells import Cell
from opencode_nb.kernel.values.kinds import LIBRARIES, package
from opencode_nb.tools.privacy import Level, Outgoing, Piece

MOST = 40
"""Variables that a note names; of the others it says how many."""

HEADER = "In the notebook's kernel, since you last looked:"

_SIZED: tuple[Any, ...] = (list, tuple, dict, set, frozenset)
_SHORT = (bool, int, float, complex, str, bytes, type(None))
_LAST = (ModuleType, FunctionType, BuiltinFunctionType, type)
_SHORT_TEXT = 100
_OURS = __name__.partition(".")[0]


class Fingerprint(NamedTuple):
    """What tells one value from another: compared, never sent. `kind` and `shape` are."""

    identity: object
    kind: str
    shape: str


class Look(NamedTuple):
    """What there was in the kernel at one time."""

    notebook: str = ""
    variables: Mapping[str, Fingerprint] = {}
    failed: int = 0
    """The number of the cell before, if it failed."""


def look(variables: Mapping[str, object], notebook: str, last: Cell | None) -> Look:
    """Take the fingerprints of all variables, but for turns, sessions and the like: the agent knows its own."""
    theirs = {name: value for name, value in variables.items() if package(value) != _OURS}
    first = {name: value for name, value in theirs.items() if not isinstance(value, _LAST)}
    ordered = {**first, **theirs}
    failed = last.number if last is not None and last.error is not None else 0
    return Look(notebook, {name: fingerprint(value) for name, value in ordered.items()}, failed)


def fingerprint(value: object) -> Fingerprint:
    """Return what a value is recognised by. Cheap, and runs no code of the user's."""
    of = type(value)
    short = of in _SHORT and (not isinstance(value, (str, bytes)) or len(value) <= _SHORT_TEXT)
    return Fingerprint((of, value) if short else id(value), of.__qualname__, _shape(value, of))


def _shape(value: Any, of: type) -> str:
    if issubclass(of, _SIZED):
        base = next(base for base in _SIZED if issubclass(of, base))
        return f"of {base.__len__(value)}"
    if package(value) not in LIBRARIES:
        return ""
    try:
        shape = value.shape
    except Exception:  # the library's own: a frame that is not computed
        return ""
    return "x".join(str(one) if isinstance(one, int) else "?" for one in shape) if isinstance(shape, tuple) else ""


def changes(before: Look, now: Look, last: Cell | None) -> Outgoing | None:
    """Describe what changed between two looks; None if nothing did."""
    pieces = [*_of_notebook(before, now), *_of_variables(before, now), *_of_error(before, now, last)]
    if not pieces:
        return None
    return Outgoing("what changed", (Piece(HEADER, Level.NAMES), *pieces))


def _of_notebook(before: Look, now: Look) -> Iterator[Piece]:
    if now.notebook and now.notebook != before.notebook:
        yield Piece(f"\nThe notebook is {now.notebook}", Level.NAMES)


def _of_variables(before: Look, now: Look) -> Iterator[Piece]:
    old, new = before.variables, now.variables
    changed = [name for name in new if old.get(name) != new[name]]
    removed = [name for name in old if name not in new]
    for name in changed[:MOST]:
        yield from _line(name, old.get(name), new[name])
    for name in removed[: MOST - len(changed[:MOST])]:
        yield Piece(f"\n{name}: removed", Level.NAMES)
    if (more := len(changed) + len(removed) - MOST) > 0:
        yield Piece(f"\nand {more} more", Level.NAMES)


def _line(name: str, old: Fingerprint | None, new: Fingerprint) -> Iterator[Piece]:
    yield Piece(f"\n{name}: {new.kind}", Level.NAMES)
    if new.shape:
        yield Piece(f" {new.shape}", Level.SCHEMA)
    if old is None:
        yield Piece(" (new)", Level.NAMES)
    elif old.kind != new.kind:
        yield Piece(f" (was {old.kind})", Level.NAMES)
    elif old.shape != new.shape and old.shape:
        yield Piece(f" (was {old.shape})", Level.SCHEMA)
    else:
        yield Piece(" (changed)", Level.NAMES)


def _of_error(before: Look, now: Look, last: Cell | None) -> Iterator[Piece]:
    if last is None or last.error is None or now.failed == before.failed:
        return
    yield Piece(f"\nThe last cell, In[{now.failed}], failed with {type(last.error).__name__}", Level.NAMES)
    yield Piece(f": {_message(last.error)}")


def _message(error: BaseException) -> str:
    try:
        return str(error)[:_SHORT_TEXT]
    except Exception:  # the user's own code
        return "its message cannot be shown"
