"""Find an `opencode` program of a supported version, and never one that merely is in the current directory."""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import platformdirs

from opencode_nb.errors import BinaryNotFoundError
from opencode_nb.server.version import (
    PINNED_VERSION,
    SUPPORTED,
    VERSION,
    VERSION_SECONDS,
    is_accepted,
    is_native,
    known_version,
    version_tuple,
)

__all__ = [
    "Found",
    "find_binary",
    "installed_versions",
    "locate_binary",
    "login_command",
    "on_path",
    "versions_directory",
]

PROGRAM = "opencode.exe" if os.name == "nt" else "opencode"
VARIABLE = "OPENCODE_NB_BINARY"
OWN = "opencode-nb install"  # name of our own installs as a place

# Directories installers use that are often not on the PATH of a notebook server started from a desktop.
INSTALLER_PLACES = (
    "~/.opencode/bin",
    "~/.local/bin",
    "~/.npm-global/bin",
    "~/.bun/bin",
    "~/.volta/bin",
    "~/.local/share/pnpm",
    "~/Library/pnpm",
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/home/linuxbrew/.linuxbrew/bin",
)

_log = logging.getLogger("opencode_nb")
_told: set[Found] = set()  # already logged


def versions_directory() -> Path:
    """Return the directory of our own installs: <user data>/opencode-nb/versions/<version>/."""
    return Path(platformdirs.user_data_dir("opencode-nb", appauthor=False)) / "versions"


class Found(NamedTuple):
    """A program, where it was found, its version ("" if unknown), and the programs skipped before it."""

    path: Path
    place: str
    version: str
    passed_over: tuple[Found, ...] = ()

    def __str__(self) -> str:
        return f"{f'OpenCode {self.version}' if self.version else 'a program'} at {self.path}, found by {self.place}"

    @property
    def accepted(self) -> bool:
        """Whether its version may be started."""
        return is_accepted(self.version)

    @property
    def if_wrong(self) -> str:
        """A sentence for a program of $OPENCODE_NB_BINARY that fails: why no other was tried. "" for others."""
        if not self.place.startswith(f"${VARIABLE}="):
            return ""
        return f" {self.place} is the only place looked at: correct or unset the variable if this is not OpenCode."


def find_binary(binary: str | os.PathLike[str] | None = None) -> Path:
    """Return the first program of: `binary`, $OPENCODE_NB_BINARY, PATH, installers' directories, our own installs.

    If `binary` or $OPENCODE_NB_BINARY is given, look only there: it is the version of one of our installs, a command on
    PATH, or the path of a file or its directory, absolute or starting with ./, ../ or ~. Otherwise skip programs of
    unsupported versions, logging each once. Of our own installs, the pinned version comes first, then the newest. An
    npm launcher script is resolved to the program itself if that is beside it. Raises BinaryNotFoundError, which names
    every place searched.
    """
    return locate_binary(binary).path


def locate_binary(binary: str | os.PathLike[str] | None = None, seconds: float = VERSION_SECONDS) -> Found:
    """Find as `find_binary` does, with place and version; each program gets `seconds` to report its version.

    A program that was named may be of any version: check it before starting.
    """
    variable = os.environ.get(VARIABLE)
    if binary is not None:
        return _named(binary, f"binary={os.fspath(binary)!r}", _WITHOUT_ARGUMENT, seconds)
    if variable:
        return _named(variable, f"${VARIABLE}={variable}", _WITHOUT_VARIABLE, seconds)
    return _first(seconds)


_INSTALL = "(`opencode-nb install` installs the program)."
_WITHOUT_ARGUMENT = f"It is the only place looked at, because it was named. Correct it, or leave it out {_INSTALL}"
_WITHOUT_VARIABLE = f"{VARIABLE} is the only place looked at, because it is set. Correct it, or unset it {_INSTALL}"


def _first(seconds: float) -> Found:
    """Return the first program of an accepted version. Raises BinaryNotFoundError."""
    looked, passed = list[str](), list[Found]()
    for place, detail, path in _places():
        found = _found(path, place, seconds) if path and _executable(path) else None
        if found and found.accepted:
            _tell_once(passed)
            return found._replace(passed_over=tuple(passed))
        passed += [found] if found else []
        looked.append(f"{place}: {found.path} is OpenCode {found.version}" if found else f"{place} {detail}".rstrip())
    raise BinaryNotFoundError(_not_found(looked, passed))


def _named(name: str | os.PathLike[str], place: str, otherwise: str, seconds: float) -> Found:
    """Return the program with this name, of whatever version. Raises BinaryNotFoundError."""
    path, missing = _resolved(name)
    if path and _executable(path):
        return _found(path, place, seconds)
    raise BinaryNotFoundError(f"The opencode program was not found: {place} {missing}.\n{otherwise}")


def _found(path: Path, place: str, seconds: float) -> Found:
    program = _program_behind(path)
    own = path.parent.name if path.parent.parent == versions_directory() else ""
    return Found(program, place, own or known_version(program, seconds))


def _tell_once(passed: list[Found]) -> None:
    for found in passed:
        if found not in _told:
            _told.add(found)
            _log.warning("Passed over %s: %s.", found, SUPPORTED)


def _not_found(looked: list[str], passed: list[Found]) -> str:
    where = f" in a supported version ({SUPPORTED})" if passed else ""
    places = "\n".join(f"  - {place}" for place in looked)
    return (
        f"The opencode program was not found{where}. Looked at:\n{places}\n"
        "Run `opencode-nb install` in a terminal, or `%opencode install` in a notebook."
    )


def _places() -> Iterator[tuple[str, str, Path | None]]:
    """Yield (name of the place, its current state, the path to try) in order."""
    on = list(_all_on_path("opencode"))
    yield from (("PATH", "", path) for path in on)
    if not on:
        yield "PATH", f"({os.environ.get('PATH', '')})", None
    for directory in INSTALLER_PLACES:
        if (path := Path(directory).expanduser() / PROGRAM) not in on:
            yield directory, "", path
    for version in installed_versions():
        yield OWN, f"({versions_directory() / version})", versions_directory() / version / PROGRAM
    yield OWN, f"({versions_directory()})", None


def _resolved(name: str | os.PathLike[str]) -> tuple[Path | None, str]:
    """Return the file that a name means, and what is wrong if it is no program.

    A name is a path, the version of one of our installs, or a command on PATH.
    """
    text = os.fspath(name)
    if not isinstance(name, str) or _is_path(text):
        return _at(Path(os.path.expanduser(text)))  # noqa: PTH111  # Path's own raises for an unknown user
    own = versions_directory() / text / PROGRAM
    if VERSION.fullmatch(text) and _executable(own):
        return own, ""
    if VERSION.fullmatch(text):
        return on_path(text), f"is not installed (run `opencode-nb install {text}`), nor is it a program on PATH"
    wrong = f"is not a program on PATH (a path starts with {os.curdir}{os.sep} or ~, or is absolute)"
    return None if _has_separator(text) else on_path(text), wrong


def _at(path: Path) -> tuple[Path | None, str]:
    """Return the file at a path, which may be its directory, and what is wrong if it is no program."""
    if path.parts[:1] and path.parts[0].startswith("~"):
        return None, "names a user that does not exist"
    file = path.absolute() / PROGRAM if path.is_dir() else path.absolute()
    if file.is_file():
        return file, f"is not executable: run `chmod +x {shlex.quote(os.fspath(file))}`"
    return file, f"is a directory without a file named {PROGRAM}" if path.is_dir() else "does not exist"


def _is_path(text: str) -> bool:
    """Return whether it is a path. A bare name never is: a cloned project may contain a file of that name."""
    return os.path.isabs(text) or re.match(_PATH, text) is not None  # noqa: PTH117


_SEPARATORS = re.escape(os.sep + (os.altsep or ""))
_PATH = rf"\.{{1,2}}([{_SEPARATORS}]|$)|~"


def _has_separator(text: str) -> bool:
    return re.search(rf"[{_SEPARATORS}]", text) is not None


def login_command(program: str | os.PathLike[str] | None) -> str:
    """Return the command that logs in to a provider with this program: by its path, unless `opencode` means it.

    None stands for the program of a server that was not started from here.
    """
    if program is None or ((found := on_path("opencode")) and _program_behind(found).resolve() == Path(program)):
        return "opencode auth login"
    return f"{shlex.quote(os.fspath(program))} auth login"


def on_path(name: str) -> Path | None:
    """Return the first program of this name on PATH, skipping relative entries: they mean the current directory."""
    return next(_all_on_path(name), None)


def _all_on_path(name: str) -> Iterator[Path]:
    for directory in dict.fromkeys(os.get_exec_path()):
        if os.path.isabs(directory) and (found := shutil.which(os.path.join(directory, name))):  # noqa: PTH117, PTH118
            yield Path(found)


def installed_versions() -> list[str]:
    """Return our own installs: the pinned version first, then newest to oldest, a release before its previews."""
    try:
        names = [path.name for path in versions_directory().iterdir() if VERSION.fullmatch(path.name)]
    except OSError:
        return []
    return sorted(names, key=lambda name: (name == PINNED_VERSION, version_tuple(name), "-" not in name), reverse=True)


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _program_behind(path: Path) -> Path:
    """Resolve npm's launcher script to the native program: one process fewer, and signals reach it."""
    real = path.resolve()
    if is_native(real):
        return path
    from opencode_nb.server.platforms import platform_packages

    for parent in real.parents:
        for package in platform_packages():
            program = parent / "node_modules" / package / "bin" / PROGRAM
            if _executable(program):
                return program
    return path
