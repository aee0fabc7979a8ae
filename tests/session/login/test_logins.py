"""Logins to providers, and MCP servers, on a shared server that this process starts: its files are its own."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.session.login.logins import Authorization
from opencode_nb.session.mcp.servers import McpStatus
from tests.api import mcp_parts
from tests.api.loopback import STREAM_HEAD, Loopback, Request, response, serving
from tests.conftest import make_project
from tests.session.login.plugins import add_login_plugin

KEY = "sk-live-0f1e2d3c4b5a6978"
TRIES = 200


async def guarded_model(request: Request, writer: asyncio.StreamWriter) -> None:
    """A provider that answers "in" to those who have the key."""
    if request.headers.get("authorization") != f"Bearer {KEY}":
        writer.write(response(b'{"error": {"message": "Who are you?"}}', status="401 Unauthorized"))
        return
    delta = {"role": "assistant", "content": "in"}
    chunks = [{"delta": delta, "index": 0}, {"delta": {}, "index": 0, "finish_reason": "stop"}]
    lines = [json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": [chunk]}) for chunk in chunks]
    writer.write(STREAM_HEAD + "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode())


@pytest.fixture(scope="module")
def provider() -> Iterator[Loopback]:
    with serving(guarded_model) as served:
        yield served


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def ai(opencode_program: Path, provider: Loopback, home: Path) -> Iterator[oc.Opencode]:
    with agent(provider, home) as ai:
        yield ai


def agent(provider: Loopback, home: Path) -> oc.Opencode:
    """Return an agent on the shared server of this file, with an MCP server."""
    project = home / "project"
    if not project.exists():
        add_login_plugin(make_project(project), "acme")
    acme = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Acme",
        "options": {"baseURL": f"{provider.url}/v1"},
        "models": {"one": {"name": "One"}},
    }
    return oc.Opencode(
        config={
            "provider": {"acme": acme},
            "small_model": "acme/one",
        },
        env={"XDG_DATA_HOME": str(home / "data")},
        model="acme/one",
        directory=project,
        mcp={"calc": [sys.executable, mcp_parts.__file__]},
    )


def test_a_login_is_in_effect_for_the_next_prompt_and_shown_nowhere(
    ai: oc.Opencode, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = ai.session()
    with pytest.raises(oc.TurnError, match=r"Who are you\?.*`%opencode login.*send the prompt again"):
        session.prompt("Let me in")
    assert ai.login("acme", KEY) is True
    assert session.prompt("Let me in").text == "in"
    (acme,) = [login for login in ai.logins() if login.provider == "acme"]
    assert (acme.source, [method.type for method in acme.methods]) == ("login", ["oauth", "oauth", "api"])
    assert json.loads((home / "data/opencode/auth.json").read_text())["acme"]["key"] == KEY
    assert ai.logout("acme") is True
    with pytest.raises(oc.TurnError, match="Who are you"):
        session.prompt("Let me in")
    assert KEY not in "".join([caplog.text, repr(ai.logins()), session.export("json"), ai.server.tail(10_000)])


def test_a_wrong_login_stores_nothing(ai: oc.Opencode, home: Path) -> None:
    with pytest.raises(oc.OpencodeError, match=r"There is no provider acne\. Did you mean acme\?"):
        ai.login("acne", KEY)
    with pytest.raises(ValueError, match="empty"):
        ai.login("acme", " ")
    file = home / "data/opencode/auth.json"
    assert not file.exists() or json.loads(file.read_text()) == {}


def test_a_login_in_a_browser_ends_with_its_code_or_by_itself(ai: oc.Opencode, home: Path) -> None:
    file = home / "data/opencode/auth.json"
    began = Authorization("http://127.0.0.1:9/?plan=big", "Look around.", needs_code=True)
    assert ai.start_login("acme", 0, {"plan": "big"}) == began
    with pytest.raises(oc.OpencodeError):
        ai.finish_login("acme", 0, code="another")
    ai.start_login("acme", 0)
    assert ai.finish_login("acme", 0, code="a-code ") is True
    assert "acme" in json.loads(file.read_text())
    ai.logout("acme")
    assert ai.start_login("acme", 1).needs_code is False
    assert ai.finish_login("acme", 1) is True
    assert "acme" in json.loads(file.read_text())
    ai.logout("acme")
    with pytest.raises(oc.OpencodeError, match="no login in a browser"):
        ai.start_login("acme", 2)


def test_mcp_servers_are_attached_again_after_a_restart_and_shared_until_the_last_user_leaves(
    ai: oc.Opencode, provider: Loopback, home: Path
) -> None:
    ai.server.restart()
    assert ai.mcp.status() == {"calc": McpStatus("connected")}
    with agent(provider, home) as other:
        assert other.server.pid == ai.server.pid
        assert other.mcp.status() == {"calc": McpStatus("connected")}
    client = ai.client  # asked directly: the agent would attach it again
    tries = (client.mcp.status()["calc"].status for _try in range(TRIES))
    assert "disabled" in tries, "who attached it last has left, and its tools are still offered"
    assert ai.mcp.status() == {"calc": McpStatus("connected")}, "who still wants it does not get it back"
