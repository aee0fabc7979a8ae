"""Which platform package is chosen, and that import, install and connect need nothing Unix-only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from opencode_nb.errors import BinaryNotFoundError
from opencode_nb.server import Server
from opencode_nb.server.platforms import packages_for, platform_packages

PUBLISHED = {
    "opencode-linux-x64",
    "opencode-linux-x64-baseline",
    "opencode-linux-x64-musl",
    "opencode-linux-x64-baseline-musl",
    "opencode-linux-arm64",
    "opencode-linux-arm64-musl",
    "opencode-darwin-x64",
    "opencode-darwin-x64-baseline",
    "opencode-darwin-arm64",
    "opencode-windows-x64",
    "opencode-windows-x64-baseline",
    "opencode-windows-arm64",
}
"""The optional dependencies of opencode-ai 1.18.33."""


@pytest.mark.parametrize(
    ("system", "machine", "avx2", "musl", "best", "others"),
    [
        ("linux", "x86_64", True, False, "opencode-linux-x64", ["opencode-linux-x64-baseline"]),
        ("linux", "x86_64", False, False, "opencode-linux-x64-baseline", []),
        ("linux", "x86_64", True, True, "opencode-linux-x64-musl", ["opencode-linux-x64-baseline-musl"]),
        ("linux", "x86_64", False, True, "opencode-linux-x64-baseline-musl", []),
        ("linux", "aarch64", False, False, "opencode-linux-arm64", []),
        ("linux", "aarch64", False, True, "opencode-linux-arm64-musl", []),
        ("darwin", "x86_64", True, False, "opencode-darwin-x64", ["opencode-darwin-x64-baseline"]),
        ("darwin", "x86_64", False, False, "opencode-darwin-x64-baseline", []),
        ("darwin", "arm64", False, False, "opencode-darwin-arm64", []),
        ("win32", "AMD64", False, False, "opencode-windows-x64-baseline", []),
        ("win32", "ARM64", False, False, "opencode-windows-arm64", []),
    ],
)
def test_the_best_package_comes_first(
    system: str, machine: str, avx2: bool, musl: bool, best: str, others: list[str]
) -> None:
    assert packages_for(system, machine, avx2=avx2, musl=musl) == [best, *others]
    assert {best, *others} <= PUBLISHED


@pytest.mark.parametrize(("system", "machine"), [("freebsd14", "amd64"), ("linux", "riscv64"), ("linux", "i686")])
def test_an_unsupported_machine_gets_the_next_step(system: str, machine: str) -> None:
    with pytest.raises(BinaryNotFoundError, match=f"no program for {system} on {machine}: .* connect to it"):
        packages_for(system, machine, avx2=True, musl=False)


def test_this_machine_is_detected() -> None:
    """Checked independently: the processor's flags with `grep`, the C library with `ldd`."""
    flags = subprocess.run(["grep", "-cw", "avx2", "/proc/cpuinfo"], capture_output=True, text=True).stdout
    library = subprocess.run(["ldd", "--version"], capture_output=True, text=True)
    best = platform_packages()[0]
    assert best.endswith("-musl") == ("musl" in library.stdout + library.stderr)
    if "-x64" in best:
        assert ("baseline" in best) == (int(flags) == 0)


def test_connecting_needs_no_unix_only_modules(server: Server, tmp_path: Path) -> None:
    """Simulates Windows: blocks the modules that it lacks."""
    code = (
        "import os, sys\n"
        "for name in ('fcntl', 'termios', 'tty', 'pty', 'resource', 'pwd', 'grp'): sys.modules[name] = None\n"
        "import opencode_nb as oc, opencode_nb.magics.extension, opencode_nb.cli, opencode_nb.server.installed\n"
        f"with oc.Opencode(base_url={server.url!r}, password=os.environ['TOLD']) as ai: print(ai.version)\n"
    )
    environment = {"TOLD": server.password, "PATH": "", "HOME": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (told.stdout.strip(), told.stderr) == (server.version, "")
