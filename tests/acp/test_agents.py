"""Agents that are not OpenCode, good and bad: each ends with a clear error in its time, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import opencode_nb as oc
from opencode_nb.acp import client as acp_client
from opencode_nb.acp import process as acp_process
from opencode_nb.api.verifying import VERIFYING, VerifyingError
from opencode_nb.session.permissions.policy import PermissionRequest
from opencode_nb.session.turns import running
from tests.acp.conftest import MakeAgent


def processes(mark: Path) -> list[psutil.Process]:
    """Return the running processes whose command names a path."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(
            str(mark) in word for word in process.info["cmdline"] or ()
        ):
            found.append(process)
    return found


def test_a_prompt_is_answered_and_the_agent_ends_with_its_holder(
    make_agent: MakeAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = make_agent("""
def prompt(params):
    update(sessionUpdate="plan", entries=[{"content": "Look", "priority": "high", "status": "pending"}])
    update(sessionUpdate="something_new", content=7)
    update(sessionUpdate="agent_thought_chunk", content={"type": "text", "text": "Hm."})
    say("You said: " + params["prompt"][0]["text"])
    return {"stopReason": "end_turn"}

def other(method, params):
    if method == "_x/y":
        return {"got": params}
""")
    with oc.AcpAgent(command, cwd=tmp_path) as agent:
        session = agent.session()
        assert [one.text for one in session.stream("hello") if one.kind == "text"] == ["You said: hello"]
        [turn] = session.turns()
        assert (turn.text, turn.reasoning, turn.status, turn.stop_reason) == (
            "You said: hello",
            "Hm.",
            "completed",
            "end_turn",
        )
        assert (turn.cost, turn.model, turn.agent) == (0, "", "")  # it does not tell
        assert [todo["content"] for todo in turn.state.todos] == ["Look"]
        assert agent.capabilities == {"loadSession": True}
        assert agent.version == "7"
        assert agent.call("_x/y", {"a": 1}) == {"got": {"a": 1}}
        with pytest.raises(oc.NotSupportedError, match="_x/z"):
            agent.call("_x/z")
        with pytest.raises(oc.NotSupportedError, match=r"^The agent .* has no undo\.$"):
            session.revert()
        monkeypatch.setenv(VERIFYING, "1")
        for act in (lambda: session.prompt("hello"), lambda: agent.call("_x/y"), lambda: session.fork()):
            with pytest.raises(VerifyingError):
                act()
        assert processes(tmp_path / "agent.py")
    assert processes(tmp_path / "agent.py") == []


def test_what_an_agent_asks_for_has_its_input_and_patch(make_agent: MakeAgent, tmp_path: Path) -> None:
    command = make_agent("""
def prompt(params):
    diff = {"type": "diff", "path": os.getcwd() + "/a.py", "oldText": None, "newText": "a = 2\\n"}
    call = {"toolCallId": "1", "title": "Write a.py", "kind": "edit", "content": [diff]}
    update(sessionUpdate="tool_call", status="pending", **call)
    options = [{"optionId": "yes", "kind": "allow_once"}, {"optionId": "no", "kind": "reject_once"}]
    send(id=9, method="session/request_permission", params={"sessionId": "s1", "toolCall": call, "options": options})
    say(json.loads(sys.stdin.readline())["result"]["outcome"]["optionId"])
    update(sessionUpdate="tool_call_update", toolCallId="1", status="completed")
    return {"stopReason": "end_turn"}
""")
    asked: list[PermissionRequest] = []
    with oc.AcpAgent(command, cwd=tmp_path, permission=lambda request: asked.append(request) or "always") as agent:
        turn = agent.ask("go")
        assert agent.ask("go", permission="deny").text == "no"
    assert turn.text == "yes"
    assert (asked[0].permission, asked[0].input) == ("edit", {"filePath": str(tmp_path / "a.py")})
    assert "+a = 2" in asked[0].metadata["diff"]
    [change] = turn.diffs
    assert (change.file, change.status) == ("a.py", "added")


def test_the_async_face_works_on_a_loop_of_the_callers(make_agent: MakeAgent, tmp_path: Path) -> None:
    async def ask() -> str:
        async with oc.AsyncAcpAgent(make_agent(""), cwd=tmp_path) as agent:
            return (await agent.ask("hello")).text

    assert asyncio.run(ask()) == "done"


@pytest.mark.not_quick
def test_an_agent_that_nobody_holds_any_more_ends_with_all_it_started(make_agent: MakeAgent, tmp_path: Path) -> None:
    command = make_agent("""
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def prompt(params):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", __file__], start_new_session=True)
    say("started")
    time.sleep(600)
""")
    code = (
        "import sys, os, opencode_nb as oc; from pathlib import Path\n"
        f"agent = oc.AcpAgent({command!r}, cwd={str(tmp_path)!r})\n"
        "for one in agent.session().stream('go'):\n"
        "    print(one.text, flush=True)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ.copy())
    assert holder.stdout
    assert holder.stdout.readline() == "started\n"
    left = processes(tmp_path / "agent.py")
    assert len(left) >= 3  # the agent, its keeper, what it started
    holder.kill()
    holder.communicate()
    assert psutil.wait_procs(left, timeout=30)[1] == []


def test_an_agent_that_dies_in_mid_turn_fails_it_and_the_next_prompt_has_a_new_one(
    make_agent: MakeAgent, tmp_path: Path
) -> None:
    command = make_agent("""
def prompt(params):
    if os.path.exists("died"):
        say("back")
        return {"stopReason": "end_turn"}
    open("died", "w").close()
    say("partial")
    print("Out of luck.", file=sys.stderr, flush=True)
    os._exit(3)

def other(method, params):
    if method == "session/load":
        update(sessionUpdate="user_message_chunk", content={"type": "text", "text": "known already"})
        return {}
""")
    with oc.AcpAgent(command, cwd=tmp_path) as agent:
        session = agent.session()
        with pytest.raises(oc.ServerGoneError, match=r"exit code 3.*Out of luck"):
            session.prompt("go")
        assert session.turns()[0].text == "partial"
        assert session.prompt("again").text == "back"
        assert [turn.status for turn in session.turns()] == ["error", "completed"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("sys.exit(4)\n", r"exit code 4"),
        ("print('Welcome!', flush=True)\nsys.stdin.read()\n", r"within 1 s.*'Welcome!'"),
        ("sys.stdin.read()\n", r"within 1 s"),
        ("def initialize(params): return {'protocolVersion': 9}\n", r"version 9"),
    ],
    ids=["exits", "prints garbage", "hangs", "speaks another version"],
)
def test_an_agent_that_does_not_start_is_told_and_ended(
    make_agent: MakeAgent, tmp_path: Path, code: str, error: str
) -> None:
    agent = oc.AcpAgent(make_agent(code), cwd=tmp_path, start_timeout=1)
    with pytest.raises(oc.ServerStartError, match=f"(?s){error}"):
        agent.start()
    assert processes(tmp_path / "agent.py") == []
    agent.close()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(oc.BinaryNotFoundError, match="no-such-agent"):
        oc.AcpAgent(["no-such-agent"], cwd=tmp_path).start()
    with pytest.raises(oc.ServerStartError, match="cwd="):
        oc.AcpAgent([sys.executable], cwd=tmp_path / "nowhere").start()
    with pytest.raises(ValueError, match="arguments"):
        oc.AcpAgent("qwen --acp")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "acp.connection", None)
    with pytest.raises(oc.OpencodeError, match=r"pip install 'opencode_nb\[acp\]'"):
        oc.AcpAgent([sys.executable], cwd=tmp_path).start()


def test_garbage_and_a_long_message_in_mid_turn_do_no_harm(make_agent: MakeAgent, tmp_path: Path) -> None:
    command = make_agent("""
def prompt(params):
    print("Warning: \\x1b[31mdeprecated", flush=True)
    print("[1, 2]", flush=True)
    say("x" * 50_000_000)
    return {"stopReason": "end_turn"}
""")
    with oc.AcpAgent(command, cwd=tmp_path) as agent:
        assert len(agent.ask("go").text) == 50_000_000


def test_a_stopped_turn_that_never_ends_is_over_here_and_the_next_prompt_says_so(
    make_agent: MakeAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "ABORT_TIMEOUT", 0.2)
    monkeypatch.setattr(acp_client, "BEFORE_SECONDS", 0.2)
    command = make_agent("""
def prompt(params):
    say("begun")
""")
    with oc.AcpAgent(command, cwd=tmp_path) as agent:
        session = agent.session()
        updates = session.stream("go")
        assert next(one.text for one in updates if one.kind == "text") == "begun"
        session.abort()
        with pytest.raises(oc.AbortedError):
            list(updates)
        with pytest.raises(oc.OpencodeError, match="turn before"):
            session.prompt("next")


def test_a_message_without_an_end_ends_the_turn_and_the_next_prompt_has_a_new_agent(
    make_agent: MakeAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acp_process, "LARGEST", 3 << 20)
    command = make_agent("""
def prompt(params):
    while params["prompt"][0]["text"] == "go":
        sys.stdout.write("x" * 100_000)
    say("back")
    return {"stopReason": "end_turn"}

def other(method, params):
    return {}
""")
    with oc.AcpAgent(command, cwd=tmp_path) as agent:
        session = agent.session()
        with pytest.raises(oc.ServerGoneError, match="more than 3 MB"):
            session.prompt("go")
        assert session.prompt("again").text == "back"


def test_what_comes_late_after_a_stop_is_not_taken_for_the_next_answer(
    make_agent: MakeAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "ABORT_TIMEOUT", 0.2)
    command = make_agent("""
first = []

def prompt(params):
    say(params["prompt"][0]["text"])
    if first:
        return {"stopReason": "end_turn"}
    first.append(message["id"])

def other(method, params):
    if method == "_late":
        say("late")
        send(id=first[0], result={"stopReason": "end_turn"})
        return {}
""")
    with oc.AcpAgent(command, cwd=tmp_path) as agent:
        session = agent.session()
        updates = session.stream("one")
        assert next(one.text for one in updates if one.kind == "text") == "one"
        session.abort()
        with pytest.raises(oc.AbortedError):
            list(updates)
        agent.call("_late")
        assert session.prompt("two").text == "two"
        assert [turn.status for turn in session.turns()] == ["aborted", "completed"]


def test_sessions_of_other_directories_are_not_listed(make_agent: MakeAgent, tmp_path: Path) -> None:
    command = make_agent("""
def initialize(params):
    return {"protocolVersion": 1, "agentCapabilities": {"sessionCapabilities": {"list": {}}, "loadSession": True}}

def other(method, params):
    if method == "session/list":
        return {"sessions": [{"sessionId": "here", "cwd": params["cwd"]}, {"sessionId": "there", "cwd": "/there"}]}
    send(id=message["id"], error={"code": -32602, "message": "It is in /there."})
""")
    with oc.AcpAgent(command, cwd=tmp_path) as agent:
        assert [info["id"] for info in agent.sessions()] == ["here"]
        with pytest.raises(oc.NotFoundError, match="in /there"):
            agent.session(id="there")
