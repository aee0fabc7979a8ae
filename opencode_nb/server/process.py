"""Start `opencode serve`, wait until it is ready, and know when it ends.

The server belongs to a keeper (keeper.py), a process of its own that is held by a pipe (held.py). Knows nothing of the
API but the health route, and nothing of notebooks.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opencode_nb.errors import ServerStartError
from opencode_nb.server import keeper, logs
from opencode_nb.server.binary import binary_version, check_version, find_binary
from opencode_nb.server.environment import PASSWORD, USERNAME, Config, server_environment
from opencode_nb.server.held import Held
from opencode_nb.server.status import Holder, ServerStatus, memory_of, own_label

if TYPE_CHECKING:
    from opencode_nb.demo import DemoModel

__all__ = ["Server", "serve"]

START_SECONDS = 30.0
HEALTH_SECONDS = 5.0  # at least, however late the server became ready
TAIL_LINES = 20  # of the log, in error messages


class Server:
    """A running `opencode serve` that ends with this process, with `close()`, or at the end of a `with` block.

    `url`: where it listens. `username`, `password`: for basic auth; the password is never printed or logged.
    `version`: its own. `log_path`: its output, kept after its end. `shared`: others may hold it too.
    Made by `serve()`. Every method may be called from any thread.
    """

    def __init__(
        self, held: Held, job: dict[str, Any], *, log_path: Path, username: str, password: str, version: str
    ) -> None:
        self.url = held.url
        self.username = username
        self.password = password
        self.version = version
        self.log_path = log_path
        self.shared = False
        self._held = held
        self._job = job
        self._since = time.monotonic()
        self._restarts = 0
        self._when_restarted: list[Callable[[], None]] = []
        self._when_exited: list[Callable[[int | None], None]] = []
        self._owner = os.getpid()
        self._closing = False
        self._at_close = contextlib.ExitStack()

    def __repr__(self) -> str:
        state = "running" if self.alive else "closed" if self._closing else f"exited with {self.exit_code}"
        return f"<Server {self.url} version {self.version}, pid {self.pid}, {state}>"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The server's process; another one after a restart."""
        return self._held.pid

    @property
    def alive(self) -> bool:
        """Whether the server runs, as far as its keeper has told."""
        return not (self._closing or self._held.exited)

    @property
    def exit_code(self) -> int | None:
        """The server's exit code, negative for a signal; None while it runs."""
        return self._held.exit_code

    def tail(self, n: int = TAIL_LINES) -> str:
        """The last `n` lines of the server's log."""
        return logs.tail(self.log_path, n)

    def on_exit(self, callback: Callable[[int | None], None]) -> None:
        """Have `callback(exit_code)` called once if the server ends unasked, not when it is closed.

        It is called on a background thread, or at once on this one if the server has died already.
        """
        held = self._held
        self._when_exited.append(callback)
        held.when_exited(lambda: None if self._closing or held is not self._held else callback(self.exit_code))

    def on_restart(self, callback: Callable[[], None]) -> None:
        """Have `callback()` called whenever the server has come back after a crash or a restart."""
        self._when_restarted.append(callback)

    def status(self) -> ServerStatus:
        """The server as it is now: what it takes, since when, and who holds it."""
        return ServerStatus(
            version=self.version,
            url=self.url,
            pid=self.pid,
            memory=memory_of([self.pid, *keeper.descendants(self.pid, {})]),
            uptime=time.monotonic() - self._since,
            holders=(Holder(os.getpid(), own_label(), this=True),),
            restarts=self._restarts,
            program=self._job["argv"][0],
            log_path=self.log_path,
            shared=self.shared,
        )

    def restart(self) -> None:
        """End the server and start it again, at the same port and with the same password; returns when it is ready.

        Raises ServerStartError when it does not come back.
        """
        before, self._held = self._held, Held()
        before.close()
        argv = [*self._job["argv"][:-1], str(keeper.endpoint(self.url)[1])]
        descriptor, self.log_path = _open_log()
        try:
            self._held.start(descriptor, {**self._job, "argv": argv})
            _await_ready(self._held, argv, START_SECONDS, self.log_path)
        finally:
            os.close(descriptor)
        self._since, self._restarts = time.monotonic(), self._restarts + 1
        callbacks, self._when_exited = self._when_exited, []
        for callback in callbacks:
            self.on_exit(callback)
        for told in list(self._when_restarted):
            told()

    def close(self) -> None:
        """End the server and everything it started; returns when all of it is gone, at the latest after some seconds.

        May be called again, and from several threads: each returns when the end has come. Does nothing in a forked
        child.
        """
        if self._owner == os.getpid():
            self._closing = True
            self._held.close()
            self._at_close.close()


def serve(
    *,
    config: Config | None = None,
    directory: str | os.PathLike[str] | None = None,
    hostname: str = "127.0.0.1",
    port: int = 0,
    timeout: float = START_SECONDS,
    binary: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    shared: bool = False,
    demo: bool = False,
) -> Server:
    """Start an `opencode serve` of one's own and return when it is ready.

    config: OpenCode configuration; takes precedence over the project's files, and over an inherited
        OPENCODE_CONFIG_CONTENT, into which it is merged.
    directory: the working directory, by default this process's.
    hostname, port: where it listens; port 0 takes a free one.
    timeout: seconds until it must be ready.
    binary: the program; by default `find_binary()` looks for it.
    env: environment variables on top of this process's.
    shared: only False is possible: this server is held by this process alone.
    demo: with the scripted demo model, which is no AI, as provider "demo" and default model.

    Raises BinaryNotFoundError, ServerStartError (`.exit_code`, `.tail`: the end of the log), ValueError. An interrupt
    while it waits is passed on, and nothing is left behind then either.
    """
    if shared:
        raise ValueError("serve() always starts a server of one's own: leave out shared=True.")
    if not 0 <= port <= 65535:
        raise ValueError(f"port={port} is no port: give 1 to 65535, or 0 for a free one.")
    _refuse_windows()
    program = find_binary(binary)
    workdir = _directory(directory)
    with contextlib.ExitStack() as cleanup:
        model = _demo_model(cleanup) if demo else None
        environment = server_environment(os.environ, env, model.config() if model else None, config)
        argv = [str(program), "serve", "--hostname", hostname, "--port", str(port)]
        server = _start(argv, environment, workdir, timeout)
        server._at_close = cleanup.pop_all()
    return server


def _refuse_windows() -> None:
    if sys.platform == "win32":
        raise ServerStartError(
            "The managed server needs Linux or macOS. Run `opencode serve` yourself with OPENCODE_SERVER_PASSWORD set, "
            "and connect to it with base_url= and password=."
        )


def _directory(directory: str | os.PathLike[str] | None) -> str:
    try:
        path = Path(directory or "").expanduser().absolute()
    except FileNotFoundError:
        raise ServerStartError("The working directory is gone: change to another, or give one as directory=.") from None
    if not path.is_dir():
        raise ServerStartError(f"No directory at {path}: create it, or give another one as directory=.")
    return str(path)


def _demo_model(cleanup: contextlib.ExitStack) -> DemoModel:
    from opencode_nb.demo import DemoModel

    return cleanup.enter_context(DemoModel())


def _start(argv: list[str], environment: dict[str, str], workdir: str, timeout: float) -> Server:
    credentials = {"username": environment[USERNAME], "password": environment[PASSWORD]}
    deadline = time.monotonic() + timeout
    descriptor, log_path = _open_log()
    held = Held()
    try:
        job = {"argv": argv, "env": environment, "cwd": workdir, **credentials}
        held.start(descriptor, job)
        _await_ready(held, argv, timeout, log_path)
        left = max(HEALTH_SECONDS, deadline - time.monotonic())
        version = _health(held.url, **credentials, timeout=left) or binary_version(Path(argv[0]))
        check_version(version, argv[0])
        return Server(held, job, log_path=log_path, version=version, **credentials)
    except BaseException:  # an interrupt too
        held.close()
        raise
    finally:
        os.close(descriptor)


def _open_log() -> tuple[int, Path]:
    try:
        return logs.open_log()
    except OSError as error:
        raise ServerStartError(f"No log file can be written, not even a temporary one ({error}): make room.") from error


def _await_ready(held: Held, argv: list[str], timeout: float, log_path: Path) -> None:
    if not held.ready.wait(timeout):
        tail = logs.tail(log_path, TAIL_LINES)
        raise ServerStartError(
            f"The OpenCode server was not ready within {timeout:g} s (timeout=). {_told(tail)}Log: {log_path}",
            tail=tail,
        )
    if held.exited:
        tail = "\n".join(logs.plain(held.tail).splitlines()[-TAIL_LINES:])
        raise ServerStartError(
            f"{_why(held.exit_code, tail, argv)} {_told(tail)}Log: {log_path}", exit_code=held.exit_code, tail=tail
        )


def _why(exit_code: int | None, tail: str, argv: list[str]) -> str:
    if exit_code is None:
        return f"{argv[0]} could not be run: run `opencode-nb install`, or give another program as binary=."
    if "ServeError" in tail or "EADDRINUSE" in tail:
        return (
            f"The OpenCode server could not listen on {argv[3]}:{argv[5]}: the port is taken, or the address is not "
            "this machine's. Give another port=, or 0 for a free one."
        )
    return f"The OpenCode server ended before it was ready, exit code {exit_code}."


def _told(tail: str) -> str:
    return f"Its last output:\n{tail}\n" if tail.strip() else "It printed nothing. "


def _health(url: str, username: str, password: str, timeout: float) -> str:
    """The version that the server tells; "" when it does not know the route. Raises ServerStartError."""
    token = base64.b64encode(f"{username}:{password}".encode()).decode()
    connection = http.client.HTTPConnection(*keeper.endpoint(url), timeout=timeout)
    try:
        connection.request("GET", "/global/health", headers={"Authorization": f"Basic {token}"})
        body = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException) as error:
        raise ServerStartError(f"The OpenCode server at {url} does not answer ({error}). Try again.") from error
    except ValueError:  # an old server answers a web page
        return ""
    finally:
        connection.close()
    return str(body.get("version", "")) if isinstance(body, dict) else ""
