"""Approvals: what an "always" covers from then on.

They are kept here, and the server is told "once": what it is told "always" outweighs every rule that is given later, in
every session of the directory, and then a rule that says deny would not deny.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from opencode_nb.session.permissions.rules import matches
from opencode_nb.transcript.state import Json


def as_sent(reply: Literal["once", "always", "reject"]) -> Literal["once", "reject"]:
    """What the server is told."""
    return "reject" if reply == "reject" else "once"


class Approvals:
    """The patterns that were allowed for good, by permission."""

    def __init__(self) -> None:
        self._given: set[tuple[str, str]] = set()
        self._news = asyncio.Event()

    def add(self, request: Json) -> None:
        """Allow all that this request's "always" covers."""
        self._given |= {(str(request.get("permission")), str(text)) for text in request.get("always") or ()}
        self._news.set()
        self._news = asyncio.Event()

    def clear(self) -> None:
        """Ask again from now on."""
        self._given.clear()

    def cover(self, request: Json) -> bool:
        """Whether all that it is about was allowed before."""
        allowed = [text for name, text in self._given if name == request.get("permission")]
        texts = [str(text) for text in request.get("patterns") or ()]
        return bool(texts) and all(any(matches(text, pattern) for pattern in allowed) for text in texts)

    async def covering(self, request: Json) -> None:
        """Wait until it is covered."""
        while not self.cover(request):
            await self._news.wait()
