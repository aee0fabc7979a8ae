"""Schema: what an answer must be, in whatever form the user gives it, as a JSON schema and a function that validates.

Pure. pydantic and jsonschema are imported with the first schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from opencode_nb.tools.privacy import Level, Piece
from opencode_nb.tools.reasons import WrongValueError, message_of
from opencode_nb.tools.tool import Json

VALUE = "value"
"""The one argument of the result tool where the schema is no object with fields of its own."""

LONGEST = 2_000
"""Characters of a mismatch that the model and the user are told."""

_FORMS = "Give a type (a pydantic model, dataclass, TypedDict, Enum, list[int], ...) or a JSON schema as a dict."


class MismatchError(WrongValueError):
    """An answer that does not match the schema; its text says why. `raw` is the answer as text."""

    def __init__(self, why: Iterable[Piece], raw: str) -> None:
        super().__init__(_shortened(why))
        self.raw = raw


def _shortened(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the pieces up to LONGEST characters in all."""
    left = LONGEST
    for piece in pieces:
        if len(piece.text) > left:
            yield replace(piece, text=f"{piece.text[:left]}…")
            return
        yield piece
        left -= len(piece.text)


@dataclass(frozen=True, slots=True)
class Schema:
    """What an answer must be. `json` is the JSON schema; `validate` returns the value of plain JSON or raises.

    `arguments` is the JSON schema of the result tool's arguments; `wrapped`: the value is their `value`.
    """

    json: Json
    validate: Callable[[Any], Any]
    arguments: Json
    wrapped: bool

    @classmethod
    def of(cls, given: object) -> Schema:
        """Read a schema in any form. Raises TypeError for what is neither, ValueError for an invalid JSON schema."""
        if isinstance(given, Schema):
            return given
        if isinstance(given, Mapping):
            from opencode_nb.results.of_json import compiled

            schema, validate = compiled(given)
        else:
            schema, validate = _of_type(given)
        wrapped = not _has_fields(schema)
        return cls(schema, validate, _wrapped(schema) if wrapped else schema, wrapped)

    def read(self, answer: Any) -> Any:
        """Return the value of the tool's arguments, or of the JSON in a text. Raises MismatchError.

        Models confuse the two forms: the value itself where `{"value": ...}` is expected, and the reverse.
        """
        wrong: BaseException | None = None
        for meant in self._meant(answer):
            try:
                return self.validate(meant)
            except (Exception, SystemExit) as error:  # a validator of the user's may raise anything
                wrong = wrong or error
        assert wrong is not None
        raise MismatchError(told_of(wrong), as_text(answer)) from wrong

    def _meant(self, answer: Any) -> Iterator[Any]:
        inner = [answer[VALUE]] if isinstance(answer, dict) and answer.keys() == {VALUE} else []
        yield from [*inner, answer] if self.wrapped else [answer, *inner]


def told_of(error: BaseException) -> tuple[Piece, ...]:
    """Return what was wrong, in pieces: the message of an exception of the user's is the user's."""
    if isinstance(error, WrongValueError):
        return error.told
    message = message_of(error)
    return Piece(type(error).__name__, Level.NONE), Piece(f": {message}" if message else "")


def as_text(answer: Any) -> str:
    """Return an answer as text: as it is, or as JSON."""
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def _of_type(given: object) -> tuple[Json, Callable[[Any], Any]]:
    if not (isinstance(given, type) or type(given).__module__ in ("typing", "typing_extensions", "types")):
        raise TypeError(f"schema={_shown(given)} is not a type. {_FORMS}")
    from opencode_nb.results.of_type import compiled

    try:
        return compiled(given)
    except Exception as error:  # pydantic has an error of its own for each reason
        why = str(error).split("\n")[0].rstrip(".")
        raise TypeError(f"schema={_shown(given)} cannot be used: {why}. {_FORMS}") from error


def _shown(given: object) -> str:
    name = given.__name__ if isinstance(given, type) else repr(given)
    return name if len(name) <= 100 else f"{name[:100]}…"


def _has_fields(schema: Json) -> bool:
    """Whether it describes an object by its fields: the server shows the model no others."""
    return schema.get("type", "object") == "object" and isinstance(schema.get("properties"), dict)


def _wrapped(schema: Json) -> Json:
    """Return the schema of an object that has the value as its only field; definitions stay at the root."""
    shared = {name: schema[name] for name in ("$schema", "$defs", "definitions") if name in schema}
    inner = {name: _moved(item) for name, item in schema.items() if name not in shared}
    return {"type": "object", "properties": {VALUE: inner}, "required": [VALUE], **_moved(shared)}


def _moved(item: Any) -> Any:
    """Return a part of a schema with its references to the root led to where the root is now."""
    if isinstance(item, list):
        return [_moved(one) for one in item]
    if not isinstance(item, dict):
        return item
    return {name: _led(one) if name == "$ref" else _moved(one) for name, one in item.items()}


def _led(reference: Any) -> Any:
    inside = isinstance(reference, str) and (reference == "#" or reference.startswith("#/"))
    if not inside or reference.startswith(("#/$defs/", "#/definitions/")):
        return _moved(reference)
    return f"#/properties/{VALUE}{reference[1:]}"
