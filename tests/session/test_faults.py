"""What happens to a turn when the server dies, and to the next one."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

import opencode_nb as oc
from opencode_nb.api import transport
from opencode_nb.demo import DemoModel, gate, text
from opencode_nb.server import Server
from opencode_nb.session.incoming import feed
from tests.server.support import keepers
from tests.support.proxy import Proxy

ASKING_AT_ONCE = 100
BETWEEN = 0.05
"""Seconds between two questions: a server takes 1.2 and more to come back, a tenth of it bound and not ready."""


@pytest.mark.parametrize("how", ["own", "own, by its guard", "shared", "shared, by its keeper", "shared, by its guard"])
def test_a_killed_server_fails_the_turn_and_the_next_prompt_works(
    opencode_program: Path, project: Path, how: str
) -> None:
    shared = how.startswith("shared")
    with (
        DemoModel(pace=0) as model,
        oc.Opencode(directory=project, binary=opencode_program, config=model.config(), shared=shared) as ai,
    ):
        model.queue([[text("partial answer"), gate("killed")]])
        session = ai.session()
        seen = threading.Event()
        session.subscribe(lambda change: seen.set() if change.kind == "delta" else None)
        turn = session.prompt("go", wait=False)
        assert seen.wait(60)
        server = ai.server
        assert server is not None
        guard, keeper = keepers(server.pid)
        victim = guard if "guard" in how else keeper if "keeper" in how else psutil.Process(server.pid)
        victim.kill()
        why = "ended in the middle of the turn: its guard was killed" if "guard" in how else "ended in the middle"
        with pytest.raises(oc.ServerGoneError, match=why):
            turn.wait(30)
        model.release("killed")
        assert turn.text == "partial answer"
        assert ai.started is shared  # a shared server comes back for those who hold it
        assert ai._async.connection.state in (["reconnecting", "connected"] if shared else ["lost"])
        assert session.prompt("hello").status == "completed"
        assert [kept.status for kept in session.turns()][-1] == "completed"
        assert (ai.server is server) is shared
        assert (server.url == str(ai.client.base_url).rstrip("/")) is shared
        assert server.alive is shared


def test_a_turn_cut_off_by_a_killed_server_is_an_error_on_reload(
    opencode_program: Path, project: Path, demo_model: DemoModel
) -> None:
    def agent() -> oc.Opencode:
        return oc.Opencode(directory=project, binary=opencode_program, config=demo_model.config(), shared=False)

    demo_model.queue([[text("partial answer"), gate("killed")]])
    with agent() as ai:
        session = ai.session()
        seen = threading.Event()
        session.subscribe(lambda change: seen.set() if change.kind == "delta" else None)
        turn = session.prompt("go", wait=False)
        assert seen.wait(60)
        psutil.Process(ai.server.pid).kill()
        with pytest.raises(oc.TurnError):
            turn.wait(30)
    demo_model.release("killed")
    with agent() as ai:
        session = ai.session(id=turn.session.id)
        [again] = session.turns()
        assert (again.status, again.done) == ("error", True)
        with pytest.raises(oc.TurnError, match="cut off"):
            again.raise_for_status()
        assert session.prompt("Say exactly: on").text == "on"


def test_requests_wait_while_the_server_restarts(opencode_program: Path, project: Path) -> None:
    """A server that has bound its port and is not ready never answers what reaches it: nothing is sent until then."""
    with (
        DemoModel(pace=0) as model,
        oc.Opencode(directory=project, binary=opencode_program, config=model.config()) as ai,
        ai.client.copy(max_retries=0) as client,
        ThreadPoolExecutor(ASKING_AT_ONCE) as pool,
    ):
        server = ai.server
        assert server is not None
        down = threading.Event()
        server.on_down(down.set)
        psutil.Process(server.pid).kill()
        assert down.wait(30)
        asked = []
        while not server.ready:
            asked.append(pool.submit(client.session.list))
            threading.Event().wait(BETWEEN)
        assert len(asked) > 1
        assert [call.result() for call in asked] == [[]] * len(asked)


def test_a_client_of_an_exited_private_server_raises_server_exited_error(opencode_program: Path, project: Path) -> None:
    with oc.Opencode(directory=project, binary=opencode_program, shared=False) as ai:
        ai.client.session.create(title="kept")
        client, ended = ai.client, threading.Event()
        assert ai.server
        ai.server.on_exit(lambda code: ended.set())
        psutil.Process(ai.server.pid).kill()
        assert ended.wait(30)
        with pytest.raises(oc.ServerExitedError, match="Start a new one"):
            client.session.list()
        assert [session.title for session in ai.client.session.list()] == ["kept"]


def test_a_prompt_lost_with_its_server_is_not_resent_after_a_restart(
    opencode_program: Path, project: Path, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on its way when the server ends, and nobody knows yet: it could be repeated when that is back."""
    monkeypatch.setattr(transport, "RETRY_FIRST", 2.0)
    with oc.Opencode(directory=project, binary=opencode_program, config=demo_model.config()) as ai:
        session = ai.session()
        session.prompt("first")
        assert ai.server
        server = psutil.Process(ai.server.pid)
        keeper = server.parent()
        assert keeper
        keeper.suspend()  # so that it does not tell
        server.kill()
        session.subscribe(lambda change: keeper.resume() if change.kind == "turn" else None)
        with pytest.raises(oc.TurnError, match="ended in the middle"):
            session.prompt("second")
        session.prompt("third")
        said = [message["parts"][0]["text"] for message in session.messages() if message["info"]["role"] == "user"]
        assert said == ["first", "third"]


def test_no_text_is_lost_when_the_event_stream_drops(server: Server, demo_model: DemoModel, project: Path) -> None:
    proxy = Proxy(urlsplit(server.url).port or 0)
    url = f"http://127.0.0.1:{proxy.port}"
    with oc.Opencode(base_url=url, password=server.password, directory=project) as ai:
        session = ai.session()
        demo_model.queue([[text("before, "), gate("cut"), text("in the gap, "), gate("mended"), text("after")]])
        heard: dict[str, threading.Event] = {name: threading.Event() for name in ("delta", "connection")}
        session.subscribe(lambda change: heard[change.kind].set() if change.kind in heard else None)
        turn = session.prompt("go", wait=False)
        assert heard["delta"].wait(60)
        proxy.cut()
        assert heard["connection"].wait(30)
        assert not session._async.transcript.connected
        demo_model.release("cut")  # said while nobody hears
        assert turn.text == "before, "
        heard["connection"].clear()
        proxy.mend()
        assert heard["connection"].wait(60)
        assert turn.text.startswith("before, ")
        demo_model.release("mended")
        assert turn.wait(60).text == "before, in the gap, after"
    proxy.close()


def test_a_turn_that_ended_while_disconnected_completes_on_reconnect(
    server: Server, demo_model: DemoModel, project: Path
) -> None:
    proxy = Proxy(urlsplit(server.url).port or 0)
    url = f"http://127.0.0.1:{proxy.port}"
    with (
        oc.Opencode(base_url=url, password=server.password, directory=project) as ai,
        oc.Opencode(base_url=server.url, password=server.password, directory=project) as witness,
    ):
        session = ai.session()
        demo_model.queue([[text("before, "), gate("ends-unheard"), text("after")]])
        heard = threading.Event()
        session.subscribe(lambda change: heard.set() if change.kind == "delta" else None)
        turn = session.prompt("go", wait=False)
        assert heard.wait(60)
        ended = threading.Event()
        witness.session(id=session.id).subscribe(lambda change: ended.set() if change.kind == "ended" else None)
        proxy.cut()
        demo_model.release("ends-unheard")
        assert ended.wait(60)
        proxy.mend()
        assert turn.wait(60).text == "before, after"
    proxy.close()


def test_connecting_to_an_unused_port_raises_api_connection_error(unused_port: int, project: Path) -> None:
    with pytest.raises(oc.APIConnectionError):
        oc.Opencode(base_url=f"http://127.0.0.1:{unused_port}", directory=project).start()


def test_a_wrong_password_raises_authentication_error(project: Path, opencode_program: Path) -> None:
    with (
        oc.serve(demo=True, directory=project, binary=opencode_program) as server,
        pytest.raises(oc.AuthenticationError),
    ):
        oc.Opencode(base_url=server.url, password="wrong", directory=project).start()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_turn_fails_soon_after_a_server_joined_by_url_is_killed(opencode_program: Path, project: Path) -> None:
    with (
        DemoModel(pace=0) as model,
        oc.serve(config=model.config(), directory=project, binary=opencode_program, shared=False) as server,
        oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai,
    ):
        model.queue([[text("partial answer"), gate("killed")]])
        session = ai.session()
        seen = threading.Event()
        session.subscribe(lambda change: seen.set() if change.kind == "delta" else None)
        turn = session.prompt("go", wait=False)
        assert seen.wait(60)
        psutil.Process(server.pid).kill()
        with pytest.raises(oc.TurnError, match="down for 10 s"):
            turn.wait(feed.GIVE_UP_AFTER)
        model.release("killed")
        assert turn.text == "partial answer"
