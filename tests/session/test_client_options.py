"""What `Opencode` takes for its server and its requests, against the real server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import opencode_nb as oc
from opencode_nb import portal
from opencode_nb.demo import DemoModel, text, tool
from opencode_nb.server import Server
from opencode_nb.server.keeping.program import free_port

Start = Callable[..., oc.Opencode]


@pytest.fixture
def start(server: Server, project: Path, demo_model: DemoModel) -> Iterator[Start]:
    """Connect to the run's server with more options."""
    opened: list[oc.Opencode] = []

    def start(**options: Any) -> oc.Opencode:
        opened.append(oc.Opencode(base_url=server.url, password=server.password, directory=project, **options))
        return opened[-1]

    yield start
    for ai in opened:
        ai.close()


def test_headers_and_an_http_client_of_ones_own_serve_every_request(start: Start) -> None:
    sent: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        sent.append(request)

    http_client = httpx.AsyncClient(event_hooks={"request": [note]}, trust_env=False)
    ai = start(http_client=http_client, headers={"x-team": "weather"})
    ai.start()
    ai.client.path.get()  # by the blocking client, which is another one
    ai.close()
    assert not http_client.is_closed
    portal.run(http_client.aclose)
    assert {"/event", "/path"} <= {request.url.path for request in sent}
    assert {request.headers.get("x-team") for request in sent} == {"weather"}


def test_a_workspace_is_named_with_requests(start: Start) -> None:
    with pytest.raises(oc.InternalServerError, match="Workspace not found: wrk_none"):
        start(workspace="wrk_none").start()


@pytest.mark.parametrize(
    ("options", "asked", "status"),
    [
        ({}, True, "error"),
        ({"directories": ["{outside}"]}, False, "completed"),
        ({"directories": ["{outside}"], "permission": {"external_directory": "deny"}}, False, "error"),
        ({"directories": ["{outside}"], "permission": {"external_directory": "ask"}}, False, "completed"),
        ({"directories": ["{outside}"], "permission": {"external_directory": {"*/secret/*": "deny"}}}, True, "error"),
    ],
)
def test_more_directories_are_used_without_asking(
    start: Start, demo_model: DemoModel, tmp_path: Path, options: dict[str, Any], asked: bool, status: str
) -> None:
    """Each in a session that another client had opened, as the rules of one made here would hide what is missing."""
    file = tmp_path / "outside" / "table.csv"
    file.parent.mkdir()
    file.write_text("a,b\n1,2\n")
    options = {**options, "directories": [path.format(outside=file.parent) for path in options.get("directories", [])]}
    earlier = start().session()
    demo_model.queue([tool("read", filePath=str(file))], [text("Read.")])
    requests: list[str] = []
    turn = start(**options).session(id=earlier.id).prompt("Read it.", person=Refusing(requests))
    assert [call.status for call in turn.tools] == [status]
    assert requests == (["external_directory"] if asked else [])


class Refusing:
    """A person who notes what is asked, and refuses."""

    def __init__(self, requests: list[str]) -> None:
        self._requests = requests

    async def permission(self, request: dict[str, Any]) -> Any:
        from opencode_nb.session.permissions.policy import Answer

        self._requests.append(request["permission"])
        return Answer("reject", "No.", "person")

    async def question(self, request: dict[str, Any]) -> Any:
        raise AssertionError(request)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"hostname": "0.0.0.0"}, "give a password="),
        ({"base_url": "http://127.0.0.1:1", "port": 4097}, "port= is for a server that is started here"),
        ({"flags": ("--port=1",)}, "set by port= and hostname="),
        ({"directories": ["/data/*"]}, "has a wildcard"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        oc.Opencode(**options)


@pytest.mark.parametrize("options", [{"flags": "--print-logs"}, {"directories": "/data"}])
def test_one_string_is_not_taken_for_a_list(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="give a sequence"):
        oc.Opencode(**options)


def test_a_server_with_an_address_and_flags_of_its_own(
    opencode_program: Path, project: Path, tmp_path: Path, demo_model: DemoModel
) -> None:
    """One start for what needs a server of its own: its address, flags and output, and the import into it."""
    with pytest.raises(oc.ServerStartError):
        oc.Opencode(binary=opencode_program, directory=project, shared=False, start_timeout=0.1).start()
    port, lines, listening = free_port(), list[str](), threading.Event()

    def note(line: str) -> None:
        lines.append(line)
        if "listening on" in line:
            listening.set()
            raise RuntimeError("Reading goes on after a callback that fails.")

    with oc.Opencode(
        binary=opencode_program,
        directory=project,
        config=demo_model.config(),
        port=port,
        password="chosen",
        start_timeout=120,
        flags=("--print-logs",),
        pure=True,
        on_stderr=note,
    ) as ai:
        assert (ai.server.url, ai.server.password, ai.server.shared) == (f"http://127.0.0.1:{port}", "chosen", False)
        assert {"--pure", "--print-logs"} <= set(psutil.Process(ai.server.pid).cmdline())
        assert listening.wait(20)
        session = ai.session("Kept")
        session.prompt("A note.", no_reply=True)
        file = tmp_path / "kept.json"
        file.write_text(session.export("json"))
        with pytest.raises(oc.OpencodeError, match="exists already"):
            ai.import_session(file)
        session.delete()
        imported = ai.import_session(file)
        assert (imported.id, imported.title) == (session.id, "Kept")
        assert [turn.prompt for turn in imported.turns()] == ["A note."]
        file.write_text("{}")
        with pytest.raises(oc.OpencodeError, match="no exported session"):
            ai.import_session(file)
    assert len(lines) > 1
