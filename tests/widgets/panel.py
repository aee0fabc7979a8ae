"""A chat panel with a real session as its page has it; the fixtures `ai` and `shown` are in conftest.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import opencode_nb as oc
from opencode_nb.render.chat.live import LiveChat
from tests.render.page_model import Page
from tests.widgets.wire import Wire


class Panel:
    """A panel as its page has it: what it shows, what a person does there."""

    def __init__(self, panel: oc.ChatPanel, wire: Wire) -> None:
        self.panel, self.wire = panel, wire
        self._serial = 0

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.panel.widget.state)

    def wait(self, condition: Callable[[dict[str, Any]], object]) -> None:
        """Wait until the state is so."""
        self.wire.wait(lambda: condition(self.state))

    def do(self, kind: str, **content: Any) -> dict[str, Any]:
        """What a click does; gives the page's answer to it."""
        self._serial += 1
        key = f"page-{self._serial}"
        self.wire.send({"kind": kind, "id": key, **content})
        self.wire.wait(lambda: self._answers(key))
        return self._answers(key)[0]

    def _answers(self, key: str) -> list[dict[str, Any]]:
        return [one for one in [*self.wire.kinds("done"), *self.wire.kinds("failed")] if one["id"] == key]

    def done(self, kind: str, **content: Any) -> None:
        assert self.do(kind, **content)["kind"] == "done"

    def ask(self, what: str, **content: Any) -> list[dict[str, Any]]:
        """What the page asks for."""
        self._serial += 1
        number = self._serial
        self.wire.send({"kind": "ask", "what": what, "n": number, **content})
        self.wire.wait(lambda: any(one["n"] == number for one in self.wire.kinds("answer")))
        (answer,) = [one for one in self.wire.kinds("answer") if one["n"] == number]
        assert "error" not in answer, answer
        return list(answer["items"])

    def says(self, words: str) -> None:
        self.wire.wait_for_text(words)

    def rests(self) -> None:
        """Wait until the page shows a session that rests, as it is."""
        self.wait(lambda state: not self.panel.session.busy and not state["busy"])
        transcript = self.panel.session._async.transcript
        self.wire.wait(lambda: self.wire.page.html() == Page(LiveChat(transcript).snapshot()).html())
