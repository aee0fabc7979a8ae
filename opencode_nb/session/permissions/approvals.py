"""Approvals: remembers what the user allowed with "always", and for the rest of a turn.

They are kept here, and the server only gets "once". An "always" on the server would override every later rule in every
session of the directory, including rules that deny.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from opencode_nb.session.permissions.rules import matches
from opencode_nb.tools.names import CELL_CHANGES, WITH_SOURCE, own_tool
from opencode_nb.transcript.state import Json

Reply = Literal["once", "always", "turn", "edited", "reject"]
"""A reply to a request. "turn" allows all changes to cells in its turn, "edited" this one with another source."""

APPLIES_TO = {"turn": CELL_CHANGES, "edited": WITH_SOURCE}
"""The tools that a reply is for; all others are for any request."""


def as_sent(reply: Reply, message: str) -> dict[str, Any]:
    """Return the fields to send to the server."""
    return {"reply": "reject", "message": message or None} if reply == "reject" else {"reply": "once"}


class Approvals:
    """The patterns allowed with "always", by permission, and the turns whose changes to cells are all accepted."""

    def __init__(self) -> None:
        self._given: set[tuple[str, str]] = set()
        self._turns: set[str] = set()
        self._news = asyncio.Event()

    def remember(self, reply: Reply, request: Json, turn: str) -> None:
        """Allow what a person's reply to a request of this turn allows beyond it."""
        if reply == "always":
            self.add(request)
        elif reply == "turn":
            self._turns.add(turn)
            self._wake()

    def add(self, request: Json) -> None:
        """Allow everything that this request's "always" patterns cover."""
        self._given |= {(str(request.get("permission")), str(text)) for text in request.get("always") or ()}
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def clear(self) -> None:
        """Forget all approvals."""
        self._given.clear()
        self._turns.clear()

    @property
    def given(self) -> list[tuple[str, str]]:
        """What was allowed with "always": permissions and patterns, sorted."""
        return sorted(self._given)

    def take_back(self, permission: str, pattern: str | None = None) -> int:
        """Ask again about a permission, or one pattern of it; return how many approvals that ends."""
        ended = {one for one in self._given if one[0] == permission and pattern in (None, one[1])}
        self._given -= ended
        return len(ended)

    def cover(self, request: Json, turn: str = "") -> bool:
        """Whether earlier approvals cover every pattern of a request, which a turn makes."""
        if turn in self._turns and own_tool(str(request.get("permission"))) in CELL_CHANGES:
            return True
        allowed = [text for name, text in self._given if name == request.get("permission")]
        texts = [str(text) for text in request.get("patterns") or ()]
        return bool(texts) and all(any(matches(text, pattern) for pattern in allowed) for text in texts)

    async def covering(self, request: Json, turn: str) -> None:
        """Wait until approvals cover a request of a turn."""
        while not self.cover(request, turn):
            await self._news.wait()
