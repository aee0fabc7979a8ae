"""Read a cell's source: what of it is for the agent, and what of it is Python. Pure.

IPython's own syntax is replaced line by line, and only where the source is no Python as it stands.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

_LINES = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?P<name>\w+)[ \t]*=[ \t]*)?%(?P<magic>prompt|opencode)\b(?P<line>.*)$", re.M
)
_CELL = re.compile(r"\s*%%prompt\b(?P<line>.*)")
_ASKING = re.compile(r"\s+(?:chat|fix|init|tui)\b")
"""Subcommands of `%opencode` by which the agent works, as it does by prompts."""
_REPLAY = re.compile(r"(?:\s+-\S+(?:\s+[^-\s]\S*)?)*?\s+--replay[\s=]")
"""`--replay` among the options that a line begins with; in its text, it means nothing."""
_OUTPUT = re.compile(r"(?<!\S)(?:-o|--output)[\s=]+(?P<name>[^\W\d]\w*)")

_PYTHON_CELLS = ("time", "timeit", "capture", "prun", "python", "python3")
"""Cell magics whose body is Python."""

_CELL_MAGIC = re.compile(r"\s*%%(?P<magic>\w+)(?P<line>.*)\n?")
_TIME = re.compile(r"^([ \t]*)%time[ \t]+", re.M)
_ASSIGNMENT = re.compile(r"^([ \t]*[^\W\d][\w., \t]*=[ \t]*)[%!].*$", re.M)
_MAGIC = re.compile(r"^([ \t]*)(?:[%!?].*|\S.*\?[ \t]*)$", re.M)
_ANY_NAME = re.compile(r"^\s*%(?:run|pylab|store|load|macro)\b|\b(?:exec|globals|locals)\(|\bimport\s+\*", re.M)
"""What may define any name."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """What of a cell is for the agent.

    `rest` is the source without it, "" if nothing is left to run; `names` would have had the results. `taken` is
    whether anything was taken out, `asks` whether that lets the agent work, and `played` whether there are prompts to
    be played from a recording.
    """

    rest: str
    names: frozenset[str] = frozenset()
    taken: bool = False
    asks: bool = False
    played: bool = False


def without_prompts(source: str, *, replaying: bool = False) -> Prompts:
    """Take out `%%prompt`, `%prompt` and `%opencode`; but not prompts with `--replay`; with `replaying`, no prompts."""
    if cell := _CELL.match(source):
        is_played = replaying or _REPLAY.match(cell["line"]) is not None
        return Prompts(source, played=True) if is_played else Prompts("", _outputs(cell["line"]), True, True)
    lines = list(_LINES.finditer(source))
    played = {one.start() for one in lines if one["magic"] == "prompt" and (replaying or _REPLAY.match(one["line"]))}
    taken = [one for one in lines if one.start() not in played]
    rest = _LINES.sub(lambda one: one[0] if one.start() in played else f"{one['indent']}pass", source)
    names = {one["name"] for one in taken if one["name"]}.union(*(_outputs(one["line"]) for one in taken))
    asks = any(one["magic"] == "prompt" or _ASKING.match(one["line"]) for one in taken)
    return Prompts(rest if _does_something(rest) else "", frozenset(names), bool(taken), asks, bool(played))


def _outputs(line: str) -> frozenset[str]:
    return frozenset(one["name"] for one in _OUTPUT.finditer(line))


def _does_something(source: str) -> bool:
    """Whether there is more than comments and `pass`."""
    return any(line.strip() not in ("", "pass") and line.strip()[0] != "#" for line in source.splitlines())


# -- Python ------------------------------------------------------------------------------------------------------------


def parsed(source: str) -> ast.Module | None:
    """Parse a cell as Python, without the lines of IPython's own syntax; None if it is something else."""
    magic = _CELL_MAGIC.match(source)
    if magic is not None:
        if magic["magic"] not in _PYTHON_CELLS:
            return None
        source = source[magic.end() :] + _captured(magic)
    return _parsed(source) or _parsed(_without_magics(source))


def may_define_anything(source: str) -> bool:
    """Whether running the cell may define names that its source does not show."""
    return parsed(source) is None or _ANY_NAME.search(source) is not None


def _captured(magic: re.Match[str]) -> str:
    name = magic["line"].split("--")[0].strip()
    return f"\n{name} = None" if magic["magic"] == "capture" and name.isidentifier() else ""


def _without_magics(source: str) -> str:
    return _MAGIC.sub(r"\1pass", _ASSIGNMENT.sub(r"\1None", _TIME.sub(r"\1", source)))


def _parsed(source: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape in the user's code is not our news
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
