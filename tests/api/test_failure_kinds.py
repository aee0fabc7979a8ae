"""What each error of a turn is: by the server's name for it, by status, and by what the large providers say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.failures import StopReason, stop_reason, turn_error


def refused(status: int | None, message: str, **more: Any) -> dict[str, Any]:
    """Return a turn's error as the server reports a provider's refusal."""
    return {"name": "APIError", "data": {"message": message, "statusCode": status, "isRetryable": False, **more}}


KNOWN: list[tuple[int | None, str, type[oc.TurnError]]] = [
    # Anthropic
    (400, "prompt is too long: 210000 tokens > 200000 maximum", oc.ContextOverflowError),
    (400, "Output blocked by content filtering policy", oc.ContentFilterError),
    (401, "invalid x-api-key", oc.ProviderAuthError),
    (404, "model: claude-nine", oc.InvalidModelError),
    (413, "Request exceeds the maximum size", oc.ContextOverflowError),
    (429, "This request would exceed your organization's rate limit of 40,000 input tokens", oc.TurnRateLimitError),
    (529, "Overloaded", oc.ProviderOverloadedError),
    (None, '{"type":"error","error":{"type":"overloaded_error","message":"Later"}}', oc.ProviderOverloadedError),
    (None, '{"type":"error","error":{"type":"rate_limit_error","message":"Slow"}}', oc.TurnRateLimitError),
    # OpenAI
    (400, "This model's maximum context length is 128000 tokens.", oc.ContextOverflowError),
    (400, "Your input exceeds the context window of this model.", oc.ContextOverflowError),
    (401, "Incorrect API key provided: sk-...", oc.ProviderAuthError),
    (403, "Project `p` does not have access to model `gpt-9` (model_not_found)", oc.InvalidModelError),
    (404, "The model `gpt-9` does not exist or you do not have access to it.", oc.InvalidModelError),
    (429, "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000", oc.TurnRateLimitError),
    (503, "The engine is currently overloaded, please try again later", oc.ProviderOverloadedError),
    # Google
    (400, "API key not valid. Please pass a valid API key.", oc.ProviderAuthError),
    (400, "The input token count (1200000) exceeds the maximum number of tokens allowed", oc.ContextOverflowError),
    (404, "models/gemini-9 is not found for API version v1beta", oc.InvalidModelError),
    (429, "You exceeded your current quota. Please retry in 34.4s.", oc.TurnRateLimitError),
    (503, "The model is overloaded. Please try again later.", oc.ProviderOverloadedError),
    # OpenRouter
    (400, "acme/none is not a valid model ID", oc.InvalidModelError),
    (403, "Your chosen model requires moderation and your input was flagged", oc.ContentFilterError),
    (404, "No endpoints found for acme/none.", oc.InvalidModelError),
    (429, "Rate limit exceeded: free-models-per-day", oc.TurnRateLimitError),
]

UNKNOWN = [
    (400, "Invalid value for 'temperature'"),
    (400, "The model field is required"),
    (402, "Insufficient credits"),
    (404, "Not found"),
    (404, "No endpoints found that support tool use"),
    (418, "I'm a teapot"),
    (500, "The server had an error"),
    (None, "Something about a model: none of it is known"),
    (None, "fetch failed"),
]


@pytest.mark.parametrize(("status", "message", "kind"), KNOWN)
def test_a_providers_refusal_has_its_own_class(status: int | None, message: str, kind: type[oc.TurnError]) -> None:
    error = turn_error(refused(status, message))
    assert (type(error), error.status_code) == (kind, status)
    assert message.rstrip(".") in str(error)


@pytest.mark.parametrize(("status", "message"), UNKNOWN)
def test_an_unknown_refusal_stays_a_plain_turn_error(status: int | None, message: str) -> None:
    assert type(turn_error(refused(status, message))) is oc.TurnError


@pytest.mark.parametrize(
    ("name", "kind", "retryable"),
    [
        ("MessageAbortedError", oc.AbortedError, False),
        ("TurnTimeout", oc.TurnTimeoutError, False),
        ("BudgetExceeded", oc.BudgetExceededError, False),
        ("StructuredOutputError", oc.StructuredOutputError, True),
        ("ProviderAuthError", oc.ProviderAuthError, False),
        ("ContextOverflowError", oc.ContextOverflowError, False),
        ("MessageOutputLengthError", oc.OutputLimitError, False),
        ("ContentFilterError", oc.ContentFilterError, False),
        ("ServerExited", oc.ServerGoneError, True),
        ("ConnectionLost", oc.ServerGoneError, False),
        ("NeverHeardOf", oc.TurnError, False),
    ],
)
def test_the_servers_name_determines_the_class(name: str, kind: type[oc.TurnError], retryable: bool) -> None:
    error = turn_error({"name": name, "data": {}})
    assert (type(error), error.retryable, error.status_code) == (kind, retryable, None)


@pytest.mark.parametrize(
    ("message", "body", "limited", "asked"),
    [
        ("on tokens per min (TPM): Limit 9. Please try again in 1m2.5s.", "", "tokens", 62.5),
        ("Number of request tokens has exceeded your per-minute rate limit", "", "tokens", None),
        ("on requests per min (RPM): Limit 3. Please try again in 350ms.", "", "requests", 0.35),
        ("Rate limit exceeded: free-models-per-min", "", "requests", None),
        ("Please retry in 34.4s.", '"quotaMetric": "x/generate_content_free_tier_requests"', "requests", 34.4),
        ("Slow down", '{"error": {"type": "tokens", "code": "rate_limit_exceeded"}}', "tokens", None),
        ("tokens per minute or requests per minute", "", "", None),
        ("Slow down", "", "", None),
    ],
)
def test_a_rate_limit_says_what_is_limited_and_for_how_long(
    message: str, body: str, limited: str, asked: float | None
) -> None:
    error = turn_error(refused(429, message, responseBody=body, isRetryable=True))
    assert isinstance(error, oc.TurnRateLimitError)
    assert (error.kind, error.retry_after, error.retryable) == (limited, asked, True)


def test_the_headers_say_how_long_to_wait() -> None:
    headers = {"retry-after-ms": "1500", "retry-after": "9"}
    error = turn_error(refused(503, "Please try again in 4s", responseHeaders=headers))
    assert error.retry_after == 1.5


@pytest.mark.parametrize(
    "error",
    [
        refused(429, "You exceeded your current quota", responseBody='"code": "insufficient_quota"', isRetryable=True),
        refused(429, "Request too large for gpt-4o on tokens per min (TPM): Limit 30000", isRetryable=True),
        refused(400, "Your credit balance is too low to access the Anthropic API.", isRetryable=True),
    ],
)
def test_what_waiting_cannot_mend_is_not_retryable(error: dict[str, Any]) -> None:
    assert not turn_error(error).retryable


def test_what_the_provider_calls_temporary_is_retryable() -> None:
    assert turn_error(refused(500, "The server had an error", isRetryable=True)).retryable


def test_a_wrong_model_is_one_class_before_and_after_sending() -> None:
    assert issubclass(oc.InvalidModelError, oc.ModelError)
    assert issubclass(oc.NoModelError, oc.ModelError)


@pytest.mark.parametrize(
    ("name", "finish", "reason"),
    [
        (None, "stop", "end_turn"),
        (None, "", "end_turn"),
        (None, "length", "max_tokens"),
        ("MessageOutputLengthError", "", "max_tokens"),
        ("ContentFilterError", "content-filter", "content_filter"),
        ("MessageAbortedError", "", "aborted"),
        ("TurnTimeout", "", "timeout"),
        ("BudgetExceeded", "stop", "budget"),
        ("UnknownError", "stop", "error"),
    ],
)
def test_the_stop_reason_follows_the_error_then_the_finish(name: str | None, finish: str, reason: StopReason) -> None:
    assert stop_reason({"name": name, "data": {}} if name else None, finish) == reason


@pytest.mark.parametrize("data", [None, "text", {"statusCode": "400"}, {"responseHeaders": [], "message": {}}])
def test_any_error_of_the_server_is_explained(data: Any) -> None:
    assert type(turn_error({"name": "APIError", "data": data})) is oc.TurnError


PACKAGE = Path(oc.__file__).parent
CLASS = re.compile(r"^class (\w+)\(([\w, ]+)\)", re.MULTILINE)

INTERNAL = {"DeclinedError", "FolderError", "GitError", "RpcError", "UnreadableError", "VerifyingError"}
"""What the package raises to itself; it reaches nobody under its own name."""


def test_every_public_exception_of_the_package_is_exported() -> None:
    defined = [found for file in PACKAGE.rglob("*.py") for found in CLASS.findall(file.read_text(encoding="utf-8"))]
    kinds = {"OpencodeError"}
    while more := {name for name, bases in defined if kinds & set(bases.split(", "))} - kinds:
        kinds |= more
    assert kinds - set(oc.__all__) == INTERNAL
