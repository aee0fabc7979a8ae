"""List the system's processes, and end those below this one."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

TOOL_TERM_SECONDS = 1.0
KILL_SECONDS = 2.0
PS_SECONDS = 2.0


def processes() -> Iterator[tuple[int, int, str]]:
    """Yield (pid, parent pid, start time) of every process. The start time tells reused pids apart; "" if ended."""
    return _proc_processes() if os.path.exists("/proc/self/stat") else _ps_processes()  # noqa: PTH110


def _proc_processes() -> Iterator[tuple[int, int, str]]:
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
            fields = stat.read().rpartition(b")")[2].split()
            yield int(name), int(fields[1]), "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def _ps_processes() -> Iterator[tuple[int, int, str]]:
    import subprocess  # imported only here, to save memory

    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        command = ["ps", "-axo", "pid=,ppid=,stat=,lstart="]
        listing = subprocess.run(command, capture_output=True, timeout=PS_SECONDS, check=False)
        for line in listing.stdout.decode(errors="replace").splitlines():
            pid, parent, state, started = line.split(None, 3)
            yield int(pid), int(parent), "" if state.startswith("Z") else started


def descendants(root: int, known: dict[int, str]) -> dict[int, str]:
    """Return the running processes below `root`, and those of `known` (an earlier result) that are still the same.

    Searches below ended processes, too: a multi-threaded process shows as ended before it releases its children.
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
    """Signal a process that may already be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signum)


def reap() -> tuple[dict[int, int], bool]:
    """Wait for ended children without blocking: return exit codes by pid, and whether other children remain."""
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
    """Send SIGTERM, then SIGKILL, until no process below this one and none of `known` is left.

    A listing can miss a process whose parent is just ending, but that becomes a child of this process: everything has
    ended only when this process has no children, either.
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
            time.sleep(pause)  # not all are children, so waitpid is not enough
            pause = min(pause * 2, 0.2)
            reap()
