"""The tools that a session offers, with the real server; only the model is scripted."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.api.client import Client
from opencode_nb.demo import DemoModel, kernel_tool, text, tool
from opencode_nb.server import Server
from opencode_nb.server.keeping.program import free_port
from opencode_nb.session.kernel import calls
from opencode_nb.session.permissions.policy import Answer, PermissionRequest
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.names import own_tool, server_name
from opencode_nb.tools.privacy import Gate, Level, Outgoing, Piece
from opencode_nb.tools.tool import Call, Json, Result, Tool

SECONDS = 60.0
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
def ai(server: Server, workplace: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=workplace) as ai:
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


def test_a_script_offers_no_tools(ai: oc.Opencode, demo_model: DemoModel) -> None:
    """There is no kernel: this process has no IPython shell."""
    ai.session().prompt("hello")
    assert not [name for name in demo_model.offered(1) if own_tool(name)]


def test_tools_that_are_taken_away_are_gone(ai: oc.Opencode, kernel: Kernel, demo_model: DemoModel) -> None:
    session = ai.session()
    kernel.offer_to(session)
    session.prompt("hello")
    session.offer(())
    session.prompt("hello")
    kernel.offer_to(session)
    session.prompt("hello")
    assert [sum(map(bool, map(own_tool, demo_model.offered(n)))) for n in (1, 2, 3)] == [2, 0, 2]


def test_the_last_to_take_a_session_has_it(
    ai: oc.Opencode, server: Server, project: Path, kernel: Kernel, demo_model: DemoModel
) -> None:
    first = ai.session()
    kernel.offer_to(first)
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as later:
        second, other = later.session(id=first.id), Kernel()
        other.offer_to(second)
        for session in (first, second, first):
            ask_python(session, demo_model, permission="allow")
            assert session.tools_problem == ""
        assert [len(kernel.ran), len(other.ran)] == [2, 1]


def test_the_tools_come_back_after_the_server_has_lost_them(
    ai: oc.Opencode, kernel: Kernel, demo_model: DemoModel
) -> None:
    session = ai.session()
    kernel.offer_to(session)
    session.prompt("hello")
    failures = ai.connection.failures
    lost = threading.Event()
    session.subscribe(lambda _change: lost.set() if ai.connection.failures > failures else None)
    ai.client.instance.dispose()
    assert lost.wait(SECONDS)
    session.prompt("hello")
    assert [sum(map(bool, map(own_tool, demo_model.offered(n)))) for n in (1, 2)] == [2, 2]


def test_without_rules_of_the_user_s_own_edits_still_ask(ai: oc.Opencode, project: Path) -> None:
    turn = ai.session().prompt("Edit src/temperatures.py", permission="ask")
    assert [(made.request["permission"], made.reply) for made in turn.state.decisions] == [("edit", "reject")]


@pytest.fixture
def user_s_rule(project: Path, rule: str) -> None:
    (project / "opencode.json").write_text(json.dumps({"permission": rule}))


@pytest.mark.parametrize("rule", ["allow", "ask"])
def test_a_rule_of_the_user_s_for_everything_survives(
    user_s_rule: None, ai: oc.Opencode, kernel: Kernel, demo_model: DemoModel, rule: str
) -> None:
    """It is a plain string in the configuration, beside which the server is told to hide our tools."""
    session = ai.session()
    kernel.offer_to(session)
    assert ai.client.config.get()["permission"] == {"*": rule, "nb*": "deny"}
    demo_model.queue([kernel_tool("variables"), tool("bash", command="true"), text("Done.")])
    turn = session.prompt("go", person=Someone(Answer("once")))
    assert [call.status for call in turn.tools] == ["completed", "completed"]
    assert [made.request["permission"] for made in turn.state.decisions] == (["bash"] if rule == "ask" else [])


@pytest.fixture
def plain_server(opencode_program: Path, server_model: DemoModel, tmp_path: Path) -> Iterator[str]:
    """The URL of a server that somebody started without this package."""
    env = {**os.environ, "OPENCODE_CONFIG_CONTENT": json.dumps(server_model.config())}
    command = [str(opencode_program), "serve", "--hostname", "127.0.0.1", "--port", str(free_port())]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield next(line for line in process.stdout if "listening on" in line).split()[-1]
        process.terminate()


def test_a_server_that_would_show_the_tools_to_all_gets_none(
    plain_server: str, project: Path, kernel: Kernel, demo_model: DemoModel, caplog: pytest.LogCaptureFixture
) -> None:
    with oc.Opencode(base_url=plain_server, directory=project) as ai:
        session = ai.session()
        kernel.offer_to(session)
        session.prompt("hello")
        session.prompt("hello")
        assert '"permission": {"nb*": "deny"}' in session.tools_problem
        assert [own for n in (1, 2) for own in map(own_tool, demo_model.offered(n)) if own] == []
        assert [record.message for record in caplog.records].count(session.tools_problem) == 1
        assert ai.client.mcp.status() == {}


# --- permission -------------------------------------------------------------------------------------------------------


def ask_python(session: oc.Session, demo_model: DemoModel, **options: Any) -> oc.Turn:
    """Have the agent call `python`; a rejected call ends the turn."""
    demo_model.queue([kernel_tool("python", code="x = 1")])
    if options.pop("goes_on", True):
        demo_model.queue([text("Done.")])
    return session.prompt("go", **options)


class Someone:
    """A person who answers, and keeps what they were asked."""

    def __init__(self, answer: Answer | None) -> None:
        self.answer, self.asked = answer, list[Json]()

    async def permission(self, request: Json) -> Answer | None:
        self.asked.append(request)
        return self.answer

    async def question(self, request: Json) -> list[list[str]] | None:
        return [[] for _ in request["questions"]]


def test_a_denied_tool_is_not_offered(ai: oc.Opencode, kernel: Kernel, demo_model: DemoModel) -> None:
    session = ai.session()
    kernel.offer_to(session)
    for policy in ({"python": "deny"}, {"nb*_python": "deny"}, {"variables": "deny"}, {"*": "deny"}, "deny", "ask"):
        session.prompt("hello", permission=policy)
    offered = [sorted(filter(None, map(own_tool, demo_model.offered(n)))) for n in range(1, 7)]
    assert offered == [["variables"], ["variables"], ["python"], [], ["variables"], ["python", "variables"]]


def test_a_callable_policy_reads_the_code(ai: oc.Opencode, kernel: Kernel, demo_model: DemoModel) -> None:
    asked = []

    def decide(request: PermissionRequest) -> str:
        asked.append((request.permission, request.input))
        return "once"

    session = ai.session()
    kernel.offer_to(session)
    ask_python(session, demo_model, permission=decide)
    assert asked == [("python", {"code": "x = 1"})]
    assert kernel.ran == ["x = 1"]


def test_a_person_sees_the_code_and_always_covers_this_session_only(
    ai: oc.Opencode, kernel: Kernel, demo_model: DemoModel
) -> None:
    session, person = ai.session(), Someone(Answer("always"))
    kernel.offer_to(session)
    ask_python(session, demo_model, person=person)
    ask_python(session, demo_model, person=person)
    assert [request["call"]["input"] for request in person.asked] == [{"code": "x = 1"}]
    assert kernel.ran == ["x = 1", "x = 1"]
    other, nobody = ai.session(), Someone(None)
    kernel.offer_to(other)
    ask_python(other, demo_model, person=nobody, goes_on=False)
    assert len(nobody.asked) == 1
    assert len(kernel.ran) == 2


def test_an_approval_posted_by_another_client_does_not_run_code(
    ai: oc.Opencode, kernel: Kernel, client: Client, demo_model: DemoModel
) -> None:
    """The agent's own tools could do that: they inherit the server's password."""

    class Intruder(Someone):
        async def permission(self, request: Json) -> Answer | None:
            await asyncio.to_thread(client.permission.reply, request["id"], reply="once")
            return await asyncio.Future[Answer]()

    session = ai.session()
    kernel.offer_to(session)
    turn = ask_python(session, demo_model, person=Intruder(None))
    assert kernel.ran == []
    assert [made.by for made in turn.state.decisions] == ["another client"]
    assert "not allowed in the notebook" in (turn.tools[0].error or "")


def test_code_other_than_what_was_shown_does_not_run(
    ai: oc.Opencode, kernel: Kernel, client: Client, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of a message can be written by whoever has the server's password."""
    monkeypatch.setattr(calls, "APPEAR_SECONDS", 0.5)

    class Changed(Someone):
        async def permission(self, request: Json) -> Answer | None:
            where = request["tool"]["messageID"]
            message = await asyncio.to_thread(client.session.message, request["sessionID"], where)
            part = next(dict(part) for part in message["parts"] if part["type"] == "tool")
            part["state"] = {**part["state"], "input": {"code": "harmless"}}
            path = f"/session/{request['sessionID']}/message/{where}/part/{part['id']}"
            await asyncio.to_thread(client.request, "PATCH", path, json=part)
            return Answer("once")

    session = ai.session()
    kernel.offer_to(session)
    turn = ask_python(session, demo_model, person=Changed(None))
    assert turn.tools[0].status == "error"
    assert kernel.ran == []


def test_a_call_that_the_user_stopped_ends_the_turn(ai: oc.Opencode, demo_model: DemoModel) -> None:
    async def stopped(_call: Call) -> Result:
        return Result(Outgoing("python", (Piece("Stopped."),)), failed=True, stopped=True)

    session = ai.session()
    session.offer([Tool("python", "Run code.", CODE, stopped)], Gate(Level.FULL, Ledger()))
    demo_model.queue([kernel_tool("python", code="while True: pass")])
    with pytest.raises(oc.AbortedError):
        session.prompt("go", permission="allow")


def test_parallel_calls_run_one_at_a_time_in_order(ai: oc.Opencode, kernel: Kernel, demo_model: DemoModel) -> None:
    session = ai.session()
    kernel.offer_to(session)
    codes = [f"x = {number}" for number in range(4)]
    demo_model.queue([[kernel_tool("python", code=code) for code in codes], [text("Done.")]])
    turn = session.prompt("go", permission="allow")
    assert [call.status for call in turn.tools] == ["completed"] * 4
    assert kernel.ran == codes


def test_a_stopped_turn_cancels_the_call(ai: oc.Opencode, demo_model: DemoModel) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def hang(call: Call) -> Result:
        begun.set()
        try:
            return await asyncio.Future[Result]()
        finally:
            cancelled.set()

    session = ai.session()
    session.offer([Tool("python", "Run code.", CODE, hang, asks=True)])
    demo_model.queue([kernel_tool("python", code="while True: pass")])
    turn = session.prompt("go", permission="allow", wait=False)
    assert begun.wait(SECONDS)
    session.abort()
    assert cancelled.wait(SECONDS)
    assert turn.status == "aborted"


# --- what a kernel leaves behind --------------------------------------------------------------------------------------

KERNEL = """
import sys
import opencode_nb as oc
from opencode_nb.tools.tool import Tool

directory, session_id = sys.argv[1:]
session = oc.Opencode(directory=directory).session(id=session_id)
session.offer([Tool("python", "Run code.", {"type": "object", "properties": {}}, None, asks=True)])
session.prompt("hello")
print(session.tools_problem or "offered", flush=True)
sys.stdin.read()
"""


def say_hello(ai: oc.Opencode, session: oc.Session) -> None:
    """Send a prompt as another client does, a terminal's for instance: it leaves the session's rules as they are."""
    ai.client.session.prompt(session.id, parts=[{"type": "text", "text": "hello"}])


def test_the_tools_of_a_killed_kernel_are_gone(
    opencode_program: Path,
    project: Path,
    short_path: Path,
    kernel: Kernel,
    demo_model: DemoModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(demo_model.config()))
    with oc.Opencode(directory=project, binary=opencode_program) as ai:
        kept, lost = ai.session(), ai.session()
        kernel.offer_to(kept)
        kept.prompt("hello")
        command = [sys.executable, "-c", KERNEL, str(project), lost.id]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "offered\n"
            say_hello(ai, lost)
            other.kill()
        end = time.monotonic() + SECONDS
        while ai.client.mcp.status()[server_name(lost.id)]["status"] == "connected":
            assert time.monotonic() < end, "the keeper did not disconnect them"
        say_hello(ai, lost)
        kept.prompt("hello")
        offered = [sorted(filter(None, map(own_tool, demo_model.offered(n)))) for n in range(1, 6)]
        assert offered == [["python", "variables"], ["python"], ["python"], [], ["python", "variables"]]
