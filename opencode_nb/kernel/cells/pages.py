"""Reach the notebook's page: through a view of the session whose agent asks.

A view is shown on any number of pages, some without a notebook. So the pages are asked who is there, and then one of
them, by the name that it gave itself. The requests are those of static/live/cells.js.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from opencode_nb.tools.tool import Json

WHO_SECONDS = 1.5
"""Seconds for a page to say that it is there: as long as for a request of the agent's (widgets/live.py)."""

ANSWER_SECONDS = 15.0
"""Seconds for a page that is there to answer: a notebook of many megabytes takes a browser a while."""


class View(Protocol):
    """What is shown on pages."""

    async def ask(self, message: Json, seconds: float) -> Json | None:
        """Send a request to all pages; return the first answer, None if none comes."""


class NoPageError(Exception):
    """No page with the notebook can be reached."""


@dataclass(frozen=True, slots=True)
class NotebookPage:
    """A page that shows the notebook at `path`, which it `saved` or loaded last at this time, in ISO format; or "".

    Both as Jupyter's server names them.
    """

    view: View
    name: str
    path: str
    saved: str = ""

    async def ask(self, op: str, **fields: Any) -> Json:
        """Send a request; return the answer. Raises NoPageError if the page has gone meanwhile."""
        answer = await self.view.ask({"op": op, "page": self.name, **fields}, ANSWER_SECONDS)
        if answer is None:
            raise NoPageError
        return answer

    async def whole(self) -> list[Json]:
        """Return all cells as nbformat has them. Raises NoPageError if they do not come: one may be too large."""
        cells: list[Json] = []
        while True:
            answer = await self.ask("whole", **{"from": len(cells)})
            if answer.get("refused"):
                raise NoPageError
            cells += answer["cells"]
            if not answer["cells"] or len(cells) >= answer["total"]:
                return cells


Find = Callable[[], Awaitable[NotebookPage | None]]

_views: WeakKeyDictionary[View, Callable[[], str]] = WeakKeyDictionary()


def add(view: View, session: Callable[[], str]) -> Callable[[], None]:
    """Reach notebooks through this view, as long as somebody keeps it; `session` returns the id of what it shows.

    Returns a function that ends it.
    """
    _views[view] = session
    return lambda: _views.pop(view, None) and None


def prefer(view: View) -> None:
    """Ask this view before others: the prompt was sent there."""
    if (session := _views.pop(view, None)) is not None:
        _views[view] = session


def is_shown(session_id: str) -> bool:
    """Whether a view shows a session, on any page that may or may not be heard."""
    return any(shows() == session_id for shows in _views.values())


async def find(session_id: str, *, cell: str = "", file: str = "") -> NotebookPage | None:
    """Return the page that shows a session, one inside of its notebook first; None if no page with a notebook does.

    Of several, the view that was shown or preferred last counts: a prompt that waits, before a panel in another
    notebook. `cell` is the id of a cell and `file` the name of a file: pages of other notebooks do not answer.
    """
    views = [view for view, shows in reversed(list(_views.items())) if shows() == session_id]
    answers = await asyncio.gather(
        *(view.ask({"op": "who", "cell": cell, "file": file}, WHO_SECONDS) for view in views)
    )
    found = [(view, answer) for view, answer in zip(views, answers, strict=True) if answer is not None]
    if not found:
        return None
    view, answer = min(found, key=lambda one: not one[1].get("inside"))
    return NotebookPage(view, str(answer.get("page")), str(answer.get("path") or ""), str(answer.get("saved") or ""))
