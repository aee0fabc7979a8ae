"""Which of OpenCode's platform packages fits this machine."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

from opencode_nb.errors import BinaryNotFoundError

__all__ = ["platform_packages"]


def platform_packages() -> list[str]:
    """The npm packages whose program runs here, the best first. Raises BinaryNotFoundError where there is none."""
    system = {"linux": "linux", "darwin": "darwin", "win32": "windows"}.get(sys.platform)
    machine = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}.get(platform.machine().lower())
    if system is None or machine is None:
        raise BinaryNotFoundError(
            f"OpenCode has no program for {sys.platform} on {platform.machine()}: run `opencode serve` on another "
            "machine, and connect to it with base_url= and password=."
        )
    base = f"opencode-{system}-{machine}"
    builds = [base] if machine == "arm64" else [f"{base}-baseline"]
    if machine == "x64" and _has_avx2():
        builds.insert(0, base)
    return [f"{build}-musl" for build in builds] if system == "linux" and _uses_musl() else builds


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
