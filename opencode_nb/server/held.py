"""The holder's side of a keeper: hold a server by a connection, know its state, let go.

However this process ends, the operating system closes the connection, and the keeper knows. Where the connection ends
although the server has not, the keeper was killed: a shared server is joined or started again then, at its address.
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

CLOSE_SECONDS = END_SECONDS + 3.0  # the keeper's own bounds, and its way there
KILLED_SECONDS = 2.0
REJOINS = 5  # in a row, without the server becoming ready
MEET_SECONDS = 30.0
KILL_ROUNDS, KILL_PAUSE = 50, 0.02  # seconds between them

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """A server as its keeper told last (keeping/service.py). `phase` is "" before that; `since`: on this clock here.

    `reason`: why its keeper ends it although it is held, else "".
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
        """From a keeper's message."""
        age = message.pop("age")
        holders = tuple((pid, label) for pid, label in message.pop("holders"))
        password = Secret(message.pop("password"))
        return cls(**message, password=password, holders=holders, since=time.monotonic() - age)


class Source(Protocol):
    """Where a connection to a keeper comes from."""

    lasting: bool
    """Whether a connection that was lost is made again."""

    def connect(self, before: State | None) -> Launched | socket.socket:
        """A connection to a keeper, a new one or one that was there; `before`: the state of a server that was lost.

        Raises OSError, ServerError.
        """


class Own:
    """A server of one's own."""

    lasting = False

    def __init__(self, job: Job) -> None:
        self._job = job

    def connect(self, before: State | None) -> Launched:
        """Start it."""
        return launch(self._job)


class Shared:
    """The user's server for a key, whose keeper may be there already."""

    lasting = True

    def __init__(self, job: Job, key: str) -> None:
        self._job = job
        self._key = key

    def connect(self, before: State | None) -> Launched | socket.socket:
        """Join it, or start it: at the address where it was before, if it was."""
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
        with contextlib.suppress(OSError):  # it ends already: reading tells
            connection.sendall(_line(op="hold", **myself()))
        return connection


def _line(**message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


class Held:
    """One server, held through its keeper. Thread-safe.

    `state`: what its keeper told last. `exited`: the server has ended for good, or never started. `gone` is set when
    this process no longer holds it, and everything below one's own has ended.
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
        self._ready: State | None = None  # the last one in which the server was ready
        self._attempts = 0  # to rejoin, since then
        self._up = False
        self._reader = threading.Thread(target=self._read, name="opencode-keeper", daemon=True)

    def open(self) -> None:
        """Start or join. Whatever is raised in here, an interrupt too: `close()` cleans up. OSError, ServerError."""
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
        """Wait until `done()`, which may look at the state, or until the server has ended for good."""
        with self._changed:
            return self._changed.wait_for(lambda: self.exited or done(), seconds) and not self.exited

    @property
    def ready(self) -> bool:
        """Whether the server answers, as far as its keeper has told."""
        return self._up and not self.exited

    def restart(self, seconds: float) -> bool:
        """Have the server ended and started again for everyone who holds it; whether it is ready again in time.

        One that is being started again already is waited for first. Not from a callback: those run on the reader's
        thread.
        """
        if not self.wait_until(lambda: self._up, seconds):
            return False
        before = self.state.restarts
        self._say(op="restart")
        return self.wait_until(lambda: self._up and self.state.restarts > before, seconds)

    def _say(self, **message: object) -> None:
        with contextlib.suppress(OSError):  # lost: the reader sees it too, and what follows tells
            if self._connection:
                self._connection.sendall(_line(**message))

    # letting go

    def release(self) -> None:
        """Let go. Returns at once; any number of times."""
        self._leaving = True
        if self._connection:
            with contextlib.suppress(OSError):  # it has ended
                self._connection.shutdown(socket.SHUT_RDWR if self._source.lasting else socket.SHUT_WR)

    def close(self) -> None:
        """Let go; one's own server has ended when it returns: by itself within CLOSE_SECONDS, by force after that.

        On the reader's own thread (from a callback) it does not wait.
        """
        self.release()
        if threading.current_thread() is self._reader:
            return
        if not self._reader.ident:  # nothing was started, or nothing that has got a job
            self._disconnect()
            _all.discard(self)
        elif not self._source.lasting and not self.gone.wait(CLOSE_SECONDS):
            self._kill()
            self.gone.wait(KILLED_SECONDS)

    def when_exited(self, callback: Callable[[], None]) -> None:
        """Call back on the reader's thread when the server has ended for good; at once when it has already."""
        with self._changed:
            if not self.exited:
                self._when_exited.append(callback)
                return
        callback()

    def forget(self) -> None:
        """In a forked child: drop its copy of the connection, which is the parent's."""
        self._changed = threading.Condition()  # the parent's may be taken for good
        self._leaving = self.exited = True
        if self._process:
            self._process.returncode = 0  # not this process's child: nothing to wait for
        if self._connection:
            with contextlib.suppress(OSError):  # closed
                os.close(self._connection.detach())  # close() would leave it to a reader that is not in this process
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
            self._kill()  # the keeper was killed, and its server dies with it: here it is made sure of
            if self.exited or not self._rejoined():
                break
        self._disconnect()
        if self._process:
            self._process.wait()
        self._exit()
        _all.discard(self)
        self.gone.set()

    def _follow(self) -> None:
        """Take what the keeper tells until the connection ends."""
        assert self._connection
        with contextlib.suppress(OSError), self._connection.makefile("rb") as lines:
            for line in lines:
                self._take(State.told(json.loads(line)))

    def _take(self, state: State) -> None:
        if self._ready and state.phase == "ready" and _address(state) != _address(self._ready):
            self.release()  # another server took its place: nobody's connections can go on with that one
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
        """Join or start it again; whether that is possible."""
        reason = self.state.reason or "its keeper was killed"
        code, tail = -int(signal.SIGKILL), f"The server has ended: {reason}."
        if self._source.lasting and self._attempts < REJOINS:
            self._attempts += 1
            self._went_down()
            try:
                self._connect()
                return not self._leaving
            except (OSError, ServerError) as error:
                tail = f"{tail} It could not be started again: {error}"
        self.state = replace(self.state, code=code, tail=tail)
        return False

    def _exit(self) -> None:
        """The server has ended for good."""
        with self._changed:
            if self.exited:
                return
            self.exited = True
            callbacks, self._when_exited = self._when_exited, []
            self._changed.notify_all()
        _call(callbacks)

    def _kill(self) -> None:
        """End, by force, the keeper and everything below it."""
        state = self.state
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if state.pid and os.getpgid(state.pid) == state.group:  # so the number is still theirs
                os.killpg(state.group, signal.SIGKILL)
        if self._mark:
            _kill_marked(self._mark)


def _address(state: State) -> tuple[str, str]:
    return state.url, state.password


def _call(callbacks: list[Callable[[], None]]) -> None:
    for callback in list(callbacks):
        try:
            callback()
        except Exception:  # somebody else's; the others must be told, and this thread has more to do
            _log.exception("A callback for a change of the server failed")


def _kill_marked(mark: str) -> None:
    """End the server and the tools of a keeper that was killed. Linux; elsewhere nobody can say which they are."""
    for _ in range(KILL_ROUNDS):  # one look misses what is being started while it lasts
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
        held.release()  # so that they end at the same time
    for held in list(_all):
        held.close()


def _forget_all() -> None:
    for held in list(_all):
        held.forget()
    _all.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
