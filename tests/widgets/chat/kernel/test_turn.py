"""A turn that runs code in the kernel, as a panel's page has it: asked with all of the code, and what it made shown."""

from __future__ import annotations

import opencode_nb as oc
from opencode_nb.demo import DemoModel, kernel_tool, text
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.names import server_name
from opencode_nb.tools.privacy import Gate, Level, Outgoing, Piece
from opencode_nb.tools.tool import Call, Json, Result, Tool
from tests.render.kernel_turns import CODE, TRACEBACK, blocks, png
from tests.render.page_model import Node, parse
from tests.widgets.panel import Panel

ARGUMENTS: Json = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}


async def run(call: Call) -> Result:
    """Draw CODE, and let all other code fail."""
    if call.arguments["code"] != CODE:
        error = {"kind": "error", "text": TRACEBACK}
        return Result(Outgoing("python", (Piece("It failed: AttributeError"),)), failed=True, shown=(error,))
    return Result(Outgoing("python", (Piece("for the model"),), (png(),)), shown=tuple(blocks()))


def cards(root: Node) -> list[Node]:
    return [node for node in root.walk() if node.attrs.get("data-tool") == "python"]


def test_code_is_asked_about_run_and_shown(shown: Panel, demo_model: DemoModel) -> None:
    session = shown.panel.session
    session.offer([Tool("python", "Run code.", ARGUMENTS, run, asks=True)], Gate(Level.FULL, Ledger()))
    failing = kernel_tool("python", code="titanic.fares")
    demo_model.queue([kernel_tool("python", code=CODE), failing, text("Done.")])
    turn = shown.panel.send("Plot the fares")
    shown.says("titanic.head(3)")
    assert "Allow always: any Python code in this kernel, until it ends" in shown.wire.page.root.text
    (request,) = turn.state.permissions
    shown.wire.send({"kind": "permission", "id": request, "reply": "always"})
    turn.wait()
    shown.rests()
    for root in (shown.wire.page.root, parse(turn._repr_mimebundle_()[0]["text/html"])):
        drawn, failed = cards(root)
        assert [drawn.attrs["data-status"], failed.attrs["data-status"]] == ["completed", "error"]
        assert "You allowed always: any Python code in this kernel, until it ends" in drawn.text
        assert [node.tag for node in drawn.walk() if node.tag in ("img", "table")] == ["table", "img"]
        assert "Braund" in drawn.text
        assert "for the model" not in drawn.text
        assert failed.text.count("AttributeError") == 1
        assert server_name(session.id) not in root.text


def test_a_warning_of_a_turn_is_a_notice(shown: Panel, demo_model: DemoModel) -> None:
    shown.panel.session.budget = oc.Budget(max_tokens=10**9, warn_at=1e-9)
    demo_model.queue([text("Done.")])
    shown.panel.send("Anything")
    shown.wait(lambda state: state["notice"] and state["notice"]["level"] == "warning")
    assert "tokens" in shown.state["notice"]["text"]
