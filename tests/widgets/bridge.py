"""A page and a kernel in one process: what a widget publishes goes to its script in a real browser, and back."""

from __future__ import annotations

import copy
import queue
import time
from collections.abc import Callable
from typing import Any

import comm
from comm.base_comm import BaseComm
from playwright.sync_api import Locator, Page

from tests.widgets.conftest import Widget

TIMEOUT = 15
"""Seconds to wait for something on the page."""


class Bridge:
    """Stands between one widget in this process and its page. Plug it in before the widget is made."""

    def __init__(self, page: Page, module: str, plug: Callable[[Any], None]) -> None:
        self.page = page
        self.view = Widget(page, module)
        self._to_page: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._comm: BaseComm | None = None
        page.expose_function("toKernel", self._to_kernel)
        page.evaluate("() => { model.send = (content) => { model.sent.push(content); toKernel(content); }; }")
        plug(self._make)

    def _make(self, **arguments: Any) -> BaseComm:
        bridge = self

        class PageComm(BaseComm):
            def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
                if "_esm" in (data or {}).get("state", {}):
                    bridge._comm = self
                if self is bridge._comm:
                    bridge._to_page.put(copy.deepcopy(data or {}))

        return PageComm(**arguments)

    def _to_kernel(self, content: dict[str, Any]) -> None:
        assert self._comm is not None
        body = {"comm_id": self._comm.comm_id, "data": {"method": "custom", "content": content}}
        comm.get_comm_manager().comm_msg(None, None, {"content": body, "buffers": []})

    def render(self) -> Locator:
        """Show the widget; its root."""
        self.pump()
        return self.view.render()

    def pump(self) -> None:
        """Bring to the page what was published until now."""
        while not self._to_page.empty():
            data = self._to_page.get()
            if data.get("method") == "custom":
                self.view.message(data["content"])
            elif "snapshot" in (data.get("state") or {}):
                self.page.evaluate("snapshot => model.set('snapshot', snapshot)", data["state"]["snapshot"])

    def wait(self, condition: Callable[[], object]) -> None:
        """Go on until something is true of the page."""
        end = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < end, self.page.locator("body").inner_text()
            self.pump()
            self.page.wait_for_timeout(10)
