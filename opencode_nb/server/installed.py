"""List and remove our own installs of the program."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from opencode_nb.errors import BinaryNotFoundError, ServerError
from opencode_nb.server.binary import PROGRAM, installed_versions, locate_binary, login_command, versions_directory
from opencode_nb.server.install import UNFINISHED, installing
from opencode_nb.server.npm import size_below
from opencode_nb.server.version import PINNED_VERSION, SUPPORTED, is_supported

__all__ = ["MEGABYTE", "Install", "installed", "installed_lines", "login_hint", "remove_version", "unused_hint"]

MEGABYTE = 1_000_000
PS_SECONDS = 5.0


class Install(NamedTuple):
    """One of our installs. `size`: bytes on disk."""

    version: str
    program: Path
    size: int


def installed() -> list[Install]:
    """Return our own installs, in search order."""
    places = [(version, versions_directory() / version) for version in installed_versions()]
    return [Install(version, place / PROGRAM, size_below(place)) for version, place in places]


def installed_lines(binary: str | os.PathLike[str] | None = None) -> list[str]:
    """List the installs, one per line, then the program that a start with `binary=` uses and why."""
    try:
        found = locate_binary(binary)
    except BinaryNotFoundError as error:
        return [*map(_line, installed()), str(error)]
    lines = [_line(install) + (" (used)" if install.program == found.path else "") for install in installed()]
    used = f"Used: {found}{'' if found.accepted else f'. It cannot be started: {SUPPORTED}'}."
    passed = [f"Passed over: {other}: {SUPPORTED}." for other in found.passed_over]
    return [*(lines or ["Nothing is installed by opencode-nb."]), used, *passed]


def unused_hint(program: Path) -> str:
    """Say how to use this install if another program takes precedence; else ""."""
    try:
        found = locate_binary()
    except BinaryNotFoundError as error:
        return str(error)
    if found.path == program:
        return ""
    name = program.parent.name
    use = f"set OPENCODE_NB_BINARY={name}, or pass binary={name!r}"
    return f"Another program takes precedence: {found}. To use this one, {use}."


def login_hint(program: Path) -> str:
    """Say how to log in to a provider with this program."""
    return f"To log in to a provider, run this in a terminal: {login_command(program)}"


def _line(install: Install) -> str:
    tested = "  tested with opencode_nb" if install.version == PINNED_VERSION else ""
    note = tested if is_supported(install.version) else "  not supported"
    return f"{install.version:<12}{install.size // MEGABYTE:>5} MB{note}"


def remove_version(version: str) -> int:
    """Remove one of our installs; return the bytes freed.

    Raises ServerError if that version is not installed or a server is running it.
    """
    if version not in installed_versions():
        there = ", ".join(installed_versions()) or "none"
        raise ServerError(f"OpenCode {version} is not installed here, so it can't be removed. Installed: {there}.")
    place = versions_directory() / version
    try:
        with installing(lambda step, done, total: None):
            if pids := list(_running(place / PROGRAM)):
                raise ServerError(
                    f"OpenCode {version} is in use, by process {', '.join(map(str, pids))}: stop it first (%opencode "
                    "stop in each notebook that uses it; the server ends a few seconds after the last one)."
                )
            size = size_below(place)
            gone = place.replace(place.with_name(f"{UNFINISHED}{version}"))  # atomic: it is never found half removed
            shutil.rmtree(gone)
    except OSError as error:
        raise ServerError(f"OpenCode {version} in {place} can't be removed: {error.strerror or error}.") from error
    return size


def _running(program: Path) -> Iterator[int]:
    """Yield the visible processes that run this file."""
    for pid, path in _processes():
        with contextlib.suppress(OSError):  # another user's, or ended meanwhile
            if path.samefile(program):
                yield pid


def _processes() -> Iterator[tuple[int, Path]]:
    """Yield (pid, its executable). None on Windows, which refuses to remove a running program anyway."""
    if Path("/proc/self/exe").exists():
        yield from ((int(entry.parent.name), entry) for entry in Path("/proc").glob("[0-9]*/exe"))
    elif sys.platform != "win32":
        ps = ["ps", "-axo", "pid=,comm="]
        for line in subprocess.run(
            ps, capture_output=True, text=True, timeout=PS_SECONDS, check=True
        ).stdout.splitlines():
            pid, _, path = line.strip().partition(" ")
            yield int(pid), Path(path.strip())
