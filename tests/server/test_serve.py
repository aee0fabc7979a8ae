"""A server in ordinary use: ready, protected, configured, closed, and reporting its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from opencode_nb.server import Server, find_binary, serve
from opencode_nb.server.keeping.program import reachable
from opencode_nb.server.version import binary_version
from opencode_nb.tools.names import HIDDEN
from tests.server.support import END_SECONDS, assert_gone, keepers, request, run_tool

Start = Callable[..., Server]


@pytest.fixture(scope="module")
def server(opencode_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server unused by other tests: its log is short, and no tool has inherited its password."""
    with serve(directory=tmp_path_factory.mktemp("served"), binary=opencode_program) as server:
        yield server


def test_the_server_is_ready_when_serve_returns(server: Server, opencode_program: Path) -> None:
    assert request(server, "GET", "/global/health") == (
        200,
        {"healthy": True, "version": binary_version(opencode_program)},
    )
    assert server.version == binary_version(opencode_program)
    assert server.alive
    assert server.exit_code is None
    assert psutil.Process(server.pid).cmdline()[1] == "serve"
    assert "opencode server listening" in server.tail()


@pytest.mark.parametrize("path", ["/global/health", "/event", "/session", "/doc"])
def test_requests_without_the_password_are_refused(server: Server, path: str) -> None:
    assert request(server, "GET", path, password="wrong")[0] == 401
    assert request(server, "GET", path, password="")[0] == 401


def test_the_password_is_not_shown_or_logged(server: Server) -> None:
    assert len(server.password) >= 32
    assert server.password not in repr(server)
    assert server.password not in server.log_path.read_text()
    for process in psutil.process_iter():
        try:
            assert server.password not in " ".join(process.cmdline())
            if process.pid != server.pid:
                assert server.password not in str(process.environ())
        except psutil.Error:
            continue  # it ended meanwhile


def test_the_log_is_private_to_the_user(server: Server) -> None:
    assert stat.S_IMODE(server.log_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.log_path.parent.stat().st_mode) == 0o700


def test_the_server_listens_on_the_given_port(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert start(port=port).url == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("printed", "url"),
    [
        ("http://127.0.0.1:4096", "http://127.0.0.1:4096"),
        ("http://0.0.0.0:4096", "http://127.0.0.1:4096"),
        ("http://localhost:80/", "http://localhost:80"),
        ("http://:::4096", "http://[::1]:4096"),
        ("http://::1:4096", "http://[::1]:4096"),
        ("http://[::1]:4096", "http://[::1]:4096"),
    ],
)
def test_the_url_can_be_connected_to(printed: str, url: str) -> None:
    assert reachable(printed) == url


def test_the_server_works_in_the_given_directory(start: Start, tmp_path: Path) -> None:
    directory = tmp_path / "with a space"
    directory.mkdir()
    _, path = request(start(directory=directory), "GET", "/path")
    assert path["directory"] == str(directory)


def test_config_is_merged_over_an_inherited_one(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    inherited = {"username": "inherited", "permission": {"edit": "ask", "bash": "ask"}}
    monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(inherited))
    server = start(config={"permission": {"bash": "deny"}, "share": "disabled"})
    _, config = request(server, "GET", "/config")
    assert config["username"] == "inherited"
    assert config["permission"] == {"edit": "ask", "bash": "deny", HIDDEN: "deny"}
    assert config["share"] == "disabled"


def test_env_takes_precedence_and_inherited_credentials_are_ignored(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCODE_SERVER_PASSWORD", "inherited")
    monkeypatch.setenv("OPENCODE_SERVER_USERNAME", "somebody")
    monkeypatch.setenv("OPENCODE_NB_TEST", "inherited")
    server = start(env={"OPENCODE_NB_TEST": "given"})
    assert (server.username, request(server, "GET", "/session")[0]) == ("opencode", 200)
    assert request(server, "GET", "/session", password="inherited")[0] == 401
    assert psutil.Process(server.pid).environ()["OPENCODE_NB_TEST"] == "given"


def test_the_demo_model_starts_and_ends_with_the_server(start: Start) -> None:
    server = start(demo=True, config={"username": "mine"})
    _, config = request(server, "GET", "/config")
    assert (config["model"], config["username"]) == ("demo/demo", "mine")
    url = config["provider"]["demo"]["options"]["baseURL"]
    address = ("127.0.0.1", int(url.rpartition(":")[2].partition("/")[0]))
    socket.create_connection(address, 5).close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 5)


def test_close_ends_everything_and_can_be_repeated(start: Start, tmp_path: Path) -> None:
    server = start()
    told: list[int | None] = []
    server.on_exit(told.append)
    everything = [*run_tool(server, tmp_path), *keepers(server.pid), psutil.Process(server.pid)]
    threads = [threading.Thread(target=server.close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(END_SECONDS)
        assert not thread.is_alive()
    server.close()
    assert_gone(everything)
    assert not server.alive
    assert "closed" in repr(server)
    assert told == []
    assert server.log_path.exists()


def test_with_closes_the_server(start: Start) -> None:
    with start() as server:
        process = psutil.Process(server.pid)
    assert_gone([process])


def test_servers_of_one_process_end_independently(start: Start) -> None:
    first, second = start(), start()
    processes = [*keepers(first.pid), psutil.Process(first.pid)]
    first.close()
    assert_gone(processes)
    assert request(second, "GET", "/global/health")[0] == 200


def test_on_exit_reports_a_killed_server(start: Start, tmp_path: Path) -> None:
    server = start()
    tools = run_tool(server, tmp_path)
    guard, keeper = keepers(server.pid)
    told, codes, threads = threading.Event(), [], []

    def on_exit(code: int | None) -> None:
        codes.append(code)
        threads.append(threading.current_thread())
        server.close()  # allowed in a callback
        told.set()

    server.on_exit(on_exit)
    os.kill(server.pid, signal.SIGKILL)
    assert told.wait(END_SECONDS)
    assert codes == [-signal.SIGKILL]
    assert threads != [threading.main_thread()]
    assert not server.alive
    assert_gone([guard, keeper, *tools])
    server.close()
    assert codes == [-signal.SIGKILL]


def test_on_exit_reports_an_already_dead_server_at_once(start: Start) -> None:
    server = start()
    died, codes = threading.Event(), []
    server.on_exit(lambda code: died.set())
    os.kill(server.pid, signal.SIGKILL)
    assert died.wait(END_SECONDS)
    server.on_exit(codes.append)
    assert codes == [-signal.SIGKILL]
    assert server.exit_code == -signal.SIGKILL
    assert "exited with -9" in repr(server)


def test_the_program_is_found_without_being_named(start: Start) -> None:
    assert start(binary=None).version == binary_version(find_binary())


def test_status_reports_the_server(start: Start) -> None:
    server = start()
    status = server.status()
    assert (status.url, status.pid, status.version) == (server.url, server.pid, server.version)
    assert (status.log_path, status.program) == (server.log_path, str(find_binary()))
    assert status.memory is not None
    assert status.memory > psutil.Process(server.pid).memory_info().rss / 2
    assert [(holder.pid, holder.this) for holder in status.holders] == [(os.getpid(), True)]
    assert (status.restarts, status.shared, server.shared) == (0, False, False)
    assert 0 < status.uptime < server.status().uptime


def test_restart_keeps_address_and_password(start: Start) -> None:
    server, back, exits = start(), threading.Event(), []
    server.on_restart(back.set)
    server.on_exit(exits.append)
    before = (server.url, server.password)
    old = psutil.Process(server.pid)
    server.restart()
    assert back.wait(END_SECONDS)
    assert_gone([old])
    assert (server.url, server.password) == before
    assert server.pid != old.pid
    assert request(server, "GET", "/session")[0] == 200
    assert server.status().restarts == 1
    assert server.alive
    assert exits == []
