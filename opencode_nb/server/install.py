"""Install the `opencode` program for this machine, beside other versions of it.

npm provides the URL and checksum of the platform's package. The download happens here, so that it can be resumed; then
npm installs the file, verifying the checksum. All work happens in a directory beside the target, and the program is
renamed into place at the end: an interrupted install is never used, and a concurrent one waits.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from opencode_nb.errors import ServerError
from opencode_nb.file_lock import try_lock
from opencode_nb.server.binary import PROGRAM, versions_directory
from opencode_nb.server.download import download
from opencode_nb.server.npm import STEP_SECONDS, Npm, Package, Progress
from opencode_nb.server.platforms import platform_packages
from opencode_nb.server.version import PINNED_VERSION, VERSION, binary_version, is_accepted, unsupported

__all__ = ["install_binary", "installing"]

LAUNCHER = "opencode-ai"
"""The package with OpenCode's own tags (latest, next)."""

UNFINISHED = ".unfinished-"
LOCK = ".lock"
WAIT_SECONDS = 0.2
FULL = 1_000_000  # free bytes below which the unpacked program may be incomplete
_TAG = re.compile(r"[a-z][\w-]*")


def install_binary(version: str = PINNED_VERSION, *, progress: Progress | None = None, force: bool = False) -> Path:
    """Install OpenCode `version` for this user unless installed; return the program's path, which `find_binary` finds.

    version: such as "1.18.33", or an npm tag: "latest", "next".
    progress: called with (current step, bytes done, total bytes or None) about four times a second, on this thread. An
        exception it raises ends the install; the partial download is kept for the next one.
    force: reinstall an installed version.
    Raises ServerError (no network, no such version, disk full, ...; the message says what to do), also for an
    unsupported version, before downloading it; BinaryNotFoundError if OpenCode has no program for this machine.
    """
    version = version.removeprefix("v")
    if not (VERSION.fullmatch(version) or _TAG.fullmatch(version)):
        raise ServerError(f"{version!r} is not a version: give one such as {PINNED_VERSION}, latest or next.")
    target = versions_directory() / version / PROGRAM
    if not force and _works(target, version):
        return target
    report = progress or (lambda step, done, total: None)
    with _os_errors_told(target), installing(report):
        if not force and _works(target, version):  # the process we waited for installed it
            return target
        with _scratch() as scratch:
            return _install(scratch, version, report, force)


def _install(scratch: Path, version: str, report: Progress, force: bool) -> Path:
    package = platform_packages()[0]
    npm = Npm(scratch, report)
    exact = version if VERSION.fullmatch(version) else npm.version(LAUNCHER, version)
    found = _look_up(npm, package, exact)
    target = versions_directory() / exact / PROGRAM
    if not force and _works(target, exact):
        return target
    tarball = _download(npm, package, found, report)
    program = npm.install(package, exact) / "bin" / PROGRAM
    report(f"Checking OpenCode {exact}", 0, None)
    _check(program, exact)
    _put_in_place(program, target)
    for downloaded in (tarball, *versions_directory().glob(f"{UNFINISHED}*.tgz")):
        downloaded.unlink(missing_ok=True)
    return target


def _look_up(npm: Npm, package: str, version: str) -> Package:
    try:
        found = npm.look_up(package, version)
    except ServerError as error:
        if is_accepted(version):
            raise
        raise ServerError(f"{_unsupported(version)}\n{error}", tail=error.tail) from error
    if not is_accepted(version):
        raise ServerError(_unsupported(version))
    return found


def _unsupported(version: str) -> str:
    return f"Nothing was installed: this is OpenCode {version}{unsupported(version)}"


def _download(npm: Npm, package: str, found: Package, report: Progress) -> Path:
    """Download the package into npm's cache; if that fails, `npm install` downloads it."""
    tarball = versions_directory() / f"{UNFINISHED}{package}-{found.version}.tgz"
    step = f"Downloading {package} {found.version}"
    if download(found.tarball, found.integrity, tarball, lambda done, total: report(step, done, total)):
        npm.put_in_cache(tarball)
    return tarball


def _works(program: Path, version: str) -> bool:
    try:
        return is_accepted(version) and program.is_file() and binary_version(program) == version
    except ServerError:
        return False


def _check(program: Path, version: str) -> None:
    """Raise ServerError unless the program works and has this version: npm reports no error on a full disk."""
    if shutil.disk_usage(versions_directory()).free < FULL:
        raise ServerError(
            f"The disk of {versions_directory()} is full: free some space, or set XDG_DATA_HOME to another place."
        )
    try:
        found = binary_version(program)
    except ServerError as error:
        raise ServerError(f"OpenCode {version} was downloaded, but does not run on this machine: {error}") from error
    if found != version:
        raise ServerError(f"OpenCode {version} was requested, but the package contains {found}: try another version.")


def _put_in_place(source: Path, target: Path) -> None:
    """Rename atomically on one file system: others see the old program, the new one, or none."""
    with source.open("rb") as program:
        os.fsync(program.fileno())  # so that a power failure can't leave an empty file
    target.parent.mkdir(exist_ok=True)
    source.replace(target)


@contextlib.contextmanager
def installing(report: Progress) -> Iterator[None]:
    """Hold the lock on installed versions, waiting for other processes. The system releases it with the process."""
    versions_directory().mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + STEP_SECONDS
    with (versions_directory() / LOCK).open("ab") as file:
        while not _locked(file.fileno()) and time.monotonic() < deadline:
            report("Waiting for another installation", 0, None)
            time.sleep(WAIT_SECONDS)
        yield


def _locked(descriptor: int) -> bool:
    try:
        return try_lock(descriptor)
    except OSError:  # a file system without locks: the rename at the end still leaves one whole program
        return True


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """Yield a temporary directory on the target's file system; remove those that killed installs left behind."""
    parent = versions_directory()
    for left in parent.glob(f"{UNFINISHED}*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=parent, ignore_cleanup_errors=True) as scratch:
        yield Path(scratch)


@contextlib.contextmanager
def _os_errors_told(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServerError(
            f"OpenCode could not be installed in {target}: {error.strerror or error}. Free some space or "
            "fix the permissions there, or set XDG_DATA_HOME to another place."
        ) from error
