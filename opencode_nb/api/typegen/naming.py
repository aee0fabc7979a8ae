"""Class names, and exceptions for odd names and shapes in the document. Pure."""

from __future__ import annotations

import json
import re
from typing import Any, Final

__all__ = ["GETTABLE", "RENAMED", "SOMETIMES", "camel", "canonical"]

RENAMED: Final = {
    # These differ from another schema's name only in dots and case, which class names drop.
    "session.status": "V2SessionStatus",  # an event of /api; SessionStatus is the state itself
    "question.replied": "V2QuestionReplied",  # the same event twice, of /api and of the session's log
    "question.rejected": "V2QuestionRejected",
    "Event.tui.prompt.append": "EventTuiPromptAppended",  # the event with its id; EventTuiPromptAppend is what is sent
    "Event.tui.command.execute": "EventTuiCommandExecuted",
    "Event.tui.toast.show": "EventTuiToastShown",
    "Event.tui.session.select": "EventTuiSessionSelected",
    # Of /api: the unnamed types of Model's fields, of another shape, take these names from their position.
    "ModelApi": "ModelV2Api",
    "ModelCapabilities": "ModelV2Capabilities",
    "ModelCost": "ModelV2Cost",
    # Numbered by the document's generator.
    "OutputFormat1": "OutputFormatOption",
    "UnknownError1": "UnknownTaggedError",  # {_tag, message}, where UnknownError is {name, data}
    "ProviderAuthError1": "ProviderAuthFailure",
}
"""Schema name -> class name, where removing the punctuation is not enough."""

GETTABLE: Final = {
    # The stream also yields our own markers (client.disconnected), without a payload: use `event.get("payload")`.
    ("GlobalEvent", "payload"),
}
"""Required fields for which `get` is typed, too."""

SOMETIMES: Final = {
    # Events without a directory (global.disposed, server.connected) lack it.
    ("GlobalEvent", "directory"),
}
"""Fields that the document declares as required but the server sometimes omits."""

_SHAPELESS = ("description", "pattern", "minimum", "maximum", "exclusiveMinimum", "title")


def camel(name: str) -> str:
    """Return a class name: `session.prompt_async` -> `SessionPromptAsync`; keeps capital letters."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def canonical(schema: Any) -> str:
    """Return the same text for schemas of the same shape, ignoring descriptions."""
    return json.dumps(_shape(schema), sort_keys=True)


def _shape(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_shape(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _shape(value) for key, value in schema.items() if key not in _SHAPELESS or isinstance(value, dict)}
