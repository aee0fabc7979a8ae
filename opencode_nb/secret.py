"""Hide secrets: a string with a masked repr, and masking of what looks like a secret in text."""

from __future__ import annotations

import re

MASK = "••••••••"
"""Replaces a secret."""

_KEYS = r"(?:api|access|private|secret|auth)_?keys?"
_NAMED = rf"passwords?|passwd|pwd|passphrase|secrets?|token|bearer|credentials?|{_KEYS}"
_SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = re.compile(rf"(?:.*_)?(?:{_NAMED})_?\d*", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"""((?:\b|_)(?:{_NAMED})\d*["']?\s*[:=]\s*[rbu]*)(?P<quote>["'])(?:\\.|(?!(?P=quote)).)+""", re.IGNORECASE
)
_KNOWN = re.compile(
    r"""
    \b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{12,}            # OpenAI, Anthropic, Stripe
    | \bgh[a-z]_[A-Za-z0-9]{12,} | \bgithub_pat_\w{12,} | \bglpat-[\w-]{12,} | \bhf_[A-Za-z0-9]{12,}
    | \bxox[a-z]-[\w-]{8,} | \bAKIA[0-9A-Z]{12,} | \bAIza[\w-]{20,}
    | \beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?         # JSON web tokens
    | (?<=Bearer\s)[\w.~+/=-]{8,} | (?<=Basic\s)[\w+/=]{8,}
    | (?<=://)[^\s/@:'"]*:[^\s/@'"]+(?=@)            # name and password in an address
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----(?s:.*?)(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE,
)


class Secret(str):
    """A password, or a text that contains one. Behaves as a plain string; only its repr is masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


def names_secret(name: str) -> bool:
    """Return whether a name suggests a secret: `api_key` and `dbPassword` do, `token_counts` does not."""
    return _NAME.fullmatch(_SNAKE.sub("_", name).replace("-", "_")) is not None


def mask(text: str) -> str:
    """Mask what looks like a secret in a text: keys by their well-known forms, strings by their names."""
    return _KNOWN.sub(MASK, _ASSIGNED.sub(rf"\1\g<quote>{MASK}", text))
