"""Choose the OpenCode platform package for this machine."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

from opencode_nb.errors import BinaryNotFoundError

__all__ = ["packages_for", "platform_packages"]


def platform_packages() -> list[str]:
    """Return the npm packages whose program runs here, the best first. Raises BinaryNotFoundError if none does."""
    machine = platform.machine()
    return packages_for(sys.platform, machine, avx2=_has_avx2(), musl=_uses_musl())


def packages_for(system: str, machine: str, *, avx2: bool, musl: bool) -> list[str]:
    """Return the packages for a machine. `system`: as `sys.platform`; `machine`: as `platform.machine()`, in any case.

    Only x64 has a baseline build, for processors without AVX2; only Linux has one for musl.
    """
    name = {"linux": "linux", "darwin": "darwin", "win32": "windows"}.get(system)
    processor = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}.get(machine.lower())
    if name is None or processor is None:
        raise BinaryNotFoundError(
            f"OpenCode has no program for {system} on {machine}: run `opencode serve` on another machine, and connect "
            "to it with base_url= and password=, or %opencode start --url URL."
        )
    base = f"opencode-{name}-{processor}"
    builds = [f"{base}-baseline"] if processor == "x64" else [base]
    if processor == "x64" and avx2:
        builds.insert(0, base)
    return [f"{build}-musl" for build in builds] if name == "linux" and musl else builds


def _has_avx2() -> bool:
    if sys.platform == "linux":
        return any("avx2" in line.split() for line in _lines("/proc/cpuinfo") if line.startswith("flags"))
    if sys.platform == "darwin":
        leaf7 = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.leaf7_features"], capture_output=True, text=True, check=False
        )
        return "AVX2" in leaf7.stdout.split()
    return False  # Windows: the baseline build runs everywhere


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _uses_musl() -> bool:
    return platform.libc_ver()[0] != "glibc" and any(Path("/lib").glob("ld-musl-*"))
