"""The result of `Server.status()`: the server, its memory, and its holders."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Holder", "ServerStatus", "memory_of", "own_label"]

PS_SECONDS = 2.0


@dataclass(frozen=True)
class Holder:
    """A process that holds a server. `label`: name of its notebook or program; `this`: it is this process."""

    pid: int
    label: str
    this: bool


@dataclass(frozen=True)
class ServerStatus:
    """The current status of a server.

    `memory`: resident bytes of the server and its child processes, None if unknown. `uptime`: seconds since its last
    start. `restarts`: number of restarts. `program`: its executable.
    """

    version: str
    url: str
    pid: int
    memory: int | None
    uptime: float
    holders: tuple[Holder, ...]
    restarts: int
    program: str
    log_path: Path
    shared: bool


def own_label() -> str:
    """Return this process's name for other holders: its notebook's file name, else its program's."""
    return Path(os.environ.get("JPY_SESSION_NAME") or sys.argv[0] or "python").name


def memory_of(pids: Iterable[int]) -> int | None:
    """Return the total resident bytes of these processes; None if none of them is visible."""
    sizes = [size for size in map(_resident, pids) if size is not None]
    return sum(sizes) if sizes else None


def _resident(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return None if sys.platform == "linux" else _resident_by_ps(pid)


def _resident_by_ps(pid: int) -> int | None:
    with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, timeout=PS_SECONDS, check=True)
        return int(told.stdout) * 1024
    return None
