"""End a program at a terminal, however long the machine takes for that: pexpect itself gives it half a second."""

from __future__ import annotations

import signal

import pexpect


def end(child: pexpect.spawn[str]) -> None:
    """End the program at once, if it is still there."""
    if child.isalive():
        child.kill(signal.SIGKILL)
        child.wait()
    child.close()


def hang_up(child: pexpect.spawn[str]) -> None:
    """Close its terminal, and wait until the program has ended of that alone."""
    child.ptyproc.fileobj.close()
    child.wait()
    child.close()
