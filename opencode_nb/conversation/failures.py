"""A turn's `{name, data}` error -> the exception for it, whose message names the next step."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import (
    AbortedError,
    BudgetExceededError,
    ContextOverflowError,
    ProviderAuthError,
    StructuredOutputError,
    TurnError,
    TurnTimeoutError,
)
from .state import Json


class _Kind(NamedTuple):
    error: type[TurnError]
    next_step: str


_KINDS: dict[str, _Kind] = {
    "MessageAbortedError": _Kind(AbortedError, "What came until then is kept; prompt again to go on."),
    "TurnTimeout": _Kind(TurnTimeoutError, "What came until then is kept; allow more with --timeout (timeout=)."),
    "BudgetExceeded": _Kind(BudgetExceededError, "What came until then is kept; raise the limit to go on."),
    "ProviderAuthError": _Kind(ProviderAuthError, "Log in with `opencode auth login`, or choose another model."),
    "ContextOverflowError": _Kind(ContextOverflowError, "Start a new session (%opencode new), or compact this one."),
    "StructuredOutputError": _Kind(StructuredOutputError, "Ask again, or loosen the schema."),
    "ConnectionLost": _Kind(
        TurnError, "See %opencode status; the session is kept, and %opencode restart brings it back."
    ),
    "ServerExited": _Kind(TurnError, "The session is kept: prompt again, a new server takes it up."),
    "SessionDeleted": _Kind(TurnError, "Start a new session: %opencode new."),
    "ModelNotFound": _Kind(TurnError, "%opencode status lists what is set up; choose with -m provider/model."),
}
_RETRY = "The provider may recover: try again."
_OTHER = _Kind(TurnError, "%opencode status shows the server and its log.")


def turn_error(error: Json, turn: Any = None) -> TurnError:
    """The exception for a turn's error; `.data` is the server's own, `.turn` the turn so far."""
    data = error.get("data") or {}
    kind = _KINDS.get(str(error.get("name")), _OTHER)
    raised = kind.error(f"{error_text(error)} {kind.next_step}", turn=turn, data=error)
    if data.get("isRetryable"):
        raised.retryable = True
        raised.args = (f"{error_text(error)} {_RETRY}",)
    return raised


def error_text(error: Json) -> str:
    """What happened, in one sentence."""
    data = error.get("data") or {}
    raw = str(data.get("message") or error.get("message") or error.get("name") or "Unknown error")
    message = " ".join(raw.split("\n    at ")[0].split())  # some messages end in the server's own stack trace
    status = data.get("statusCode")
    text = f"{message} (HTTP {status})" if status and str(status) not in message else message
    return text if text.endswith((".", "!", "?")) else text + "."
