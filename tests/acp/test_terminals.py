"""Commands that an agent runs through this process: real ones, shown while they run, and ended with their turn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

import opencode_nb as oc
from opencode_nb.session.permissions.policy import PermissionRequest
from tests.acp.conftest import MakeAgent
from tests.acp.test_agents import processes

TERMINAL = """
def request(method, **params):
    send(id=50, method=method, params={"sessionId": "s1", **params})
    while "id" not in (answer := json.loads(sys.stdin.readline())):
        pass
    return answer.get("result", answer.get("error"))

def terminal(method, **params):
    return request("terminal/" + method, **params)
"""


def told(turn: oc.Turn) -> list[Any]:
    return [json.loads(line) for line in turn.text.splitlines() if line]


def test_a_command_is_asked_about_shown_and_its_end_and_output_are_told(make_agent: MakeAgent, tmp_path: Path) -> None:
    command = make_agent(
        TERMINAL
        + """
def prompt(params):
    code = "import os, sys; print(os.getcwd(), os.environ['A'], flush=True); sys.exit('é' * 100)"
    run = {"command": sys.executable, "args": ["-c", code], "env": [{"name": "A", "value": "1"}]}
    id = terminal("create", **run)["terminalId"]
    say(json.dumps(terminal("wait_for_exit", terminalId=id)) + "\\n")
    say(json.dumps(terminal("output", terminalId=id)) + "\\n")
    id = terminal("create", **run, outputByteLimit=10, cwd="/")["terminalId"]
    terminal("wait_for_exit", terminalId=id)
    say(json.dumps(terminal("output", terminalId=id)) + "\\n")
    terminal("release", terminalId=id)
    say(json.dumps(terminal("output", terminalId=id)["message"]) + "\\n")
    say(json.dumps(terminal("create", command="echo one two | wc -w; exit 0")) + "\\n")
    terminal("wait_for_exit", terminalId="term_3")
    return {"stopReason": "end_turn"}
"""
    )
    asked: list[PermissionRequest] = []
    with oc.AcpAgent(command, cwd=tmp_path, permission=lambda request: asked.append(request) or "once") as agent:
        turn = agent.ask("go")
    ended, output, cut, unknown, created = told(turn)
    assert ended == {"exitCode": 1, "signal": None}
    assert output["output"] == f"{tmp_path} 1\n" + "é" * 100 + "\n"
    assert (output["truncated"], output["exitStatus"]) == (False, ended)
    assert (cut["output"], cut["truncated"]) == ("éééé\n", True)  # not within a character
    assert "no terminal" in unknown
    assert created == {"terminalId": "term_3"}
    assert [request.permission for request in asked] == ["bash"] * 3
    assert asked[2].patterns == ("echo one two | wc -w; exit 0", "echo one two", "wc -w", "exit 0")
    assert [(call.tool, call.status) for call in turn.tools] == [("bash", "completed")] * 3
    assert turn.tools[0].output == output["output"]
    where = [{name: call.input.get(name) for name in ("workdir", "variables")} for call in turn.tools]
    assert where == [
        {"workdir": None, "variables": "A=1"},
        {"workdir": "/", "variables": "A=1"},
        {"workdir": None, "variables": None},
    ]
    assert turn.tools[2].output.strip() == "2"


def test_a_granted_call_shows_its_terminal_while_it_runs_and_a_stop_ends_the_command(
    make_agent: MakeAgent, tmp_path: Path
) -> None:
    command = make_agent(
        TERMINAL
        + """
def prompt(params):
    line = f"{sys.executable} -c 'import time; print(1 + 1, flush=True); time.sleep(600)' {__file__} & wait"
    call = {"toolCallId": "1", "title": line, "kind": "execute", "rawInput": {"command": line}}
    update(sessionUpdate="tool_call", status="pending", **call)
    request("session/request_permission", toolCall=call, options=[{"optionId": "yes", "kind": "allow_once"}])
    id = terminal("create", command="bash", args=["-c", line])["terminalId"]
    shown = [{"type": "terminal", "terminalId": id}]
    update(sessionUpdate="tool_call_update", toolCallId="1", status="in_progress", content=shown)
    say(json.dumps(terminal("wait_for_exit", terminalId=id)))
    return {"stopReason": "cancelled"}
"""
    )
    asked: list[PermissionRequest] = []
    with oc.AcpAgent(command, cwd=tmp_path, permission=lambda request: asked.append(request) or "once") as agent:
        session = agent.session()
        updates = session.stream("go")
        for one in updates:
            if one.tool is not None and one.tool.metadata.get("output") == "2\n":
                break
        left = processes(tmp_path / "agent.py")
        assert len(left) >= 5  # the agent and the command, with their keepers, and the shell
        session.abort()
        with pytest.raises(oc.AbortedError):
            list(updates)
        assert json.loads(session.turns()[0].text) == {"exitCode": None, "signal": "SIGTERM"}
        assert len(asked) == 1
        [call] = session.turns()[0].tools
        assert call.tool == "bash"
        running = [process for process in left if process.is_running() and "agent.py" in process.cmdline()[-1]]
        assert len(running) == 2  # the agent and its keeper
        agent.ask("again", wait=False)
    assert psutil.wait_procs(left, timeout=30)[1] == []
    assert processes(tmp_path / "agent.py") == []


def test_a_command_that_is_refused_does_not_run_and_ends_with_the_agent(make_agent: MakeAgent, tmp_path: Path) -> None:
    command = make_agent(
        TERMINAL
        + """
def prompt(params):
    say(json.dumps(terminal("create", command="touch", args=["made"])))
    terminal("create", command=sys.executable, args=["-c", "import time; time.sleep(600)", __file__])
    os._exit(1)
"""
    )
    rules = {"bash": {"*": "allow", "touch *": "deny"}}
    with oc.AcpAgent(command, cwd=tmp_path, permission=rules) as agent:
        session = agent.session()
        with pytest.raises(oc.ServerGoneError):
            session.prompt("go")
        assert "does not allow" in session.turns()[0].text
        assert not (tmp_path / "made").exists()
        assert psutil.wait_procs(processes(tmp_path / "agent.py"), timeout=30)[1] == []
