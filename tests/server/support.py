"""Helpers of the server's tests: plain requests, tools that report their start, and process inspection."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import shlex
import threading
import urllib.parse
from pathlib import Path
from typing import Any

import psutil

from opencode_nb.server import Server

CASE = "OPENCODE_NB_TEST_CASE"
"""Environment variable that marks a test's processes and all they start, as keepers have no parent."""

END_SECONDS = 20.0
"""Limit for everything that has to end; usually it takes a tenth of a second."""


def request(
    server: Server, method: str, path: str, body: Any = None, *, password: str | None = None
) -> tuple[int, Any]:
    """Send a request with basic auth; return the status, and the body decoded if it is JSON."""
    token = base64.b64encode(f"{server.username}:{server.password if password is None else password}".encode()).decode()
    url = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
    try:
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    return response.status, json.loads(text) if text.startswith((b"{", b"[", b"true")) else text


TOOL = """
orphan=$(sh -c 'setsid sleep 1000 >/dev/null 2>&1 & echo $!')
setsid sleep 1000 &
session=$!
sleep 1000 &
echo $orphan $session $! $$ > "$1"
wait
"""


def run_tool(server: Server, directory: Path) -> list[psutil.Process]:
    """Make the server run a shell command that does not end, and return all its processes.

    It sleeps, with another sleep in its own session, and a third one orphaned like a daemon.
    """
    script, fifo = directory / "tool.sh", directory / "tool-runs"
    script.write_text(TOOL)
    os.mkfifo(fifo)
    command = shlex.join(["sh", str(script), str(fifo)])
    _, session = request(server, "POST", "/session", {})

    def shell() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # the server ends before the command does
            request(server, "POST", f"/session/{session['id']}/shell", {"agent": "build", "command": command})

    threading.Thread(target=shell, daemon=True).start()
    return [psutil.Process(int(pid)) for pid in fifo.read_text().split()]


def started_by(case: str) -> list[psutil.Process]:
    """Return all other running processes with `case` as CASE in their environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # ended meanwhile, or another user's
            if process.environ().get(CASE) == case and process.pid != os.getpid():
                found.append(process)
    return found


def keepers(server_pid: int) -> tuple[psutil.Process, psutil.Process]:
    """Return the guard and the keeper of a server."""
    keeper = psutil.Process(server_pid).parent()
    assert keeper is not None
    guard = keeper.parent()
    assert guard is not None
    return guard, keeper


def assert_gone(processes: list[psutil.Process]) -> None:
    """Wait until all have ended; an unreaped zombie counts as ended."""
    waited = [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    _, alive = psutil.wait_procs(waited, timeout=END_SECONDS)
    assert alive == []
