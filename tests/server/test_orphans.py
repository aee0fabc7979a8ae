"""However holder, keeper or both end: nothing is left of the server and its tools."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from opencode_nb.server import Server
from tests.server.support import CASE, END_SECONDS, assert_gone, keepers, run_tool, started_by

Start = Callable[..., Server]

HOLDER = """
import json, os, sys, threading
from pathlib import Path
from opencode_nb.server import serve
from tests.server.support import keepers, run_tool
def tell(value): os.write(1, json.dumps(value).encode() + b"\\n")  # a line as a whole, whoever else writes
server = serve(binary=sys.argv[1], directory=sys.argv[2])
pids = [server.pid, *(p.pid for p in [*keepers(server.pid), *run_tool(server, Path(sys.argv[2]))])]
tell(pids)
"""


@contextmanager
def holding(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run `code` in another Python process."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            yield holder
        finally:
            holder.kill()


def told(holder: subprocess.Popen[str]) -> Any:
    """Return the next line it prints, as JSON."""
    assert holder.stdout
    return json.loads(holder.stdout.readline())


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_holder_is_killed(opencode_program: Path, tmp_path: Path, signum: int) -> None:
    with holding(HOLDER + "sys.stdin.read()", opencode_program, tmp_path) as holder:
        processes = [psutil.Process(pid) for pid in told(holder)]
        holder.send_signal(signum)
        assert_gone(processes)


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "os._exit(0)"])
def test_nothing_is_left_when_the_holder_exits_without_closing(
    opencode_program: Path, tmp_path: Path, end: str
) -> None:
    with holding(HOLDER + "sys.stdin.readline()\n" + end, opencode_program, tmp_path) as holder:
        processes = [psutil.Process(pid) for pid in told(holder)]
        holder.communicate("end\n", timeout=END_SECONDS)
        assert_gone(processes)


def test_a_forked_child_of_the_holder_does_not_hold_the_server(opencode_program: Path, tmp_path: Path) -> None:
    code = HOLDER + (
        "if os.fork() == 0:\n"
        "    server.close()  # not the child's to close\n"
        "    tell([os.getpid(), server.alive])\n"
        "else:\n"
        "    tell(server.alive)\n"
        "sys.stdin.read()\n"
    )
    with holding(code, opencode_program, tmp_path) as holder:
        processes = [psutil.Process(pid) for pid in told(holder)]
        answers = [told(holder), told(holder)]
        assert True in answers  # the parent's server goes on
        child, alive_in_child = next(answer for answer in answers if answer is not True)
        assert not alive_in_child
        holder.kill()
        assert_gone(processes)
        assert psutil.pid_exists(child)  # until its stdin, the holder's, ends


@pytest.mark.parametrize("when", ["at once", "program running"])
def test_nothing_is_left_when_the_holder_is_killed_during_start(
    program: Callable[[str], Path], tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CASE, str(tmp_path))
    fifo = tmp_path / "running"
    os.mkfifo(fifo)
    hanging = program(f'[ "$1" = --version ] && exit\necho $$ > {fifo}\nexec sleep 1000')
    code = (
        "import sys, threading, psutil\nfrom opencode_nb.server import serve\n"
        "threading.Thread(target=serve, kwargs={'binary': sys.argv[1], 'timeout': 600}).start()\n"
        "while not psutil.Process().children(): pass\n"
        "print(1, flush=True)\n"
    )
    with holding(code, hanging) as holder:
        assert told(holder)
        if when == "program running":
            running = psutil.Process(int(fifo.read_text()))
            started = [running, *keepers(running.pid)]
            holder.kill()
            assert_gone(started)
        else:
            holder.kill()
            with os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)):  # lets a program that got this far continue
                assert_gone(started_by(str(tmp_path)))


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("victim", ["guard", "keeper"])
def test_nothing_is_left_when_the_keeper_is_killed(start: Start, tmp_path: Path, victim: str, signum: int) -> None:
    server = start()
    exited = threading.Event()
    server.on_exit(lambda code: exited.set())
    guard, keeper = keepers(server.pid)
    processes = [guard, keeper, psutil.Process(server.pid), *run_tool(server, tmp_path)]
    os.kill(guard.pid if victim == "guard" else keeper.pid, signum)
    assert_gone(processes)
    assert exited.wait(END_SECONDS)
    assert not server.alive


def test_nothing_is_left_when_guard_and_keeper_are_killed(start: Start, tmp_path: Path) -> None:
    server = start()
    guard, keeper = keepers(server.pid)
    processes = [psutil.Process(server.pid), *run_tool(server, tmp_path)]
    guard.suspend()  # so that neither sees the other's end
    keeper.kill()
    guard.kill()
    assert_gone([guard, keeper, *processes])
    server.close()


def test_an_exit_of_the_holder_is_not_reported_as_the_servers_own(opencode_program: Path, tmp_path: Path) -> None:
    """Whoever followed it would begin something that the exit cuts off."""
    code = HOLDER + "server.on_exit(lambda code: tell('ended'))\n"
    with holding(code, opencode_program, tmp_path) as holder:
        processes = [psutil.Process(pid) for pid in told(holder)]
        assert holder.stdout
        assert holder.stdout.read() == ""
        assert_gone(processes)


def test_interrupt_of_the_holders_group_leaves_the_server_alone(opencode_program: Path, tmp_path: Path) -> None:
    waiting = "try:\n    tell(pids)\n    threading.Event().wait()\nexcept KeyboardInterrupt:\n    tell(server.alive)\n"
    code = HOLDER.replace("tell(pids)\n", waiting + "sys.stdin.read()\n")  # interrupted as soon as it has printed
    command = [sys.executable, "-c", code, str(opencode_program), str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as holder:
        processes = [psutil.Process(pid) for pid in told(holder)]
        os.killpg(holder.pid, signal.SIGINT)
        assert told(holder) is True
        assert all(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)
        holder.kill()
        assert_gone(processes)
