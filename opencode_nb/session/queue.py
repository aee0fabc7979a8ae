"""Queue: messages that wait until their session rests, and are then sent one after the other.

Kept here, not on the server, so it outlives one. A turn that fails or is stopped pauses it: what was written in the
expectation that all goes well is not fired off blindly.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opencode_nb.errors import OpencodeError
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.transcript.transcript import Change

if TYPE_CHECKING:
    pass

log = logging.getLogger("opencode_nb")

HOLD = 120.0
"""Seconds for which a message is held without another word from who edits it: a page can be closed in the middle."""

_numbers = itertools.count(1)  # one for all queues: a page must not take one session's message for another's


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A message that waits: `files` are the parts that go along, `options` are those of `prompt`.

    `commands`: where its text begins with a command's `/name` when it is sent, that is run.
    """

    id: str
    text: str
    files: tuple[Json, ...]
    options: Json
    commands: bool = False


class Queue:
    """The messages that wait for a session. asyncio only, on its loop; `items` may be read anywhere.

    `paused` says why nothing is sent although something waits; "" where nothing stands in the way.
    """

    def __init__(
        self,
        directory: Path,
        send: Callable[[QueueItem], Awaitable[Turn]],
        is_busy: Callable[[], bool],
        turn_of: Callable[[str], TurnState | None],
    ) -> None:
        self._directory, self._send_item, self._is_busy, self._turn_of = directory, send, is_busy, turn_of
        self.items: tuple[QueueItem, ...] = ()
        self.paused = ""
        self._sending: asyncio.Task[None] | None = None
        self._leaving: set[str] = set()  # what is being sent waits until it has been
        self._held: dict[str, asyncio.TimerHandle] = {}  # what is being edited, and when that is taken for over
        self._subscribers: list[Callable[[], None]] = []

    # -- what waits ------------------------------------------------------------------------------------------------

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
        """Have this sent when the session rests and all before it is sent; options as for `prompt`.

        `commands`: a text that then begins with a command's `/name` runs it.
        Raises OSError or TypeError at once for a file that cannot be sent. What the text mentions is looked up when it
        is sent.
        """
        _text, *attached = await prompt_parts.parts(text, files, images, self._directory)
        item = QueueItem(f"q{next(_numbers)}", text, tuple(attached), options, commands)
        self._set((*self.items, item))
        self._advance()
        return item

    async def edit(self, item_id: str, text: str) -> None:
        """Give a waiting message another text, and release it.

        Raises OpencodeError where it has been sent, or would say nothing.
        """
        prompt_parts.check_text(text)
        item = self._find(item_id)
        if not text.strip() and not item.files:
            raise OpencodeError("A message without words says nothing: write some, or take it out of the queue.")
        changed = replace(item, text=text)
        self._set(tuple(changed if other is item else other for other in self.items))
        self._release(item_id)

    async def hold(self, item_id: str) -> None:
        """Send neither this message nor those behind it, as somebody edits it.

        Until it is edited, released or taken away, or `HOLD` seconds after the last call. Raises OpencodeError where it
        has been sent.
        """
        self._find(item_id)
        if item_id in self._held:
            self._held[item_id].cancel()
        self._held[item_id] = asyncio.get_running_loop().call_later(HOLD, self._release, item_id)

    async def release(self, item_id: str) -> None:
        """Let a message that was held go when its turn comes."""
        self._release(item_id)

    async def remove(self, item_id: str) -> None:
        """Take a waiting message away. Raises OpencodeError where it has been sent."""
        item = self._find(item_id)
        self._set(tuple(other for other in self.items if other is not item))
        self._advance()  # it may have been held

    async def clear(self) -> None:
        """Take all of them away."""
        self._set(tuple(item for item in self.items if item.id in self._leaving))

    async def send_now(self, item_id: str) -> Turn:
        """Send a message without waiting: a running turn takes it up after its step. Raises what `prompt` raises."""
        return await self._send(self._find(item_id))

    async def resume(self) -> None:
        """Go on after a pause."""
        self.paused = ""
        self._tell()
        self._advance()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back, on the package's loop thread, after each change; returns what ends it."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    # -- when it goes on -------------------------------------------------------------------------------------------

    def changed(self, change: Change) -> None:
        """Take note of what an event changed in the session."""
        if not self.items:
            return
        turn = self._turn_of(change.turn) if change.kind == "ended" else None
        if turn is not None and turn.status in ("error", "aborted"):
            how = "failed" if turn.status == "error" else "was stopped"
            self._pause(f"The turn before {how}. Go on with it, or change what waits.")
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
        except Exception as error:  # nobody awaits this task: a defect must be seen, and must not lose the message
            log.exception("A queued message could not be sent")
            self._pause(f"The next message could not be sent: {error!r}")
        finally:
            self._sending = None
        self._advance()  # where the turn has already ended

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
            raise OpencodeError("This message no longer waits: it was sent or taken away.")
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
            except Exception:  # a view's fault must not keep the queue from going on
                log.exception("A listener of a queue failed")
