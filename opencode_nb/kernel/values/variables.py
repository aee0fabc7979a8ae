"""List the variables of the namespace: name, type, size and memory, a line each, by page and filter."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping

from opencode_nb.closest import did_you_mean
from opencode_nb.kernel.values.describe import is_hidden
from opencode_nb.kernel.values.kinds import kind
from opencode_nb.kernel.values.plain import inside
from opencode_nb.kernel.values.size import memory_of, size
from opencode_nb.kernel.values.text import cut, memory
from opencode_nb.tools.privacy import Level, Outgoing, Piece
from opencode_nb.tools.tool import Json, Result

PAGE = 100
"""Variables listed at once."""

NAME = 80
"""Maximum length of a name or type, in characters."""

VALUE = 40
"""Maximum length of a number or text that is shown beside its name, in characters."""

_SHORT = (bool, int, float, complex, str, type(None))


def variables(own: Mapping[str, object], wanted: str = "", offset: int = 0) -> Result:
    """List the variables whose name matches `wanted`: a glob such as `df_*`, or a part of the name."""
    names = [name for name in own if _matches(name, wanted)]
    page = names[offset : offset + PAGE]
    lines = [(name, *_line(name, own[name])) for name in page]
    guess = did_you_mean(wanted, own) if wanted and not names else ""
    pieces = (Piece(_heading(len(names), offset, wanted) + guess, Level.NAMES), *_pieces(lines))
    return Result(Outgoing("variables", pieces), shown=(_block(lines, len(names)),) if page else ())


_Line = tuple[str, str, str, str]
"""A variable's name, type, size and value; the last two "" where there is nothing to tell."""


def _matches(name: str, wanted: str) -> bool:
    glob = any(sign in wanted for sign in "*?[")
    return fnmatch.fnmatchcase(name, wanted) if glob else wanted.casefold() in name.casefold()


def _line(name: str, value: object) -> tuple[str, str, str]:
    if is_hidden(name, value):
        return kind(value), "", ""
    try:
        return kind(value), _size(value), _value(value)
    except Exception:  # a subclass of a library's type, with code of its own
        return kind(value), "", ""


def _size(value: object) -> str:
    taken = memory_of(value) if type(value) not in _SHORT else None
    return size(value) + (f", {memory(taken)}" if taken is not None else "")


def _value(value: object) -> str:
    return cut(inside(value), VALUE) if type(value) in _SHORT else ""


def _pieces(lines: list[_Line]) -> Iterator[Piece]:
    for name, of, length, value in lines:
        yield Piece(f"\n{cut(name, NAME)}: {cut(of, NAME)}", Level.NAMES)
        if length:
            yield Piece(length, Level.SCHEMA)
        if value:
            yield Piece(f" = {value}")


def _heading(count: int, offset: int, wanted: str) -> str:
    which = f" that match {wanted!r}" if wanted else ""
    first, last = offset + 1, min(offset + PAGE, count)
    if not count:
        return f"There are no variables{which}."
    if first > last:
        return f"There are only {count:,} variables{which}: call with a smaller offset."
    if last - offset == count:
        return f"{count:,} variables{which}:"
    rest = f" For more, call with offset={last}." if last < count else ""
    return f"Variables {first:,} to {last:,} of {count:,}{which}.{rest}"


def _block(lines: list[_Line], count: int) -> Json:
    return {
        "kind": "table",
        "columns": ["Type", "Size", "Value"],
        "dtypes": ["", "", ""],
        "index": [cut(name, NAME) for name, *_ in lines],
        "rows": [[cut(of, NAME), length.removeprefix(", "), value] for _, of, length, value in lines],
        "size": f"{count:,} variables",
    }
