"""Take the lock on an open file or folder. The system releases it with the process. Standard library only."""

from __future__ import annotations

import sys


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock without waiting; return False if another process holds it.

    Raises OSError where there are no locks, as on some network file systems.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
