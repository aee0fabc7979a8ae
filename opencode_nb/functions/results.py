"""What a function returned or raised, as the answer for the model and as blocks for the card. Runs where it ran."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opencode_nb.functions.json_text import is_jsonable, json_text
from opencode_nb.kernel.values.data.frames import frame_of
from opencode_nb.kernel.values.kinds import kind
from opencode_nb.kernel.values.limits import INSPECTION
from opencode_nb.kernel.values.pictures import png
from opencode_nb.kernel.values.pictures.drawing import drawer
from opencode_nb.kernel.values.sections import content
from opencode_nb.kernel.values.size import size
from opencode_nb.kernel.values.text import clean, cut, fenced
from opencode_nb.secret import MASK, Secret
from opencode_nb.tools.privacy import Level, Outgoing, Piece
from opencode_nb.tools.reasons import message_of
from opencode_nb.tools.tool import Json, Result

MOST_PARTS = 20
"""Texts, pictures and frames of one list that are told one by one."""

MESSAGE = 4_000
"""Characters of an exception's message."""

TRACEBACK = 12_000
"""Characters of a traceback, its end."""

CARD = 12_000
"""Characters of one text on the card."""

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a result: texts for the model, a picture, and the block for the card."""

    pieces: tuple[Piece, ...]
    picture: bytes = b""
    block: Json | None = None


def result(name: str, value: object) -> Result:
    """Return what a function's value is for the model: text, JSON, pictures, frames, or a description of another.

    Runs code of the user's, such as that which draws; raises what it raises.
    """
    many = _is_mixed(value)
    parts = [*map(_part, value)] if many else [_part(value)]  # type: ignore[call-overload]  # a list, then
    pieces = tuple(piece for part in parts for piece in (*part.pieces, *([_BREAK] if many else [])))
    pictures = tuple(part.picture for part in parts if part.picture)
    blocks = tuple(part.block for part in parts if part.block is not None)
    is_plain = all(block["kind"] == "value" for block in blocks)  # the card has the text of the answer, then
    return Result(Outgoing(name, pieces, pictures), shown=() if is_plain else blocks)


_BREAK = Piece("\n", Level.NONE)


def _is_mixed(value: object) -> bool:
    """Whether this is a short list with a picture or a frame in it."""
    is_list = isinstance(value, list | tuple) and len(value) <= MOST_PARTS
    return is_list and any(_is_picture(item) or frame_of(item) is not None for item in value)  # type: ignore[attr-defined]


def _part(value: Any) -> _Part:
    if value is None:
        return _Part((Piece("Done.", Level.NONE),))
    if isinstance(value, str):
        return _text(MASK if isinstance(value, Secret) else value)
    if _is_picture(value) and (drawn := _drawn(value)):
        return _picture(value, drawn)
    return _text(json_text(value)) if is_jsonable(value) else _described(value)


def _text(text: str) -> _Part:
    told = Piece(text) if text else Piece("Done: an empty text.", Level.NONE)
    return _Part((told,), block={"kind": "value", "text": cut(text[: CARD + 1], CARD)})


def _is_picture(value: object) -> bool:
    return value[:8] == _PNG if isinstance(value, bytes) else drawer(value) is not None


def _drawn(value: Any) -> bytes:
    """Return a picture as a PNG file; b"" if the value has none after all, or one that is no PNG."""
    try:
        return png.small(value) if isinstance(value, bytes) else (drawer(value) or bytes)(value)
    except ValueError:
        return b""


def _picture(value: object, drawn: bytes) -> _Part:
    width, height = png.size_of(drawn)
    told = Piece(f"A picture (`{kind(value)}`): {width} x {height} pixels.", Level.NAMES)
    return _Part((told,), drawn, {"kind": "image", "png": base64.b64encode(drawn).decode()})


def _described(value: Any) -> _Part:
    """Describe a frame, an array, or any other value, each section at its privacy level."""
    found = content(value, INSPECTION)
    head = Piece(f"A `{kind(value)}`", Level.NAMES), Piece(size(value), Level.SCHEMA), Piece(".", Level.NAMES)
    pieces = (*head, *_fenced(found.sections))
    text = "".join(piece.text for piece in pieces)
    block = found.table.block if found.table else {"kind": "value", "text": cut(text, CARD)}
    return _Part(pieces, block=block)


def _fenced(sections: tuple[Piece, ...]) -> Iterator[Piece]:
    for section in sections:
        if text := clean(section.text, INSPECTION.length).strip("\n"):
            yield Piece(f"\n{fenced(text)}", section.level)


# -- failures ----------------------------------------------------------------------------------------------------------


def failed(name: str, error: BaseException) -> Result:
    """Return what the model reads of an exception: its type and message. The traceback is for the user alone."""
    told = Piece(f"{name} failed: {type(error).__name__}", Level.NAMES)
    message = message_of(error)[:MESSAGE]
    shown = {"kind": "error", "text": _traceback(error, message)}
    return Result(Outgoing(name, (told, Piece(f": {message}" if message else "."))), failed=True, shown=(shown,))


def refused(name: str, *why: Piece) -> Result:
    """Return why a call did not run, or no longer runs."""
    shown = {"kind": "error", "text": "".join(piece.text for piece in why)}
    return Result(Outgoing(name, why), failed=True, shown=(shown,))


def _traceback(error: BaseException, message: str) -> str:
    """Return the frames of the user's code, which begin below the one that caught the exception; then its message."""
    raised = error.__traceback__.tb_next if error.__traceback__ else None
    lines = "".join(traceback.format_tb(raised))[-TRACEBACK:]
    head = "Traceback (most recent call last):\n" if lines else ""
    return f"{head}{lines}{type(error).__name__}: {message}".removesuffix(": ")
