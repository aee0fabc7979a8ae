"""Partials: the values that a streaming answer has so far, wherever they validate. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from opencode_nb.results import text
from opencode_nb.results.schema import Schema
from opencode_nb.tools.names import RESULT, own_tool
from opencode_nb.transcript.updates import SEPARATOR, Update

STEP = 16
"""A text is read again when it has grown by this part of itself: so that the work grows as the text does."""

MOST_TRIES = 8
"""Answers that an unfinished text is tried as."""

_NOTHING = object()


class Partials:
    """Follows the updates of one turn. Validates on the thread that reads them: validators are the user's code."""

    def __init__(self, schema: Schema | None) -> None:
        self._schema = schema
        self._text, self._read = "", 0
        self._last: Any = _NOTHING

    def of(self, update: Update) -> Iterator[Update]:
        """Yield the update with the value so far before this one, if it is another than the last."""
        value = self._value(self._schema, update) if self._schema else _NOTHING
        if value is not _NOTHING and (self._last is _NOTHING or value != self._last):
            self._last = value
            yield Update("data", update.turn, data=value)

    def _value(self, schema: Schema, update: Update) -> Any:
        """Return the value so far; _NOTHING if there is none, or none that is new."""
        try:
            if update.tool is not None and own_tool(update.tool.tool) == RESULT and update.tool.input:
                return schema.read(update.tool.input)
            if update.kind == "text":
                return self._of_text(schema, update.text)
            if update.kind == "turn_complete" and self._text:  # words alone are a value only when they are complete
                return text.read(schema, self._text)
        except ValueError:
            pass
        return _NOTHING

    def _of_text(self, schema: Schema, piece: str) -> Any:
        if piece.startswith(SEPARATOR):
            self._text, self._read = "", 0
        self._text += piece
        if len(self._text) - self._read <= self._read // STEP:
            return _NOTHING
        self._read = len(self._text)
        begun = text.begun(self._text)
        return next(_valid(schema, islice(chain((begun,), _shorter(begun)), MOST_TRIES)), _NOTHING)


def _valid(schema: Schema, answers: Iterable[Any]) -> Iterator[Any]:
    for answer in answers:
        with contextlib.suppress(ValueError):
            yield schema.read(answer)


def _shorter(answer: Any) -> Iterator[Any]:
    """Yield the answer without its last item, which may be incomplete, at each depth, the deepest first."""
    if isinstance(answer, list) and answer:
        *before, last = answer
        yield from ([*before, one] for one in _shorter(last))
        yield before
    elif isinstance(answer, dict) and answer:
        *names, name = answer
        yield from ({**answer, name: one} for one in _shorter(answer[name]))
        yield {name: answer[name] for name in names}


def following(options: Mapping[str, Any]) -> tuple[Partials, dict[str, Any]]:
    """Return what follows a prompt with these options, and the options with their schema read.

    Raises TypeError or ValueError for a schema that is none.
    """
    given = options.get("schema")
    schema = None if given is None else Schema.of(given)
    return Partials(schema), {**options, "schema": schema}
