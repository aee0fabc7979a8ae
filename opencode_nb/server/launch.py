"""Start a keeper (keeper.py) and send it its job."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from opencode_nb.secret import Secret
from opencode_nb.server import keeper, logs
from opencode_nb.server.environment import PASSWORD, USERNAME
from opencode_nb.server.status import own_label

__all__ = ["MARK", "Job", "Launched", "launch", "myself"]

MARK = "OPENCODE_NB_KEEPER"  # variable of the server and all its child processes; its value is unique per keeper


@dataclass(frozen=True)
class Job:
    """What a keeper runs: `argv` without the port, which is appended; port 0 means a free one.

    `grace`: seconds that the server outlives its last holder. `revive`: restart the server when it crashes.
    """

    argv: list[str]
    env: dict[str, str] = field(repr=False)
    cwd: str
    port: int = 0
    grace: float = 0.0
    revive: bool = False
    restarts: int = 0

    def at(self, port: int, username: str, password: str, restarts: int) -> Job:
        """Return the job at another server's address with its credentials, to take over from it."""
        env = {**self.env, USERNAME: username, PASSWORD: Secret(password)}
        return replace(self, env=env, port=port, restarts=restarts)


def myself() -> dict[str, object]:
    """Describe this process as a holder."""
    return {"pid": os.getpid(), "label": own_label()}


class Launched(NamedTuple):
    """A new keeper: the connection that holds its server, its mark, and its process, to wait for at the end."""

    connection: socket.socket
    mark: str
    process: subprocess.Popen[bytes]


def launch(job: Job, listener: socket.socket | None = None, path: str | None = None) -> Launched:
    """Start a keeper for the job. Other holders connect to `listener`, at `path`. Raises OSError."""
    mark = secrets.token_hex(16)
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            log, log_path = logs.open_log()
            try:
                process = _process(theirs, listener, log)
            finally:
                os.close(log)
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has died: reading `ours` shows that
                ours.sendall(_line(job, mark, os.fspath(log_path), path))
        finally:
            if listener:
                process.wait()  # it only starts the keeper
    except BaseException:  # an interrupt too
        ours.close()
        raise
    return Launched(ours, mark, process)


def _process(connection: socket.socket, listener: socket.socket | None, log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", keeper.__file__, "shared" if listener else "own"],
        stdin=connection.fileno(),
        stdout=listener.fileno() if listener else subprocess.DEVNULL,
        stderr=log,
        start_new_session=True,  # Jupyter's interrupt goes to the kernel's process group
    )


def _line(job: Job, mark: str, log_path: str, path: str | None) -> bytes:
    told = {
        "argv": job.argv,
        "port": job.port,
        "env": {**job.env, MARK: mark},
        "cwd": job.cwd,
        "username": job.env[USERNAME],
        "password": job.env[PASSWORD],
        "log": log_path,
        "mark": mark,
        "restarts": job.restarts,
        "holder": myself(),
        "socket": path,
        "grace": job.grace,
        "revive": job.revive,
    }
    return json.dumps(told).encode() + b"\n"
