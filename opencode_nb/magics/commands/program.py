"""Subcommands for the `opencode` program and its set-up: install, doctor."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.showing.progress import progress
from opencode_nb.magics.workspace import Workspace

group = Group("The program")


@group.command(
    argument("version", nargs="?", metavar="VERSION", help="such as 1.18.33, latest or next (default: the tested one)"),
    argument("--list", action="store_true", help="list the installed versions, and which one is used"),
    argument("--remove", metavar="INSTALLED", help="remove an installed version"),
)
def install(workspace: Workspace, options: Namespace) -> None:
    """Install the `opencode` program for this user; list or remove installed versions."""
    from opencode_nb.server.installed import MEGABYTE, installed_lines, login_hint, remove_version, unused_hint

    if options.list:
        say("\n".join(installed_lines(workspace.options.get("binary"))))
    elif options.remove:
        say(f"Removed OpenCode {options.remove}: {remove_version(options.remove) // MEGABYTE} MB freed.")
    else:
        program = _install(options.version)
        say(f"Installed: {program}")
        say(unused_hint(program) or login_hint(program))


def _install(version: str | None) -> Path:
    from opencode_nb.server.install import install_binary
    from opencode_nb.server.version import PINNED_VERSION

    with progress() as tell:
        return install_binary(version or PINNED_VERSION, progress=tell)


@group.command()
def doctor(workspace: Workspace, _options: Namespace) -> None:
    """Check the set-up, and say how to fix what is wrong."""
    from opencode_nb.doctor import examine, summary

    findings = []
    for finding in examine(ai=workspace.ai, binary=workspace.options.get("binary")):
        findings.append(finding)
        say(str(finding))
    say(summary(findings))
