"""Obstacles to a shared server: leftovers, suspended processes, full disks and unwritable homes."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from opencode_nb.errors import ServerExitedError, ServerStartError
from opencode_nb.server import Server, held, serve
from opencode_nb.server.rendezvous import runtime_directory
from tests.server.support import CASE, assert_gone, request
from tests.server.support_holders import HolderProcess, quick_program


@pytest.fixture(autouse=True)
def runtime(not_quick: None, tmp_path: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime directory and an environment for this test, so that its servers are its own."""
    monkeypatch.setenv(CASE, str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    return short_path / "opencode-nb"


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    return quick_program(tmp_path)


def served(program: Path) -> int:
    """Start or join a server, leave it, and return its pid."""
    with serve(shared=True, binary=program) as server:
        assert request(server, "GET", "/global/health")[0] == 200
        return server.pid


def where_the_socket_is(program: Path, runtime: Path) -> Path:
    """Return the socket of this environment's server."""
    with serve(shared=True, binary=program) as server:
        [path] = runtime.iterdir()
    psutil.Process(server.pid).wait()
    while path.exists():  # the keeper closes its socket before ending the server: takes only a moment
        pass
    return path


@pytest.mark.parametrize("left", ["socket", "file", "link to nowhere"])
def test_a_stale_socket_is_replaced(quick: Path, runtime: Path, left: str) -> None:
    path = where_the_socket_is(quick, runtime)
    if left == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif left == "file":
        path.write_text("left")
    else:
        path.symlink_to(runtime / "nowhere")
    os.utime(path, (0, 0), follow_symlinks=False)
    os.utime(runtime, (2**33, 2**33))  # far in the future: file times must not matter
    served(quick)


def test_a_server_that_does_not_become_ready_is_ended(tmp_path: Path, runtime: Path) -> None:
    """The process that gives up ends it at once, and other waiting ones get an error."""
    hanging = tmp_path / "hanging"
    os.mkfifo(tmp_path / "running")
    hanging.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit\necho $$ > {tmp_path}/running\nexec sleep 1000\n')
    hanging.chmod(0o755)
    with HolderProcess(hanging) as first, HolderProcess(hanging) as second:
        first.tell("hold(timeout=600)")
        program = psutil.Process(int((tmp_path / "running").read_text()))
        assert "ServerStartError: The OpenCode server was not ready within 0.2 s" in second.ask("hold(timeout=0.2)")
        assert program.is_running()
        first.process.send_signal(signal.SIGINT)
        first.process.wait()
        assert_gone([program])
    assert list(runtime.iterdir()) == []


LOCKER = """
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(1000)
"""


@contextmanager
def locked(runtime: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the lock."""
    runtime.mkdir(mode=0o700, exist_ok=True)
    with subprocess.Popen([sys.executable, "-c", LOCKER, runtime], stdout=subprocess.PIPE, text=True) as locker:
        assert locker.stdout
        assert locker.stdout.readline()
        yield locker
        locker.kill()


def test_the_lock_of_a_killed_process_is_free(quick: Path, runtime: Path) -> None:
    with locked(runtime) as locker:
        locker.kill()
        locker.wait()
        served(quick)


def test_the_lock_of_a_suspended_process_is_an_error(
    quick: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "MEET_SECONDS", 0.2)
    with locked(runtime) as locker:
        locker.send_signal(signal.SIGSTOP)
        with pytest.raises(ServerStartError, match=r"suspended\. Resume it or end it, or start"):
            serve(shared=True, binary=quick)


def test_joining_needs_no_lock(quick: Path, runtime: Path) -> None:
    with serve(shared=True, binary=quick) as server, locked(runtime):
        assert served(quick) == server.pid


def test_a_suspended_keeper_is_an_error(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(shared=True, binary=quick) as server:
        keeper = psutil.Process(server.pid).parent()
        assert keeper
        keeper.suspend()
        with pytest.raises(ServerStartError, match=r"its keeper does not respond\. Is it suspended\?"):
            serve(shared=True, binary=quick, timeout=0.2)
        keeper.resume()


def test_a_clock_jump_does_not_break_restart_or_joining(quick: Path) -> None:
    with HolderProcess(quick) as holder:
        told = holder.ask("hold()")
        holder.ask("setattr(__import__('time'), 'time', lambda: 0.0)")
        assert holder.ask("server.restart()") is None
        assert 0 <= holder.ask("server.status().uptime") < 60
        assert holder.ask("hold()")["url"] == told["url"]


def test_a_removed_runtime_directory_is_recreated(quick: Path, runtime: Path) -> None:
    with serve(shared=True, binary=quick) as server:
        shutil.rmtree(runtime)
        assert request(server, "GET", "/global/health")[0] == 200
        assert served(quick) != server.pid


def test_a_readable_runtime_directory_is_made_private(quick: Path, runtime: Path) -> None:
    runtime.mkdir()
    runtime.chmod(0o755)
    served(quick)
    assert runtime.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("why", ["a file", "too long"])
def test_an_unusable_runtime_directory_is_replaced_by_a_temporary_one(
    quick: Path, runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """A directory in the temporary one is used, after checking its owner and mode."""
    temporary = runtime.parent / "t"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    if why == "a file":
        runtime.write_text("in the way")
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("x" * 80)))
    assert runtime_directory() == temporary / f"opencode-nb-{os.getuid()}"
    served(quick)


def test_restarting_a_removed_program_is_an_error(quick: Path) -> None:
    with serve(shared=True, binary=quick) as server:
        quick.unlink()
        with pytest.raises(ServerExitedError, match=f"(?s)could not be restarted.*{re.escape(str(quick))}"):
            server.restart()


# --- where nothing can be written -------------------------------------------------------------------------------------


def no_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_a_full_disk_for_the_log_does_not_stop_the_server(quick: Path) -> None:
    """The server runs without a log."""
    with HolderProcess(quick, preexec_fn=no_room) as holder:
        assert Path(holder.ask("hold()")["log"]).read_bytes() == b""
        assert holder.ask("server.restart()") is None


NOWHERE = "/proc/nowhere"  # where not even root can make a directory


@pytest.mark.parametrize(
    "env",
    [
        {"XDG_CACHE_HOME": NOWHERE},
        {"XDG_DATA_HOME": NOWHERE},
        {"HOME": NOWHERE, "XDG_STATE_HOME": ""},
    ],
    ids=["cache", "data", "home"],
)
def test_the_real_program_without_write_access_is_explained(
    opencode_program: Path, runtime: Path, env: dict[str, str]
) -> None:
    with HolderProcess(opencode_program, env) as holder:
        assert NOWHERE in could_not_write(holder)
    assert list(runtime.iterdir()) == []


@pytest.mark.parametrize("database", ["none", "one in use"])
def test_the_real_program_on_a_full_disk_is_explained(
    opencode_program: Path, runtime: Path, start: Callable[..., Server], tmp_path: Path, database: str
) -> None:
    """An existing database fails with another message than one that cannot be created."""
    data = {"XDG_DATA_HOME": str(tmp_path / "data")}
    if database == "one in use":
        assert request(start(env=data), "POST", "/session")[0] == 200
    with HolderProcess(opencode_program, data, preexec_fn=no_room) as holder:
        could_not_write(holder)
    assert list(runtime.iterdir()) == []


def could_not_write(holder: HolderProcess) -> str:
    """Expect a start to fail with the reason and the next step; return the whole message."""
    said = holder.ask("hold()")
    assert said.startswith("ServerStartError: The OpenCode server ended before it was ready, exit code 1. It could")
    assert "It could not write: free some space, fix the permissions, or set XDG_DATA_HOME" in said
    return said
