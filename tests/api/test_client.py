"""The client against the real server."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from opencode_nb import errors
from opencode_nb.api.client import AsyncClient, Client
from opencode_nb.server import Server

EVENT_SECONDS = 30.0  # how long an event may take on a busy machine


@pytest.fixture
def client(server: Server, project: Path) -> Iterator[Client]:
    with Client(server.url, password=server.password, directory=project) as client:
        yield client


def test_a_session_is_created_renamed_and_deleted(client: Client, project: Path) -> None:
    session = client.session.create(title="Überblick")
    assert (session.title, session.directory) == ("Überblick", str(project))
    assert client.session.update(session.id, title="other").title == "other"
    assert [found.id for found in client.session.list()] == [session.id]
    assert client.session.messages(session.id) == []
    assert client.session.delete(session.id) is True
    with pytest.raises(errors.NotFoundError, match="Session not found") as caught:
        client.session.get(session.id)
    assert (caught.value.method, caught.value.path) == ("GET", f"/session/{session.id}")
    assert caught.value.name == "NotFoundError"


def test_the_same_works_from_async_code(server: Server, project: Path) -> None:
    async def use() -> None:
        async with AsyncClient(server.url, password=server.password, directory=project) as client:
            session = await client.session.create(title="x")
            assert (
                await client.session.prompt_async(session.id, noReply=True, parts=[{"type": "text", "text": "hi"}])
                is None
            )
            assert (await client.session.get(session.id)).title == "x"

    asyncio.run(use())


def test_one_async_client_works_in_several_loops(server: Server) -> None:
    client = AsyncClient(server.url, password=server.password)

    async def use() -> str:
        async with client:
            return str((await client.global_.health()).version)

    assert asyncio.run(use()) == asyncio.run(use()) == server.version


def test_the_sync_client_works_inside_a_running_loop(client: Client) -> None:
    async def use() -> Any:
        return client.global_.health().healthy

    assert asyncio.run(use()) is True


def test_requests_go_to_the_directory(client: Client, tmp_path: Path) -> None:
    other = tmp_path / "größe und mehr"
    other.mkdir()
    elsewhere = client.copy(directory=other)
    assert elsewhere.path.get().directory == str(other)
    assert elsewhere.v2.location.get().directory == str(other)
    assert client.path.get(directory=str(other)).directory == str(other)
    assert client.v2.location.get(location={"directory": str(other)}).directory == str(other)
    assert client.path.get().directory == client.directory
    elsewhere.close()


def test_text_bytes_and_empty_answers_are_decoded(client: Client, project: Path) -> None:
    assert client.vcs.diff.raw() == ""
    (project / "README.md").write_text("changed\n", encoding="utf-8")
    assert "+changed" in client.vcs.diff.raw()
    assert client.v2.fs.read("README.md") == b"changed\n"
    assert client.v2.fs.read("src/temperatures.py").startswith(b'"""Temperatures')


def test_the_terminals_ticket_header_is_sent(client: Client) -> None:
    pty = client.pty.create(command="/bin/cat")
    assert client.pty.connect_token(pty.id).ticket
    assert client.pty.remove(pty.id) is True


def test_any_endpoint_can_be_called(client: Client) -> None:
    assert client.request("GET", "/global/health").healthy is True
    assert client.request("POST", "/session", json={"title": "made by hand"}).title == "made by hand"
    assert client.request("GET", "session", params={"search": "made by"})[0].title == "made by hand"
    raw = client.request("GET", "/global/health", raw=True)
    assert isinstance(raw, httpx.Response)
    assert client.session.list(raw=True).headers["content-type"] == "application/json"
    assert "<html" in client.request("GET", "/nothing-here", raw=True).text


def test_raw_gives_an_error_response_as_a_value(client: Client) -> None:
    missing = client.session.get("ses_0000000000000000", raw=True)
    assert (missing.status_code, missing.json()["name"]) == (404, "NotFoundError")
    assert client.session.get("no-id", raw=True).status_code >= 400
    assert client.request("POST", "/session", json={"title": 7}, raw=True).status_code == 400
    with client.copy(password="wrong") as stranger:
        assert stranger.session.list(raw=True).status_code == 401
    with pytest.raises(errors.NotFoundError):
        client.session.get("ses_0000000000000000")


def test_an_unknown_operation_is_not_supported(client: Client) -> None:
    with pytest.raises(errors.NotSupportedError, match=r"Client\.live"):
        client.request("POST", "/from/the/future")


def test_a_bad_request_is_an_error(client: Client) -> None:
    with pytest.raises(errors.BadRequestError, match="answered 400"):
        client.session.create(title=1)


@pytest.mark.parametrize("password", ["wrong", None])
def test_a_wrong_or_missing_password_is_an_error(server: Server, password: str | None) -> None:
    with Client(server.url, password=password) as client:
        with pytest.raises(errors.AuthenticationError, match="password="):
            client.session.list()
        with pytest.raises(errors.AuthenticationError), client.event.subscribe():
            raise AssertionError("the stream must not open")


def test_credentials_in_the_url_are_used(server: Server) -> None:
    address = server.url.replace("http://", f"http://opencode:{server.password}@")
    with Client(address) as client:
        assert client.global_.health().healthy
        assert server.password not in repr(client)


def test_operations_can_come_from_the_servers_own_document(server: Server, client: Client) -> None:
    with Client.live(server.url, password=server.password) as live:
        assert {row.id for row in live.operations} == {row.id for row in client.operations}
        assert live.global_.health().healthy

    async def use() -> int:
        async with await AsyncClient.live(server.url, password=server.password) as live:
            return len(live.operations)

    assert asyncio.run(use()) == len(client.operations)


def test_events_reach_a_sync_reader(client: Client) -> None:
    with client.event.subscribe() as events:
        made = client.session.create(title="seen")
        event = next(event for event in events if event.type == "session.created")
    assert event.properties.info.id == made.id


def test_events_reach_an_async_reader(server: Server, project: Path) -> None:
    async def until_created(events: AsyncIterator[Any]) -> Any:
        seen = []
        try:
            async with asyncio.timeout(EVENT_SECONDS):
                async for event in events:
                    seen.append(event)
                    payload = event.get("payload", event)
                    if payload.type == "session.created":
                        return event
        except TimeoutError:
            raise AssertionError(f"no session.created in {seen}") from None

    async def use() -> None:
        async with (
            AsyncClient(server.url, password=server.password, directory=project) as client,
            client.event.subscribe() as events,
            client.global_.event() as everywhere,
        ):
            made = await client.session.create(title="seen")
            assert (await until_created(events)).properties.info.id == made.id
            assert (await until_created(everywhere)).directory == str(project)

    asyncio.run(use())


def test_requests_are_logged_without_secrets(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), Client(server.url, password=server.password) as client:
        client.session.list(search="needle")
        with client.pty.connect(client.pty.create(command="/bin/cat").id) as terminal:
            terminal.send("hello\n")
            terminal.receive()
        with pytest.raises(errors.NotFoundError):
            client.session.get("ses_missing")
    ours = [record.getMessage() for record in caplog.records if record.name == "opencode_nb"]
    assert any(line.startswith("GET /session: 200 in ") for line in ours)
    assert any(line.startswith("GET /session/ses_missing: 404 in ") for line in ours)
    assert server.password not in caplog.text
    assert b64encode(f"opencode:{server.password}".encode()).decode() not in caplog.text


def test_the_log_is_shown_if_the_environment_asks_for_it(server: Server) -> None:
    code = (
        "import os; from opencode_nb import Client, NotFoundError\n"
        "with Client(os.environ['URL'], password=os.environ['WORD']) as client:\n"
        "    client.session.list()\n"
        "    with client.pty.connect(client.pty.create(command='/bin/cat').id) as terminal: terminal.send('hello')\n"
    )
    env = {**os.environ, "URL": server.url, "WORD": str(server.password)}
    for level, shown in (("debug", True), ("DEBUG", True), ("info", False), ("", False), ("nonsense", False)):
        env["OPENCODE_NB_LOG"] = level
        run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert bool(re.search(r"opencode_nb DEBUG GET /session: 200 in \d+\.\d ms", run.stderr)) is shown
        assert server.password not in run.stderr
        assert "uthorization" not in run.stderr
        assert (run.stderr == "") is not shown


@pytest.mark.parametrize("operation", ["prompt", "command", "summarize"])
def test_a_wrong_model_is_named_although_the_server_does_not(client: Client, operation: str) -> None:
    model: Any = {"providerID": "no", "modelID": "such"}
    send = {
        "prompt": lambda id: client.session.prompt(id, parts=[{"type": "text", "text": "hi"}], model=model),
        "command": lambda id: client.session.command(id, command="init", arguments="", model="no/such"),
        "summarize": lambda id: client.session.summarize(id, **model),
    }[operation]
    with pytest.raises(
        errors.InternalServerError, match=r"there is no model 'no/such' here. Available models: demo/demo"
    ) as e:
        send(client.session.create().id)
    assert e.value.ref
    assert e.value.ref in str(e.value)
    assert e.value.body.name == "UnknownError"


def test_a_wrong_agent_is_named_and_other_failures_are_unchanged(client: Client) -> None:
    session = client.session.create()
    with pytest.raises(errors.InternalServerError, match=r"there is no agent 'nobody'. Available agents: .*build"):
        client.session.prompt(session.id, parts=[{"type": "text", "text": "hi"}], agent="nobody")
    with pytest.raises(errors.InternalServerError) as caught:
        client.session.command(session.id, command="no-such-command", arguments="", agent="build", model="demo/demo")
    assert "there is no" not in str(caught.value)
    assert "ref in the server's log" in str(caught.value)


def test_a_v2_session_is_created_in_the_clients_directory(client: Client, project: Path, tmp_path: Path) -> None:
    assert client.v2.session.create().data.location.directory == str(project)
    elsewhere = client.v2.session.create(location={"directory": str(tmp_path)})
    assert elsewhere.data.location.directory == str(tmp_path)


def test_a_custom_http_client_is_used(server: Server) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"healthy": True, "version": "0"})

    own = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    with Client(server.url, password="x", http_client=own, headers={"x-own": "1"}) as client:
        assert client.global_.health().version == "0"
    assert seen[0].headers["authorization"] == "Basic b3BlbmNvZGU6eA=="
    assert seen[0].headers["x-own"] == "1"
    assert not own.is_closed


def test_a_reader_misses_nothing_of_a_burst(client: Client, project: Path) -> None:
    count = 200
    with client.event.subscribe() as events:
        made = [client.session.create(title=f"s{i}").id for i in range(count)]
        seen: list[str] = []
        for event in events:
            if event.type == "session.created":
                seen.append(event.properties.info.id)
                if len(seen) == count:
                    break
    assert seen == made
