"""Join a session to what it is told of the kernel: the parts of a message, the turns in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from weakref import WeakSet

from opencode_nb.kernel.context.session_context import context_of
from opencode_nb.kernel.offer import kernel_offer
from opencode_nb.kernel.running import main_thread
from opencode_nb.session.compose import agent_names
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change

_followed: WeakSet[AsyncSession] = WeakSet()


async def mentioned(session: AsyncSession, text: str, cells: Sequence[str] = ()) -> list[Json]:
    """Offer the kernel's tools; return the parts that go with a message's text: what it mentions, and what changed.

    `cells` are the ids of the notebook's cells that go along. Raises OpencodeError for what is not there.
    """
    context, owner = context_of(session.id), session.owner
    context.settle()
    if (offer := kernel_offer()) is not None:
        offer.offer(session)
    chosen = context.described([await offer.cells(session, cells)]) if cells and offer is not None else []
    found = await context.mentioned(text, lambda: agent_names(owner), owner.directory, main_thread.undisturbed)
    return [*chosen, *found, *context.note()]


def follow(session: AsyncSession) -> None:
    """Note from now on which turn and model took along what left the kernel, and tell it to the session's views."""
    if session not in _followed:
        _followed.add(session)
        session.subscribe(lambda change: _changed(session, change))


def _changed(session: AsyncSession, change: Change) -> None:
    if change.kind not in ("message", "part", "ended") or change.turn not in session.transcript.turns:
        return
    turn, context = session.transcript.turns[change.turn], context_of(session.id)
    model = (turn.prompt.info.get("model") if turn.prompt else None) or {}
    if not model.get("modelID"):
        return
    if sent := context.sent(turn.id, f"{model.get('providerID')}/{model['modelID']}"):
        tell = session.owner.feed.tell
        asyncio.get_running_loop().call_soon(lambda: tell(session.id, "sent", messageID=turn.id, entries=sent))
