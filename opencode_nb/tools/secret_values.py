"""Mask secrets by their values: what an environment variable or a variable with a secret's name holds, wherever it is.

Recognises parts of them too, so that a cut or a line break in the middle of a secret does not let a half through.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from opencode_nb.secret import MASK, names_secret

SHORTEST = 8
"""Characters of the shortest value that is masked: shorter ones occur by chance."""

WORD = 12
"""Characters from which a value of letters only is no common word."""

PART = 12
"""Characters in a row that a text must share with a secret to be masked."""

PART_WITH_DIGIT = 8
"""The same where one of them is a digit: no part of ordinary words."""

LONG = 200
"""Characters from which a value is a document, such as a key file, which shares more with ordinary text by chance."""

PART_OF_LONG = 24
LONGEST = 10_000
"""Characters of a secret that are looked for."""

_DIFFERENT = 4
"""Different characters that a secret has at least: `********` is none."""


def is_telling(value: str) -> bool:
    """Whether a value that has a secret's name is one to look for: no common word, placeholder or path of a file."""
    if len(value) < SHORTEST or (value.isalpha() and len(value) < WORD) or len(set(value)) < _DIFFERENT:
        return False
    return not (value.startswith("/") and os.path.exists(value))  # noqa: PTH110  # it may be too long for a path


def of_environment() -> set[str]:
    """Return the secrets in the environment of this process."""
    return {value for name, value in dict(os.environ).items() if names_secret(name) and is_telling(value)}


def mask_values(text: str, secrets: Iterable[str]) -> str:
    """Replace each secret in a text, whole or in part, as it is or escaped."""
    spans = sorted(_spans(text, {form for secret in secrets for form in _forms(secret[:LONGEST])}))
    masked: list[str] = []
    end = 0
    for first, last in spans:
        if first > end or not masked:
            masked.append(text[end:first] + MASK)
        end = max(end, last)
    return "".join(masked) + text[end:]


def _forms(secret: str) -> set[str]:
    """Return the ways in which a secret may be written: as it is, in Python, in JSON, in an address."""
    escaped = {repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {secret, quote(secret, safe=""), *escaped}


def _spans(text: str, secrets: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield where parts of secrets stand in a text."""
    parts: dict[int, set[str]] = defaultdict(set)
    for secret in secrets:
        for part in _parts(secret):
            parts[len(part)].add(part)
    for length, known in parts.items():
        for at in range(len(text) - length + 1):
            if text[at : at + length] in known:
                yield at, at + length


def _parts(secret: str) -> Iterator[str]:
    if len(secret) >= LONG:
        yield from _slices(secret, PART_OF_LONG)
        return
    yield from _slices(secret, min(len(secret), PART))
    yield from (part for part in _slices(secret, PART_WITH_DIGIT) if any(map(str.isdigit, part)))


def _slices(text: str, length: int) -> Iterator[str]:
    return (text[at : at + length] for at in range(len(text) - length + 1))
