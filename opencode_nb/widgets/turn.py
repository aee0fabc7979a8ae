"""The live view of one turn: a widget that shows it as it comes, and through which a person answers the agent.

One direction: a change in the transcript -> dirty keys -> `render.page.LiveTurn` -> numbered batches of patches -> the
page. A click comes back as an intent, and is carried out on the loop's thread. The view holds no state of its own that
the transcript does not have; what a reload needs is the `snapshot` trait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import anywidget
import traitlets

from ..api.portal import run, start
from ..conversation.policy import Answer, Person
from ..conversation.state import Json
from ..conversation.sync import Session
from ..conversation.transcript import Change
from ..conversation.turn import Turn
from ..render.page import LiveTurn

STATIC = Path(__file__).parent.parent / "static"

FLUSH_INTERVAL = 0.04
"""Seconds over which changes are gathered: the front-end drops messages above 1,000 a second, an eye sees 25."""

UNHEARD_SNAPSHOTS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds after which the view is sent whole while the page is unheard: on some kernels it cannot ask for it."""

PONG_TIMEOUT = 1.5
"""Seconds in which a page that can be heard says that it shows a request; else the person is asked through input()."""


class TurnWidget(anywidget.AnyWidget):
    """The model that the page sees: `snapshot` is `{n, html}`, the view as of batch n; patches come as messages."""

    _esm = STATIC / "turn.js"
    _css = STATIC / "turn.css"
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
        self._flush: asyncio.TimerHandle | None = None
        self._pongs: dict[str, asyncio.Future[None]] = {}
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._unsubscribe: Callable[[], None] = lambda: None
        self._snapshots: asyncio.Task[None] | None = None

    # -- projection ------------------------------------------------------------------------------------------------

    def attach(self, turn: Turn) -> None:
        """Show this turn from now on."""
        start(self._attach, turn)

    async def _attach(self, turn: Turn) -> None:
        self._turn, self._live = turn, LiveTurn(turn.state)
        self._unsubscribe = self._session.subscribe(self._changed)
        self._take_snapshot()
        self._snapshots = asyncio.ensure_future(self._unheard_snapshots())

    def _changed(self, change: Change) -> None:
        if self._turn is None or change.turn != self._turn.id:
            return
        self._dirty.add(change.key)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(FLUSH_INTERVAL, self._send_patch)

    def _send_patch(self) -> None:
        self._flush = None
        if self._live is None:
            return
        dirty, self._dirty = self._dirty, set()
        ops = self._live.update(dirty)
        if ops:
            self._sent += 1
            self.widget.send({"kind": "patch", "n": self._sent, "ops": ops})

    def _take_snapshot(self) -> None:
        """The whole view as of now, in the trait: for a page that missed something, or was loaded again."""
        if self._live is None:
            return
        self._send_patch()
        self._sent += 1
        self.widget.snapshot = {"n": self._sent, "html": self._live.snapshot()}

    async def _unheard_snapshots(self) -> None:
        for delay in UNHEARD_SNAPSHOTS:
            await asyncio.sleep(delay)
            if self._heard:
                return
            self._take_snapshot()

    def close(self) -> None:
        """Take the view down; what a person had still been asked here is left unanswered."""
        run(self._close)
        self.widget.close()

    async def _close(self) -> None:
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
        kind, key = intent.get("kind"), str(intent.get("id", ""))
        self._heard = True
        if kind == "snapshot" or (kind in ("hello", "pong") and intent.get("n", 0) < self._sent - 1):
            self._take_snapshot()  # the page missed something, and may wait in vain for a batch that shows it the gap
        if kind == "hello":
            return
        if kind == "pong":
            _settle(self._pongs.get(key), None)
        elif kind == "permission" and intent.get("reply") in ("once", "always", "reject"):
            _settle(self._answers.get(key), Answer(intent["reply"]))
        elif kind == "question":
            _settle(self._answers.get(key), "reject" if intent.get("reply") == "reject" else intent.get("answers"))
        elif kind == "stop":
            await self._session._async.abort()

    # -- being asked -----------------------------------------------------------------------------------------------

    async def permission(self, request: Json) -> Answer | None:
        """Wait for a click on the request's card, or ask the fallback where the page cannot be heard."""
        if await self._page_shows(request["id"]):
            answer: Answer = await self._answered(request["id"])
            return answer
        return await self._fallback.permission(request) if self._fallback else None

    async def question(self, request: Json) -> list[list[str]] | Literal["reject"] | None:
        """Wait for the request's form, or ask the fallback where the page cannot be heard."""
        if await self._page_shows(request["id"]):
            answers: list[list[str]] | Literal["reject"] = await self._answered(request["id"])
            return answers
        return await self._fallback.question(request) if self._fallback else None

    async def _page_shows(self, key: str) -> bool:
        """Whether a page answers now; asked for each request, as a page that was closed or reloaded no longer hears."""
        self._pongs[key] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(PONG_TIMEOUT if self._fallback else None):
                while not self._pongs[key].done():
                    self.widget.send({"kind": "ping", "id": key})
                    await asyncio.wait([self._pongs[key]], timeout=PONG_TIMEOUT / 5)
            return True
        except TimeoutError:
            return False
        finally:
            del self._pongs[key]

    async def _answered(self, key: str) -> Any:
        self._answers[key] = asyncio.get_running_loop().create_future()
        try:
            return await self._answers[key]
        finally:
            del self._answers[key]


def _settle(future: asyncio.Future[Any] | None, value: Any) -> None:
    """Handlers may run twice for one click, or after the answer came from elsewhere."""
    if future is not None and not future.done():
        future.set_result(value)


def _hear_while_blocked(widget: TurnWidget) -> None:
    """ipykernel 7.4 pins a comm to the shell that made it, so that clicks wait for the running cell; let it go.

    A private attribute of that one version; elsewhere it does not exist and nothing is needed, or nothing helps.
    """
    comm: Any = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None
