"""The options of the magics, defined once for parsing, completion and help. Pure."""

from __future__ import annotations

import argparse
import shlex
from itertools import pairwise
from typing import NoReturn

from IPython.core.error import UsageError

from opencode_nb.session.permissions import option as permission_option


class MagicParser(argparse.ArgumentParser):
    """An argument parser that never exits: it raises UsageError, which shows as one line in the cell's output.

    `hint` ends that line; it says where the options are listed.
    """

    def __init__(self, prog: str, hint: str, description: str | None = None) -> None:
        super().__init__(prog=prog, description=description, add_help=False, allow_abbrev=False)
        self._hint = hint

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with the message and the hint."""
        raise UsageError(f"{self.prog}: {message}. {self._hint}")

    def parse_line(self, line: str) -> argparse.Namespace:
        """Parse a magic's line. Raises UsageError."""
        try:
            words = shlex.split(line)
        except ValueError:  # an apostrophe, not the beginning of a quotation
            words = line.split()
        return self.parse_args(words)

    def option_strings(self) -> list[str]:
        """Return all option strings, for Tab."""
        return [name for action in self._actions for name in action.option_strings]

    def takes(self, option: str) -> argparse.Action | None:
        """Return the option of this name if it takes a value; None for a flag or an unknown option."""
        action = self._option_string_actions.get(option)
        return action if action is not None and action.nargs != 0 else None

    def positional(self, words: list[str]) -> argparse.Action | None:
        """Return the positional argument that comes after these words, or None."""
        before = [word for last, word in pairwise(["", *words]) if not (word.startswith("-") or self.takes(last))]
        places = self._get_positional_actions()
        if len(before) < len(places):
            return places[len(before)]
        return places[-1] if places and places[-1].nargs in ("*", "+") else None


def prompt_parser() -> MagicParser:
    """Return the parser for the options of %%prompt."""
    parser = MagicParser("%%prompt", "%%prompt? lists the options; write the prompt itself below this line.")
    add = parser.add_argument
    add("-m", "--model", metavar="MODEL", help="provider/model for this turn")
    add("-a", "--agent", metavar="AGENT", help="agent for this turn")
    add("--variant", metavar="VARIANT", help="variant of the model, such as its reasoning effort")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-s",
        "--session",
        metavar="SESSION",
        help="continue this session (id, start of an id, or title) and make it current",
    )
    where.add_argument("-n", "--new", action="store_true", help="start a new session and make it current")
    add("-o", "--output", metavar="NAME", type=_identifier, help="also store the Turn in this variable")
    add(
        "-f",
        "--file",
        metavar="PATH",
        action="append",
        default=[],
        help="attach a file, PATH or PATH:FROM-TO; repeatable",
    )
    add("--permission", **permission_option.ARGUMENT, help=f"{permission_option.HELP}; for this turn")
    add("--timeout", metavar="SECONDS", type=seconds, help="stop the turn after this many seconds")
    add("-b", "--background", action="store_true", help="return at once; the output updates while the turn runs")
    add("-q", "--quiet", action="store_true", help="do not display the turn; it is in `_`, and in NAME")
    return parser


def _identifier(text: str) -> str:
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a variable name")
    return text


def seconds(text: str) -> float:
    """Parse an option that takes seconds. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
