"""Which defaults of a type's JSON schema the model may read: schemas pass no gate. Pure."""

from __future__ import annotations

import json
from typing import Any

from opencode_nb.secret import mask
from opencode_nb.tools import secret_values

LONGEST = 200
"""Characters of a default, as JSON, that the model is told."""

_TABLES = ("properties", "$defs", "definitions", "patternProperties")
_LITERAL = ("default", "const", "enum", "examples")


def sendable(schema: Any, name: str = "", *, names: bool = False) -> Any:
    """Return a JSON schema without the defaults that are long, or look like a secret.

    `name` is the property's that it describes. `names`: this is a table of names, not a schema.
    """
    if isinstance(schema, list):
        return [sendable(item, name) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value
        if key in _LITERAL and not names
        else sendable(value, key if names else name, names=not names and key in _TABLES)
        for key, value in schema.items()
        if names or key != "default" or _is_sendable(name, value)
    }


def _is_sendable(name: str, default: Any) -> bool:
    text = json.dumps(default, ensure_ascii=False, default=str)
    if len(text) > LONGEST:
        return False
    told = f'"{name}": {text}'
    return secret_values.mask_values(mask(told), secret_values.of_environment()) == told
