"""Queue: the face of a session's queue for code that does not await."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opencode_nb.portal import run
from opencode_nb.session.blocking.derived import Derived, Forwarded, blocking, forwarded
from opencode_nb.session.queue import Queue as AsyncQueue
from opencode_nb.session.queue import QueueItem
from opencode_nb.session.turn import Turn

if TYPE_CHECKING:
    from opencode_nb.session.blocking.session import Session


class Queue(Derived):
    """The face of a session's queue: messages that wait until it rests, and are then sent one after the other.

    A turn that fails or is stopped pauses it: `paused` says why, `resume()` goes on.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._async = session._async.queue

    items = Forwarded[tuple[QueueItem, ...]]("items", "What waits, in order; each has an `id` and a `text`.")
    paused = Forwarded[str](
        "paused", 'Why nothing is sent although something waits, "" where nothing stands in the way.'
    )
    add = blocking(AsyncQueue.add)
    edit = blocking(AsyncQueue.edit)
    hold = blocking(AsyncQueue.hold)
    release = blocking(AsyncQueue.release)
    remove = blocking(AsyncQueue.remove)
    clear = blocking(AsyncQueue.clear)

    def send_now(self, item_id: str) -> Turn:
        """Send a message without waiting: a running turn takes it up after its step. Raises what `prompt` raises."""
        return self._session._mine(run(self._async.send_now, item_id))

    resume = blocking(AsyncQueue.resume)
    subscribe = forwarded(AsyncQueue.subscribe)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"<Queue of {len(self)}{', paused: ' + self.paused if self.paused else ''}>"
