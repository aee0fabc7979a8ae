"""The blocking face of a session's queue."""

from __future__ import annotations

from collections.abc import Callable

from opencode_nb.portal import run
from opencode_nb.session.derived import Derived, Forwarded, blocking, forwarded
from opencode_nb.session.queue import Queue as AsyncQueue
from opencode_nb.session.queue import QueueItem
from opencode_nb.session.turn import Turn


class Queue(Derived):
    """A session's queue: messages that wait until the session is idle, then are sent one by one.

    A turn that fails or is stopped pauses the queue: `paused` says why, `resume()` continues.
    """

    def __init__(self, queue: AsyncQueue, blocking_turn: Callable[[Turn], Turn]) -> None:
        self._async, self._blocking_turn = queue, blocking_turn

    items = Forwarded[tuple[QueueItem, ...]]("items", "The waiting messages, in order; each has an `id` and a `text`.")
    paused = Forwarded[str]("paused", 'Why the queue is paused, or "" if it is not.')
    add = blocking(AsyncQueue.add)
    edit = blocking(AsyncQueue.edit)
    hold = blocking(AsyncQueue.hold)
    release = blocking(AsyncQueue.release)
    remove = blocking(AsyncQueue.remove)
    clear = blocking(AsyncQueue.clear)

    def send_now(self, item_id: str) -> Turn:
        """Send a waiting message now: a running turn picks it up after its current step. Raises as `prompt` does."""
        return self._blocking_turn(run(self._async.send_now, item_id))

    resume = blocking(AsyncQueue.resume)
    subscribe = forwarded(AsyncQueue.subscribe)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"<Queue of {len(self)}{', paused: ' + self.paused if self.paused else ''}>"
