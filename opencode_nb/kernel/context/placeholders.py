"""Put values into the text of a prompt: `{{expr}}`, and `{{{{` for a literal `{{`. Pure, but for evaluating.

Code stays as it is, in backticks or in a fence: templates and JSON are pasted there. Elsewhere, each `{{...}}` on one
line is an expression, and one that cannot be evaluated is an error: sent as it is, it would silently say something
else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from opencode_nb.prose import without_code

BROUGHT = "\0"
"""Stands for each character that a value brought: no mention is looked for there."""

MOST_ENDS = 50
"""How many `}}` of a line may end an expression: each is tried."""

_ACTS = re.compile(r"!`[^`]+`|(?<![\w`])@[^\s`]+")
"""What the server acts on in a command's text: it runs the one as a shell command, and attaches the other's file."""

_LITERAL = re.compile(r"\{\{\{\{(?:((?:(?!\{\{|\}\}).)*)\}\}\}\})?")


class Filled(NamedTuple):
    """A prompt with its values. `typed` is as long, with `BROUGHT` in place of what the values brought."""

    text: str
    typed: str


class _Place(NamedTuple):
    start: int
    end: int
    literal: str
    expression: str


def fill(text: str, evaluate: Callable[[str], str]) -> Filled:
    """Replace the placeholders of a text, by what `evaluate` returns for their expressions. Raises what it raises."""
    filled = typed = ""
    end = 0
    for place in _places(without_code(text)):
        between = text[end : place.start]
        value = evaluate(place.expression) if place.expression else ""
        filled += between + place.literal + value
        typed += between + place.literal + BROUGHT * len(value)
        end = place.end
    return Filled(filled + text[end:], typed + text[end:])


def acted_on(filled: Filled) -> str:
    """Return what the server would act on in a command's text although a value brought it, or some of it; or ""."""
    found = (match for match in _ACTS.finditer(filled.text) if BROUGHT in filled.typed[match.start() : match.end()])
    return next((match[0] for match in found), "")


def _places(prose: str) -> Iterator[_Place]:
    at = 0
    while (start := prose.find("{{", at)) >= 0:
        place = _literal(prose, start) or _placeholder(prose, start)
        if place is not None:
            yield place
        at = place.end if place is not None else start + 2


def _literal(prose: str, start: int) -> _Place | None:
    """Read `{{{{`, or `{{{{...}}}}` with both its ends."""
    found = _LITERAL.match(prose, start)
    if found is None:
        return None
    return _Place(start, found.end(), "{{" if found[1] is None else f"{{{{{found[1]}}}}}", "")


def _placeholder(prose: str, start: int) -> _Place | None:
    """Read `{{...}}` up to the first `}}` after which it is an expression; None if it is empty or not closed."""
    line = prose[start : found if (found := prose.find("\n", start)) >= 0 else len(prose)]
    ends = [at for at in range(2, len(line) - 1) if line[at : at + 2] == "}}"][:MOST_ENDS]
    if not ends or not line[2 : ends[0]].strip():
        return None
    end = next((at for at in ends if _is_expression(line[2:at])), ends[0])
    return _Place(start, start + end + 2, "", line[2:end].strip())


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
