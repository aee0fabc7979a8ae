"""Read a docstring: what a function does, and what its parameters are. Google, NumPy and Sphinx styles. Pure."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import NamedTuple

_GOOGLE = re.compile(r"(?:(?:Keyword |Other )?(?:Args|Arguments|Parameters)|Params):\s*")
_NUMPY = re.compile(r"(?:Other )?Parameters\s*")
_DASHES = re.compile(r"-{3,}\s*")
_GOOGLE_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:(?:\s+(.*)|\s*)")
_NUMPY_ENTRY = re.compile(r"\*{0,2}(\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?()")
_FIELD = re.compile(r":(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)")
_OF_TYPES = re.compile(r":(?:type|rtype)\b")


class Docstring(NamedTuple):
    """A docstring without its descriptions of parameters, and these by name."""

    text: str
    parameters: dict[str, str]


def read(docstring: str | None) -> Docstring:
    """Read a docstring, as it stands in the source."""
    lines, kept, found = inspect.cleandoc(docstring or "").splitlines(), list[str](), dict[str, str]()
    while lines:
        line = lines.pop(0)
        if _GOOGLE.fullmatch(line) and _is_indented(lines):
            found |= _entries(_indented(lines), _GOOGLE_ENTRY)
        elif _NUMPY.fullmatch(line) and lines and _DASHES.fullmatch(lines[0]):
            found |= _entries(_section(lines), _NUMPY_ENTRY)
        elif field := _FIELD.fullmatch(line):
            found[field[1]] = _joined([field[2], *_indented(lines)])
        elif _OF_TYPES.match(line):
            _indented(lines)
        else:
            kept.append(line)
    return Docstring(re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip(), found)


def _is_indented(lines: list[str]) -> bool:
    return any(line[:1].isspace() for line in lines[:1])


def _indented(lines: list[str]) -> list[str]:
    """Take the lines up to the next one that is not indented."""
    count = next((at for at, line in enumerate(lines) if line and not line[0].isspace()), len(lines))
    taken, lines[:] = lines[:count], lines[count:]
    return taken


def _section(lines: list[str]) -> list[str]:
    """Take the lines of a NumPy section, up to the heading of the next one."""
    headings = (at - 1 for at, line in enumerate(lines) if at > 1 and _DASHES.fullmatch(line))
    count = next(headings, len(lines))
    taken, lines[:] = lines[1:count], lines[count:]
    return taken


def _entries(lines: list[str], entry: re.Pattern[str]) -> dict[str, str]:
    """Return the description of each parameter; several may share one."""
    found: dict[str, list[str]] = {}
    names = ""
    for line in _dedented(lines):
        if started := entry.fullmatch(line):
            names = started[1]
            found[names] = [started[2] or ""]
        elif names:
            found[names].append(line)
    every = ((name.strip(" *"), _joined(said)) for names, said in found.items() for name in names.split(","))
    return {name: said for name, said in every if said}


def _dedented(lines: list[str]) -> Iterator[str]:
    """Yield the lines without the indentation of the entries' names."""
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return (line[margin:].rstrip() for line in lines)


def _joined(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())
