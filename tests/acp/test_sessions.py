"""Sessions of agents that are not OpenCode: what a capability offers, and what happens without it."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

import opencode_nb as oc
from tests.acp.conftest import MakeAgent

CAPABLE = """
kept = {"loadSession": True, "sessionCapabilities": {"additionalDirectories": {}, "delete": {}, "close": {}}}
count = 0

def initialize(params):
    return {"protocolVersion": 1, "agentCapabilities": kept}

def new(params):
    global count
    count += 1
    note("new", params)
    return {"sessionId": f"s{count}"}

def note(method, params):
    with open("asked.jsonl", "a") as file:
        print(json.dumps([method, params]), file=file)

def prompt(params):
    return {"stopReason": "end_turn"}

def other(method, params):
    note(method, params)
    return {}
"""


def test_sessions_have_more_directories_and_are_deleted_and_closed(make_agent: MakeAgent, tmp_path: Path) -> None:
    work, more = tmp_path / "work", tmp_path / "more"
    work.mkdir()
    more.mkdir()
    with oc.AcpAgent(make_agent(CAPABLE), cwd=work, directories=(one for one in [more])) as agent:
        first = agent.session()
        first.delete()
        with pytest.raises(oc.NotSupportedError, match="forks"):
            agent.session().fork()
        for _number in range(17):  # more than are kept open without references
            agent.session()
        gc.collect()
        agent.call("_last")
    lines = [json.loads(line) for line in (work / "asked.jsonl").read_text().splitlines()]
    assert lines[0] == ["new", {"cwd": str(work), "mcpServers": [], "additionalDirectories": [str(more)]}]
    assert lines[1] == ["session/delete", {"sessionId": "s1"}]
    assert ["session/close", {"sessionId": "s2"}] in lines

    with (
        oc.AcpAgent(make_agent(""), cwd=work, directories=[more]) as agent,
        pytest.raises(oc.NotSupportedError, match="directories beside cwd"),
    ):
        agent.session()


def test_a_login_that_is_needed_says_how(make_agent: MakeAgent, tmp_path: Path) -> None:
    command = make_agent("""
done = []

def initialize(params):
    assert params["clientCapabilities"]["auth"]["terminal"]
    terminal = {"id": "tty", "name": "In a terminal", "type": "terminal", "args": ["--log in"], "env": {"A": "1"}}
    variable = {"id": "key", "name": "A key", "type": "env_var", "vars": [{"name": "SOME_KEY"}]}
    return {"protocolVersion": 1, "authMethods": [terminal, variable, {"id": "page", "name": "A page"}, 7]}

def new(params):
    if done:
        return {"sessionId": "s1"}
    send(id=message["id"], error={"code": -32000, "message": "Authentication required"})

def other(method, params):
    if method == "authenticate":
        done.append(params["methodId"])
        return {}
""")
    with oc.AcpAgent(command, cwd=tmp_path) as agent:
        with pytest.raises(oc.OpencodeError, match=r"A=1 .*'--log in'` in a terminal, or .*authenticate\('page'\)"):
            agent.session()
        with pytest.raises(oc.OpencodeError, match="in a terminal: this login needs one"):
            agent.authenticate("tty")
        with pytest.raises(oc.OpencodeError, match="no login 'pages'"):
            agent.authenticate("pages")
        assert [method.description for method in agent.auth_methods] == ["", "Set SOME_KEY in env=.", ""]
        agent.authenticate("page")
        assert agent.ask("go").text == "done"
