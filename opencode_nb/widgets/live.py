"""The kernel's side of every live view: numbered patches, the snapshot, and messages from the page.

The counterpart of static/live/live.js; the wire protocol is in tests/render/wire_protocol.json. Knows nothing of the
contents: a `Picture` renders them, and intents go to the view's owner, on the package's loop thread.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar
from uuid import uuid4

import anywidget
import traitlets
from IPython.core.getipython import get_ipython

from opencode_nb.portal import start
from opencode_nb.render.markup.escape import Html
from opencode_nb.render.markup.patch_ops import Op
from opencode_nb.transcript.state import Json

FLUSH_INTERVAL = 0.05
"""Minimum mean seconds between messages: the front end drops them above 1,000 a second; 20 look smooth."""

FLUSH_REST = 100
"""Minimum mean delay between messages, as a multiple of the CPU time of the last one: what a model writes faster than
anyone reads must not use a larger share of a CPU that is there for the user's code..."""

FLUSH_SLOWEST = 0.1
"""...but at most this many seconds: a longer delay does not look like typing."""

FLUSH_CREDIT = 3 * FLUSH_SLOWEST
"""Seconds by which messages may be early after a pause: a first word follows closely on the events that announce it,
and must not wait for their message's delay to pass."""

UNHEARD_SNAPSHOTS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds after which the whole view is sent while the page is unheard: on some kernels it cannot request it."""

UNHEARD_AFTER = 1.0
"""The first of these delays at which a page counts as unheard: it says hello three times in its first second."""

PONG_TIMEOUT = 1.5
"""Seconds within which a page must confirm that it shows a request."""

PING_INTERVAL = 0.3
"""Seconds between pings: a page's first messages, or those after a reload, may be lost."""

CELLS = "cells"
"""The kind of requests about the notebook's cells, and of their answers."""

K = TypeVar("K")
Intent = Callable[[Json], Awaitable[None]]


class Picture(Protocol[K]):
    """What a view shows: markup patched by key. `K` names what may change in it."""

    def snapshot(self) -> Html:
        """Return the current markup; later updates build on it."""

    def update(self, dirty: set[K] | None) -> list[Op]:
        """Return the operations for these changes; None means everything may have changed."""


class LiveWidget(anywidget.AnyWidget):
    """The widget model of a page: `snapshot` is `{n, html}`, the view as of batch n; patches are sent as messages."""

    snapshot = traitlets.Dict().tag(sync=True)

    def bundle(self) -> Json:
        """Return the MIME bundle that shows the widget on a page."""
        shown = self._repr_mimebundle_()
        return dict(shown[0] if isinstance(shown, tuple) else shown or {})


class SavedWidget(LiveWidget):
    """The model of a view that lives on after its cell: the page keeps its static form in the notebook, and no widget.

    `saved` is `{id, data, metadata}`: the widget's own id, and a MIME bundle. Without `data`, the page keeps the static
    forms that the widget was displayed with.
    """

    saved = traitlets.Dict().tag(sync=True)

    def __init__(self) -> None:
        model_id = uuid4().hex
        super().__init__(model_id=model_id, saved={"id": model_id})

    def save(self, data: Json, metadata: Json) -> None:
        """Replace the static forms that the notebook keeps."""
        self.saved = {"id": self.saved["id"], "data": data, "metadata": metadata}


class View(Protocol[K]):
    """What shows a picture, now or never: a `LiveView` or a `NoView`."""

    def open(self, picture: Picture[K]) -> None:
        """Show this picture."""

    def changed(self, key: K) -> None:
        """Show this change soon."""

    def take_snapshot(self) -> None:
        """Show everything as it is now."""

    async def close(self) -> None:
        """Stop showing."""

    def remove(self) -> None:
        """Remove what is shown."""


class NoView(Generic[K]):
    """Shows nothing, where no page ever shows widgets."""

    def open(self, picture: Picture[K]) -> None:
        """Do nothing."""

    def changed(self, key: K) -> None:
        """Do nothing."""

    def take_snapshot(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def remove(self) -> None:
        """Do nothing."""


class LiveView(Generic[K]):
    """Keeps the pages of one widget up to date with a picture, and receives their messages.

    `intent` gets every message that is not part of the protocol. `heard` is called once it is known whether clicks
    reach the kernel: on some kernels they wait until the running cell has ended. Create it on the main thread;
    everything else except `remove` runs on the package's loop thread.
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
        self._due = 0.0  # when the next message is due at the mean rate, in the loop's time
        self._snapshots: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[Json]] = {}  # for messages with these ids
        hear_while_blocked(widget)
        widget.on_msg(self._received)

    # -- showing ---------------------------------------------------------------------------------------------------

    def open(self, picture: Picture[K]) -> None:
        """Show this picture."""
        if self._picture is not None:
            self._sent += 1  # a batch that no page has
        self._picture = picture
        self._dirty.clear()
        self._set_snapshot(picture)
        if self._snapshots is None:
            self._snapshots = asyncio.ensure_future(self._unheard_snapshots())

    def changed(self, key: K) -> None:
        """Send this change as soon as allowed, together with all others until then."""
        self._dirty.add(key)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_at(self._due - FLUSH_CREDIT, self.flush)

    def flush(self) -> None:
        """Send all changes now."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        begun, used = asyncio.get_running_loop().time(), time.thread_time()
        dirty, self._dirty = self._dirty, set()
        if self._picture is not None and dirty:
            self._send_ops(self._picture.update(dirty))
        rest = FLUSH_REST * (time.thread_time() - used)
        self._due = max(self._due, begun) + min(max(FLUSH_INTERVAL, rest), FLUSH_SLOWEST)

    def _send_ops(self, ops: list[Op]) -> None:
        if ops:
            self._sent += 1
            self.widget.send({"kind": "patch", "n": self._sent, "ops": ops})

    def take_snapshot(self) -> None:
        """Put the whole view, as of the last batch, in the trait, for a page that missed something.

        Pages that have this batch ignore it, so that they lose nothing the user typed because of another page.
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

    # -- messages --------------------------------------------------------------------------------------------------

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """May run on any kernel thread: only hands over."""
        if isinstance(content, dict):
            start(self._take, content)

    async def _take(self, message: Json) -> None:
        if self._closed:  # a late click, or one that waited until the cell ended: its target is gone
            return
        self._heard = True
        self._tell_heard(True)
        settle(self._waiting.get(str(message.get("id", ""))), message)  # the pong, or an answer that came first
        kind = message.get("kind")
        if kind == "hello":
            self.widget.send({"kind": "ping", "n": self._sent})  # tells the page whether it missed something
        elif kind == "snapshot":
            self.take_snapshot()
        elif kind not in ("pong", CELLS):
            await self._intent(message)

    async def page_shows(self, key: str) -> bool:
        """Return whether a page answers now. Call for each request: a closed or reloaded page no longer hears."""
        message = {"kind": "ping", "id": key, "n": self._sent}
        shows = await self._asked(message, PONG_TIMEOUT, again=PING_INTERVAL) is not None
        if not shows:
            self._tell_heard(False)
        return shows

    async def ask(self, message: Json, seconds: float) -> Json | None:
        """Send a request about the notebook's cells (static/live/cells.js); return the answer, or None if none comes.

        Of the pages that answer, the first counts. Those without a notebook do not answer.
        """
        if self._closed:
            return None
        return await self._asked({**message, "kind": CELLS, "id": uuid4().hex}, seconds)

    async def _asked(self, message: Json, seconds: float, *, again: float | None = None) -> Json | None:
        """Send a message, every `again` seconds; return the first message with its id, None if none comes."""
        key = message["id"]
        waiting: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[key] = waiting
        try:
            async with asyncio.timeout(seconds):
                while not waiting.done():
                    self.widget.send(message)
                    await asyncio.wait([waiting], timeout=again)
            return waiting.result()
        except TimeoutError:
            return None
        finally:
            del self._waiting[key]

    # -- closing ---------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Stop sending and receiving."""
        self._closed = True
        self._picture = None
        if self._flush is not None:
            self._flush.cancel()
        if self._snapshots is not None:
            self._snapshots.cancel()

    def remove(self) -> None:
        """Remove the widget, in the kernel and in every page."""
        self.widget.close()
        self.widget.layout.close()  # a separate widget, which would stay


def settle(future: asyncio.Future[Any] | None, value: Any) -> None:
    """Set a result once: handlers may run twice per click, or after an answer from elsewhere."""
    if future is not None and not future.done():
        future.set_result(value)


def after_cell(callback: Callable[[], None]) -> None:
    """Call back after the cell running on this thread, or at once if there is none."""
    shell = get_ipython()
    if shell is None or threading.current_thread() is not threading.main_thread():
        callback()
        return

    def once(_result: object) -> None:
        shell.events.unregister("post_run_cell", once)
        callback()

    shell.events.register("post_run_cell", once)


def hear_while_blocked(widget: anywidget.AnyWidget) -> None:
    """Unpin a comm from the shell that made it: ipykernel 7.4 would delay clicks until the running cell ends.

    Sets a private attribute of that version; in other versions it does not exist, and is not needed or would not help.
    """
    comm: Any = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None
