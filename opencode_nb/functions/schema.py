"""The JSON schema of a function's arguments, and their validation. Slow to import, as pydantic is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from inspect import Parameter
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import to_json
from typing_extensions import TypedDict  # pydantic refuses that of typing before Python 3.12

from opencode_nb.functions.parameters import Parameters
from opencode_nb.tools.defaults import sendable
from opencode_nb.tools.privacy import Level, Piece
from opencode_nb.tools.reasons import MOST_ERRORS, WrongValueError, reason
from opencode_nb.tools.tool import Json

_typed_dict: Any = TypedDict
"""Type checkers know only one whose names stand in the source."""

SHOWN_INPUT = 80
"""Characters of a wrong value that are repeated to the model."""


class ArgumentsError(WrongValueError):
    """Arguments that do not fit. The text tells the model what is wrong."""


class Arguments:
    """The arguments of one function: their `schema` for the model, and `validated`.

    `described` has descriptions by name. Raises ValueError for a parameter whose type pydantic has no schema for.
    """

    def __init__(self, parameters: Parameters, described: Mapping[str, str]) -> None:
        fields = {one.name: _field(one, parameters.types, described) for one in parameters.given}
        made = _typed_dict("Arguments", fields)
        made.__pydantic_config__ = {"extra": "forbid"}
        try:
            self._adapter: TypeAdapter[Json] = TypeAdapter(made)
            self.schema = _untitled(self._adapter.json_schema())
        except PydanticUserError as error:
            raise ValueError(_first_line(error)) from error
        self.schema.setdefault("properties", {})
        for one in parameters.given:
            if (default := _default(one)) is not None:
                self.schema["properties"][one.name].setdefault("default", default)
        self.schema = sendable(self.schema)

    def validated(self, arguments: Json) -> Json:
        """Return the arguments as the function's types. Raises ArgumentsError; runs validators of the user's."""
        try:
            return self._adapter.validate_json(json.dumps(arguments))
        except ValidationError as error:
            raise ArgumentsError(_told(error)) from None


def _field(parameter: Parameter, types: Mapping[str, Any], described: Mapping[str, str]) -> Any:
    annotation = types.get(parameter.name, Any)
    if said := _own_description(annotation) or described.get(parameter.name, ""):
        annotation = Annotated[annotation, Field(description=said)]
    return Required[annotation] if parameter.default is Parameter.empty else NotRequired[annotation]


def _own_description(annotation: Any) -> str:
    """Return the description in `Annotated[str, "The city"]`, or that of a Field."""
    extras = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    texts = (extra if isinstance(extra, str) else getattr(extra, "description", None) for extra in extras)
    return next((text for text in texts if isinstance(text, str) and text), "")


def _default(parameter: Parameter) -> Any:
    """Return a default as JSON; None without one."""
    if parameter.default is Parameter.empty or parameter.default is None:
        return None
    try:
        return json.loads(to_json(parameter.default))
    except Exception:  # a value without a JSON form: the function's own business
        return None


def _untitled(schema: Any, *, names: bool = False) -> Any:
    """Return a schema without the titles that pydantic makes of names. `names`: this is a table of names."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value if key in _LITERAL and not names else _untitled(value, names=not names and key in _TABLES)
        for key, value in schema.items()
        if names or key != "title"
    }


_TABLES = ("properties", "$defs", "patternProperties")
_LITERAL = ("default", "const", "enum", "examples")


def _told(error: ValidationError) -> Iterator[Piece]:
    errors = error.errors(include_context=False)
    yield Piece("The arguments do not fit:", Level.NONE)
    for one in errors[:MOST_ERRORS]:
        yield Piece(f"\n- `{_path(one['loc'])}`: ", Level.NONE)
        yield from reason(one)
        yield Piece(_given(one))  # a validator may have put something else in place of what the model gave
    if len(errors) > MOST_ERRORS:
        yield Piece(f"\n- and {len(errors) - MOST_ERRORS} more", Level.NONE)


def _path(location: Iterable[int | str]) -> str:
    return ".".join(map(str, location)) or "arguments"


def _given(error: Any) -> str:
    return "" if error["type"] == "missing" else f", not {str(error['input'])[:SHOWN_INPUT]!r}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
