"""Queue: the face of a session's queue for code that does not await."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from opencode_nb.conversation.queue import QueueItem
from opencode_nb.conversation.turn import Turn
from opencode_nb.portal import run

if TYPE_CHECKING:
    from opencode_nb.conversation.sync_session import Session


class Queue:
    """The face of a session's queue: messages that wait until it rests, and are then sent one after the other.

    A turn that fails or is stopped pauses it: `paused` says why, `resume()` goes on.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._async = session._async.queue

    @property
    def items(self) -> tuple[QueueItem, ...]:
        """What waits, in order; each has an `id` and a `text`."""
        return self._async.items

    @property
    def paused(self) -> str:
        """Why nothing is sent although something waits, "" where nothing stands in the way."""
        return self._async.paused

    def add(
        self,
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
        return run(self._async.add, text, files=files, images=images, commands=commands, **options)

    def edit(self, item_id: str, text: str) -> None:
        """Give a waiting message another text, and release it.

        Raises OpencodeError where it has been sent, or would say nothing.
        """
        run(self._async.edit, item_id, text)

    def hold(self, item_id: str) -> None:
        """Send neither this message nor those behind it for a while, as somebody edits it.

        Until it is edited, released or taken away, or two minutes after the last call. Raises OpencodeError where it
        has been sent.
        """
        run(self._async.hold, item_id)

    def release(self, item_id: str) -> None:
        """Let a message that was held go when its turn comes."""
        run(self._async.release, item_id)

    def remove(self, item_id: str) -> None:
        """Take a waiting message away. Raises OpencodeError where it has been sent."""
        run(self._async.remove, item_id)

    def clear(self) -> None:
        """Take all of them away."""
        run(self._async.clear)

    def send_now(self, item_id: str) -> Turn:
        """Send a message without waiting: a running turn takes it up after its step. Raises what `prompt` raises."""
        return self._session._mine(run(self._async.send_now, item_id))

    def resume(self) -> None:
        """Go on after a pause."""
        run(self._async.resume)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back, on the package's loop thread, after each change; returns what ends it."""
        return self._async.subscribe(callback)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"<Queue of {len(self)}{', paused: ' + self.paused if self.paused else ''}>"
