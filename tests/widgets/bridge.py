"""A page and a kernel in one process: what a widget publishes goes to its script in a real browser, and back."""

from __future__ import annotations

import copy
import queue
from collections.abc import Callable
from typing import Any

import comm
from comm.base_comm import BaseComm
from playwright.sync_api import Locator, Page

from tests.widgets.conftest import Widget

ADDRESS = "http://localhost/"
"""Nothing is served there; but a page from there has a clipboard."""

FETCH = """() => {
  const TRAITS = ["snapshot", "state"];
  model.send = (content) => { model.sent.push(content); toKernel(content); };
  const fetch = async () => {
    for (const { method, content, state } of await fromKernel()) {
      if (method === "custom") model.tell("msg:custom", content, []);
      else for (const name of TRAITS) if (state?.[name]) model.set(name, state[name]);
    }
    setTimeout(fetch, 25); // after the last: on a busy machine they would pile up
  };
  fetch();
}"""
"""The page fetches what was published: playwright runs nothing of Python's but while it waits for the page."""


class Bridge:
    """Stands between one widget in this process and its page. Made before the widget, by `plug`, which is given what
    `comm.create_comm` is to be."""

    def __init__(self, page: Page, module: str, plug: Callable[[Any], None]) -> None:
        self.page = page
        page.route(ADDRESS, lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
        page.goto(ADDRESS)
        self.widget = Widget(page, module)
        self._published: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._comm: BaseComm | None = None
        self._styles = ""
        page.expose_function("toKernel", self._receive)
        page.expose_function("fromKernel", self._take)
        plug(self._make)

    def _make(self, **arguments: Any) -> BaseComm:
        bridge = self

        class PageComm(BaseComm):
            def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
                if "_esm" in (data or {}).get("state", {}):
                    bridge._comm = self
                    bridge._styles = data["state"]["_css"]
                if self is bridge._comm:
                    bridge._published.put(copy.deepcopy(data or {}))

        return PageComm(**arguments)

    def _receive(self, content: dict[str, Any]) -> None:
        assert self._comm is not None
        body = {"comm_id": self._comm.comm_id, "data": {"method": "custom", "content": content}}
        comm.get_comm_manager().comm_msg(None, None, {"content": body, "buffers": []})

    def _take(self) -> list[dict[str, Any]]:
        taken = []
        while not self._published.empty():
            taken.append(self._published.get())
        return taken

    def render(self) -> Locator:
        """Show the widget; its root."""
        self.page.add_style_tag(content=self._styles)
        self.page.evaluate(FETCH)
        return self.widget.render()
