"""Paths for people to decide by: relative to a directory, with the target of any links in them."""

from __future__ import annotations

import os
from pathlib import Path


def inside(path: str, root: str) -> str:
    """Return a path below `root` relative to it, and any other unchanged."""
    prefix = root.rstrip("/") + "/"
    return path[len(prefix) :] if len(prefix) > 1 and path.startswith(prefix) else path


def link_target(path: str, root: str) -> str:
    """Return where links in a path lead, shortened like `inside`; "" if they lead nowhere else.

    Links in `root` itself do not count. Reads the local disk, so it finds nothing on another machine.
    """
    home = os.path.normpath(root) if root else ""
    absolute = os.path.normpath(Path(home) / path)
    if not Path(absolute).is_absolute():
        return ""
    try:
        real, real_home = os.path.realpath(absolute), os.path.realpath(home) if home else ""
    except (OSError, ValueError):  # not a valid path: shown unchanged
        return ""
    below = inside(absolute, home)
    expected = absolute if below == absolute else str(Path(real_home) / below)
    return "" if real in (absolute, expected) else inside(real, real_home)
