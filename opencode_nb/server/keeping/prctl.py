"""prctl(2), in a module that imports almost nothing: usually the guard needs no other."""

from __future__ import annotations

import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    """Call prctl(2) on Linux; do nothing elsewhere, or if Python lacks libffi."""
    if sys.platform != "linux":
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (ImportError, OSError, AttributeError):  # do without it, as on macOS
        return
