"""Tell before a prompt is sent that its model cannot take it. Pure.

Judges only what is certain. The server replaces media that a model does not take by a line that says so, which the
model then answers; a prompt that does not fit the model's context fails, or has the server compact again and again.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.transcript.state import Json

CHARACTERS_PER_TOKEN = 8
"""Characters of text that a token has at most, on average: prose has 4 to 5, code and other scripts fewer."""

SMALLEST_CONTEXT = 1000
"""Tokens that fit every model: shorter prompts need no look at the model."""

NAMED = 3
"""Models to name that take what this one does not."""

_KINDS = {"image": "images", "audio": "audio", "video": "video", "pdf": "PDF files"}
_REPEATED = re.compile(r"(.)\1+", re.DOTALL)


class Needs(NamedTuple):
    """What a prompt needs of its model: `files` has a file's name for each kind of media, `tokens` a lower bound."""

    files: dict[str, str]
    tokens: int

    @property
    def any(self) -> bool:
        """Whether some model may be unable to take it."""
        return bool(self.files) or self.tokens > SMALLEST_CONTEXT


def needs(parts: Iterable[Json]) -> Needs:
    """Return what these parts need, but for the pictures of mentioned variables: words describe these too."""
    listed = list(parts)
    described = prompt_parts.variables(listed)
    files: dict[str, str] = {}
    for part in listed:
        name = str(part.get("filename") or "")
        if (kind := _kind(part)) and name.removesuffix(".png") not in described:
            files.setdefault(kind, name)
    return Needs(files, sum(least_tokens(_text(part)) for part in listed))


def least_tokens(text: str) -> int:
    """Return a number of tokens that the text certainly has: a rough estimate, well below the usual count.

    Runs of one character count once, as they may be one token.
    """
    if len(text) <= SMALLEST_CONTEXT:
        return 0
    return len(_REPEATED.sub(r"\1", text)) // CHARACTERS_PER_TOKEN


def problem(needs: Needs, model: Json, listed: Iterable[Json]) -> str:
    """Say why the model cannot take it, and what to do; "" if it may. Both are of `models_detail`, `listed` is all."""
    for kind, name in needs.files.items():
        if kind not in model["input"]:
            return _not_taken(kind, name, model, [str(one["id"]) for one in listed if kind in one["input"]])
    if model["context"] and needs.tokens > model["context"]:
        return (
            f"The prompt has more than {needs.tokens:,} tokens, by a low estimate; the context of {model['id']} has "
            f"{model['context']:,}. Shorten it, or name a file that the agent can read in pieces. Nothing was sent."
        )
    return ""


def _not_taken(kind: str, name: str, model: Json, others: Sequence[str]) -> str:
    instead = f" or use a model that does, such as {', '.join(others[:NAMED])}" if others else ""
    takes = ", ".join(f'"{one}"' for one in [*model["input"], kind])
    return (
        f"{model['id']} does not take {_KINDS[kind]}: leave {name or 'it'} out{instead}. If it does take them, say so "
        f'in OpenCode\'s configuration of the model: "modalities": {{"input": [{takes}]}}. Nothing was sent.'
    )


def _kind(part: Json) -> str:
    """Return which kind of media a part is; "" for text and for what only the provider can judge."""
    mime = str(part.get("mime") or "") if part.get("type") == "file" else ""
    kind = "pdf" if mime == "application/pdf" else mime.partition("/")[0]
    return kind if kind in _KINDS else ""


def _text(part: Json) -> str:
    """Return the text that goes to the model whole: of a text part or an embedded file, not of one that is read."""
    if part.get("type") == "text":
        return str(part.get("text") or "")
    head, _, data = str(part.get("url") or "").partition(";base64,")
    if not head.startswith("data:text/"):
        return ""
    try:
        return base64.b64decode(data).decode("utf-8", "replace")
    except binascii.Error:  # the server refuses it
        return ""
