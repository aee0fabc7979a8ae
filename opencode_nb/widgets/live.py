"""What every live view shares on this side: numbered patches, the snapshot, and a page's messages.

The counterpart of static/core/live.js; the wire protocol is in tests/render/wire_protocol.json. Knows nothing of what
is shown: a `Picture` renders it, and intents go to whoever made the view, on the package's loop thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

import anywidget
import traitlets

from opencode_nb.portal import start
from opencode_nb.render.markup.escape import Html
from opencode_nb.render.markup.patch_ops import Op
from opencode_nb.transcript.state import Json

FLUSH_INTERVAL = 0.05
"""Seconds between two messages: the front-end drops them above 1,000 a second, an eye sees 20."""

FLUSH_REST = 100
"""How many times the processor time of a message it takes until the next: what a model writes faster than anyone reads
must not cost more than this share of a processor, which the kernel is there to give to the user's code..."""

FLUSH_SLOWEST = 0.1
"""...but seconds at most: slower than that does not look like writing."""

UNHEARD_SNAPSHOTS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds after which the view is sent whole while the page is unheard: on some kernels it cannot ask for it."""

UNHEARD_AFTER = 1.0
"""The delay among these from which on a page counts as unheard: it says hello three times in its first second."""

PONG_TIMEOUT = 1.5
"""Seconds in which a page that can be heard says that it shows a request."""

PING_INTERVAL = 0.3
"""Seconds after which a page is asked again: its first messages, or those after a reload, may be lost."""

K = TypeVar("K")
Intent = Callable[[Json], Awaitable[None]]


class Picture(Protocol[K]):
    """What a view shows: markup that is patched by key. `K` names what may change in it."""

    def snapshot(self) -> Html:
        """The whole as of now; later updates go on from it."""

    def update(self, dirty: set[K] | None) -> list[Op]:
        """Operations after these changes; None means everything may have changed."""


class LiveWidget(anywidget.AnyWidget):
    """The model that a page sees: `snapshot` is `{n, html}`, the view as of batch n; patches come as messages."""

    snapshot = traitlets.Dict().tag(sync=True)


class LiveView(Generic[K]):
    """Keeps the pages of one widget up to date with a picture, and hears what they say.

    `intent` is given every message that is not the protocol's own. `heard` is called when it turns out whether clicks
    reach the kernel: on some they wait until the running cell has ended.
    Make it on the main thread; everything else but `remove` runs on the package's loop thread.
    """

    def __init__(self, widget: LiveWidget, intent: Intent, heard: Callable[[bool], None] = lambda _heard: None) -> None:
        self.widget = widget
        self._intent = intent
        self._tell_heard = heard
        self._picture: Picture[K] | None = None
        self._dirty: set[K] = set()
        self._sent = 0
        self._heard = False
        self._closed = False
        self._flush: asyncio.TimerHandle | None = None
        self._flush_after = 0.0  # the loop's time
        self._snapshots: asyncio.Task[None] | None = None
        self._pongs: dict[str, asyncio.Future[None]] = {}
        hear_while_blocked(widget)
        widget.on_msg(self._received)

    # -- showing ---------------------------------------------------------------------------------------------------

    def open(self, picture: Picture[K]) -> None:
        """Show this picture from now on."""
        if self._picture is not None:
            self._sent += 1  # what no page has yet
        self._picture = picture
        self._dirty.clear()
        self._set_snapshot(picture)
        if self._snapshots is None:
            self._snapshots = asyncio.ensure_future(self._unheard_snapshots())

    def changed(self, key: K) -> None:
        """Send what changed there as soon as this may be, together with what else has changed until then."""
        self._dirty.add(key)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_at(self._flush_after, self.flush)

    def flush(self) -> None:
        """Send at once what has changed."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        begun, used = asyncio.get_running_loop().time(), time.thread_time()
        dirty, self._dirty = self._dirty, set()
        if self._picture is not None and dirty:
            self._send_ops(self._picture.update(dirty))
        rest = FLUSH_REST * (time.thread_time() - used)
        self._flush_after = begun + min(max(FLUSH_INTERVAL, rest), FLUSH_SLOWEST)

    def _send_ops(self, ops: list[Op]) -> None:
        if ops:
            self._sent += 1
            self.widget.send({"kind": "patch", "n": self._sent, "ops": ops})

    def take_snapshot(self) -> None:
        """For a page that missed something: the whole view, as of the last batch, in the trait.

        A page that has that batch ignores it, so that what a person types there is not lost for another page's sake.
        """
        if self._picture is not None:
            self._dirty.clear()
            self._send_ops(self._picture.update(None))
            self._set_snapshot(self._picture)

    def _set_snapshot(self, picture: Picture[K]) -> None:
        snapshot = {"n": self._sent, "html": picture.snapshot()}
        if snapshot == self.widget.snapshot:  # a page may have lost it
            self.widget.send_state("snapshot")
        self.widget.snapshot = snapshot

    async def _unheard_snapshots(self) -> None:
        for delay in UNHEARD_SNAPSHOTS:
            await asyncio.sleep(delay)
            if self._heard:
                return
            self._tell_heard(delay < UNHEARD_AFTER)
            self.take_snapshot()

    # -- hearing ---------------------------------------------------------------------------------------------------

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Any kernel thread may run this: it only hands over."""
        if isinstance(content, dict):
            start(self._take, content)

    async def _take(self, message: Json) -> None:
        if self._closed:  # a click that was under way, or had to wait until the cell ended: it was for what is gone
            return
        self._heard = True
        self._tell_heard(True)
        settle(self._pongs.get(str(message.get("id", ""))), None)  # by its pong, or by an answer that came before it
        kind = message.get("kind")
        if kind == "hello":
            self.widget.send({"kind": "ping", "n": self._sent})  # the page sees by it whether it missed something
        elif kind == "snapshot":
            self.take_snapshot()
        elif kind != "pong":
            await self._intent(message)

    async def page_shows(self, key: str) -> bool:
        """Whether a page answers now; ask for each request, as a page that was closed or reloaded no longer hears."""
        self._pongs[key] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(PONG_TIMEOUT):
                while not self._pongs[key].done():
                    self.widget.send({"kind": "ping", "id": key, "n": self._sent})
                    await asyncio.wait([self._pongs[key]], timeout=PING_INTERVAL)
            return True
        except TimeoutError:
            self._tell_heard(False)
            return False
        finally:
            del self._pongs[key]

    # -- ending ----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Send and hear nothing more."""
        self._closed = True
        self._picture = None
        if self._flush is not None:
            self._flush.cancel()
        if self._snapshots is not None:
            self._snapshots.cancel()

    def remove(self) -> None:
        """Take the widget down, in the kernel and in every page."""
        self.widget.close()
        self.widget.layout.close()  # a widget of its own, which would stay


def settle(future: asyncio.Future[Any] | None, value: Any) -> None:
    """Set a result once: handlers may run twice for one click, or after the answer came from elsewhere."""
    if future is not None and not future.done():
        future.set_result(value)


def hear_while_blocked(widget: anywidget.AnyWidget) -> None:
    """ipykernel 7.4 pins a comm to the shell that made it, so that clicks wait for the running cell; let it go.

    A private attribute of that one version; elsewhere it does not exist and nothing is needed, or nothing helps.
    """
    comm: Any = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None
