"""Paths as people decide by them: short inside a directory, and with the place where links on them lead."""

from __future__ import annotations

import os
from pathlib import Path


def inside(path: str, root: str) -> str:
    """A path below `root` relative to it; any other as it is."""
    prefix = root.rstrip("/") + "/"
    return path[len(prefix) :] if len(prefix) > 1 and path.startswith(prefix) else path


def link_target(path: str, root: str) -> str:
    """Where a path leads by links on it, as `inside` has it; "" where it leads nowhere else.

    A link that `root` itself lies behind does not count. Reads the disk: on that of another machine nothing is found.
    """
    home = os.path.normpath(root) if root else ""
    absolute = os.path.normpath(Path(home) / path)
    if not Path(absolute).is_absolute():
        return ""
    try:
        real, real_home = os.path.realpath(absolute), os.path.realpath(home) if home else ""
    except (OSError, ValueError):  # no path: it is shown as what it is
        return ""
    below = inside(absolute, home)
    expected = absolute if below == absolute else str(Path(real_home) / below)
    return "" if real in (absolute, expected) else inside(real, real_home)
