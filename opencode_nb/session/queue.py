"""Queue: messages that wait until their session is idle, then are sent one by one.

Kept in this process, so the queue survives a restart of the server. A turn that fails or is stopped pauses it: messages
written on the assumption that the turn succeeds must not be sent blindly.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from opencode_nb.api.verifying import refuse_acts
from opencode_nb.errors import OpencodeError
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.transcript.transcript import Change

if TYPE_CHECKING:
    from opencode_nb.recording.recording import Recording

log = logging.getLogger("opencode_nb")

HOLD = 120.0
"""Seconds that a message is held without another call from its editor: the page can be closed in the middle."""

_numbers = itertools.count(1)  # one for all queues: a page must not confuse messages of two sessions


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A waiting message: `files` are the attached parts, `options` are those of `prompt`.

    `commands`: run the text as a slash command if it starts with a command's `/name` when it is sent.
    """

    id: str
    text: str
    files: tuple[Json, ...]
    options: Json
    commands: bool = False


class Place(Protocol):
    """Where messages are sent: a part of session/owner.py."""

    directory: Path
    recording: Recording | None


class Queue:
    """The messages that wait for a session. asyncio only, on its loop; `items` may be read from any thread.

    `paused` says why the queue is paused; it is "" otherwise.
    """

    def __init__(
        self,
        owner: Place,
        send: Callable[[QueueItem], Awaitable[Turn]],
        is_busy: Callable[[], bool],
        turn_of: Callable[[str], TurnState | None],
    ) -> None:
        self._place, self._send_item, self._is_busy, self._turn_of = owner, send, is_busy, turn_of
        self.items: tuple[QueueItem, ...] = ()
        self.paused = ""
        self._sending: asyncio.Task[None] | None = None
        self._leaving: set[str] = set()  # ids being sent: they stay in `items` until then
        self._held: dict[str, asyncio.TimerHandle] = {}  # ids being edited, and the timers to release them
        self._subscribers: list[Callable[[], None]] = []

    # -- the messages ----------------------------------------------------------------------------------------------

    async def add(
        self,
        /,
        text: str,
        *,
        files: Iterable[Any] = (),
        images: Iterable[Any] = (),
        commands: bool = False,
        **options: Any,
    ) -> QueueItem:
        """Queue a message, to send when the session is idle and those before it are sent; options as for `prompt`.

        `commands=True` runs the text as a slash command if it starts with a command's `/name` when it is sent.
        Mentions are looked up when it is sent. Raises OSError or TypeError at once for a file that cannot be sent, and
        ValueError for `retry`: a turn that fails pauses the queue.
        """
        prompt_parts.check_text(text)
        refuse_acts(playing=self._place.recording or options.get("replay"))
        if options.get("retry") is not None:
            raise ValueError("Queued messages are not sent again: leave out retry=. A failed turn pauses the queue.")
        _text, *attached = await prompt_parts.parts(text, files, images, self._place.directory)
        item = QueueItem(f"q{next(_numbers)}", text, tuple(attached), options, commands)
        self._set((*self.items, item))
        self._advance()
        return item

    async def edit(self, item_id: str, text: str) -> None:
        """Change the text of a waiting message and release it.

        Raises OpencodeError if it has been sent, or would be empty.
        """
        prompt_parts.check_text(text)
        item = self._find(item_id)
        if not text.strip() and not item.files:
            raise OpencodeError("The message is empty. Add text or remove it.")
        changed = replace(item, text=text)
        self._set(tuple(changed if other is item else other for other in self.items))
        self._release(item_id)

    async def hold(self, item_id: str) -> None:
        """Hold back this message and those after it while somebody edits it.

        Ends when it is edited, released or removed, or `HOLD` seconds after the last call. Raises OpencodeError if it
        has been sent.
        """
        self._find(item_id)
        if item_id in self._held:
            self._held[item_id].cancel()
        self._held[item_id] = asyncio.get_running_loop().call_later(HOLD, self._release, item_id)

    async def release(self, item_id: str) -> None:
        """Release a held message, to be sent in its turn."""
        self._release(item_id)

    async def remove(self, item_id: str) -> None:
        """Remove a waiting message. Raises OpencodeError if it has been sent."""
        item = self._find(item_id)
        self._set(tuple(other for other in self.items if other is not item))
        self._advance()  # it may have been held

    async def clear(self) -> None:
        """Remove all waiting messages."""
        self._set(tuple(item for item in self.items if item.id in self._leaving))

    async def send_now(self, item_id: str) -> Turn:
        """Send a waiting message now: a running turn picks it up after its current step. Raises as `prompt` does."""
        return await self._send(self._find(item_id))

    async def resume(self) -> None:
        """Continue sending after a pause."""
        self.paused = ""
        self._tell()
        self._advance()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each change, on the package's loop thread; return a function that unsubscribes."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    # -- when it goes on -------------------------------------------------------------------------------------------

    def changed(self, change: Change) -> None:
        """Handle what an event changed in the session."""
        if not self.items:
            return
        turn = self._turn_of(change.turn) if change.kind == "ended" else None
        if turn is not None and turn.status in ("error", "aborted"):
            how = "failed" if turn.status == "error" else "was stopped"
            self._pause(f"The previous turn {how}. Resume the queue, or edit its messages.")
        if change.kind in ("ended", "session"):
            self._advance()

    def _release(self, item_id: str) -> None:
        if item_id in self._held:
            self._held.pop(item_id).cancel()
            self._advance()

    def _advance(self) -> None:
        if not self.items or self.items[0].id in self._held:
            return
        if not self.paused and not self._is_busy() and self._sending is None:
            self._sending = asyncio.create_task(self._send_first(self.items[0]), name="opencode_nb queue")

    async def _send_first(self, item: QueueItem) -> None:
        try:
            await self._send(item)
        except (OpencodeError, OSError, ValueError, TypeError) as error:
            self._pause(f"The next message could not be sent: {error}")
        except Exception as error:  # nobody awaits this task: log the bug and keep the message
            log.exception("A queued message could not be sent")
            self._pause(f"The next message could not be sent: {error!r}")
        finally:
            self._sending = None
        self._advance()  # if the turn has already ended

    async def _send(self, item: QueueItem) -> Turn:
        self._leaving.add(item.id)
        try:
            turn = await self._send_item(item)
        finally:
            self._leaving.discard(item.id)
        self._set(tuple(other for other in self.items if other is not item))
        return turn

    def _find(self, item_id: str) -> QueueItem:
        waiting = (item for item in self.items if item.id not in self._leaving)
        item = next((item for item in waiting if item.id == item_id), None)
        if item is None:
            raise OpencodeError("This message is no longer queued: it was sent or removed.")
        return item

    def _pause(self, reason: str) -> None:
        self.paused = reason
        self._tell()

    def _set(self, items: tuple[QueueItem, ...]) -> None:
        self.items = items
        for gone in self._held.keys() - {item.id for item in items}:
            self._held.pop(gone).cancel()
        if not items:
            self.paused = ""
        self._tell()

    def _tell(self) -> None:
        for subscriber in list(self._subscribers):
            try:
                subscriber()
            except Exception:  # a failing view must not stop the queue
                log.exception("A listener of a queue failed")
