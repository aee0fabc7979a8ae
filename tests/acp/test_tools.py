"""Tools of this process for agents other than OpenCode: how they are told, and what becomes of those without."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.tools.names import server_name
from tests.acp.conftest import MakeAgent

OPENS_AGAIN = """
given = []

def initialize(params):
    return {"protocolVersion": 1, "agentCapabilities": {"loadSession": True, "mcpCapabilities": {"http": True}}}

def other(method, params):
    if method == "session/load":
        given[:] = params["mcpServers"]
        say("told before")
        return {}

def prompt(params):
    say(json.dumps(given))
    return {"stopReason": "end_turn"}
"""


def add(one: int, two: int) -> int:
    """Add."""
    return one + two


def test_tools_come_with_the_next_prompt_and_what_a_load_repeats_is_not_shown(
    make_agent: MakeAgent, tmp_path: Path
) -> None:
    with oc.AcpAgent(make_agent(OPENS_AGAIN), cwd=tmp_path) as agent:
        session = agent.session()
        assert session.prompt("go").text == "[]"
        agent.tools.add(add)
        first = session.prompt("go")
        [server] = json.loads(first.text)
        assert (server["type"], server["name"]) == ("http", server_name(session.id))
        assert server["url"].endswith(f"/{server['name']}")
        assert server["headers"][0]["name"] == "Authorization"
        assert session.prompt("go").text == first.text
        assert [turn.text for turn in session.turns()] == ["[]", first.text, first.text]


def test_an_agent_without_mcp_over_http_works_without_tools_and_says_so_once(
    make_agent: MakeAgent, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    command = make_agent("""
def prompt(params):
    say("7" if "JSON" in params["prompt"][0]["text"] else params["prompt"][0]["text"])
    return {"stopReason": "end_turn"}
""")
    with oc.AcpAgent(command, cwd=tmp_path, tools=[add]) as agent, caplog.at_level(logging.WARNING, "opencode_nb"):
        session = agent.session()
        assert session.prompt("go").text == "go"
        assert session.prompt("on").text == "on"
        assert caplog.text.count("no MCP servers over HTTP") == 1
        assert session.prompt("go", schema=int).data == 7
        assert session.prompt("go", system="Be brief.").text == "Be brief."
