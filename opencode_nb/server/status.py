"""What `Server.status()` tells: the server, what it takes, and who holds it."""

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
    """A process that holds a server. `label`: its notebook's or program's name; `this`: it is the one that asks."""

    pid: int
    label: str
    this: bool


@dataclass(frozen=True)
class ServerStatus:
    """A server as it is now.

    `memory`: bytes resident of the server and all that it started, None where that can't be told. `uptime`: seconds
    since it was started, the last time. `restarts`: how often it was started again. `program`: the file it runs.
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
    """What this process is called to other holders: its notebook's file name, else its program's."""
    return Path(os.environ.get("JPY_SESSION_NAME") or sys.argv[0] or "python").name


def memory_of(pids: Iterable[int]) -> int | None:
    """Bytes resident of these processes together; None where none of them can be seen."""
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
