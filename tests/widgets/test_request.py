"""A request in a cell's output that no turn asks, over a real comm whose other end the test holds."""

from __future__ import annotations

from typing import Any

import pytest

from opencode_nb.portal import start
from opencode_nb.session.permissions.policy import Answer
from opencode_nb.tools.names import server_name
from opencode_nb.widgets.request import RequestView
from tests.widgets.wire import TIMEOUT, Wire

PYTHON = f"{server_name('ses_1')}_python"
CODE: dict[str, Any] = {
    "id": "code",
    "permission": PYTHON,
    "call": {"tool": PYTHON, "input": {"code": "double = 2 * half"}},
}


class Console:
    """Who is asked where no page can be heard."""

    async def permission(self, request: dict[str, Any]) -> Answer:
        return Answer("reject", f"not {request['id']}")

    async def question(self, _request: dict[str, Any]) -> None:
        return None


@pytest.mark.parametrize("heard", [True, False])
def test_a_request_without_a_turn_is_answered_by_a_click_or_on_the_console(wire: Wire, heard: bool) -> None:
    wire.hears = heard
    view = RequestView(CODE, Console())
    answering = start(view.person.permission, CODE)
    if heard:
        wire.send({"kind": "hello"})
        wire.wait_for_text("double = 2 * half")
        assert "Allow once" in wire.page.root.text
        assert "Allow always" not in wire.page.root.text
        wire.send({"kind": "permission", "id": "code", "reply": "once"})
        assert answering.result(TIMEOUT) == Answer("once")
    else:
        assert answering.result(TIMEOUT) == Answer("reject", "not code")
        wire.wait_for_text("Answer in the input box of this cell.")
    view.close()
    assert "Rerun the cell" in repr(view.widget)
