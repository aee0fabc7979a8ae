"""History: fetches a session's stored messages page by page, newest first."""

from __future__ import annotations

import logging
from typing import NamedTuple

from opencode_nb.api.client import AsyncClient
from opencode_nb.errors import BadRequestError, OpencodeError
from opencode_nb.transcript.state import Json

log = logging.getLogger("opencode_nb")

PAGE = 100
"""Messages per page: about twenty turns with tools, fetched in a few hundredths of a second."""

WHOLE_TURN_PAGES = 10
"""Maximum number of extra pages to fetch to complete the first turn."""


class Page(NamedTuple):
    """Messages, oldest first. `cursor` points to the ones before them: "" if there are none."""

    messages: list[Json]
    cursor: str


NOTHING = Page([], "")


async def latest(client: AsyncClient, session_id: str, since: float | None = None) -> Page:
    """Fetch the last messages, starting with a whole turn and reaching back at least to `since` (server time, ms)."""
    page = await before(client, session_id, "")
    while page.cursor and since is not None and page.messages[0]["info"]["time"]["created"] > since:
        page = await _longer(client, session_id, page)
    return page


async def before(client: AsyncClient, session_id: str, cursor: str) -> Page:
    """Fetch the messages before a cursor ("" is the end), starting with a whole turn."""
    page = await _page(client, session_id, cursor)
    for _number in range(WHOLE_TURN_PAGES):
        if not page.cursor or _begins_whole(page):
            break
        page = await _longer(client, session_id, page)
    return page


async def last_turns(client: AsyncClient, session_id: str, count: int) -> Page:
    """Fetch the messages of at least the last `count` turns, starting with a whole turn."""
    page = await before(client, session_id, "")
    while page.cursor and sum(_begins_turn(message) for message in page.messages) < count:
        earlier = await before(client, session_id, page.cursor)
        page = Page(earlier.messages + page.messages, earlier.cursor)
    return page


async def messages(
    client: AsyncClient, session_id: str, limit: int | None = None, before_id: str | None = None
) -> list[Json]:
    """Fetch the last `limit` messages before the one with `before_id`, oldest first; all of them by default.

    Raises OpencodeError if there is no such message.
    """
    page = await _page(client, session_id, "")
    while page.cursor and not _reaches_back(page.messages, limit, before_id):
        page = await _longer(client, session_id, page)
    end = _position(page.messages, before_id)
    if end is None:
        raise OpencodeError(f"There is no message {before_id} in session {session_id}.")
    return page.messages[0 if limit is None else max(0, end - limit) : end]


def _reaches_back(messages: list[Json], limit: int | None, before_id: str | None) -> bool:
    end = _position(messages, before_id)
    return limit is not None and end is not None and end >= limit


def _position(messages: list[Json], message_id: str | None) -> int | None:
    """Return where a message is, the end for None; None if it is not among them."""
    if message_id is None:
        return len(messages)
    return next((at for at, message in enumerate(messages) if message["info"]["id"] == message_id), None)


def _begins_whole(page: Page) -> bool:
    return not page.messages or _begins_turn(page.messages[0])


def _begins_turn(message: Json) -> bool:
    return bool(message["info"].get("role") == "user")


async def _longer(client: AsyncClient, session_id: str, page: Page) -> Page:
    earlier = await _page(client, session_id, page.cursor)
    return Page(earlier.messages + page.messages, earlier.cursor)


async def _page(client: AsyncClient, session_id: str, cursor: str) -> Page:
    """Fetch one page; empty if the server can't read its own store (near a prompt with a schema, 1.18.33)."""
    try:
        path, query = f"/session/{session_id}/message", {"limit": PAGE, **({"before": cursor} if cursor else {})}
        answer = await client.request("GET", path, params=query, raw=True)  # raw: the cursor is a header
    except BadRequestError as error:
        log.warning("The history of session %s can't be listed: %s", session_id, error)
        return NOTHING
    return Page(list(answer.json()), str(answer.headers.get("x-next-cursor") or ""))
