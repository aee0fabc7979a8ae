"""The live view of one turn: a widget that shows it as it comes, and through which a person answers the agent.

One direction: a change in the transcript -> dirty keys -> `render.page.LiveTurn` -> numbered batches of patches -> the
page. A click comes back as an intent, and is carried out on the loop's thread. The view holds no state of its own that
the transcript does not have; what a reload needs is the `snapshot` trait.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Literal

import anywidget
import traitlets
from IPython.core.getipython import get_ipython

from opencode_nb.conversation.policy import Answer, Person
from opencode_nb.conversation.state import Json
from opencode_nb.conversation.sync import Session
from opencode_nb.conversation.transcript import Change
from opencode_nb.conversation.turn import Turn
from opencode_nb.portal import run, start
from opencode_nb.render.page import LiveTurn, Op
from opencode_nb.widgets import assets

FLUSH_INTERVAL = 0.04
"""Seconds over which changes are gathered: the front-end drops messages above 1,000 a second, an eye sees 25."""

UNHEARD_SNAPSHOTS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds after which the view is sent whole while the page is unheard: on some kernels it cannot ask for it."""

UNHEARD_AFTER = 1.0
"""The delay among these from which on a page counts as unheard: it says hello three times in its first second."""

PONG_TIMEOUT = 1.5
"""Seconds in which a page that can be heard says that it shows a request; else the person is asked through input()."""

PING_INTERVAL = 0.3
"""Seconds after which a page is asked again: its first messages, or those after a reload, may be lost."""


class TurnWidget(anywidget.AnyWidget):
    """The model that the page sees: `snapshot` is `{n, html}`, the view as of batch n; patches come as messages."""

    _esm = assets.script("turn.js")
    _css = assets.styles("turn.css")
    snapshot = traitlets.Dict().tag(sync=True)


class TurnView:
    """Shows a turn in a `TurnWidget`, and is the `Person` whom its page can ask.

    `fallback` is asked where the page cannot be heard (see `PONG_TIMEOUT`); None waits for the page for ever.
    Make and close it on the main thread; everything between runs on the package's loop thread.
    """

    def __init__(self, session: Session, fallback: Person | None = None) -> None:
        self.widget = TurnWidget()
        _hear_while_blocked(self.widget)
        self.widget.on_msg(self._received)
        self._session = session
        self._fallback = fallback
        self._live: LiveTurn | None = None
        self._turn: Turn | None = None
        self._dirty: set[str] = set()
        self._sent = 0
        self._heard = False
        self._closed = False
        self._flush: asyncio.TimerHandle | None = None
        self._pongs: dict[str, asyncio.Future[None]] = {}
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._unsubscribe: Callable[[], None] = lambda: None
        self._snapshots: asyncio.Task[None] | None = None

    # -- projection ------------------------------------------------------------------------------------------------

    def attach(self, turn: Turn) -> None:
        """Show this turn from now on."""
        run(self._attach, turn)

    async def _attach(self, turn: Turn) -> None:
        self._turn, self._live = turn, LiveTurn(turn.state)
        self._unsubscribe = self._session.subscribe(self._changed)
        self._set_snapshot(self._live)
        self._snapshots = asyncio.ensure_future(self._unheard_snapshots())

    def _changed(self, change: Change) -> None:
        if self._turn is None or change.turn != self._turn.id:
            return
        self._dirty.add(change.key)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(FLUSH_INTERVAL, self._send_patch)

    def _send_patch(self) -> None:
        self._flush = None
        dirty, self._dirty = self._dirty, set()
        if self._live is not None:
            self._send_ops(self._live.update(dirty))

    def _send_ops(self, ops: list[Op]) -> None:
        if ops:
            self._sent += 1
            self.widget.send({"kind": "patch", "n": self._sent, "ops": ops})

    def _take_snapshot(self) -> None:
        """For a page that missed something: the whole view, as of the last batch, in the trait.

        A page that has that batch ignores it, so that what a person types there is not lost for another page's sake.
        """
        if self._live is not None:
            self._send_ops(self._live.update(None))
            self._set_snapshot(self._live)

    def _set_snapshot(self, live: LiveTurn) -> None:
        snapshot = {"n": self._sent, "html": live.snapshot()}
        if snapshot == self.widget.snapshot:  # a page may have lost it
            self.widget.send_state("snapshot")
        self.widget.snapshot = snapshot

    async def _unheard_snapshots(self) -> None:
        for delay in UNHEARD_SNAPSHOTS:
            await asyncio.sleep(delay)
            if self._heard:
                return
            self._show_heard(delay < UNHEARD_AFTER)
            self._take_snapshot()

    def _show_heard(self, heard: bool) -> None:
        """Show what can be clicked only where clicks arrive."""
        if self._live is not None and self._live.heard != heard:
            self._live.heard = heard
            self._send_ops(self._live.update({"turn"}))

    def close(self) -> None:
        """Take the view down; what a person had still been asked here is left unanswered.

        In a running cell the widget itself goes when the cell has ended, and its output has taken the widget's place:
        without anything in between the cell would shrink, and the page jump.
        """
        run(self._close)
        _when_cell_has_ended(self._remove)

    def _remove(self) -> None:
        self.widget.close()
        self.widget.layout.close()  # a widget of its own, which would stay in the kernel and in the page

    async def _close(self) -> None:
        self._closed = True
        self._unsubscribe()
        self._live = None
        if self._flush is not None:
            self._flush.cancel()
        if self._snapshots is not None:
            self._snapshots.cancel()

    # -- intents ---------------------------------------------------------------------------------------------------

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Any kernel thread may run this: it only hands over."""
        if isinstance(content, dict):
            start(self._intent, content)

    async def _intent(self, intent: Json) -> None:
        if self._closed:  # a click that was under way, or had to wait until the cell ended: it was for this turn only
            return
        kind, key = intent.get("kind"), str(intent.get("id", ""))
        self._heard = True
        self._show_heard(True)
        _settle(self._pongs.get(key), None)  # by its pong, or by an answer that came before it
        if kind == "hello":
            self.widget.send({"kind": "ping", "n": self._sent})  # the page sees by it whether it missed something
        elif kind == "snapshot":
            self._take_snapshot()
        elif kind == "permission" and intent.get("reply") in ("once", "always", "reject"):
            _settle(self._answers.get(key), Answer(intent["reply"]))
        elif kind == "question":
            _settle(self._answers.get(key), "reject" if intent.get("reply") == "reject" else intent.get("answers"))
        elif kind == "stop":
            await self._session._async.abort()

    # -- being asked -----------------------------------------------------------------------------------------------

    async def permission(self, request: Json) -> Answer | None:
        """Wait for a click on the request's card, or ask the fallback where the page cannot be heard."""
        answer: Answer | None = await self._answer_of_page(request["id"])
        if answer is None and self._fallback is not None:
            return await self._fallback.permission(request)
        return answer

    async def question(self, request: Json) -> list[list[str]] | Literal["reject"] | None:
        """Wait for the request's form, or ask the fallback where the page cannot be heard."""
        answers: list[list[str]] | Literal["reject"] | None = await self._answer_of_page(request["id"])
        if answers is None and self._fallback is not None:
            return await self._fallback.question(request)
        return answers

    async def _answer_of_page(self, key: str) -> Any:
        """What a person answers on the page; None where it cannot be heard and there is somebody else to ask."""
        self._answers[key] = asyncio.get_running_loop().create_future()
        try:
            if self._fallback is None or await self._page_shows(key):
                return await self._answers[key]
            self._show_heard(False)
            return None
        finally:
            del self._answers[key]

    async def _page_shows(self, key: str) -> bool:
        """Whether a page answers now; asked for each request, as a page that was closed or reloaded no longer hears."""
        self._pongs[key] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(PONG_TIMEOUT):
                while not self._pongs[key].done():
                    self.widget.send({"kind": "ping", "id": key, "n": self._sent})
                    await asyncio.wait([self._pongs[key]], timeout=PING_INTERVAL)
            return True
        except TimeoutError:
            return False
        finally:
            del self._pongs[key]


def _settle(future: asyncio.Future[Any] | None, value: Any) -> None:
    """Handlers may run twice for one click, or after the answer came from elsewhere."""
    if future is not None and not future.done():
        future.set_result(value)


def _when_cell_has_ended(callback: Callable[[], None]) -> None:
    """Call back after the cell that runs on this thread, at once where none does."""
    shell = get_ipython()
    if shell is None or threading.current_thread() is not threading.main_thread():
        callback()
        return

    def once(_result: object) -> None:
        shell.events.unregister("post_run_cell", once)
        callback()

    shell.events.register("post_run_cell", once)


def _hear_while_blocked(widget: TurnWidget) -> None:
    """ipykernel 7.4 pins a comm to the shell that made it, so that clicks wait for the running cell; let it go.

    A private attribute of that one version; elsewhere it does not exist and nothing is needed, or nothing helps.
    """
    comm: Any = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None
