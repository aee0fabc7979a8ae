"""Explain a turn's error: the server's `{name, data}` as one sentence, the next step, and the exception.

Any layer may import it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from opencode_nb.errors import (
    AbortedError,
    BudgetExceededError,
    ContentFilterError,
    ContextOverflowError,
    InvalidModelError,
    OutputLimitError,
    ProviderAuthError,
    ProviderOverloadedError,
    ServerGoneError,
    StructuredOutputError,
    TurnError,
    TurnRateLimitError,
    TurnTimeoutError,
)
from opencode_nb.failure_kinds import Kind, Refusal, kind_of, limited
from opencode_nb.retry import retry_after, retry_after_in

StopReason = Literal["end_turn", "max_tokens", "content_filter", "aborted", "timeout", "budget", "error"]


class Failure(NamedTuple):
    """Why a turn failed: the error's `name`, one sentence about it, and the next step."""

    name: str
    text: str
    next_step: str


class _Kind(NamedTuple):
    error: type[TurnError]
    next_step: str
    retryable: bool | None = None  # None: as the class says, or else the provider


_LOG_IN = "{login}, and send the prompt again; or choose another model."
_CONTINUE = "Start a new session (in a notebook: %opencode new)."
_FILTERED = "Say it in other words, or choose another model."
_TOO_LONG = f"Shorten the prompt or its attachments, or choose a model with a larger context. {_CONTINUE}"

_KINDS: dict[str, _Kind] = {
    "MessageAbortedError": _Kind(AbortedError, "The partial answer is kept; prompt again to continue."),
    "TurnTimeout": _Kind(TurnTimeoutError, "The partial answer is kept; allow more with --timeout (timeout=)."),
    "BudgetExceeded": _Kind(BudgetExceededError, "The partial answer is kept; raise the limit to continue."),
    "ProviderAuthError": _Kind(ProviderAuthError, _LOG_IN),
    "ContextOverflowError": _Kind(ContextOverflowError, _CONTINUE),
    "ContentFilterError": _Kind(ContentFilterError, _FILTERED),
    "StructuredOutputError": _Kind(StructuredOutputError, "Ask again, or loosen the schema."),
    "MessageOutputLengthError": _Kind(OutputLimitError, "The answer reached the model's limit: ask it to continue."),
    "ConnectionLost": _Kind(
        ServerGoneError, "The session is kept: try again (in a notebook first %opencode restart).", retryable=False
    ),
    "ServerExited": _Kind(
        ServerGoneError, "The session is kept: prompt again. The restarted server will continue it.", retryable=True
    ),
    "StorageError": _Kind(TurnError, "Free some space there, then prompt again: the session is kept."),
    "CutOff": _Kind(TurnError, "The partial answer is kept; prompt again to continue."),
    "KernelEnded": _Kind(TurnError, "The session is kept: prompt again, or rerun the cell."),
    "ServerClock": _Kind(TurnError, "Set its clock right, or start a new session (in a notebook: %opencode new)."),
    "SessionDeleted": _Kind(TurnError, _CONTINUE),
}
"""The errors of the server and of this package, by name."""

_REFUSALS: dict[Kind, _Kind] = {
    "content_filter": _Kind(ContentFilterError, _FILTERED),
    "context": _Kind(ContextOverflowError, _TOO_LONG),
    "quota": _Kind(TurnError, "Add credit or raise your limit at the provider, or choose another model.", False),
    "too_large": _Kind(TurnRateLimitError, f"One request exceeds the limit: waiting does not help. {_TOO_LONG}", False),
    "model": _Kind(InvalidModelError, "Choose another model (in a notebook: %opencode models lists them)."),
    "auth": _Kind(ProviderAuthError, _LOG_IN),
    "rate_limit": _Kind(TurnRateLimitError, "Wait and try again, or have retry= do so; or choose another model."),
    "overloaded": _Kind(ProviderOverloadedError, "Try again later, or have retry= do so; or choose another model."),
}
"""What a model's provider answered, by what it means."""

_OTHER = _Kind(TurnError, "See the server's log for details (in a notebook, %opencode status shows its path).")
_TEMPORARY = _Kind(TurnError, "The provider may recover: try again.", retryable=True)

_REASONS: list[tuple[type[TurnError], StopReason]] = [
    (AbortedError, "aborted"),
    (TurnTimeoutError, "timeout"),
    (BudgetExceededError, "budget"),
    (ContentFilterError, "content_filter"),
    (OutputLimitError, "max_tokens"),
]
_PROVIDER = re.compile(r"[\w.-]+")
_FINISHES: dict[str, StopReason] = {"length": "max_tokens", "content-filter": "content_filter"}


def describe(error: Mapping[str, Any]) -> Failure:
    """Explain a turn's error, whatever it contains."""
    step = _kind(error).next_step.replace("{login}", _login(_data(error)))
    return Failure(str(error.get("name") or ""), _sentence(error), step)


def turn_error(error: Mapping[str, Any], turn: Any = None) -> TurnError:
    """Return the exception for a turn's error; `.data` is the server's own, `.turn` the turn so far."""
    failure, kind, refusal = describe(error), _kind(error), Refusal.of(_data(error))
    raised = kind.error(
        f"{failure.text} {failure.next_step}",
        turn=turn,
        data=error,
        status_code=refusal.status,
        retry_after=_retry_after(error, refusal),
    )
    if kind.retryable is not None:
        raised.retryable = kind.retryable
    if isinstance(raised, TurnRateLimitError):
        raised.kind = limited(refusal)
    return raised


def stop_reason(error: Mapping[str, Any] | None, finish: str) -> StopReason:
    """Return why a turn ended, from its error and its last step's `finish`."""
    if error is None:
        return _FINISHES.get(finish, "end_turn")
    ended_by = _kind(error).error
    return next((reason for kind, reason in _REASONS if issubclass(ended_by, kind)), "error")


def _login(data: Mapping[str, Any]) -> str:
    """Say how to log in to the provider, if the error names it."""
    named = _PROVIDER.fullmatch(str(data.get("providerID") or ""))
    return f"Log in with `%opencode login{f' {named[0]}' if named else ''}` (in a terminal: `opencode auth login`)"


def _data(error: Mapping[str, Any]) -> Mapping[str, Any]:
    data = error.get("data")
    return data if isinstance(data, Mapping) else {}


def _kind(error: Mapping[str, Any]) -> _Kind:
    """Return what an error is: by its name, else by what the provider answered, else by whether it may pass."""
    if known := _KINDS.get(str(error.get("name"))):
        return known
    data = _data(error)
    other = _TEMPORARY if data.get("isRetryable") else _OTHER
    return _REFUSALS.get(kind_of(Refusal.of(data)), other)


def _retry_after(error: Mapping[str, Any], refusal: Refusal) -> float | None:
    headers = _data(error).get("responseHeaders")
    sent = retry_after(headers) if isinstance(headers, Mapping) else None
    return retry_after_in(refusal.text) if sent is None else sent


def _sentence(error: Mapping[str, Any]) -> str:
    data = _data(error)
    raw = str(data.get("message") or error.get("message") or error.get("name") or "Unknown error")
    text = " ".join(raw.split("\n    at ")[0].split())  # some messages end with the server's own stack trace
    status = data.get("statusCode")
    if status and str(status) not in text:
        text = f"{text.removesuffix('.')} (HTTP {status})"
    return text if text.endswith((".", "!", "?")) else f"{text}."
