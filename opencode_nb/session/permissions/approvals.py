"""Approvals: remembers what the user allowed with "always".

They are kept here, and the server only gets "once". An "always" on the server would override every later rule in every
session of the directory, including rules that deny.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from opencode_nb.session.permissions.rules import matches
from opencode_nb.transcript.state import Json


def as_sent(reply: Literal["once", "always", "reject"]) -> Literal["once", "reject"]:
    """Return the reply to send to the server."""
    return "reject" if reply == "reject" else "once"


class Approvals:
    """The patterns allowed with "always", by permission."""

    def __init__(self) -> None:
        self._given: set[tuple[str, str]] = set()
        self._news = asyncio.Event()

    def add(self, request: Json) -> None:
        """Allow everything that this request's "always" patterns cover."""
        self._given |= {(str(request.get("permission")), str(text)) for text in request.get("always") or ()}
        self._news.set()
        self._news = asyncio.Event()

    def clear(self) -> None:
        """Forget all approvals."""
        self._given.clear()

    @property
    def given(self) -> list[tuple[str, str]]:
        """What was allowed with "always": permissions and patterns, sorted."""
        return sorted(self._given)

    def take_back(self, permission: str, pattern: str | None = None) -> int:
        """Ask again about a permission, or one pattern of it; return how many approvals that ends."""
        ended = {one for one in self._given if one[0] == permission and pattern in (None, one[1])}
        self._given -= ended
        return len(ended)

    def cover(self, request: Json) -> bool:
        """Whether earlier approvals cover every pattern of a request."""
        allowed = [text for name, text in self._given if name == request.get("permission")]
        texts = [str(text) for text in request.get("patterns") or ()]
        return bool(texts) and all(any(matches(text, pattern) for pattern in allowed) for text in texts)

    async def covering(self, request: Json) -> None:
        """Wait until approvals cover a request."""
        while not self.cover(request):
            await self._news.wait()
