"""A function of the user's that a panel's agent calls: allowed on its card, asking in the page, and shown."""

from __future__ import annotations

import opencode_nb as oc
from opencode_nb.demo import DemoModel, kernel_tool, text
from tests.widgets.panel import Panel


def publish(name: str) -> str:
    """Publish something."""
    return f"published {name}" if oc.confirm(f"Publish {name}?") else "kept"


def test_a_function_is_allowed_and_its_question_answered_in_the_panel(shown: Panel, demo_model: DemoModel) -> None:
    session = shown.panel.session
    session.owner.tools.add(publish)
    try:
        demo_model.queue([kernel_tool("publish", name="it"), text("Done.")])
        turn = shown.panel.send("Publish it")
        shown.says("call your function publish")
        (asked,) = turn.state.permissions
        shown.wire.send({"kind": "permission", "id": asked, "reply": "once"})
        shown.says("Publish it?")
        assert "The function publish asks" in shown.wire.page.root.text
        (asked,) = turn.state.questions
        shown.wire.send({"kind": "question", "id": asked, "answers": [["Yes"]]})
        turn.wait()
        shown.rests()
    finally:
        session.owner.tools.remove("publish")
    assert turn.tools[0].output == "published it"
    assert "You answered" in shown.wire.page.root.text
