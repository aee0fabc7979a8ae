"""A JSON schema as a schema, by jsonschema, which is slow to import: only schema.py does, with the first of them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from opencode_nb.tools.privacy import Level, Piece
from opencode_nb.tools.reasons import MOST_ERRORS, WrongValueError
from opencode_nb.tools.tool import Json

LONGEST = 300
"""Characters of one error: it quotes the value."""

_ENVELOPE = {"name", "schema", "strict", "description"}


def compiled(given: Mapping[str, Any]) -> tuple[Json, Callable[[Any], Any]]:
    """Return the JSON schema without its envelope, and the function that validates by it. Raises ValueError."""
    schema = _plain(_opened(given))
    kind: Any = _kind(schema)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"schema= is not a valid JSON schema: {_place(error)}{_short(error.message)}") from error
    _check_references(schema)
    validator = kind(schema, registry=Registry(), format_checker=kind.FORMAT_CHECKER)
    try:
        validator.is_valid(None)
    except RecursionError:
        raise ValueError("schema= is not a valid JSON schema: it refers to itself without end.") from None

    def validate(value: Any) -> Any:
        errors = list(validator.iter_errors(value))
        if errors:
            raise WrongValueError([Piece(_told(errors), Level.NONE)])
        return value

    return schema, validate


def _opened(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema in the envelopes of other SDKs: {"type": "json_schema", "schema"}, {"name", "schema"}."""
    inner = given.get("json_schema", given.get("schema"))
    if given.get("type") != "json_schema" and not ("schema" in given and given.keys() <= _ENVELOPE):
        return given
    if not isinstance(inner, Mapping):
        raise ValueError('schema= has no schema inside: give {"type": "json_schema", "schema": {...}}, or that alone.')
    return _opened(inner)


def _plain(schema: Mapping[str, Any]) -> Json:
    """Return a copy that no later change of the user's reaches."""
    try:
        copied: Json = json.loads(json.dumps(schema, allow_nan=False, default=dict))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"schema= is not JSON: {error}.") from error
    return copied


def _kind(schema: Json) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of an unknown "$schema": then it is the latest draft
        return validator_for(schema, default=Draft202012Validator)


def _check_references(schema: Json) -> None:
    """Raise ValueError for a reference to what is not there. Nothing is ever fetched from elsewhere."""
    resolver = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver()
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except (Unresolvable, ValueError):
            raise ValueError(f"schema= is not a valid JSON schema: {_short(reference)} is not in it.") from None


def _references(item: Any) -> Iterator[str]:
    if isinstance(item, dict):
        if isinstance(item.get("$ref"), str):
            yield item["$ref"]
        item = list(item.values())
    if isinstance(item, list):
        for one in item:
            yield from _references(one)


def _told(errors: list[Any]) -> str:
    lines = [f"{_place(error) or 'the value: '}{_short(error.message)}" for error in errors[:MOST_ERRORS]]
    more = len(errors) - len(lines)
    return "; ".join([*lines, f"and {more} more errors"] if more else lines)


def _place(error: Any) -> str:
    path = ".".join(map(str, error.absolute_path))
    return f"{path}: " if path else ""


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
