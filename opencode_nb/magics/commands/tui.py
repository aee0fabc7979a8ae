"""Subcommand for OpenCode's terminal UI, on the notebook's own server and session: tui."""

from __future__ import annotations

import atexit
import contextlib
import os
import shlex
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from IPython.core.getipython import get_ipython

from opencode_nb.errors import OpencodeError
from opencode_nb.magics.commands.group import Group, say
from opencode_nb.magics.showing.frontend import Frontend, detect
from opencode_nb.magics.workspace import PASSWORD, Workspace

PASSED = "attach-"
"""Start of the name of a password file; the id of the process that wrote it follows."""

group = Group("Outside the notebook")


@group.command()
def tui(workspace: Workspace, _options: Namespace) -> None:
    """Continue this session in OpenCode's terminal UI: open it in a terminal, else print the command for one."""
    from opencode_nb.server.binary import find_binary
    from opencode_nb.server.environment import loopback_direct

    ai = workspace.ai.start()
    ai._async.need("tui")
    if ai.managed is None:
        raise OpencodeError(
            "This server was not started from here: run `opencode attach URL` where you have its password."
        )
    session = ["--session", workspace.session.id] if workspace.session else []
    program = str(find_binary(workspace.options.get("binary")))
    command = [program, "attach", ai.managed.url, "--dir", str(ai.directory), *session]
    shell = get_ipython()
    if shell is not None and detect(shell) is Frontend.TERMINAL and sys.stdin.isatty():
        environment = {**os.environ, **loopback_direct(os.environ), PASSWORD: ai.managed.password}
        subprocess.run(command, env=environment, check=False)
        return
    say(f'{PASSWORD}="$(cat {shlex.quote(str(_pass(ai.managed.password)))})" {shlex.join(command)}')
    say("Run this in a terminal on the kernel's machine. Only you can read the file; it is deleted with this kernel.")


def _pass(password: str) -> Path:
    """Write the password to a file only this user can read; delete it at exit, and those of processes that are gone."""
    from opencode_nb.server.rendezvous import runtime_directory

    directory = runtime_directory()
    for left in directory.glob(f"{PASSED}*"):
        if not _lives(left.name.removeprefix(PASSED)):
            left.unlink(missing_ok=True)
    path = directory / f"{PASSED}{os.getpid()}"
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:  # noqa: PTH123  # Path has no rights
        file.write(password)
    atexit.register(path.unlink, missing_ok=True)
    return path


def _lives(pid: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pid), 0)
        return True
    return False
