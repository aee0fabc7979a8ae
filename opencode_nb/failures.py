"""Explain a turn's error: the server's `{name, data}` as one sentence, the next step, and the exception.

Like `errors`, any layer may import it, and it imports no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from opencode_nb.errors import (
    AbortedError,
    BudgetExceededError,
    ContextOverflowError,
    ProviderAuthError,
    StructuredOutputError,
    TurnError,
    TurnTimeoutError,
)


class Failure(NamedTuple):
    """Why a turn failed: the error's `name`, one sentence about it, and the next step."""

    name: str
    text: str
    next_step: str


class _Kind(NamedTuple):
    error: type[TurnError]
    next_step: str


_KINDS: dict[str, _Kind] = {
    "MessageAbortedError": _Kind(AbortedError, "The partial answer is kept; prompt again to continue."),
    "TurnTimeout": _Kind(TurnTimeoutError, "The partial answer is kept; allow more with --timeout (timeout=)."),
    "BudgetExceeded": _Kind(BudgetExceededError, "The partial answer is kept; raise the limit to continue."),
    "ProviderAuthError": _Kind(ProviderAuthError, "Log in with `opencode auth login`, or choose another model."),
    "ContextOverflowError": _Kind(ContextOverflowError, "Start a new session (in a notebook: %opencode new)."),
    "StructuredOutputError": _Kind(StructuredOutputError, "Ask again, or loosen the schema."),
    "MessageOutputLengthError": _Kind(TurnError, "The answer reached the model's limit: ask it to continue."),
    "ConnectionLost": _Kind(TurnError, "The session is kept: try again (in a notebook first %opencode restart)."),
    "ServerExited": _Kind(TurnError, "The session is kept: prompt again. The restarted server will continue it."),
    "StorageError": _Kind(TurnError, "Free some space there, then prompt again: the session is kept."),
    "CutOff": _Kind(TurnError, "The partial answer is kept; prompt again to continue."),
    "ServerClock": _Kind(TurnError, "Set its clock right, or start a new session (in a notebook: %opencode new)."),
    "SessionDeleted": _Kind(TurnError, "Start a new session (in a notebook: %opencode new)."),
}
_OTHER = _Kind(TurnError, "See the server's log for details (in a notebook, %opencode status shows its path).")
_RETRY = "The provider may recover: try again."
_REFUSED_CREDENTIALS = (401, 403)


def describe(error: Mapping[str, Any]) -> Failure:
    """Explain a turn's error, whatever it contains."""
    data = _data(error)
    step = _RETRY if data.get("isRetryable") else _kind(error).next_step
    return Failure(str(error.get("name") or ""), _sentence(error), step)


def turn_error(error: Mapping[str, Any], turn: Any = None) -> TurnError:
    """Return the exception for a turn's error; `.data` is the server's own, `.turn` the turn so far."""
    failure = describe(error)
    raised = _kind(error).error(f"{failure.text} {failure.next_step}", turn=turn, data=error)
    if _data(error).get("isRetryable"):
        raised.retryable = True
    return raised


def _data(error: Mapping[str, Any]) -> Mapping[str, Any]:
    data = error.get("data")
    return data if isinstance(data, Mapping) else {}


def _kind(error: Mapping[str, Any]) -> _Kind:
    if _data(error).get("statusCode") in _REFUSED_CREDENTIALS:
        return _KINDS["ProviderAuthError"]
    return _KINDS.get(str(error.get("name")), _OTHER)


def _sentence(error: Mapping[str, Any]) -> str:
    data = _data(error)
    raw = str(data.get("message") or error.get("message") or error.get("name") or "Unknown error")
    text = " ".join(raw.split("\n    at ")[0].split())  # some messages end with the server's own stack trace
    status = data.get("statusCode")
    if status and str(status) not in text:
        text += f" (HTTP {status})"
    return text if text.endswith((".", "!", "?")) else f"{text}."
