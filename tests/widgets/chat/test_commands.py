"""Slash commands in a chat panel while a turn runs, with a real session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, text, tool
from opencode_nb.server import Server
from tests.widgets.chat.test_panel import Panel
from tests.widgets.wire import Wire


@pytest.fixture
def shown(server: Server, project: Path, demo_model: DemoModel, wire: Wire) -> Iterator[Panel]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        panel = oc.chat(ai.session())
        yield Panel(panel, wire)
        panel.close()


def test_while_it_works_a_command_waits_like_a_message(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("one"), gate("chat-commands")])
    shown.done("send", text="first", mode="auto")
    shown.says("one")
    shown.done("send", text="/init\nbe brief", mode="queue")
    shown.done("send", text="to be edited", mode="queue")
    shown.wait(lambda state: [item["text"] for item in state["queue"]] == ["/init\nbe brief", "to be edited"])
    shown.done("queue_edit", item=shown.state["queue"][1]["id"], text="/init rather so")
    for words in ("two", "three"):
        demo_model.queue([text(words)])
    demo_model.release("chat-commands")
    shown.says("three")
    shown.rests()
    _first, second, third = (turn.prompt for turn in shown.panel.value)
    assert "AGENTS.md" in second
    assert "be brief" in second
    assert "AGENTS.md" in third
    assert "rather so" in third


def test_a_command_steers_where_that_is_wanted(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([[text("one"), gate("chat-steered"), tool("glob", pattern="*")], [text("As you say.")]])
    shown.done("send", text="first", mode="auto")
    shown.says("one")
    shown.done("send", text="/init be brief", mode="steer")
    assert shown.state["queue"] == []
    demo_model.release("chat-steered")
    shown.says("As you say.")
    shown.rests()
    assert "be brief" in shown.panel.value[1].prompt
    assert [turn.status for turn in shown.panel.value] == ["completed", "completed"]
