"""What the agent of a panel's session may use and know of this kernel: shown on the page, and chosen there."""

from __future__ import annotations

from typing import Protocol

from opencode_nb.kernel.cells.place import PLACES, checked_place
from opencode_nb.kernel.context.session_context import context_of
from opencode_nb.kernel.offer import KernelOffer, kernel_offer
from opencode_nb.session.session import AsyncSession
from opencode_nb.tools.privacy import NOT_COVERED, Level
from opencode_nb.transcript.state import Json

_EARLIER = "What earlier turns of this session sent stays with the provider. A new session starts without it."
LEVELS_TOLD = {
    Level.NONE: "nothing of the kernel",
    Level.NAMES: "names and types of variables",
    Level.SCHEMA: "also shapes, columns and dtypes",
    Level.SUMMARY: "also counts and means, but no rows",
    Level.FULL: "all values, with secrets masked",
}
"""What may leave at each level, for people."""


class KernelAccess(Protocol):
    """What the agent of each session may use and know of this kernel."""

    def tools(self, session: AsyncSession, /) -> bool:
        """Return whether the agent has the kernel's tools."""

    def level(self, session: AsyncSession, /) -> Level:
        """Return the session's privacy level."""

    def place(self, session: AsyncSession, /) -> str:
        """Return where the session's code is to stand."""

    def choose(self, session: AsyncSession, /, *, tools: bool | None, level: Level, place: str | None) -> None:
        """Give or take the tools, and set the level and the place, from the next prompt on. None changes nothing."""


class LiveAccess:
    """Access to the kernel of this process."""

    def __init__(self, offer: KernelOffer) -> None:
        self._offer = offer

    def tools(self, session: AsyncSession, /) -> bool:
        """Return whether the agent has the kernel's tools."""
        return self._offer.uses(session)

    def level(self, session: AsyncSession, /) -> Level:
        """Return the session's privacy level."""
        return context_of(session.id).settle()

    def place(self, session: AsyncSession, /) -> str:
        """Return where the session's code is to stand."""
        return self._offer.place(session)

    def choose(self, session: AsyncSession, /, *, tools: bool | None, level: Level, place: str | None) -> None:
        """Give or take the tools, and set the level and the place, from the next prompt on. None changes nothing."""
        context_of(session.id).settle(level)
        self._offer.choose(session, tools=tools, place=place)


def live_access() -> KernelAccess | None:
    """Return access to the kernel of this process; None where there is none. Call on the main thread."""
    offer = kernel_offer()
    return LiveAccess(offer) if offer is not None else None


def state(access: KernelAccess | None, session: AsyncSession) -> Json | None:
    """Return what the page shows; None where there is no kernel to choose for."""
    if access is None:
        return None
    levels = [{"name": level.name.lower(), "about": about} for level, about in LEVELS_TOLD.items()]
    chosen, place = access.level(session).name.lower(), access.place(session)
    places = PLACES if place in PLACES else {**PLACES, place: "at the end of this cell"}
    return {
        "tools": access.tools(session),
        "lacks": session.owner.lacks("kernel"),
        "level": chosen,
        "levels": levels,
        "place": place,
        "places": [{"name": name, "about": about} for name, about in places.items()],
        "not_covered": f"Not covered: {NOT_COVERED}.",
    }


def choose(access: KernelAccess, session: AsyncSession, intent: Json) -> str:
    """Carry out the page's choice of `tools`, a `level` or a `place`, and return a warning if it comes late.

    Raises ValueError for a level or a place that does not exist.
    """
    before = access.level(session)
    level = Level.of(str(intent["level"])) if "level" in intent else before
    tools = bool(intent["tools"]) if "tools" in intent else None
    place = checked_place(str(intent["place"])) if "place" in intent else None
    access.choose(session, tools=tools, level=level, place=place)
    return _EARLIER if level < before and session.transcript.visible_turns else ""
