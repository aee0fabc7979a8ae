"""prctl(2), in a module that imports next to nothing: it is all that the guard needs while all is well."""

from __future__ import annotations

import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    """Linux: one prctl(2) call; elsewhere, or where Python came without libffi, nothing."""
    if sys.platform != "linux":
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (ImportError, OSError, AttributeError):  # then what it is for is done without, as on macOS
        return
