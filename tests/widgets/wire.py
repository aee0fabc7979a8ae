"""The wire between a widget and its page, at the page's end: what is published there, and what a page may send."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import comm
from comm.base_comm import BaseComm

from tests.render.page_model import Page

TIMEOUT = 60
"""Seconds to wait for something to come; it takes milliseconds but for the real server's first prompt."""


class WireComm(BaseComm):
    """A comm whose other end is a `Wire`; in a kernel it would be a socket."""

    def __init__(self, wire: Wire, **arguments: Any) -> None:
        self._wire = wire
        super().__init__(**arguments)

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        self._wire.take(self, msg_type, copy.deepcopy(data or {}))


class Wire:
    """Plays the page: follows a widget's patches and snapshots (see `page`), and sends what a page would send.

    `hears`: it answers pings; `lose` is how many of the coming messages are lost on the way. `threads`: who sent to it.
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.threads: set[str] = set()
        self.hears = True
        self.comm: WireComm | None = None
        self.page = Page()
        self.shown = -1
        self.lose = 0
        self._news = threading.Condition()
        self._kernel = ThreadPoolExecutor(1, "kernel")

    def make(self, **arguments: Any) -> WireComm:
        """What `comm.create_comm` is while the wire is plugged in."""
        return WireComm(self, **arguments)

    def take(self, comm_: WireComm, kind: str, data: dict[str, Any]) -> None:
        with self._news:
            if "_esm" in (data.get("state") or {}):
                self.comm = comm_
            if comm_ is self.comm:
                self.threads.add(threading.current_thread().name)
                self._take(data)
            self._news.notify_all()

    def _take(self, data: dict[str, Any]) -> None:
        if self.lose:
            self.lose -= 1
            return
        if data.get("method") == "custom":
            self.messages.append(data["content"])
            self._receive(data["content"])
        elif "snapshot" in (data.get("state") or {}):
            self.states.append(data["state"]["snapshot"])
            self._show(self.states[-1])

    def _receive(self, content: dict[str, Any]) -> None:
        if content["kind"] == "patch" and content["n"] == self.shown + 1:
            self.shown = content["n"]
            self.page.apply(content["ops"])
        if content["kind"] == "ping" and "id" in content and self.hears:
            self.send({"kind": "pong", "id": content["id"]})

    def _show(self, snapshot: dict[str, Any]) -> None:
        if snapshot and snapshot["n"] > self.shown:
            self.shown = snapshot["n"]
            self.page = Page(snapshot["html"])

    def send(self, content: Any) -> None:
        """What a page sends; it arrives on a thread of the kernel."""
        assert self.comm is not None
        body = {"comm_id": self.comm.comm_id, "data": {"method": "custom", "content": content}}
        self._kernel.submit(comm.get_comm_manager().comm_msg, None, None, {"content": body, "buffers": []})

    def unplug(self) -> None:
        """End the kernel's thread, when all that was sent has arrived."""
        self._kernel.shutdown()

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something that came makes the condition true."""
        with self._news:
            assert self._news.wait_for(condition, TIMEOUT), self.page.html()

    def wait_for_text(self, text: str) -> None:
        """Wait until the page shows this."""
        self.wait(lambda: text in self.page.root.text)

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        """The messages of one kind so far."""
        return [message for message in self.messages if message["kind"] == kind]
