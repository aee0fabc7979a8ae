"""Subcommands for the `opencode` program itself: install."""

from __future__ import annotations

from argparse import Namespace

from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.workspace import Workspace

group = Group("The program")


@group.command(argument("version", nargs="?", metavar="VERSION", help="another version than the tested one"))
def install(_workspace: Workspace, options: Namespace) -> None:
    """Install the `opencode` program for this user."""
    from opencode_nb.server.binary import PINNED_VERSION
    from opencode_nb.server.install import install_binary

    told: list[str] = []

    def tell(step: str, _written: int) -> None:
        if step not in told:
            told.append(step)
            say(f"{step}…")

    path = install_binary(options.version or PINNED_VERSION, progress=tell)
    say(f"Installed: {path}")
