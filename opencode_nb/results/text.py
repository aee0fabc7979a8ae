"""Read a result from an answer's text: JSON, bare, fenced or among words; or words alone. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from opencode_nb.results.fences import blocks
from opencode_nb.results.schema import MismatchError, Schema
from opencode_nb.tools.privacy import Level, Piece

LONGEST = 2_000_000
"""Characters of a text that is read."""

MOST_PLACES = 50
"""Places in a text, from its beginning, where a JSON object or array is looked for."""

_OPENING = ("{", "[")
_BEGINS = re.compile(r"[\[{]")
_NUMBER = re.compile(r"[\d.eE+-]+$")


def read(schema: Schema, text: str) -> Any:
    """Return the value of an answer's text. Raises MismatchError, which tells what is wrong with the likeliest JSON."""
    wrong: MismatchError | None = None
    for answer in _answers(text[:LONGEST]):
        try:
            return schema.read(answer)
        except MismatchError as error:
            wrong = wrong or error
    raise MismatchError(wrong.told if wrong else [Piece("there is no answer", Level.NONE)], text)


def begun(text: str) -> Any:
    """Return the JSON that an unfinished text has so far. Raises ValueError if there is none yet."""
    from pydantic_core import from_json

    fenced = [block for block in blocks(text) if block.text.lstrip()[:1] in _OPENING]
    start = fenced[-1].text if fenced else text
    if start.lstrip()[:1] not in _OPENING:
        raise ValueError("no JSON has begun")
    return from_json(_NUMBER.sub("", start), allow_partial=True)  # the last number may go on


def _answers(text: str) -> Iterator[Any]:
    """Yield what the text may mean, the likeliest first: its JSON, and then the words themselves."""
    whole = text.strip()
    found = [*_parsed(whole), *(one for block in reversed([*blocks(text)]) for one in _parsed(block.text))]
    yield from found or _among_words(text)
    if whole:
        yield whole


def _parsed(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text)
    except (ValueError, RecursionError):
        return


def _among_words(text: str) -> Iterator[Any]:
    """Yield the objects and arrays in a text, the outer ones first."""
    decoder, end = json.JSONDecoder(), 0
    for place in [found.start() for found in _BEGINS.finditer(text)][:MOST_PLACES]:
        if place < end:
            continue
        try:
            answer, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            continue
        yield answer
