"""A type as a schema, by pydantic, which is slow to import: only schema.py does, with the first type."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, NotRequired, Required, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import TypedDict

from opencode_nb.tools.defaults import sendable
from opencode_nb.tools.privacy import Level, Piece
from opencode_nb.tools.reasons import MOST_ERRORS, WrongValueError, reason
from opencode_nb.tools.tool import Json


def compiled(given: Any) -> tuple[Json, Callable[[Any], Any]]:
    """Return the JSON schema of a type, and the function that validates plain JSON as it. Raises what pydantic does."""
    adapter: TypeAdapter[Any] = TypeAdapter(given if sys.version_info >= (3, 12) else _supported(given))
    schema = sendable(_at_root(adapter.json_schema(schema_generator=_Generator)))

    def validate(value: Any) -> Any:
        try:
            return adapter.validate_json(json.dumps(value))  # as JSON: texts may be dates, lists be tuples
        except ValidationError as error:
            raise WrongValueError(_told(error)) from error

    return schema, validate


class _Generator(GenerateJsonSchema):
    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  # as pydantic declares it


def _told(error: ValidationError) -> Iterator[Piece]:
    details = error.errors(include_context=False, include_input=False)
    for at, one in enumerate(details[:MOST_ERRORS]):
        yield Piece(f"{'; ' if at else ''}{'.'.join(map(str, one['loc'])) or 'the value'}: ", Level.NONE)
        yield from reason(one)
    if len(details) > MOST_ERRORS:
        yield Piece(f"; and {len(details) - MOST_ERRORS} more errors", Level.NONE)


def _at_root(schema: Json) -> Json:
    """Return the schema of a recursive model, which pydantic gives as a reference only, with its fields at the root."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return {**schema["$defs"][name], "$defs": schema["$defs"]} if name in schema.get("$defs", {}) else schema


# -- Python 3.11, where pydantic takes a TypedDict of typing_extensions only -------------------------------------------


def _supported(given: Any) -> Any:
    """Return the type with each TypedDict of `typing` in it as one of `typing_extensions`."""
    if is_typeddict(given):
        return _typed_dict(given)
    origin, arguments = get_origin(given), get_args(given)
    inner = tuple(map(_supported, arguments))
    if origin is None or inner == arguments:
        return given
    return reduce(or_, inner) if origin is UnionType else given.copy_with(inner) if _copies(given) else origin[inner]


def _copies(given: Any) -> bool:
    return hasattr(given, "copy_with")


def _typed_dict(given: Any) -> Any:
    if type(given).__module__ != "typing":
        return given
    hints = get_type_hints(given, include_extras=True)
    fields = {name: _field(kind, name in given.__required_keys__) for name, kind in hints.items()}
    made: Any = TypedDict(given.__name__, fields)  # type: ignore[misc]
    made.__doc__ = given.__doc__
    return made


def _field(kind: Any, required: bool) -> Any:
    if get_origin(kind) in (Required, NotRequired):
        return get_origin(kind)[_supported(*get_args(kind))]
    return (Required if required else NotRequired)[_supported(kind)]
