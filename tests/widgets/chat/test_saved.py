"""The static form that the notebook keeps of a panel follows what was said in its session."""

from __future__ import annotations

import asyncio
from typing import Any

from opencode_nb.demo import DemoModel, gate, text
from opencode_nb.portal import run
from opencode_nb.transcript.transcript import Change
from tests.widgets.panel import Panel


def test_the_static_form_follows_the_session(shown: Panel, demo_model: DemoModel) -> None:
    def saved() -> dict[str, Any]:
        widget = shown.panel.widget
        assert widget is not None
        return dict(widget.saved)

    def wait_until_saved(words: str, *, there: bool = True) -> None:
        shown.wire.wait(lambda: (words in saved()["data"]["text/html"]) is there)

    session = shown.panel.session.id
    data, metadata = shown.panel._repr_mimebundle_()
    assert session in data["text/plain"], "the panel is displayed before anything is said"
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == saved()["id"]
    assert metadata["opencode_nb"]["session"] == session
    demo_model.queue([[text("First <b>answer</b>.")], [text("Second "), gate("half"), text("answer.")]])
    shown.panel.send("first question").wait()
    wait_until_saved("first question")
    assert "First &lt;b&gt;answer" in saved()["data"]["text/html"]
    turn = shown.panel.send("second question")
    demo_model.wait_for_gate("half", 30)
    assert "second question" not in saved()["data"]["text/html"], "a running turn is rendered again and again"
    demo_model.release("half")
    turn.wait()
    wait_until_saved("Second answer.")
    shown.done("undo")
    wait_until_saved("second question", there=False)
    shown.done("new")
    wait_until_saved("first question", there=False)
    assert saved()["metadata"]["opencode_nb"]["session"] == shown.panel.session.id != session


def test_a_change_that_comes_while_its_turn_is_rendered_loses_nothing(shown: Panel) -> None:
    shown.panel.send("Say exactly: one").wait()
    chat, (turn,) = shown.panel._saved, shown.panel.value
    late = Change("part", turn.id, "prt_late")

    async def change() -> None:
        chat.changed(late)

    async def change_meanwhile() -> str:
        chat.changed(late)  # so that it has to be rendered
        (data, _metadata), _none = await asyncio.gather(chat.now(), change())
        return str(data["text/html"])

    assert "Say exactly: one" in run(change_meanwhile)
