"""The exceptions of opencode_nb. Every message names the next step; if `retryable`, the same call may work later.

    OpencodeError
    ├── ServerError                    the managed `opencode serve` process
    │   ├── BinaryNotFoundError        the program was not found
    │   ├── ServerStartError           it did not become ready
    │   └── ServerExitedError          it ended unexpectedly
    ├── APIConnectionError             no complete response arrived
    │   ├── APITimeoutError            not within the time limit
    │   └── InvalidResponseError       the response could not be read
    ├── APIStatusError                 the server returned an error status
    │   ├── BadRequestError            400
    │   ├── AuthenticationError        401
    │   ├── PermissionDeniedError      403
    │   ├── NotFoundError              404
    │   ├── ConflictError              409
    │   ├── UnprocessableEntityError   422
    │   ├── RateLimitError             429
    │   └── InternalServerError        5xx
    ├── PromptBlockedError             a hook blocked a prompt before it was sent
    ├── NotSupportedError              the server does not know this operation
    ├── DiffConflictError              a change can't be reverted or redone: the file was changed since
    ├── ModelError                     there is no such model, or several
    │   ├── NoModelError               no model is set up (in session/models.py)
    │   └── InvalidModelError          the provider does not know the model: a TurnError, too
    └── TurnError                      a turn ended without a full answer
        ├── AbortedError               someone stopped it
        ├── BudgetExceededError        a limit on cost, tokens, steps or tool rounds was reached
        ├── StructuredOutputError      the answer does not fit the schema
        ├── ProviderAuthError          the model's provider refused the credentials
        ├── InvalidModelError          the provider does not know the model
        ├── ContextOverflowError       the prompt or conversation exceeds the model's context window
        ├── OutputLimitError           the answer exceeds the model's output limit
        ├── ContentFilterError         the provider's content filter blocked the prompt or the answer
        ├── TurnRateLimitError         the provider limits requests or tokens for a time
        ├── ProviderOverloadedError    the provider is overloaded or unavailable
        ├── ServerGoneError            the opencode server exited, or the connection to it was lost
        └── TurnTimeoutError           the turn took longer than allowed

This module uses only the standard library, and every layer may import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AbortedError",
    "AuthenticationError",
    "BadRequestError",
    "BinaryNotFoundError",
    "BudgetExceededError",
    "ConflictError",
    "ContentFilterError",
    "ContextOverflowError",
    "DiffConflictError",
    "InternalServerError",
    "InvalidModelError",
    "InvalidResponseError",
    "ModelError",
    "NotFoundError",
    "NotSupportedError",
    "OpencodeError",
    "OutputLimitError",
    "PermissionDeniedError",
    "PromptBlockedError",
    "ProviderAuthError",
    "ProviderOverloadedError",
    "RateLimitError",
    "ServerError",
    "ServerExitedError",
    "ServerGoneError",
    "ServerStartError",
    "StructuredOutputError",
    "TurnError",
    "TurnRateLimitError",
    "TurnTimeoutError",
    "UnprocessableEntityError",
    "status_error",
]


class OpencodeError(Exception):
    """Base of all errors in opencode_nb. `retryable`: whether repeating the same call can help."""

    retryable: bool = False


class ServerError(OpencodeError):
    """An error of the managed server. `exit_code` is None if it runs or never ran; `tail` is the end of its log."""

    def __init__(self, message: str = "", *, exit_code: int | None = None, tail: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.tail = tail


class BinaryNotFoundError(ServerError):
    """The `opencode` program was not found; the message lists every place that was searched."""


class ServerStartError(ServerError):
    """The server did not become ready in time, or exited before."""


class ServerExitedError(ServerError):
    """The server exited while in use. A new one can be started; it continues the stored sessions."""

    retryable = True


class APIConnectionError(OpencodeError):
    """The server could not be reached, or the connection broke before the response was complete.

    `sent`: whether the request may have reached the server, so that repeating it could have an effect twice. `refused`:
    nothing listens at the address, which is on this machine.
    """

    retryable = True
    sent = True
    refused = False


class APITimeoutError(APIConnectionError):
    """The response did not arrive within `timeout`. The server may still be working on the request."""


class InvalidResponseError(APIConnectionError):
    """The response is not what the operation returns: malformed JSON, or no JSON at all. `body` is its beginning."""

    retryable = False

    def __init__(self, message: str = "", *, body: str = "") -> None:
        super().__init__(message)
        self.body = body


class APIStatusError(OpencodeError):
    """The server returned an error.

    `status` is the HTTP status, `body` the decoded JSON (or the text), `name` the server's name of the error or "",
    `ref` the reference that is also in its log, or None, `retry_after` seconds or None.
    """

    next_step = "See `.body` for the server's response."

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        body: Any = None,
        name: str = "",
        ref: str | None = None,
        retry_after: float | None = None,
        method: str = "",
        path: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        self.name = name
        self.ref = ref
        self.retry_after = retry_after
        self.method = method
        self.path = path

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # depends on the status here
        """True for 408, 409, 425, 429, and 5xx errors that can be temporary."""
        return is_retryable_status(self.status)


class BadRequestError(APIStatusError):
    """400: the server does not accept the arguments."""

    next_step = "Check the arguments: `help()` or `?` on the operation lists them."


class AuthenticationError(APIStatusError):
    """401: the user name or password is wrong or missing."""

    next_step = (
        "Pass the server's password: password=... (its OPENCODE_SERVER_PASSWORD), and username= if it was changed."
    )


class PermissionDeniedError(APIStatusError):
    """403: the server forbids this."""

    next_step = "The server's configuration forbids this: change it, or use another operation."


class NotFoundError(APIStatusError):
    """404: it does not exist, or belongs to another directory."""

    next_step = "Check the id; if it belongs to another project, pass directory=..."


class ConflictError(APIStatusError):
    """409: usually because the session is busy."""

    next_step = "The session is probably busy: wait for its turn to end, or abort it, and try again."


class UnprocessableEntityError(APIStatusError):
    """422: the arguments are well-formed but invalid together."""

    next_step = "Check the arguments: `help()` or `?` on the operation lists them."


class RateLimitError(APIStatusError):
    """429: too many requests."""

    next_step = "Wait and try again; `.retry_after` has the seconds, if the server sent them."


class InternalServerError(APIStatusError):
    """5xx: the server failed."""

    next_step = "Look up the ref in the server's log; in a turn, a `session.error` event may give the reason."


class NotSupportedError(OpencodeError):
    """The server returned its web page, as it does for every unknown route."""

    def __init__(self, message: str = "", *, method: str = "", path: str = "") -> None:
        super().__init__(message)
        self.method = method
        self.path = path


class PromptBlockedError(OpencodeError):
    """A `prompt_submitted` hook blocked a prompt. Nothing was sent."""


class DiffConflictError(OpencodeError):
    """A change could not be reverted or redone, because the file was changed since. Nothing was written.

    `refused` lists (path, reason) for each file that was not changed.
    """

    def __init__(self, message: str = "", *, refused: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.refused = refused


class ModelError(OpencodeError):
    """There is no such model or variant, several providers have it, or it cannot take the prompt."""


class TurnError(OpencodeError):
    """A turn that ended without a full answer.

    `turn` has the partial answer, `data` the server's own error. `status_code` is the HTTP status of the model's
    provider, `retry_after` the seconds to wait that it asks for; each is None if the provider sent none.
    """

    def __init__(
        self,
        message: str = "",
        *,
        turn: Any = None,
        data: Any = None,
        status_code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.turn = turn
        self.data = data
        self.status_code = status_code
        self.retry_after = retry_after


class AbortedError(TurnError):
    """The turn was stopped."""


class BudgetExceededError(TurnError):
    """A limit on cost, tokens, steps or tool rounds was reached.

    `limit` is its name, such as "max_cost", `maximum` its value, `spent` what was used: USD for a cost.
    """

    @property
    def limit(self) -> str:
        """The limit's name."""
        return str(self._told.get("limit") or "")

    @property
    def spent(self) -> float:
        """What was used of it."""
        return float(self._told.get("spent") or 0)

    @property
    def maximum(self) -> float:
        """Its value."""
        return float(self._told.get("maximum") or 0)

    @property
    def _told(self) -> Mapping[str, Any]:
        told = self.data.get("data") if isinstance(self.data, Mapping) else None
        return told if isinstance(told, Mapping) else {}


class StructuredOutputError(TurnError):
    """The answer does not match the requested schema, also after one correction. `turn` has all that was said."""

    retryable = True

    @property
    def raw(self) -> str:
        """The answer as text: what was written, or the arguments of the result tool as JSON."""
        told = self.data.get("data") if isinstance(self.data, Mapping) else None
        return str(told.get("raw") or "") if isinstance(told, Mapping) else ""


class ProviderAuthError(TurnError):
    """The model's provider refused the credentials."""


class InvalidModelError(TurnError, ModelError):
    """The model's provider does not know the model, or does not let you use it."""


class ContextOverflowError(TurnError):
    """The prompt is too long: with the conversation it does not fit the model's context window.

    The server first compacts the conversation by itself; this error says that it did not help.
    """


class OutputLimitError(TurnError):
    """The answer exceeds the model's output limit.

    Most models cut the answer off instead: then there is no error, and `Turn.stop_reason` is "max_tokens".
    """


class ContentFilterError(TurnError):
    """The provider's content filter blocked the prompt or the answer."""


class TurnRateLimitError(TurnError):
    """The model's provider limits the rate, and the server's own retries did not help.

    `kind` says what is limited: "tokens", "requests", or "" if the provider does not say.
    """

    retryable = True
    kind: Literal["tokens", "requests", ""] = ""


class ProviderOverloadedError(TurnError):
    """The model's provider is overloaded or unavailable for a while."""

    retryable = True


class ServerGoneError(TurnError):
    """The opencode server exited during the turn, or the connection to it was lost. The session is kept."""


class TurnTimeoutError(TurnError):
    """The turn took longer than its time limit."""


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}

_NEVER_RETRYABLE = 501  # "not implemented" is permanent
_MAX_MESSAGE = 500  # characters shown of a server's message


def is_retryable_status(status: int) -> bool:
    """Return whether a response with this HTTP status may succeed later."""
    return status in (408, 409, 425, 429) or (status >= 500 and status != _NEVER_RETRYABLE)


def status_error(
    status: int, body: Any, *, method: str = "", path: str = "", retry_after: float | None = None
) -> APIStatusError:
    """Return the exception for an error response.

    `body` is the decoded JSON in one of the server's three formats (`{name, data: {message}}`, `{_tag, message}`,
    `{error}`), or any other text. `method` and `path` name the request, without its query.
    """
    name, message, ref = _describe(body)
    kind = _BY_STATUS.get(status) or (InternalServerError if status >= 500 else APIStatusError)
    said = f"{name}: {message}" if name and message else name or message
    what = f"{method} {path} answered {status}{': ' + said if said else ''}{f' (ref {ref})' if ref else ''}"
    text = f"{what.strip().rstrip('.')}. {kind.next_step}"
    return kind(text, status=status, body=body, name=name, ref=ref, retry_after=retry_after, method=method, path=path)


def _describe(body: Any) -> tuple[str, str, str | None]:
    """Return the name, message and reference of an error body of any format; empty if missing."""
    if not isinstance(body, dict):
        return "", _short(body), None
    data = body.get("data")
    data = data if isinstance(data, dict) else {}
    error = body.get("error")
    if isinstance(error, dict):
        return _describe(error)
    name = body.get("name") or body.get("_tag") or ""
    message = data.get("message") or body.get("message") or error or ""
    ref = data.get("ref") or body.get("ref")
    return str(name), _short(message), str(ref) if ref else None


def _short(value: Any) -> str:
    """Return `value` as one line of limited length; HTML pages are not worth showing."""
    text = " ".join(str(value or "").split())
    if text[:1] == "<":
        return "an HTML page"
    return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "…"
