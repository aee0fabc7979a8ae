"""Every operation of the pinned table, once with each client, on a real sandboxed server.

`python -m pytest tests/api/test_every_operation.py -s` prints the operations by outcome.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from opencode_nb.api.client import Client
from opencode_nb.demo import DemoModel
from opencode_nb.server import Server, serve
from tests.api import tour
from tests.api.faces import face
from tests.api.loopback import Loopback, Request, response, serving
from tests.api.mcp_parts import guarded
from tests.conftest import make_project
from tests.recordings.stage import EventLog

REFUSED = {
    # operation: (the server's answer, why it cannot succeed here)
    "global_.upgrade": ("400 BadRequest", "a valid call would replace the program: only an invalid body is sent"),
    "experimental.console.switch_org": ("400 BadRequest", "needs an account of OpenCode's own cloud"),
    "session.share": ("500 UnknownError", "sharing is disabled, and would send the session to a server outside"),
    "mcp.auth.authenticate": (
        "400 MCP server local does not support OAuth",
        "opens a browser and waits for a person; a server without OAuth is refused",
    ),
    "tui.control.next": (tour.TIMEOUT, "waits for a request from a terminal UI, and none runs"),
    "sync.steal": ("400 BadRequest", "moves a session between two servers, and there is one"),
    "v2.integration.connect.oauth": ("500 UnknownError", "would ask the provider; an unknown method is refused"),
    "v2.integration.attempt.status": ("500 UnknownError", "needs a login that was begun with the provider"),
    "v2.integration.attempt.complete": ("500 UnknownError", "needs a login that was begun with the provider"),
    "v2.session.compact": ("503 ServiceUnavailableError", "the server: not available yet"),
    "v2.session.wait": ("503 ServiceUnavailableError", "the server: not available yet"),
    "v2.session.question.reply": ("404 QuestionNotFoundError", "nothing of the v2 API lets a model ask a question"),
    "v2.session.question.reject": ("404 QuestionNotFoundError", "nothing of the v2 API lets a model ask a question"),
}

LOGIN_PLUGIN = """
export const Login = async () => ({ auth: { provider: "tour", methods: [{ type: "oauth", label: "Tour",
  authorize: async () => ({ url: "http://127.0.0.1:9/", instructions: "none", method: "code",
    callback: async () => ({ type: "success", key: "none" }) }) }] } })
"""


@pytest.fixture(scope="module")
def outside() -> Iterator[Loopback]:
    """The proxy for all requests that leave the machine: blocks and records them."""

    async def refuse(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(response(status="403 Forbidden"))

    with serving(refuse) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def sandboxed(
    opencode_program: Path, server_model: DemoModel, outside: Loopback, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with its own home, store and settings, and no network."""
    home = tmp_path_factory.mktemp("home")
    plugin = home / "login.js"
    plugin.write_text(LOGIN_PLUGIN, encoding="utf-8")
    config = {
        **server_model.config(),
        "command": {"greet": {"template": "Say exactly: hello $ARGUMENTS"}},
        "plugin": [plugin.as_uri()],
    }
    env = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("DATA", "CONFIG", "CACHE", "STATE")}
    env |= {"HOME": str(home), "OPENCODE_EXPERIMENTAL_WORKSPACES": "1"}
    env |= {"NO_PROXY": "", "no_proxy": ""}  # loopback bypasses the proxy anyway
    env["OPENCODE_MODELS_PATH"] = ""  # the whole built-in catalog
    env |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), outside.url)
    with serve(config=config, directory=home, binary=opencode_program, env=env) as server:
        yield server


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_every_operation_works(
    kind: str, sandboxed: Server, outside: Loopback, demo_model: DemoModel, tmp_path: Path
) -> None:
    project, elsewhere = make_project(tmp_path / "project"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project / ".git/info/exclude").write_text("opencode.json\n", encoding="utf-8")
    (project / "opencode.json").write_text(json.dumps({"permission": {"webfetch": "ask"}}), encoding="utf-8")
    auth = (sandboxed.username, sandboxed.password)
    with (
        httpx.Client(base_url=sandboxed.url, auth=auth, timeout=tour.WAIT) as http,
        face(kind, sandboxed.url, password=sandboxed.password, directory=project) as client,
        serving(guarded) as mcp,
    ):
        log = EventLog(http, project)
        going = tour.Tour(client, log, demo_model, project, elsewhere, mcp.url)
        try:
            tour.whole(going)
        finally:
            log.close()
            report(kind, going.outcomes)
    assert going.outcomes == expected()
    through_proxy = [request.target for request in outside.requests if not request.target.startswith("/")]
    assert through_proxy == [], "something was to leave the machine"


def expected() -> dict[str, str]:
    """Return the outcome of each operation of the pinned table."""
    names = [row["name"] for row in Client("http://127.0.0.1:1").operations]
    assert set(REFUSED) <= set(names)
    return {name: REFUSED[name][0] if name in REFUSED else tour.OK for name in names}


def report(kind: str, outcomes: dict[str, str]) -> None:
    """Print the operations by outcome."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, outcome in sorted(outcomes.items()):
        found[outcome].append(name)
    print(f"\n{len(outcomes)} operations, {kind}:")
    for outcome, names in sorted(found.items(), key=lambda item: -len(item[1])):
        print(f"  {outcome} ({len(names)}): {', '.join(names)}")
