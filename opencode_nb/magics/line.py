"""The magic `%opencode`: find the subcommand (in commands/), parse its line and run it. Adds `help`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection
from typing import Any

from IPython.core.error import UsageError

from opencode_nb.closest import did_you_mean
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
        name, rest = _split(line)
        command = self.commands.get(name)
        if command is None:
            raise UsageError(_no_such_command(name, rest, self.commands))
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
            wanted = (options.command or "").strip("%?")
            say(self._parser_of(wanted).format_help() if wanted else self.help())

        return group

    def _parser_of(self, name: str) -> MagicParser:
        if name == "prompt":
            return prompt_parser()
        if name not in self.commands:
            raise UsageError(_no_such_command(name, "", ["prompt", *self.commands]))
        return self.commands[name].parser


def _split(line: str) -> tuple[str, str]:
    """Return the subcommand and the rest of the line. A `?` after the subcommand alone asks for its help."""
    name, rest, *_ = [*(line.split(maxsplit=1) or [DEFAULT]), ""]
    if set(rest.strip() or name[-1:]) == {"?"}:
        return "help", name.rstrip("?")
    return name, rest


def _no_such_command(name: str, rest: str, commands: Collection[str]) -> str:
    meant = "" if name == "prompt" else did_you_mean(name, commands)
    meant = meant or _other_magic(name, rest)
    return f"%opencode {name}: no such command.{meant} Available commands: {', '.join(commands)}."


def _other_magic(name: str, rest: str) -> str:
    """Show the line that was probably meant, if it is no misspelt subcommand."""
    if name.startswith("-"):
        return f" Options come after a command: `%opencode start {f'{name} {rest}'.strip()}`."
    text = rest if name == "prompt" else f"{name} {rest}"
    return f" To send it to the agent: `%prompt {text.strip()}`." if rest else ""
