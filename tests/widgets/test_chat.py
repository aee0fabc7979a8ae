"""ChatPanel with a real session, over a real comm whose other end the test holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, reason, text
from opencode_nb.server import Server
from tests.widgets.wire import Wire


@pytest.fixture
def ai(server: Server, project: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        yield ai


@pytest.fixture
def panel(ai: oc.Opencode, wire: Wire) -> Iterator[oc.ChatPanel]:
    panel = oc.chat(ai.session())
    yield panel
    panel.close()


def state(panel: oc.ChatPanel) -> dict[str, Any]:
    return dict(panel.widget.state)


def test_a_conversation(panel: oc.ChatPanel, wire: Wire, demo_model: DemoModel) -> None:
    demo_model.queue([reason("Hm."), text("**First** words "), gate("chat"), text("and last.")])
    turn = panel.send("Say something")
    wire.wait_for_text("First words")
    assert "Say something" in wire.page.root.text
    assert state(panel)["busy"]
    demo_model.release("chat")
    turn.wait()
    wire.wait_for_text("First words and last.")
    wire.wait(lambda: not state(panel)["busy"])
    assert panel.value == [turn]
