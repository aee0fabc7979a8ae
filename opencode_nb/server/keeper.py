"""The watchdog that owns one `opencode serve` and ends it, and everything it started, when its holder is gone.

Run as `python -I -S keeper.py`, as the leader of a session of its own. Standard library only, and little of that: it
takes memory for as long as a server lives. Knows nothing of the package.

    holder ──pipes──> guard ──fork──> keeper ──> opencode serve ──> tools, in sessions of their own

- The holder (a kernel) writes one JSON line, the job, to stdin and keeps the pipe open: end-of-file means that the
  holder is gone, however it died. The job:
    {"argv": [...], "env": {...}, "cwd": "...", "username": "...", "password": "..."}
- stdout carries one JSON line an event, and ends when everything is gone:
    {"event": "started", "pid": 1}
    {"event": "ready", "url": "http://127.0.0.1:4096"}
    {"event": "exited", "code": -9, "tail": "the end of the log"}    negative: a signal; null: it could not be started
  stderr is the log: the server's output is drained into it.
- The end, in this order: `POST /global/dispose` (only that ends running tools properly), SIGTERM, SIGTERM, SIGKILL,
  then what the tools left running. SIGTERM to the guard or the keeper does the same as end-of-file.
- Guard and keeper watch each other, so that a SIGKILL of either leaves nothing behind: the guard waits for the keeper
  and then ends what is left; the keeper holds a pipe (the lifeline) whose other end closes with the guard.
- Linux: both are subreapers, so orphaned tool processes come to them and are found; the server dies with the keeper
  (PDEATHSIG). macOS has neither: there the tools are those that were the server's descendants when the end began, and a
  process whose own parent had ended before that is not found.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from typing import Any

READY = b"opencode server listening on "
TAIL_BYTES = (
    16 * 1024
)  # of the log, kept for messages; also bounds what one event writes to a pipe that nobody may read
LOG_BYTES = 32 * 1024 * 1024  # then the log starts again: a server may live for weeks
CONNECT_SECONDS = 1.0
DISPOSE_SECONDS = 3.0  # 0.1-0.4 s as a rule
TERM_SECONDS = (2.0, 1.0)  # the first SIGTERM is sometimes not enough, a second one is
UNREADY_TERM_SECONDS = (0.5, 0.5)  # a program that never became ready has nothing to save
KILL_SECONDS = 2.0
TOOL_TERM_SECONDS = 1.0
END_SECONDS = CONNECT_SECONDS + DISPOSE_SECONDS + sum(TERM_SECONDS) + 2 * KILL_SECONDS + TOOL_TERM_SECONDS

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


# What the operating system says about processes


def prctl(option: int, value: int) -> None:
    """Linux: one prctl(2) call; elsewhere, or where Python came without libffi, nothing."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def processes() -> Iterator[tuple[int, int, str]]:
    """Of every process: pid, parent's pid, something that tells two uses of one pid apart, or "" if it has ended."""
    return _proc_processes() if os.path.exists("/proc/self/stat") else _ps_processes()  # noqa: PTH110


def _proc_processes() -> Iterator[tuple[int, int, str]]:
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
            fields = stat.read().rpartition(b")")[2].split()
            yield int(name), int(fields[1]), "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def _ps_processes() -> Iterator[tuple[int, int, str]]:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        listing = subprocess.run(
            ["ps", "-axo", "pid=,ppid=,stat=,lstart="], capture_output=True, timeout=2, check=False
        )
        for line in listing.stdout.decode(errors="replace").splitlines():
            pid, parent, state, started = line.split(None, 3)
            yield int(pid), int(parent), "" if state.startswith("Z") else started


def descendants(root: int, known: dict[int, str]) -> dict[int, str]:
    """The living processes below `root`, and those of `known` (an earlier result) that are still the same ones.

    One that has ended counts as a way to others: a process of many threads shows as ended before it has let go of its
    children.
    """
    table = {pid: (parent, started) for pid, parent, started in processes()}
    found = {pid: started for pid, started in known.items() if table.get(pid, (0, ""))[1] == started}
    below = [root, *found]
    while below:
        parent = below.pop()
        children = {pid: started for pid, (above, started) in table.items() if above == parent and pid not in found}
        found |= children
        below += children
    return {pid: started for pid, started in found.items() if started}


def send(pid: int, signum: int) -> None:
    """Signal a process that may be gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signum)


def reap() -> tuple[dict[int, int], bool]:
    """Collect the children that have ended: exit codes by pid, and whether there are other children."""
    codes: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return codes, False
        if pid == 0:
            return codes, True
        codes[pid] = os.waitstatus_to_exitcode(status)


def end_descendants(known: dict[int, str]) -> None:
    """SIGTERM, then SIGKILL, until nothing is left below this process and nothing of `known`.

    A look at all processes can miss one while its parent ends, but then it becomes this process's child: only when
    that has no children either has everything ended.
    """
    for signum, seconds in ((signal.SIGTERM, TOOL_TERM_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        deadline, pause, told = time.monotonic() + seconds, 0.01, set[int]()
        while time.monotonic() < deadline:
            left = descendants(os.getpid(), known)
            if not left and not reap()[1]:
                return
            for pid in left.keys() - told:
                send(pid, signum)
            told |= left.keys()
            time.sleep(pause)  # not all of them are children, so there is nothing to wait for
            pause = min(pause * 2, 0.2)
            reap()


def emit(event: str, **fields: object) -> None:
    """Tell the holder, which may be gone."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps({"event": event, **fields}).encode() + b"\n")


def read_job() -> dict[str, Any] | None:
    """The job, or None when the holder went before it had written it."""
    data = b""
    while b"\n" not in data:
        chunk = os.read(0, 1 << 16)
        if not chunk:
            return None
        data += chunk
    return dict(json.loads(data.partition(b"\n")[0]))


def endpoint(url: str) -> tuple[str, int]:
    """Host and port to connect to for a URL as the server prints it."""
    host, _, port = url.partition("://")[2].rstrip("/").rpartition(":")
    return host.strip("[]"), int(port)


def reachable(url: str) -> str:
    """A URL to connect to, for one as the server prints it: no "every address" in it, and brackets around IPv6."""
    host, port = endpoint(url)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Keeper:
    """Runs the job: one thread, one poll loop, so that starting the server by fork is safe."""

    def __init__(self, lifeline: int) -> None:
        self.held = True
        self.url = ""
        self.pid = 0
        self.ended = False
        self.exit_code: int | None = None
        self.tail = b""
        self._logged = 0
        self._output = -1
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._watch_signals()
        self._watch(lifeline, self._on_gone)
        self._lifeline = lifeline

    # the loop

    def _watch(self, fd: int, handler: Callable[[], None]) -> None:
        self._handlers[fd] = handler
        self._poll.register(fd, select.POLLIN)

    def _unwatch(self, fd: int) -> None:
        if self._handlers.pop(fd, None):
            self._poll.unregister(fd)

    def _wait(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Serve every pipe until `done()`, or for `seconds`; the last `done()`."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not done():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            for fd, _ in self._poll.poll(None if left is None else left * 1000 + 1):
                if handler := self._handlers.get(fd):
                    handler()
        return True

    def _watch_signals(self) -> None:
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        # Handlers that do nothing, not SIG_IGN: a program started from here must not inherit ignored signals.
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(signum, lambda *_: None)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        self._watch(read_end, lambda: self._on_signals(os.read(read_end, 512)))

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers or signal.SIGHUP in numbers:
            self.held = False
        for pid, code in reap()[0].items():
            if pid == self.pid:
                self.ended, self.exit_code = True, code

    def _on_gone(self) -> None:
        self._unwatch(self._lifeline)
        self.held = False

    def _on_holder(self) -> None:
        if not os.read(0, 4096):
            self._unwatch(0)
            self.held = False

    # the server

    def run(self) -> None:
        """The whole life of one server."""
        job = read_job()
        if job is None:
            return
        self._watch(0, self._on_holder)
        self._start(job)
        self._wait(lambda: self.ended or not self.held)
        known = descendants(os.getpid(), {})
        if not self.ended:
            self._end(job["username"], job["password"])
        self._drain()
        emit("exited", code=self.exit_code, tail=self.tail.decode(errors="replace"))
        end_descendants(known)

    def _start(self, job: dict[str, Any]) -> None:
        keeper = os.getpid()

        def die_with_keeper() -> None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != keeper:  # it died before the line above
                os._exit(1)

        prctl(0, 0)  # loads ctypes before the fork
        try:
            process = subprocess.Popen(
                job["argv"],
                env=job["env"],
                cwd=job["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_keeper,  # one thread: nothing can hold a lock across the fork
                bufsize=0,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self.ended, self.tail = True, str(error).encode()
            return
        self._process = process  # kept: its end is taken by reap()
        self.pid = process.pid
        assert process.stdout is not None
        self._output = process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._watch(self._output, self._on_output)
        emit("started", pid=self.pid)

    def _on_output(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if data := os.read(self._output, 1 << 16):
                self._take_output(data)
            else:
                self._unwatch(self._output)

    def _drain(self) -> None:
        """Take what is left in the pipe; a tool may hold its other end, so there need not be an end-of-file."""
        with contextlib.suppress(BlockingIOError):
            while self._output >= 0 and (data := os.read(self._output, 1 << 16)):
                self._take_output(data)

    def _take_output(self, data: bytes) -> None:
        self._log(data)
        recent = self.tail + data
        if not self.url:
            self._look_for_url(recent)
        self.tail = recent[-TAIL_BYTES:]

    def _look_for_url(self, output: bytes) -> None:
        line, newline, _ = output.partition(READY)[2].partition(b"\n")
        if newline:
            self.url = reachable(line.decode().strip())
            emit("ready", url=self.url)

    def _log(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the server
            if self._logged > LOG_BYTES:
                os.ftruncate(2, 0)
                self._logged = 0
            self._logged += os.write(2, data)

    # its end

    def _end(self, username: str, password: str) -> None:
        if self.url:
            self._dispose(username, password)
        self._terminate(TERM_SECONDS if self.url else UNREADY_TERM_SECONDS)

    def _terminate(self, graces: tuple[float, ...]) -> None:
        for signum, seconds in (*((signal.SIGTERM, grace) for grace in graces), (signal.SIGKILL, KILL_SECONDS)):
            if self.ended:
                return
            send(self.pid, signum)
            self._wait(lambda: self.ended, seconds)

    def _dispose(self, username: str, password: str) -> None:
        """Have the server end its tools. HTTP by hand: it keeps this loop running, and a library's memory out of it."""
        secret = base64.b64encode(f"{username}:{password}".encode()).decode()
        request = (
            f"POST /global/dispose HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {secret}\r\n"
            "Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        with (
            contextlib.suppress(OSError, ValueError),
            socket.create_connection(endpoint(self.url), CONNECT_SECONDS) as connection,
        ):
            connection.sendall(request.encode())
            answered: list[bool] = []
            self._watch(connection.fileno(), lambda: answered.append(True))
            self._wait(lambda: bool(answered) or self.ended, DISPOSE_SECONDS)
            self._unwatch(connection.fileno())


def guard(keeper: int) -> None:
    """Wait for the keeper; when it did not end by itself, end what it leaves."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_: send(keeper, signal.SIGTERM))
    _, status = os.waitpid(keeper, 0)
    if status:
        end_descendants({})
        emit("exited", code=-signal.SIGKILL, tail="The server's keeper failed, and the server ended with it.")


def main() -> None:
    """Become guard and keeper."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the handlers are there
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid:
        os.close(read_end)
        guard(pid)
        return
    os.close(write_end)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    Keeper(read_end).run()


if __name__ == "__main__":
    main()
