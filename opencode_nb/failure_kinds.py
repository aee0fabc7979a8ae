"""Classify what a model's provider answered, by its status and the known texts of the large providers. Pure.

Anthropic, OpenAI, Google and OpenRouter word the same refusals differently, and use one status for several. Rules are
tried in order, the specific texts first; what no rule knows stays unclassified. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

Kind = Literal["content_filter", "context", "quota", "too_large", "model", "auth", "rate_limit", "overloaded", ""]
"""What a provider's refusal means; "" if nobody knows."""

MOST_TEXT = 4000
"""Characters of an answer that are searched: errors are short, and web pages are not worth reading."""


class Refusal(NamedTuple):
    """A provider's answer: its HTTP status (None if unknown), and its message and body as one text."""

    status: int | None
    text: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Refusal:
        """Read the `data` of a turn's error."""
        status = data.get("statusCode")
        said = f"{data.get('message') or ''}\n{data.get('responseBody') or ''}"
        return cls(status if isinstance(status, int) else None, said[:MOST_TEXT])


def kind_of(refusal: Refusal) -> Kind:
    """Return what a refusal means; "" for one that no rule knows."""
    return next((kind for kind, is_it in _RULES if is_it(refusal)), "")


def limited(refusal: Refusal) -> Literal["tokens", "requests", ""]:
    """Return what a rate limit counts; "" if the text does not say, or says both."""
    tokens, requests = _TOKENS.search(refusal.text), _REQUESTS.search(refusal.text)
    if tokens and not requests:
        return "tokens"
    return "requests" if requests and not tokens else ""


def _says(pattern: str, *statuses: int | None) -> Callable[[Refusal], bool]:
    """Return a rule: the text matches, and the status is one of these, if any are given."""
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda refusal: (not statuses or refusal.status in statuses) and bool(compiled.search(refusal.text))


def _has(*statuses: int) -> Callable[[Refusal], bool]:
    return lambda refusal: refusal.status in statuses


_CONTEXT = (
    r"prompt is too long"  # Anthropic
    r"|context_length_exceeded|maximum context length|exceeds the context window"  # OpenAI, OpenRouter
    r"|input token count.{0,40}exceeds the maximum"  # Google
)
_FILTERED = (
    r"blocked by content filtering"  # Anthropic
    r"|content_policy_violation|ResponsibleAIPolicyViolation|\"code\": ?\"content_filter\""  # OpenAI, Azure
    r"|PROHIBITED_CONTENT"  # Google
    r"|requires moderation|input was flagged"  # OpenRouter
)
_QUOTA = r"insufficient_quota|credit balance is too low|insufficient credits|requires more credits"
_MODEL = (
    r"model_not_found|the model `?[^`\s]+`? does not exist"  # OpenAI
    r"|model: \S+"  # Anthropic, in a 404 only
    r"|models/\S+ is not found"  # Google
    r"|no endpoints found for"  # OpenRouter
)
_NO_SUCH_MODEL = r"model_not_found|is not a valid model id|^model not found: "
_AUTH = r"api key not valid|API_KEY_INVALID|incorrect api key|invalid_api_key|invalid x-api-key|no auth credentials"
_RATE = r"rate_limit_error|rate_limit_exceeded|too many requests|rate limit (reached|exceeded)|RESOURCE_EXHAUSTED"
_OVERLOADED = r"overloaded_error|server_is_overloaded|(model|engine|servers?) (is|are) (currently )?overloaded"

_RULES: list[tuple[Kind, Callable[[Refusal], bool]]] = [
    ("content_filter", _says(_FILTERED)),
    ("context", _says(_CONTEXT, 400, 413, None)),
    ("context", _has(413)),
    ("quota", _has(402)),
    ("quota", _says(_QUOTA)),
    ("too_large", _says(r"request too large", 429)),  # OpenAI: one request exceeds the limit of a minute
    ("model", _says(_MODEL, 403, 404)),
    ("model", _says(_NO_SUCH_MODEL, 400, None)),
    ("auth", _has(401, 403)),
    ("auth", _says(_AUTH, 400, None)),
    ("rate_limit", _has(429)),
    ("rate_limit", _says(_RATE, None)),
    ("overloaded", _has(503, 529)),
    ("overloaded", _says(_OVERLOADED)),
]

_TOKENS = re.compile(r"tokens per (min|day)|\bTP[MD]\b|request tokens|\"type\": ?\"tokens\"|token_count", re.IGNORECASE)
_REQUESTS = re.compile(
    r"requests per (min|day)|\bRP[MD]\b|number of requests|\"type\": ?\"requests\"|tier_requests|RequestsPer"
    r"|free-models-per",
    re.IGNORECASE,
)
