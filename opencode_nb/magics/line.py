"""The magic `%opencode`: find the subcommand (in commands/), parse its line and run it. Adds `help`."""

from __future__ import annotations

import difflib
from argparse import Namespace
from collections.abc import Collection
from typing import Any

from IPython.core.error import UsageError

from opencode_nb.magics.commands import GROUPS, Command, Group
from opencode_nb.magics.commands.group import argument, say
from opencode_nb.magics.options import MagicParser, prompt_parser
from opencode_nb.magics.workspace import Workspace

DEFAULT = "status"
"""The subcommand that a bare `%opencode` runs."""


class LineMagic:
    """The `%opencode` magic over one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.groups = (*GROUPS, self._help_group())
        self.commands: dict[str, Command] = {
            name: command for group in self.groups for name, command in group.commands.items()
        }

    def run(self, line: str) -> Any:
        """Run one line and return the subcommand's result. Raises UsageError for a wrong command or option."""
        words = line.split(maxsplit=1)
        name, rest = (words[0], words[1] if len(words) > 1 else "") if words else (DEFAULT, "")
        command = self.commands.get(name)
        if command is None:
            raise UsageError(_no_such_command(name, self.commands))
        return command.run(self.workspace, command.parser.parse_line(rest))

    def help(self) -> str:
        """Return the list of all subcommands, one per line."""
        lines = ["%opencode COMMAND"]
        for group in self.groups:
            lines += ["", f"{group.title}:"]
            lines += [f"  {name:<10}{command.summary}" for name, command in group.commands.items()]
        lines += ["", "%opencode help COMMAND shows its options; %opencode help prompt shows those of %%prompt."]
        return "\n".join(lines)

    def _help_group(self) -> Group:
        group = Group("Help")

        @group.command(argument("command", nargs="?", metavar="COMMAND"))
        def help(_workspace: Workspace, options: Namespace) -> None:
            """List the commands, or show the options of one."""
            wanted = (options.command or "").lstrip("%")
            say(self._parser_of(wanted).format_help() if wanted else self.help())

        return group

    def _parser_of(self, name: str) -> MagicParser:
        parsers = {"prompt": prompt_parser(), **{known: command.parser for known, command in self.commands.items()}}
        if name not in parsers:
            raise UsageError(_no_such_command(name, parsers))
        return parsers[name]


def _no_such_command(name: str, commands: Collection[str]) -> str:
    close = [command for command in commands if command.startswith(name)] or difflib.get_close_matches(name, commands)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"%opencode {name}: no such command.{meant} Available commands: {', '.join(commands)}."
