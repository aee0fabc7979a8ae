"""Names for classes, and what is odd about the document's own names and shapes. Pure."""

from __future__ import annotations

import json
import re
from typing import Any, Final

__all__ = ["GETTABLE", "RENAMED", "SOMETIMES", "camel", "canonical"]

RENAMED: Final = {
    # These differ from another schema's name in dots and case only, which a Python name cannot have.
    "session.status": "V2SessionStatus",  # an event of /api; SessionStatus is the state itself
    "question.replied": "V2QuestionReplied",  # the same event twice, of /api and of the session's log
    "question.rejected": "V2QuestionRejected",
    "Event.tui.prompt.append": "EventTuiPromptAppended",  # the event with its id; EventTuiPromptAppend is what is sent
    "Event.tui.command.execute": "EventTuiCommandExecuted",
    "Event.tui.toast.show": "EventTuiToastShown",
    "Event.tui.session.select": "EventTuiSessionSelected",
    # Of /api: the fields of Model, which are of another shape and have no names, take these from where they stand.
    "ModelApi": "ModelV2Api",
    "ModelCapabilities": "ModelV2Capabilities",
    "ModelCost": "ModelV2Cost",
    # Numbered by the document's generator.
    "OutputFormat1": "OutputFormatOption",
    "UnknownError1": "UnknownTaggedError",  # {_tag, message}, where UnknownError is {name, data}
    "ProviderAuthError1": "ProviderAuthFailure",
}
"""Schema name -> class name, where taking the punctuation out is not enough."""

GETTABLE: Final = {
    # The stream has our own markers too (client.disconnected), which have no payload: `event.get("payload")`.
    ("GlobalEvent", "payload"),
}
"""Fields that are always there and that `get` gives typed all the same."""

SOMETIMES: Final = {
    # Events that are about no directory (global.disposed, server.connected) come without one.
    ("GlobalEvent", "directory"),
}
"""Fields that the document has as always there, and the server has not."""

_SHAPELESS = ("description", "pattern", "minimum", "maximum", "exclusiveMinimum", "title")


def camel(name: str) -> str:
    """A class name: `session.prompt_async` -> `SessionPromptAsync`; letters that are capital stay so."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def canonical(schema: Any) -> str:
    """The same text for schemas of the same shape, whatever they say about it."""
    return json.dumps(_shape(schema), sort_keys=True)


def _shape(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_shape(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _shape(value) for key, value in schema.items() if key not in _SHAPELESS or isinstance(value, dict)}
