"""The holder's side of a keeper: start one, hand it the job, read its events on a thread, let go.

What holds is a pipe: however this process ends, the keeper reads end-of-file and ends the server. A later way to share
a server between processes replaces this file and keeper.py's stdin, and nothing else.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opencode_nb.server import keeper

__all__ = ["Held"]

CLOSE_SECONDS = keeper.END_SECONDS + 3.0  # the keeper's own bounds, and its way there
KILLED_SECONDS = 2.0
MARK = "OPENCODE_NB_KEEPER"  # in the environment of the server and of all that it starts, another value for each keeper

_log = logging.getLogger(__name__)


class Held:
    """One server, held through its keeper. Thread-safe.

    `url`, `pid`: of the server, once it has told. `exited`: the server has ended, or never started; `exit_code` and
    `tail` (the end of its log) say how. `ready` is set when `url` is known or `exited`. `gone` is set when keeper,
    server and everything below them have ended.
    """

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.gone = threading.Event()
        self.url = ""
        self.pid = 0
        self.exit_code: int | None = None
        self.tail = ""
        self.exited = False
        self._lock = threading.Lock()
        self._when_exited: list[Callable[[], None]] = []
        self._hold = self._events = -1
        self._mark = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = threading.Thread(target=self._read, name="opencode-keeper", daemon=True)

    def start(self, log: int, job: dict[str, Any]) -> None:
        """Start a keeper that logs to the descriptor `log`, and hand it the job (see keeper.py).

        Whatever is raised in here, an interrupt too: `close()` cleans up.
        """
        _all.add(self)
        job_read, self._hold = os.pipe()
        self._events, events_write = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__],
                stdin=job_read,
                stdout=events_write,
                stderr=log,
                start_new_session=True,  # Jupyter's interrupt goes to the kernel's process group
            )
        finally:
            os.close(job_read)
            os.close(events_write)
        self._reader.start()
        job = {**job, "env": {**job["env"], MARK: self._mark}}
        data = json.dumps(job).encode() + b"\n"
        with contextlib.suppress(BrokenPipeError):  # it has died already: its events, or their end, say so
            while data:
                data = data[os.write(self._hold, data) :]

    def release(self) -> None:
        """Let go: the keeper starts to end the server. Returns at once; any number of times."""
        with self._lock:
            hold, self._hold = self._hold, -1
        if hold >= 0:
            os.close(hold)

    def close(self) -> None:
        """Let go, and wait until everything has ended: by itself within CLOSE_SECONDS, by force after that.

        On the reader's own thread (from a callback) it does not wait.
        """
        self.release()
        if threading.current_thread() is self._reader:
            return
        if not self._reader.ident:  # nothing was started, or nothing that has got a job
            _all.discard(self)
        elif not self.gone.wait(CLOSE_SECONDS):
            self._kill()
            self.gone.wait(KILLED_SECONDS)

    def when_exited(self, callback: Callable[[], None]) -> None:
        """Call back on the reader's thread when the server has ended; at once, on this thread, when it has already."""
        with self._lock:
            if not self.exited:
                self._when_exited.append(callback)
                return
        callback()

    def forget(self) -> None:
        """In a forked child: drop its copies of the pipes, which would hold the server after the parent's end."""
        for descriptor in (self._hold, self._events):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._hold = -1
        if self._process:
            self._process.returncode = 0  # not this process's child: nothing to wait for
        self.exited = True
        self.ready.set()
        self.gone.set()

    def _kill(self) -> None:
        # Guard, keeper and server are one group; its leader has not been waited for, so the number is still its own.
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self) -> None:
        """The reader thread: events until the keeper's end."""
        assert self._process
        with open(self._events, "rb") as events:  # noqa: PTH123  # a descriptor
            for line in events:
                self._take(json.loads(line))
        self._kill()
        code = self._process.wait()
        if code or not self.exited:  # somebody killed guard and keeper at once
            _kill_marked(self._mark)
        self._exit(code, "The server's keeper was killed, and the server with it.")
        self.release()
        _all.discard(self)
        self.gone.set()

    def _take(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "started":
                self.pid = event["pid"]
            case "ready":
                self.url = event["url"]
                self.ready.set()
            case "exited":
                self._exit(event["code"], event["tail"])

    def _exit(self, code: int | None, tail: str) -> None:
        with self._lock:
            if self.exited:
                return
            self.exited, self.exit_code, self.tail = True, code, tail
            callbacks, self._when_exited = self._when_exited, []
        self.ready.set()
        for callback in callbacks:
            try:
                callback()
            except Exception:  # somebody else's; the others must be told, and this thread has more to do
                _log.exception("A callback for the end of the server failed")


def _kill_marked(mark: str) -> None:
    """End the tools of a server that lost its keeper. Linux; elsewhere nobody can say which they are."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in environ.read_bytes().split(b"\0"):
                os.kill(int(environ.parent.name), signal.SIGKILL)


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
