"""Helpers to define a module of subcommands.

    group = Group("Sessions")

    @group.command(argument("title", nargs="*", metavar="TITLE", help="..."))
    def new(workspace: Workspace, options: Namespace) -> None:
        \"\"\"Begin a new session.\"\"\"

The function's name becomes the subcommand, its docstring the help (the first line the summary), and its return value
that of the magic. Tab offers an argument's `choices`, or the values of its metavar (listed in completion.py).
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from opencode_nb.magics.options import MagicParser
from opencode_nb.magics.workspace import Workspace

Run = Callable[[Workspace, Namespace], Any]


class Argument(NamedTuple):
    """The arguments of `ArgumentParser.add_argument`."""

    names: tuple[str, ...]
    settings: dict[str, Any]


def argument(*names: str, **settings: Any) -> Argument:
    """Define an argument of a subcommand, as with `ArgumentParser.add_argument`."""
    return Argument(names, settings)


class Command:
    """A subcommand: its parser, and the function that runs it. `hint` ends the parser's errors, before its help."""

    def __init__(self, name: str, arguments: Sequence[Argument], run: Run, hint: str) -> None:
        self.run = run
        self._name, self._arguments, self._hint = name, arguments, hint

    @cached_property
    def parser(self) -> MagicParser:
        """Its parser, made when first used: all of them together take long to make."""
        hint = f"{self._hint}%opencode help {self._name} shows its options."
        parser = MagicParser(f"%opencode {self._name}", hint, self.run.__doc__)
        for names, settings in self._arguments:
            parser.add_argument(*names, **settings)
        return parser

    @property
    def summary(self) -> str:
        """The first line of its help."""
        return (self.run.__doc__ or "").splitlines()[0]


class Group:
    """Related subcommands, under one title in the help."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.commands: dict[str, Command] = {}

    def command(self, *arguments: Argument, hint: str = "") -> Callable[[Run], Run]:
        """Make the decorated function a subcommand with these arguments; `hint` ends its errors, before its help."""

        def add(run: Run) -> Run:
            name = run.__name__.rstrip("_").replace("_", "-")
            self.commands[name] = Command(name, arguments, run, hint)
            return run

        return add


def say(text: str) -> None:
    """Print a line of the magic's output."""
    print(text)  # noqa: T201
