"""What a module of subcommands is made of.

    group = Group("Sessions")

    @group.command(argument("title", nargs="*", metavar="TITLE", help="..."))
    def new(workspace: Workspace, options: Namespace) -> None:
        \"\"\"Begin a new session.\"\"\"

The function's name is the subcommand's, its docstring's first line is its help, its result the magic's. Tab offers what
an argument's `choices` or metavar say (completion.py has the list).
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any, NamedTuple

from opencode_nb.magics.options import MagicParser
from opencode_nb.magics.workspace import Workspace

Run = Callable[[Workspace, Namespace], Any]


class Argument(NamedTuple):
    """What `ArgumentParser.add_argument` takes."""

    names: tuple[str, ...]
    settings: dict[str, Any]


def argument(*names: str, **settings: Any) -> Argument:
    """One argument of a subcommand, as for `ArgumentParser.add_argument`."""
    return Argument(names, settings)


class Command(NamedTuple):
    """A subcommand: its parser, and what carries it out."""

    parser: MagicParser
    run: Run

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return (self.run.__doc__ or "").splitlines()[0]


class Group:
    """Subcommands of one duty, under a title in the help."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.commands: dict[str, Command] = {}

    def command(self, *arguments: Argument) -> Callable[[Run], Run]:
        """Make the decorated function a subcommand with these arguments."""

        def add(run: Run) -> Run:
            name = run.__name__.rstrip("_").replace("_", "-")
            parser = MagicParser(f"%opencode {name}", f"%opencode help {name} tells more.", run.__doc__)
            for names, settings in arguments:
                parser.add_argument(*names, **settings)
            self.commands[name] = Command(parser, run)
            return run

        return add


def say(text: str) -> None:
    """Print; a line magic's output is its printed text."""
    print(text)  # noqa: T201
