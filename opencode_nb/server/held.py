"""The holder's side of a keeper: hold a server through a connection, follow its state, let go.

However this process ends, the operating system closes the connection, which tells the keeper. If the connection ends
before the server does, the keeper was killed: a shared server is then rejoined or restarted, at the same address.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from opencode_nb.errors import ServerError
from opencode_nb.secret import Secret
from opencode_nb.server.keeping.service import END_SECONDS
from opencode_nb.server.launch import MARK, Job, Launched, launch, myself
from opencode_nb.server.rendezvous import meet

__all__ = ["Held", "Own", "Shared", "State"]

CLOSE_SECONDS = END_SECONDS + 3.0  # the keeper's own bound, plus the connection
KILLED_SECONDS = 2.0
REJOINS = 5  # in a row without the server becoming ready
MEET_SECONDS = 30.0
KILL_ROUNDS, KILL_PAUSE = 50, 0.02  # seconds between them

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """The state that the keeper last reported (keeping/service.py). `phase`: "" before the first. `since`: monotonic.

    `reason`: why the keeper ends a server that is still held, else "".
    """

    phase: str = ""
    url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    pid: int = 0
    group: int = 0
    log: str = ""
    mark: str = ""
    program: str = ""
    code: int | None = None
    tail: str = ""
    reason: str = ""
    since: float = 0.0
    restarts: int = 0
    holders: tuple[tuple[int, str], ...] = ()

    @classmethod
    def told(cls, message: dict[str, Any]) -> State:
        """Parse a keeper's message."""
        age = message.pop("age")
        holders = tuple((pid, label) for pid, label in message.pop("holders"))
        password = Secret(message.pop("password"))
        return cls(**message, password=password, holders=holders, since=time.monotonic() - age)


class Source(Protocol):
    """Provides connections to a keeper."""

    lasting: bool
    """Whether to reconnect after a lost connection."""

    def connect(self, before: State | None) -> Launched | socket.socket:
        """Connect to a new or existing keeper; `before`: the state of a server that was lost.

        Raises OSError, ServerError.
        """


class Own:
    """A server for this process alone."""

    lasting = False

    def __init__(self, job: Job) -> None:
        self._job = job

    def connect(self, before: State | None) -> Launched:
        """Start a keeper."""
        return launch(self._job)


class Shared:
    """The user's shared server for a key; its keeper may already be running."""

    lasting = True

    def __init__(self, job: Job, key: str) -> None:
        self._job = job
        self._key = key

    def connect(self, before: State | None) -> Launched | socket.socket:
        """Join the server or start it, at its previous address if it had one."""
        job, started = self._job, list[Launched]()
        if before:
            port = int(before.url.rpartition(":")[2])
            job = job.at(port, before.username, before.password, before.restarts + 1)

        def start(listener: socket.socket, path: str) -> socket.socket:
            started.append(launch(job, listener, path))
            return started[0].connection

        connection = meet(self._key, start, MEET_SECONDS)
        if started:
            return started[0]
        with contextlib.suppress(OSError):  # it is ending: the reader finds out
            connection.sendall(_line(op="hold", **myself()))
        return connection


def _line(**message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


class Held:
    """One server, held through its keeper. Thread-safe.

    `state`: what the keeper reported last. `exited`: the server has ended for good, or never started. `gone` is set
    when this process no longer holds it and, for an own server, all its processes have ended.
    """

    def __init__(self, source: Source) -> None:
        self.gone = threading.Event()
        self.state = State()
        self.exited = False
        self.when_down: list[Callable[[], None]] = []
        self.when_back: list[Callable[[], None]] = []
        self._when_exited: list[Callable[[], None]] = []
        self._source = source
        self._changed = threading.Condition()
        self._connection: socket.socket | None = None
        self._mark = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving = False
        self.closing = False
        """Whether it is this process that lets go of the server: not, if another took its place."""
        self._ready: State | None = None  # the last state with the server ready
        self._attempts = 0  # to rejoin since then
        self._up = False
        self._reader = threading.Thread(target=self._read, name="opencode-keeper", daemon=True)

    def open(self) -> None:
        """Start or join. After any exception, even an interrupt, call `close()`. Raises OSError, ServerError."""
        _all.add(self)
        self._connect()
        self._reader.start()

    def _connect(self) -> None:
        found = self._source.connect(self._ready)
        if isinstance(found, Launched):
            self._connection, self._mark, self._process = found
        else:
            self._connection = found

    def wait_until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until `done()`, which may read the state; return False on timeout or if the server ends for good."""
        with self._changed:
            return self._changed.wait_for(lambda: self.exited or done(), seconds) and not self.exited

    @property
    def ready(self) -> bool:
        """Whether the server answers, as last reported by its keeper."""
        return self._up and not self.exited

    def restart(self, seconds: float) -> bool:
        """Restart the server for all its holders; return whether it is ready again in time.

        Waits first for a restart already under way. Do not call from a callback: those run on the reader's thread.
        """
        if not self.wait_until(lambda: self._up, seconds):
            return False
        before = self.state.restarts
        self._say(op="restart")
        return self.wait_until(lambda: self._up and self.state.restarts > before, seconds)

    def note_tools(self, name: str, directory: str, *, registered: bool) -> None:
        """Tell the keeper that the server knows an MCP server of this process, or no longer does."""
        self._say(op="tools", name=name, directory=directory, registered=registered)

    def _say(self, **message: object) -> None:
        with contextlib.suppress(OSError):  # lost: the reader sees it, too, and handles it
            if self._connection:
                self._connection.sendall(_line(**message))

    # letting go

    def release(self) -> None:
        """Let go of the server. Returns at once; may be called repeatedly."""
        self._leaving = True
        if self._connection:
            with contextlib.suppress(OSError):  # it has ended
                self._connection.shutdown(socket.SHUT_RDWR if self._source.lasting else socket.SHUT_WR)

    def close(self) -> None:
        """Let go of the server; wait for an own one to end, and kill it after CLOSE_SECONDS.

        On the reader's own thread (from a callback), return without waiting.
        """
        self.closing = True
        self.release()
        if threading.current_thread() is self._reader:
            return
        if not self._reader.ident:  # no keeper was started, or none that got a job
            self._disconnect()
            _all.discard(self)
        elif not self._source.lasting and not self.gone.wait(CLOSE_SECONDS):
            self._kill()
            self.gone.wait(KILLED_SECONDS)

    def when_exited(self, callback: Callable[[], None]) -> None:
        """Call back on the reader's thread when the server ends for good; at once if it has ended."""
        with self._changed:
            if not self.exited:
                self._when_exited.append(callback)
                return
        callback()

    def forget(self) -> None:
        """In a forked child, drop its copy of the parent's connection."""
        self._changed = threading.Condition()  # the parent's may stay locked for ever
        self._leaving = self.exited = True
        if self._process:
            self._process.returncode = 0  # not this process's child: do not wait for it
        if self._connection:
            with contextlib.suppress(OSError):  # closed
                os.close(self._connection.detach())  # close() would defer to a reader thread that does not exist here
        self.gone.set()

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.close()

    # the reader thread

    def _read(self) -> None:
        while True:
            self._follow()
            self._disconnect()
            if self._leaving or self.state.phase == "ended":
                break
            self._kill()  # the keeper was killed: make sure that its server is, too
            if self.exited or not self._rejoined():
                break
        self._disconnect()
        if self._process:
            self._process.wait()
        self._exit()
        _all.discard(self)
        self.gone.set()

    def _follow(self) -> None:
        """Read the keeper's messages until the connection ends."""
        assert self._connection
        with contextlib.suppress(OSError), self._connection.makefile("rb") as lines:
            for line in lines:
                self._take(State.told(json.loads(line)))

    def _take(self, state: State) -> None:
        if self._ready and state.phase == "ready" and _address(state) != _address(self._ready):
            self.release()  # another server took its place: open connections cannot continue there
            return
        with self._changed:
            self.state, self._mark = state, state.mark
            self._changed.notify_all()
        if state.phase == "ready":
            self._came_up(state)
        elif state.phase == "ended" or (state.phase == "ending" and not self._source.lasting):
            self._exit()
        elif state.phase in ("down", "ending"):
            self._went_down()

    def _came_up(self, state: State) -> None:
        back = self._ready is not None and not self._up
        self._ready, self._attempts = state, 0
        self._set_up(True)
        if back:
            _call(self.when_back)

    def _went_down(self) -> None:
        if self._up:
            self._set_up(False)
            _call(self.when_down)

    def _set_up(self, up: bool) -> None:
        with self._changed:
            self._up = up
            self._changed.notify_all()

    def _rejoined(self) -> bool:
        """Rejoin or restart the server; return whether that worked."""
        reason = self.state.reason or "its keeper was killed"
        code, tail = -int(signal.SIGKILL), f"The server has ended: {reason}."
        if self._source.lasting and self._attempts < REJOINS:
            self._attempts += 1
            self._went_down()
            try:
                self._connect()
                return not self._leaving
            except (OSError, ServerError) as error:
                tail = f"{tail} It could not be restarted: {error}"
        self.state = replace(self.state, code=code, tail=tail)
        return False

    def _exit(self) -> None:
        """Record that the server has ended for good, and call back."""
        with self._changed:
            if self.exited:
                return
            self.exited = True
            callbacks, self._when_exited = self._when_exited, []
            self._changed.notify_all()
        _call(callbacks)

    def _kill(self) -> None:
        """Kill the keeper and everything below it."""
        state = self.state
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if state.pid and os.getpgid(state.pid) == state.group:  # so the pid was not reused
                os.killpg(state.group, signal.SIGKILL)
        if self._mark:
            _kill_marked(self._mark)


def _address(state: State) -> tuple[str, str]:
    return state.url, state.password


def _call(callbacks: list[Callable[[], None]]) -> None:
    for callback in list(callbacks):
        try:
            callback()
        except Exception:  # foreign code: the other callbacks and this thread must go on
            _log.exception("A callback for a server state change failed")


def _kill_marked(mark: str) -> None:
    """Kill the server and tools of a killed keeper. Linux only: elsewhere they cannot be identified."""
    for _ in range(KILL_ROUNDS):  # one pass misses processes started during it
        if not _killed_marked(f"{MARK}={mark}".encode()):
            return
        time.sleep(KILL_PAUSE)


def _killed_marked(variable: bytes) -> bool:
    found = False
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if variable in environ.read_bytes().split(b"\0"):
                os.kill(int(environ.parent.name), signal.SIGKILL)
                found = True
    return found


_all: set[Held] = set()  # until they are gone


@atexit.register
def _close_all() -> None:
    for held in list(_all):
        held.closing = True
        held.release()  # so that they end in parallel
    for held in list(_all):
        held.close()


def _forget_all() -> None:
    for held in list(_all):
        held.forget()
    _all.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
