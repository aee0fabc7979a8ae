"""The tools that a session offers, with the real server; only the model is scripted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, kernel_tool, text, tool
from opencode_nb.server import Server
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.names import own_tool, server_name
from opencode_nb.tools.privacy import Gate, Level, Outgoing, Piece
from opencode_nb.tools.tool import Call, Json, Result, Tool

CODE: Json = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}
NOTHING: Json = {"type": "object", "properties": {}}


class Kernel:
    """What stands for a kernel: it notes what it was asked to run."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.calls: list[Call] = []
        self.ledger = Ledger()
        self.tools = (
            Tool("python", "Run code in the kernel.", CODE, self._python, asks=True),
            Tool("variables", "List the variables.", NOTHING, self._variables),
        )

    async def _python(self, call: Call) -> Result:
        self.calls.append(call)
        self.ran.append(call.arguments["code"])
        return Result(Outgoing("python", (Piece("it ran"),)), shown=({"kind": "stdout", "text": "seen"},))

    async def _variables(self, call: Call) -> Result:
        self.calls.append(call)
        return Result(Outgoing("variables", (Piece("df: frame", Level.NAMES), Piece(" of 3 rows", Level.SCHEMA))))

    def offer_to(self, session: oc.Session, level: Level = Level.FULL) -> None:
        session.offer(self.tools, Gate(level, self.ledger))


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def ai(server: Server, project: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        yield ai


def test_the_agent_uses_the_session_s_own_tools(ai: oc.Opencode, kernel: Kernel, demo_model: DemoModel) -> None:
    session = ai.session()
    kernel.offer_to(session, Level.NAMES)
    demo_model.queue([kernel_tool("variables"), kernel_tool("python", code="x = 1"), text("Done.")])
    turn = session.prompt("go", permission="allow")
    name = server_name(session.id)
    assert [own for own in map(own_tool, demo_model.offered(1)) if own] == ["python", "variables"]
    assert [(call.tool, call.status) for call in turn.tools] == [
        (f"{name}_variables", "completed"),
        (f"{name}_python", "completed"),
    ]
    assert kernel.ran == ["x = 1"]
    assert "df: frame" in turn.tools[0].output
    assert "3 rows" not in turn.tools[0].output
    assert [call.id for call in kernel.calls] == [part["callID"] for part in turn.state.parts if part["type"] == "tool"]
    assert list(turn.state.shown.values()) == [[{"kind": "stdout", "text": "seen"}]]
    assert [entry.by for entry in kernel.ledger.entries] == ["variables", "python"]


def test_no_other_session_and_no_subagent_sees_the_tools(
    ai: oc.Opencode, kernel: Kernel, demo_model: DemoModel
) -> None:
    session, other = ai.session(), ai.session()
    kernel.offer_to(session)
    task = tool("task", description="Look", prompt="Look around", subagent_type="general")
    demo_model.queue([[task], [text("Looked.")], [text("Done.")]])
    session.prompt("go", permission="allow")
    other.prompt("hello", permission={"*": "allow"})
    offered = [bool([name for name in demo_model.offered(n) if own_tool(name)]) for n in (1, 2, 3, 4)]
    assert offered == [True, False, True, False]


def test_tools_that_are_taken_away_are_gone(ai: oc.Opencode, kernel: Kernel, demo_model: DemoModel) -> None:
    session = ai.session()
    kernel.offer_to(session)
    session.prompt("hello")
    session.offer(())
    session.prompt("hello")
    kernel.offer_to(session)
    session.prompt("hello")
    assert [sum(map(bool, map(own_tool, demo_model.offered(n)))) for n in (1, 2, 3)] == [2, 0, 2]


def test_without_rules_of_the_user_s_own_edits_still_ask(ai: oc.Opencode, project: Path) -> None:
    turn = ai.session().prompt("Edit src/temperatures.py", permission="ask")
    assert [(made.request["permission"], made.reply) for made in turn.state.decisions] == [("edit", "reject")]
