"""Where the server keeps its files, and when those were modified that say which models there are.

Reads times, never content.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

_NAMES = ("opencode.json", "opencode.jsonc", "config.json")

Times = dict[str, float]
"""Path -> when it was modified, in seconds since the epoch; without files that do not exist or cannot be seen."""


class SetupFiles(NamedTuple):
    """When each was modified: those that a server reads only when it starts, and those it reads for each directory."""

    at_start: Times
    of_directory: Times

    def as_of(self, time: float) -> Self:
        """Return what a server can have read that started at this time: it creates some that it reads at its start."""
        return self._replace(of_directory={path: at for path, at in self.of_directory.items() if at <= time})


def data_directory(environ: Mapping[str, str]) -> Path:
    """Return where a server with this environment keeps its sessions: the XDG location, on macOS too."""
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  # Path.home() raises without a home directory
    return Path(environ.get("XDG_DATA_HOME") or Path(home, ".local", "share")) / "opencode"


def setup_files(environ: Mapping[str, str], directory: Path) -> SetupFiles:
    """Look at the files of a server with this environment, for this directory."""
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  # Path.home() raises without a home directory
    own = Path(environ.get("XDG_CONFIG_HOME") or Path(home, ".config")) / "opencode"
    return SetupFiles(_times(own / name for name in _NAMES), _times(_of_directory(environ, directory)))


def _of_directory(environ: Mapping[str, str], directory: Path) -> Iterator[Path]:
    yield data_directory(environ) / "auth.json"
    if file := environ.get("OPENCODE_CONFIG"):
        yield Path(file)
    folders = [Path(folder) for folder in [environ.get("OPENCODE_CONFIG_DIR")] if folder]
    for place in (directory, *directory.parents):
        folders += [place, place / ".opencode"]
    yield from (folder / name for folder in folders for name in _NAMES)


def _times(paths: Iterator[Path]) -> Times:
    times = ((str(path), _time(path)) for path in paths)
    return {path: time for path, time in times if time is not None}


def _time(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
