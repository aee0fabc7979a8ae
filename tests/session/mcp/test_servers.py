"""MCP servers attached by an agent, with the real opencode server and real MCP servers over stdio and HTTP."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import opencode_nb as oc
from opencode_nb.api.client import Client
from opencode_nb.demo import DemoModel, text, tool
from opencode_nb.server import Server
from opencode_nb.session.mcp.config import Given, config_of
from opencode_nb.session.mcp.servers import McpStatus
from tests.api import mcp_parts
from tests.api.loopback import Loopback, serving

CALCULATOR = [sys.executable, mcp_parts.__file__]
"""A small MCP server on stdin and stdout, with the tool `add`."""

LIBRARY_SERVER = """
from mcp.server import MCPServer

server = MCPServer("words")


@server.tool()
def shout(text: str) -> str:
    return text.upper()


server.run("stdio")
"""

CONNECTED = McpStatus("connected")
SECRET = "sk-live-a1b2c3d4e5f6a1b2"
SECONDS = 30.0


def agent(server: Server, project: Path, mcp: dict[str, Given] | None = None) -> oc.Opencode:
    return oc.Opencode(base_url=server.url, password=server.password, directory=project, mcp=mcp)


@pytest.fixture
def guarded() -> Iterator[Loopback]:
    """An MCP server over HTTP that wants a login."""
    with serving(mcp_parts.guarded) as served:
        yield served


def programs(mark: str) -> list[psutil.Process]:
    """Return the running programs with this argument."""
    return [one for one in psutil.process_iter(["cmdline"]) if mark in (one.info["cmdline"] or [])]


def test_the_agent_uses_an_attached_server_until_it_closes(
    server: Server, project: Path, client: Client, demo_model: DemoModel
) -> None:
    demo_model.queue([tool("calc_add", a=1, b=2), text("Done.")])
    mark = f"--for={project}"
    with agent(server, project, {"calc": [*CALCULATOR, mark]}) as ai:
        assert ai.mcp.status() == {"calc": CONNECTED}
        assert "calc_* allow" in [f"{rule.tool} {rule.action}" for rule in ai.tool_rules()]
        turn = ai.ask("Add them")
        assert "calc_add" in demo_model.offered(1)
        assert [(call.tool, call.status, call.output) for call in turn.tools] == [("calc_add", "completed", "added")]
        demo_model.queue([tool("calc_add", a=1, b=2), text("Done.")])
        denied = ai.ask("Add them", permission={"calc_*": "deny"})
        assert [call.status for call in denied.tools] == ["error"]
        running = programs(mark)
        assert len(running) == 1
    assert client.mcp.status()["calc"].status == "disabled", "closing the agent leaves its MCP server connected"
    assert psutil.wait_procs(running, SECONDS)[1] == [], "its program outlives it"


def test_a_server_that_was_lost_is_attached_again_with_the_next_prompt(
    server: Server, project: Path, client: Client, demo_model: DemoModel
) -> None:
    with agent(server, project, {"calc": CALCULATOR}) as ai:
        session = ai.session()
        client.instance.dispose()
        session.prompt("Say exactly: one")
        assert "calc_add" in demo_model.offered(), "the server forgot it, and nobody gave it back"
        client.mcp.disconnect("calc")
        session.prompt("Say exactly: two")
        assert "calc_add" in demo_model.offered(), "another process disconnected it"
        ai.mcp.disconnect("calc")
        session.prompt("Say exactly: three")
        assert "calc_add" not in demo_model.offered(), "what the user disconnected came back"
        client.instance.dispose()
        assert ai.mcp.connect("calc") == CONNECTED
        session.prompt("Say exactly: four")
        assert "calc_add" in demo_model.offered()


def test_a_server_that_fails_leaves_the_agent_working_and_says_why(
    server: Server, project: Path, demo_model: DemoModel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    broken: dict[str, Given] = {
        "gone": ["/no/such/program"],
        "wrong": {"url": "http://127.0.0.1:9/mcp", "headers": {"Authorization": f"Bearer {SECRET}"}, "oauth": False},
        "refused": {"command": "not a list"},
        "off": {"command": CALCULATOR, "enabled": False},
    }
    with agent(server, project, broken) as ai:
        states = ai.mcp.status()
        assert [states[name].status for name in broken] == ["failed", "failed", "failed", "disabled"]
        assert "no such file" in states["gone"].error
        assert str(states["gone"]).startswith("failed: ")
        assert ai.ask("Say exactly: working").text == "working"
        warned = [record.message for record in caplog.records if record.message.startswith("MCP server gone: ")]
        assert len(warned) == 1, "it is not to be told, or tried, with each prompt"
        assert ai.mcp.connect("off") == CONNECTED
        assert SECRET not in caplog.text + repr(states) + repr(ai.mcp)


def test_servers_are_added_connected_and_disconnected_at_run_time(
    server: Server, project: Path, tmp_path: Path, demo_model: DemoModel
) -> None:
    script = tmp_path / "words.py"
    script.write_text(LIBRARY_SERVER, encoding="utf-8")
    with agent(server, project) as ai:
        assert ai.mcp.status() == {}
        assert ai.mcp.add("words", [sys.executable, script]) == CONNECTED
        ai.ask("Say exactly: one")
        assert "words_shout" in demo_model.offered()
        ai.mcp.disconnect("words")
        assert ai.mcp.status() == {"words": McpStatus("disabled")}
        with pytest.raises(oc.OpencodeError, match=r"no MCP server wrods\. Did you mean words\? Available: words\."):
            ai.mcp.connect("wrods")
        with pytest.raises(oc.OpencodeError):
            ai.mcp.add("bad", {"command": "not a list"})
        assert list(ai.mcp.status()) == ["words"]


def test_a_login_to_a_server_goes_through_the_browser(server: Server, project: Path, guarded: Loopback) -> None:
    with agent(server, project, {"guarded": f"{guarded.url}/mcp", "calc": CALCULATOR}) as ai:
        assert str(ai.mcp.status()["guarded"]) == "needs auth"
        assert ai.mcp.auth("guarded").startswith(f"{guarded.url}/authorize?")
        landed = "http://127.0.0.1:19876/mcp/oauth/callback?code=a-code&state=s"
        assert ai.mcp.finish_auth("guarded", landed) == CONNECTED
        token = next(request for request in guarded.requests if request.target == "/token")
        assert b"code=a-code&" in token.body + b"&", "the code was not found in the address"
        ai.client.mcp.auth.remove("guarded")
        with pytest.raises(oc.OpencodeError, match="does not support OAuth"):
            ai.mcp.auth("calc")


@pytest.mark.parametrize(
    ("name", "given", "config"),
    [
        ("a", "https://example.org/mcp", {"type": "remote", "url": "https://example.org/mcp"}),
        ("a-b_1", ["python", Path("server.py")], {"type": "local", "command": ["python", "server.py"]}),
        ("a", {"url": "http://x", "headers": {"A": "b"}}, {"type": "remote", "url": "http://x", "headers": {"A": "b"}}),
        ("a", {"type": "local", "command": ["x"]}, {"type": "local", "command": ["x"]}),
    ],
)
def test_a_server_is_a_url_a_command_or_a_configuration(name: str, given: Given, config: object) -> None:
    assert config_of(name, given) == config


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("a", "python server.py", "is not a URL"),
        ("a", [], "the command is empty"),
        ("a", {"type": "remote"}, 'needs "url" or "command"'),
        ("my server", "http://x", "use letters"),
        ("", "http://x", "use letters"),
        ("nbconvert", "http://x", "kept for the kernel's tools"),
        ("nb1a2b3c4d", "http://x", "kept for the kernel's tools"),
    ],
)
def test_a_wrong_server_is_refused_before_anything_starts(name: str, given: Given, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        oc.Opencode(mcp={name: given})
