"""Find the `opencode` program and tell its version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import platformdirs

from opencode_nb.errors import BinaryNotFoundError, ServerStartError

__all__ = [
    "MINIMUM_VERSION",
    "PINNED_VERSION",
    "Found",
    "binary_version",
    "check_version",
    "find_binary",
    "installed_versions",
    "locate_binary",
    "versions_directory",
]

MINIMUM_VERSION = "1.17.0"  # the oldest whose API this package was made for
PINNED_VERSION = "1.18.33"  # what `install_binary()` brings, and the tests run against
VERSION_SECONDS = 20.0  # `opencode --version` takes about 0.5 s, several on a cold disk
PROGRAM = "opencode.exe" if os.name == "nt" else "opencode"
OWN = "opencode-nb install"  # what our own installs are called as a place
VERSION = re.compile(r"\d+\.\d+\.\d+(-[\w.]+)?")

# Where installers put it that a notebook server, started by a desktop, often does not have on its PATH.
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

_NATIVE = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ")  # Linux, macOS (thin, universal), Windows


def versions_directory() -> Path:
    """Where our own installs are: <user data>/opencode-nb/versions/<version>/."""
    return Path(platformdirs.user_data_dir("opencode-nb", appauthor=False)) / "versions"


class Found(NamedTuple):
    """The program that is used, and by which of the places."""

    path: Path
    place: str


def find_binary(binary: str | os.PathLike[str] | None = None) -> Path:
    """The `opencode` program, the first of: `binary`, $OPENCODE_NB_BINARY, PATH, installers' places, our own installs.

    A place that was named (`binary`, $OPENCODE_NB_BINARY: a file, its directory, a command, or one of our installs by
    its version) is the only one looked at. Our own installs: the pinned version first, then the newest. npm's launcher
    script is followed to the program itself where that lies beside it. Raises BinaryNotFoundError, which names every
    place.
    """
    return locate_binary(binary).path


def locate_binary(binary: str | os.PathLike[str] | None = None) -> Found:
    """As `find_binary`, with the place where it was found."""
    looked: list[str] = []
    for place, detail, path in _candidates(binary):
        if path is not None and _executable(path):
            return Found(_program_behind(path), place)
        looked.append(f"{place} {detail}".rstrip())
    places = "\n".join(f"  - {place}" for place in looked)
    raise BinaryNotFoundError(
        f"The opencode program was not found. Looked at:\n{places}\n"
        "Run `opencode-nb install` in a terminal, or `%opencode install` in a notebook."
    )


def _candidates(binary: str | os.PathLike[str] | None) -> Iterator[tuple[str, str, Path | None]]:
    """(what to call the place, what it is just now, the path to try) in order."""
    if binary is not None:
        yield f"binary={os.fspath(binary)!r}", "", _named(os.fspath(binary))
        return
    if variable := os.environ.get("OPENCODE_NB_BINARY"):
        yield f"$OPENCODE_NB_BINARY={variable}", "", _named(variable)
        return
    found = shutil.which("opencode")
    yield "PATH", f"({os.environ.get('PATH', '')})", Path(found) if found else None
    for directory in INSTALLER_PLACES:
        yield directory, "", Path(directory).expanduser() / PROGRAM
    for version in installed_versions():
        yield OWN, f"({versions_directory() / version})", versions_directory() / version / PROGRAM
    yield OWN, f"({versions_directory()})", None


def _named(name: str) -> Path | None:
    """A path, a directory with the program in it, one of our installs by version, or the name of a program on PATH."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path / PROGRAM
    if path.exists() or os.sep in name:
        return path.absolute()
    if VERSION.fullmatch(name):
        return versions_directory() / name / PROGRAM
    found = shutil.which(name)
    return Path(found) if found else None


def installed_versions() -> list[str]:
    """Our own installs: the pinned version first, then newest to oldest, a final one before its previews."""
    try:
        names = [path.name for path in versions_directory().iterdir() if VERSION.fullmatch(path.name)]
    except OSError:
        return []
    return sorted(names, key=lambda name: (name == PINNED_VERSION, version_tuple(name), "-" not in name), reverse=True)


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _program_behind(path: Path) -> Path:
    """The platform's own program where `path` is npm's launcher: one process less, and one that signals reach."""
    real = path.resolve()
    try:
        with real.open("rb") as file:
            if file.read(4).startswith(_NATIVE):
                return path
    except OSError:
        return path
    from opencode_nb.server.platforms import platform_packages

    for parent in real.parents:
        for package in platform_packages():
            program = parent / "node_modules" / package / "bin" / PROGRAM
            if _executable(program):
                return program
    return path


def binary_version(path: Path) -> str:
    """What `opencode --version` prints. Raises ServerStartError when it does not run."""
    try:
        result = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerStartError(f"{path} does not run ({error}). Run `opencode-nb install`.") from error
    version = result.stdout.strip()
    if result.returncode or not version:
        raise ServerStartError(
            f"`{path} --version` ended with exit code {result.returncode}. Run `opencode-nb install`.",
            exit_code=result.returncode,
            tail=result.stderr[-2000:],
        )
    return version.removeprefix("v")


def check_version(version: str, program: str | os.PathLike[str]) -> None:
    """Raise ServerStartError below MINIMUM_VERSION; never where $OPENCODE_NB_SKIP_VERSION_CHECK is 1."""
    if os.environ.get("OPENCODE_NB_SKIP_VERSION_CHECK", "") not in ("", "0"):
        return
    if version_tuple(version) and version_tuple(version) < version_tuple(MINIMUM_VERSION):
        raise ServerStartError(
            f"{os.fspath(program)} is OpenCode {version}; {MINIMUM_VERSION} or newer is needed. Run `opencode "
            f"upgrade`, or `opencode-nb install` and name that one: OPENCODE_NB_BINARY={PINNED_VERSION} "
            "(OPENCODE_NB_SKIP_VERSION_CHECK=1 tries the old one all the same)."
        )


def version_tuple(version: str) -> tuple[int, ...]:
    """(1, 18, 33) for "1.18.33"; () for what has no numbers, such as a build from source ("local", "0.0.0-dev...")."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    if not match or version.startswith("0.0.0"):
        return ()
    return tuple(int(number) for number in match.group(1).split("."))
