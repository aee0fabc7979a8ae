"""Run one `opencode serve` that dies with this process; copy its output to the log; end it."""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import signal
import socket
import time
from collections.abc import Callable

from .loop import Loop
from .prctl import PR_SET_PDEATHSIG, prctl
from .processes import KILL_SECONDS, send

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from typing import NoReturn

READY = b"opencode server listening on "
TAIL_BYTES = 16 * 1024  # of the log, for messages; also bounds what is sent to holders that do not read
LOG_BYTES = 32 * 1024 * 1024  # then the log is truncated: a server may run for weeks
CONNECT_SECONDS = 1.0
DISPOSE_SECONDS = 3.0  # usually 0.1-0.4 s
TERM_SECONDS = (2.0, 1.0)  # the first SIGTERM is sometimes not enough, a second one is
UNREADY_TERM_SECONDS = (0.5, 0.5)  # a program that never became ready has nothing to save
END_SECONDS = CONNECT_SECONDS + DISPOSE_SECONDS + sum(TERM_SECONDS) + KILL_SECONDS


def endpoint(url: str) -> tuple[str, int]:
    """Return the host and port of a URL as the server prints it."""
    host, _, port = url.partition("://")[2].rstrip("/").rpartition(":")
    return host.strip("[]"), int(port)


def reachable(url: str) -> str:
    """Turn a URL as the server prints it into one to connect to: no wildcard address, brackets around IPv6."""
    host, port = endpoint(url)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def free_port() -> int:
    """Return an unused port. The server's own choice, 4096, could be taken by another server during a restart."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Program:
    """The server's process. Calls `when_ready` once it has printed its `url`.

    `pid`: 0 if it could not be started; then it has `ended` with `exit_code` None. `tail`: the end of its output.
    """

    def __init__(self, loop: Loop, when_ready: Callable[[], None]) -> None:
        self.pid = 0
        self.url = ""
        self.ended = False
        self.exit_code: int | None = None
        self.tail = b""
        self.since = time.monotonic()
        self._loop = loop
        self._when_ready = when_ready
        self._output = -1

    def start(self, argv: list[str], env: dict[str, str], cwd: str) -> None:
        """Start the server; it is killed when this process dies."""
        self._output, output = os.pipe()
        try:
            self.pid = _spawned(argv, env, cwd, output)
        except (OSError, ValueError) as error:
            self.ended, self.tail = True, str(error).encode()
        finally:
            os.close(output)
        os.set_blocking(self._output, False)
        self._loop.watch(self._output, self._on_output)

    def exited(self, code: int) -> None:
        """Record the exit code, after the process was waited for."""
        self.ended, self.exit_code = True, code

    # its output

    def _on_output(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if data := os.read(self._output, 1 << 16):
                self._take(data)
            else:
                self._loop.unwatch(self._output)

    def close(self) -> None:
        """Read the rest of the pipe, not to end of file: a tool may hold the other end open."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._output, 1 << 16):
                self._take(data)
        self._loop.unwatch(self._output)
        os.close(self._output)

    def _take(self, data: bytes) -> None:
        _log(data)
        recent = self.tail + data
        self.tail = recent[-TAIL_BYTES:]
        if not self.url:
            self._look_for_url(recent)

    def _look_for_url(self, output: bytes) -> None:
        line, newline, _ = output.partition(READY)[2].partition(b"\n")
        if newline:
            self.url = reachable(line.decode().strip())
            self._when_ready()

    # its end

    def end(self, username: str, password: str) -> None:
        """End the server: `POST /global/dispose` (only that ends running tools properly), SIGTERM, SIGTERM, SIGKILL."""
        if self.url and not self.ended:
            self._dispose(username, password)
        graces = TERM_SECONDS if self.url else UNREADY_TERM_SECONDS
        for signum, seconds in (*((signal.SIGTERM, grace) for grace in graces), (signal.SIGKILL, KILL_SECONDS)):
            if self.ended:
                return
            send(self.pid, signum)
            self._loop.wait(lambda: self.ended, seconds)

    def _dispose(self, username: str, password: str) -> None:
        with contextlib.suppress(OSError, ValueError), self._post("/global/dispose", username, password) as connection:
            answered: list[bool] = []
            self._loop.watch(connection.fileno(), lambda: answered.append(True))
            self._loop.wait(lambda: bool(answered) or self.ended, DISPOSE_SECONDS)
            self._loop.unwatch(connection.fileno())

    def _post(self, path: str, username: str, password: str) -> socket.socket:
        """Send a request by hand, to keep the loop running and save a library's memory. Raises OSError, ValueError."""
        secret = base64.b64encode(f"{username}:{password}".encode()).decode()
        request = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {secret}\r\n"
            "Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        connection = socket.create_connection(endpoint(self.url), CONNECT_SECONDS)
        connection.sendall(request.encode())
        return connection

    # what holders leave behind

    def disconnect_tools(self, name: str, directory: str, username: str, password: str) -> None:
        """Have the server disconnect an MCP server of a directory, if it runs. Returns at once."""
        if not self.url or self.ended:
            return
        where = "".join(f"%{byte:02X}" for byte in os.fsencode(directory))
        with contextlib.suppress(OSError, ValueError):
            connection = self._post(f"/mcp/{name}/disconnect?directory={where}", username, password)
            self._loop.watch(connection.fileno(), lambda: self._answered(connection))

    def _answered(self, connection: socket.socket) -> None:
        self._loop.unwatch(connection.fileno())
        connection.close()


_logged = 0


def _log(data: bytes) -> None:
    global _logged
    with contextlib.suppress(OSError):  # a full disk must not end the server
        if _logged > LOG_BYTES:
            os.ftruncate(2, 0)
            _logged = 0
        _logged += os.write(2, data)


def _spawned(argv: list[str], env: dict[str, str], cwd: str, output: int) -> int:
    """Start a program with its output going to `output`; return its pid. Raises OSError if it can't be run.

    Forks by hand, as subprocess takes a megabyte more. There is only one thread, so no lock is held across the fork.
    """
    keeper = os.getpid()
    prctl(0, 0)  # loads ctypes before the fork
    failure, told = os.pipe()
    pid = os.fork()
    if not pid:
        _become(argv, env, cwd, output, told, keeper)
    os.close(told)
    with open(failure, "rb") as reader:  # noqa: PTH123  # end of file when the program runs
        number = reader.read()
    if number:
        os.waitpid(pid, 0)
        raise OSError(int(number), os.strerror(int(number)), argv[0])
    return pid


def _become(argv: list[str], env: dict[str, str], cwd: str, output: int, failure: int, keeper: int) -> NoReturn:
    """In the forked child, execute the program or report the error."""
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:  # the keeper died before the line above
            os._exit(1)
        for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, which the program would inherit
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        os.chdir(cwd)
        null = os.open(os.devnull, os.O_RDONLY)
        for descriptor, standard in ((null, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, standard)
        os.execve(argv[0], argv, env)  # noqa: S606
    except (OSError, ValueError) as error:  # ValueError: an invalid argument, such as one with a NUL
        os.write(failure, str(getattr(error, "errno", errno.EINVAL)).encode())
    finally:
        os._exit(127)
