"""Start or join an `opencode serve`, wait until it is ready, and notice when it ends.

The server belongs to a keeper (keeper.py), a separate process held by a connection (held.py). Knows only the health
route of the API, and nothing of notebooks.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opencode_nb.errors import ServerExitedError, ServerStartError
from opencode_nb.server import logs
from opencode_nb.server.binary import Found, locate_binary
from opencode_nb.server.environment import PASSWORD, Config, server_environment, server_key, shared_environment
from opencode_nb.server.held import Held, Own, Shared, Source, State
from opencode_nb.server.keeping.processes import descendants
from opencode_nb.server.keeping.program import endpoint
from opencode_nb.server.keeping.service import END_SECONDS
from opencode_nb.server.launch import Job
from opencode_nb.server.options import checked_flags, is_loopback
from opencode_nb.server.output import OutputFollower
from opencode_nb.server.status import Holder, ServerStatus, memory_of
from opencode_nb.server.version import VERSION_SECONDS, check_version, unanswered

if TYPE_CHECKING:
    from opencode_nb.demo import DemoModel

__all__ = ["GRACE_SECONDS", "Server", "serve"]

START_SECONDS = 60.0  # usually 2 to 7, more on a very busy machine; an exit is reported at once
HEALTH_SECONDS = 5.0  # minimum, however late the server became ready
GRACE_SECONDS = 5.0  # how long a shared server outlives its last holder; $OPENCODE_NB_GRACE overrides it
TAIL_LINES = 20  # of the log, in error messages
# Log messages of a program that can't write; the last one appears if its database already exists.
CANNOT_WRITE = (
    "mkdir",
    "ENOSPC",
    "EROFS",
    "EACCES",
    "disk I/O error",
    "disk is full",
    "readonly database",
    "PRAGMA wal_",
)


class Server:
    """A running `opencode serve`, held until this process ends, `close()` is called, or a `with` block ends.

    `url`: where it listens. `username`, `password`: for basic auth; the password is never printed or logged.
    `version`: the server's. `shared`: other processes may hold it, too. None of these ever changes. `log_path`: its
    output, kept after it ends. Created by `serve()`. Every method may be called from any thread.
    """

    def __init__(self, held: Held, *, version: str, shared: bool) -> None:
        self.url = held.state.url
        self.username = held.state.username
        self.password = held.state.password
        self.version = version
        self.shared = shared
        self._held = held
        self._owner = os.getpid()
        self._at_close = contextlib.ExitStack()

    def __repr__(self) -> str:
        state = "running" if self.alive else "closed" if self._held.closing else f"exited with {self.exit_code}"
        return f"<Server {self.url} version {self.version}, pid {self.pid}, {state}>"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The server's process id; changes with a restart."""
        return self._held.state.pid

    @property
    def log_path(self) -> Path:
        """Path of the server's log; changes if its keeper had to be replaced."""
        return Path(self._held.state.log)

    @property
    def alive(self) -> bool:
        """Whether the server is running or restarting, as last reported by its keeper."""
        return not (self._held.closing or self._held.exited)

    @property
    def ready(self) -> bool:
        """Whether the server answers, as last reported by its keeper; False while it restarts."""
        return not self._held.closing and self._held.ready

    @property
    def exit_code(self) -> int | None:
        """The server's exit code after it has ended for good, negative for a signal; None while it is alive."""
        return self._held.state.code if self._held.exited else None

    def status(self) -> ServerStatus:
        """Return the server's current status: memory, uptime, holders and more."""
        state = self._held.state
        return ServerStatus(
            version=self.version,
            url=self.url,
            pid=state.pid,
            memory=memory_of([state.pid, *descendants(state.pid, {})]) if self.alive else None,
            uptime=time.monotonic() - state.since,
            holders=tuple(Holder(pid, label, this=pid == os.getpid()) for pid, label in dict.fromkeys(state.holders)),
            restarts=state.restarts,
            program=state.program,
            log_path=self.log_path,
            shared=self.shared,
        )

    def tail(self, n: int = TAIL_LINES) -> str:
        """Return the last `n` lines of the server's log."""
        return logs.tail(self.log_path, n)

    def wait_ready(self, timeout: float = START_SECONDS) -> None:
        """Wait until the server answers; returns at once unless it is restarting. Raises ServerExitedError."""
        if self._held.closing or not self._held.wait_until(lambda: self._held.ready, timeout):
            if self.alive:
                late = f"The OpenCode server at {self.url} is restarting, and was not ready within {timeout:g} s"
                raise ServerExitedError(f"{late}. Try again.")
            raise self._lost(f"The OpenCode server at {self.url} is not running")

    def restart(self) -> None:
        """Restart the server for all its holders, and wait until it is ready.

        Keeps the address and the password; cuts off running turns. Do not call from a callback of this server. Raises
        ServerExitedError if it does not come back.
        """
        if self._held.closing or not self._held.restart(END_SECONDS + START_SECONDS):
            raise self._lost(f"The OpenCode server at {self.url} could not be restarted")

    def _lost(self, what: str) -> ServerExitedError:
        tail = _last_lines(self._held.state.tail)
        return ServerExitedError(f"{what}. Start a new one. {_told(tail)}", exit_code=self.exit_code, tail=tail)

    def note_tools(self, name: str, directory: str, *, registered: bool) -> None:
        """Note that an MCP server of this process was registered for a directory, or was disconnected again.

        Those that a killed process leaves behind are disconnected, as the server would go on offering their tools.
        """
        self._held.note_tools(name, directory, registered=registered)

    @property
    def end_reason(self) -> str:
        """Why the keeper ends a server that is still held, such as "its guard was killed"; else ""."""
        return self._held.state.reason

    def on_exit(self, callback: Callable[[int | None], None]) -> None:
        """Call `callback(exit_code)` once if the server ends for good on its own, not when it is closed.

        Calls it on a background thread, or at once on this one if the server has already ended.
        """
        self._held.when_exited(lambda: None if self._held.closing else callback(self.exit_code))

    def on_down(self, callback: Callable[[], None]) -> None:
        """Call `callback()` on a background thread when the server has ended and is being restarted."""
        self._held.when_down.append(callback)

    def on_restart(self, callback: Callable[[], None]) -> None:
        """Call `callback()` on a background thread when the server is back after a crash or a restart."""
        self._held.when_back.append(callback)

    def close(self) -> None:
        """Let go of the server. Does nothing in a forked child; may be called again, and from several threads.

        An own server ends with everything it started; this waits for that, a few seconds at most. A shared server
        keeps running for its other holders, and ends GRACE_SECONDS after the last of them; this returns at once.
        """
        if self._owner == os.getpid():
            self._held.close()
            self._at_close.close()


def serve(
    *,
    config: Config | None = None,
    directory: str | os.PathLike[str] | None = None,
    hostname: str = "127.0.0.1",
    port: int = 0,
    password: str | None = None,
    timeout: float = START_SECONDS,
    binary: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    shared: bool = False,
    demo: bool = False,
    flags: Sequence[str] = (),
    pure: bool = False,
    on_stderr: Callable[[str], object] | None = None,
) -> Server:
    """Start an `opencode serve` for this process, or join the user's shared one; return when it is ready.

    config: OpenCode configuration; takes precedence over the project's files, and over an inherited
        OPENCODE_CONFIG_CONTENT, into which it is merged.
    directory: the working directory (default: this process's). A shared server has none of its own: name the
        directory with each request.
    hostname, port: where an own server listens; port 0 picks a free one.
    password: what clients must send (default: a random one).
    timeout: seconds until it must be ready; before that, the program gets half as many to report its version.
    binary: the program (default: what `find_binary()` finds).
    env: environment variables to add to this process's.
    shared: join or start the server that this user's processes share for the same program, configuration and
        environment (except `environment.NOT_SHARED`), flags included. After a crash it is restarted at its address.
    demo: use the scripted demo model, which is not an AI, as provider "demo" and default model. It runs in this
        process, so the server cannot be shared.
    flags: more flags of `opencode serve`, such as ("--print-logs",).
    pure: run without external plugins.
    on_stderr: called on a background thread with each line that the server writes (stdout, too), as plain text.

    Raises BinaryNotFoundError, ServerStartError (`.exit_code`, `.tail`: the end of the log), ValueError. An interrupt
    is raised again, after cleaning up.
    """
    if shared and (demo or port or hostname != "127.0.0.1"):
        raise ValueError("A shared server cannot have its own demo model, hostname or port: leave out shared=True.")
    if not 0 <= port <= 65535:
        raise ValueError(f"port={port} is not a port: give 1 to 65535, or 0 for a free one.")
    _refuse_windows()
    given = {**(env or {}), **({PASSWORD: password} if password is not None else {})}
    more = [*checked_flags(flags), *(["--pure"] if pure else [])]
    found = locate_binary(binary, min(timeout / 2, VERSION_SECONDS))
    check_version(found.version, program := found.path, found.if_wrong)
    workdir = _directory(directory)
    with contextlib.ExitStack() as cleanup:
        model = _demo_model(cleanup) if demo else None
        environ = shared_environment(os.environ) if shared else os.environ
        environment = server_environment(environ, given, model.config() if model else None, config)
        _check_exposed(hostname, environment[PASSWORD])
        argv = [str(program), "serve", *more, "--hostname", hostname, "--port"]
        source: Source
        if shared:
            job = Job(argv, environment, cwd=_home(), grace=_grace(), revive=True)
            source = Shared(job, _key(program, environment, given, more))
        else:
            source = Own(Job(argv, environment, cwd=workdir, port=port))
        server = _open(source, found, f"{hostname}:{port}", timeout, on_stderr)
        server._at_close = cleanup.pop_all()
    return server


def _grace() -> float:
    text = os.environ.get("OPENCODE_NB_GRACE", "")
    try:
        return max(0.0, float(text)) if text else GRACE_SECONDS
    except ValueError:
        raise ValueError(f"OPENCODE_NB_GRACE={text!r} is not a number of seconds: correct or unset it.") from None


def _home() -> str:
    """Return a shared server's working directory: one that exists and belongs to no single kernel."""
    home = os.path.expanduser("~")  # noqa: PTH111  # Path.home() raises if there is none
    return home if os.path.isdir(home) else "/"  # noqa: PTH112


def _key(program: Path, environment: Mapping[str, str], env: Mapping[str, str], flags: Sequence[str]) -> str:
    try:
        return server_key(program, environment, env, flags)
    except OSError as error:
        raise ServerStartError(f"{program} is gone ({error}). Run `opencode-nb install`.") from error


def _check_exposed(hostname: str, password: str) -> None:
    if not (password or is_loopback(hostname)):
        raise ValueError(f"hostname={hostname!r} lets other machines connect: it needs a password. Give a password=.")


def _refuse_windows() -> None:
    if sys.platform == "win32":
        raise ServerStartError(
            "The managed server needs Linux or macOS. Run `opencode serve` yourself with OPENCODE_SERVER_PASSWORD set, "
            "and connect to it with base_url= and password=, or %opencode start --url URL."
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


def _open(
    source: Source, found: Found, address: str, timeout: float, on_stderr: Callable[[str], object] | None
) -> Server:
    deadline = time.monotonic() + timeout
    held = Held(source)
    try:
        _hold(held)
        if on_stderr is not None:
            OutputFollower(lambda: held.state.log, held.gone, on_stderr, joined=source.lasting)
        _await_ready(held, found, address, timeout)
        version = _health(held.state, found.path, max(HEALTH_SECONDS, deadline - time.monotonic()))
        check_version(version, found.path, found.if_wrong)
        return Server(held, version=version, shared=source.lasting)
    except BaseException:  # an interrupt too
        held.close()
        raise


def _hold(held: Held) -> None:
    try:
        held.open()
    except OSError as error:
        raise ServerStartError(
            f"The OpenCode server's keeper could not be started or reached ({error}): free some space, or fix the "
            "permissions."
        ) from error


def _await_ready(held: Held, found: Found, address: str, timeout: float) -> None:
    if held.wait_until(lambda: held.ready, timeout):
        return
    state, log = held.state, f"Log: {held.state.log}"
    if held.exited:
        tail = _last_lines(state.tail)
        why = _why(state.code, tail, found, address)
        raise ServerStartError(f"{why} {_told(tail)}{log}", exit_code=state.code, tail=tail)
    late = f"was not ready within {timeout:g} s (timeout=)"
    if not state.phase:
        raise ServerStartError(f"The OpenCode server {late}: its keeper does not respond. Is it suspended?")
    tail = logs.tail(Path(state.log), TAIL_LINES)
    raise ServerStartError(f"The OpenCode server {late}. {_told(tail)}{log}", tail=tail)


def _last_lines(tail: str) -> str:
    return "\n".join(logs.plain(tail).splitlines()[-TAIL_LINES:])


def _why(exit_code: int | None, tail: str, found: Found, address: str) -> str:
    if exit_code is None:
        advice = found.if_wrong or " Run `opencode-nb install`, or give another program as binary=."
        return f"{found.path} could not be run.{advice}"
    if "ServeError" in tail or "EADDRINUSE" in tail:
        return (
            f"The OpenCode server could not listen on {address}: the port is in use, or the address does not "
            "belong to this machine. Give another port=, or 0 for a free one."
        )
    ended = f"The OpenCode server ended before it was ready, exit code {exit_code}."
    if any(sign in tail for sign in CANNOT_WRITE):
        return (
            f"{ended} It could not write: free some space, fix the permissions, or set XDG_DATA_HOME, XDG_STATE_HOME, "
            "XDG_CONFIG_HOME and XDG_CACHE_HOME to writable directories."
        )
    return f"{ended}{found.if_wrong}"


def _told(tail: str) -> str:
    return f"Its last output:\n{tail}\n" if tail.strip() else "It printed nothing. "


def _health(state: State, program: Path, timeout: float) -> str:
    """Return the server's version. Raises ServerStartError, also if the server does not have the route."""
    token = base64.b64encode(f"{state.username}:{state.password}".encode()).decode()
    connection = http.client.HTTPConnection(*endpoint(state.url), timeout=timeout)
    try:
        connection.request("GET", "/global/health", headers={"Authorization": f"Basic {token}"})
        return str(json.loads(connection.getresponse().read())["version"])
    except (OSError, http.client.HTTPException) as error:
        raise ServerStartError(f"The OpenCode server at {state.url} does not answer ({error}). Try again.") from error
    except (ValueError, LookupError, TypeError) as error:  # a web page, which it returns for an unknown route
        raise ServerStartError(f"{program} started a server{unanswered(state.url)}") from error
    finally:
        connection.close()
