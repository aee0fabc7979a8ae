"""The options of the magics, defined once for parsing, completion and help. Pure."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from itertools import pairwise, takewhile
from typing import NoReturn, TypeVar

from IPython.core.error import UsageError

from opencode_nb.closest import did_you_mean
from opencode_nb.kernel.cells.place import PLACES, checked_place
from opencode_nb.magics.typed.words import expression, plain, typed
from opencode_nb.session.permissions import option as permission_option
from opencode_nb.session.prompt.variants import EFFORTS
from opencode_nb.tools.privacy import LEVELS, NOT_COVERED

N = TypeVar("N", int, float)

_OPTION = re.compile(r"--?[A-Za-z]")
"""The start of an option, unlike a bullet, a rule or a negative number."""

_END = "--"
"""Ends the options before a text that starts like one."""


class MagicParser(argparse.ArgumentParser):
    """An argument parser that never exits: it raises UsageError, which shows as one line in the cell's output.

    `hint` ends that line; it says where the options are listed.
    """

    def __init__(self, prog: str, hint: str, description: str | None = None) -> None:
        super().__init__(prog=prog, description=description, add_help=False, allow_abbrev=False)
        self._hint = hint

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with the message and the hint."""
        self._refuse(f"{message}.")

    def _refuse(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message} {self._hint}")

    def parse_line(self, line: str) -> argparse.Namespace:
        """Parse a magic's line. Raises UsageError."""
        return self._parse(self._words(line))

    def parse_with_text(self, line: str) -> tuple[argparse.Namespace, str]:
        """Parse the options that a line starts with; return them and the text after them. Raises UsageError."""
        start = self.start_of_text(line)
        given = self._words(line[:start])
        return self._parse(given[:-1] if given[-1:] == [_END] else given), line[start:].strip()

    def _words(self, line: str) -> list[str]:
        """Return the words of a line. Quotes in an expression are Python's, unless they are around all of it."""
        found = [word[0] for word in typed(line)]
        return [
            expression(word) if (action := self.takes(last)) and action.metavar == "EXPR" else plain(word)
            for last, word in pairwise(["", *found])
        ]

    def start_of_text(self, line: str) -> int:
        """Return where the text begins: at the first word that is no option and no option's value; else the end."""
        value = False
        for word in typed(line):
            if not value and word[0] == _END:
                return word.end()
            if not value and not _OPTION.match(word[0]):
                return word.start()
            value = not value and self.takes(word[0]) is not None
        return len(line)

    def options_after(self, text: str) -> str:
        """Return the option, with its value, that a text ends with; "" if it ends otherwise or is nothing else."""
        typed_words = text.split()
        for count, flag in ((1, True), (2, False)):
            action = self._option_string_actions.get(typed_words[-count]) if len(typed_words) > count else None
            if action is not None and (action.nargs == 0) == flag:
                return " ".join(typed_words[-count:])
        return ""

    def _parse(self, given: Sequence[str]) -> argparse.Namespace:
        own = list(takewhile(lambda word: not self._takes_rest(word), given))
        one_dash = [word for word in own if f"-{word}" in self._option_string_actions]  # argparse reads -n ew
        options, unknown = (None, one_dash) if one_dash else self.parse_known_args(given)
        if options is None or unknown:
            self._refuse(f"unrecognized arguments: {' '.join(unknown)}.{self._meant(unknown[0])}")
        return options

    def _meant(self, unknown: str) -> str:
        long = [name.removeprefix("--") for name in self.option_strings() if name.startswith("--")]
        name = unknown.partition("=")[0].lstrip("-")
        return did_you_mean(name, long, "--{}") if unknown.startswith("-") and len(name) > 1 else ""

    def option_strings(self) -> list[str]:
        """Return all option strings, for Tab."""
        return [name for action in self._actions for name in action.option_strings]

    def help_of(self, option: str) -> str:
        """Return the help of an option, without its values filled in."""
        return self._option_string_actions[option].help or ""

    def takes(self, option: str) -> argparse.Action | None:
        """Return the option of this name if it takes a value; None for a flag or an unknown option."""
        action = self._option_string_actions.get(option)
        return action if action is not None and action.nargs != 0 else None

    def value_after(self, words: Sequence[str]) -> argparse.Action | None:
        """Return the option whose value comes after these words: the last, or one that takes the rest of the line."""
        rest = next(filter(self._takes_rest, words), None)
        return self.takes(rest or words[-1]) if words else None

    def _takes_rest(self, word: str) -> bool:
        action = self.takes(word)
        return action is not None and action.nargs == argparse.REMAINDER

    def positional(self, words: list[str]) -> argparse.Action | None:
        """Return the positional argument that comes after these words, or None."""
        before = [word for last, word in pairwise(["", *words]) if not (word.startswith("-") or self.takes(last))]
        places = self._get_positional_actions()
        if len(before) < len(places):
            return places[len(before)]
        return places[-1] if places and places[-1].nargs in ("*", "+") else None


LATE = "known after each step: the last one may pass it"
"""What to know of a limit on the cost."""

EFFORT = f"{', '.join(EFFORTS)}; the model's variant of this name, or the nearest"
"""What `--effort` takes."""

_WITH = "prompt this agent of your own, one of OpencodeMagics.agents, in a session of its own"

_IMAGE = "attach an image: a figure, a picture, PNG bytes or a path, as a Python expression; repeatable"

_VERIFY = "after the turn, run the notebook from the top in a fresh kernel, and let the agent mend what is found"

_OUTPUT = "also store the Turn in this variable; with --schema, the value, once the turn has succeeded"

_SCHEMA = "what the answer must be, as a Python expression: a type such as float or list[Person], or a JSON schema"

CODE_PLACES = ", ".join([*(f"{name} ({about})" for name, about in PLACES.items()), "ID (at the end of that cell)"])
"""Where the code that the agent runs may stand."""

_PRIVACY = (
    f"what the agent may know of the kernel, from now on in this session: {', '.join(LEVELS)} (default: full). "
    f"Not covered: {NOT_COVERED}"
)


def prompt_parser(magic: str = "%%prompt") -> MagicParser:
    """Return the parser for the options of %%prompt, or of %prompt."""
    parser = MagicParser(magic, f"{magic}? lists the options; -- ends them, before a prompt that starts with a dash.")
    parser.usage = "%(prog)s [options] [TEXT]"
    add = parser.add_argument
    add("--with", dest="of_agent", metavar="AGENTS", help=_WITH)
    add("-m", "--model", metavar="MODEL", help="provider/model, or provider/model/variant, for this turn")
    add("-a", "--agent", metavar="AGENT", help="agent for this turn")
    add("--variant", metavar="VARIANT", help="variant of the model, such as its reasoning effort")
    add("--effort", metavar="EFFORT", choices=EFFORTS, help=f"how much the model thinks: {EFFORT}")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-s",
        "--session",
        metavar="SESSION",
        help="continue this session (id, start of an id, or title) and make it current",
    )
    where.add_argument("-n", "--new", action="store_true", help="start a new session and make it current")
    add("-o", "--output", metavar="NAME", type=_identifier, help=_OUTPUT)
    add("--schema", metavar="EXPR", help=_SCHEMA)
    add(
        "-f",
        "--file",
        metavar="PATH",
        action="append",
        default=[],
        help="attach a file, PATH or PATH:FROM-TO, or an http(s) link; repeatable",
    )
    add("-i", "--image", metavar="EXPR", action="append", default=[], help=_IMAGE)
    add("--privacy", metavar="LEVEL", choices=LEVELS, help=_PRIVACY)
    add("--no-kernel", action="store_true", help="do not let the agent use the kernel in this turn")
    add(
        "--cells",
        metavar="card|below|ID",
        type=place,
        help=f"where the code that the agent runs in this turn stands: {CODE_PLACES}",
    )
    add("--permission", **permission_option.ARGUMENT, help=f"{permission_option.HELP}; for this turn")
    add("--timeout", metavar="SECONDS", type=seconds, help="stop the turn after this many seconds")
    add("--max-cost", metavar="USD", type=dollars, help=f"stop the turn above this cost, {LATE}")
    add("--max-steps", metavar="N", type=whole_number, help="stop the turn after this many steps of the model")
    add("--retry", metavar="N", type=times, help="send a failed prompt again, up to N times, unless a tool has started")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--record", metavar="PATH", help="add the turn to this recording, with secrets masked")
    kept.add_argument("--replay", metavar="PATH", help="play the turn from this recording, with no server")
    add("--verify", action="store_true", help=_VERIFY)
    add("-b", "--background", action="store_true", help="return at once; the output updates while the turn runs")
    add("-q", "--quiet", action="store_true", help="do not display the turn; it is in `_`, and in NAME")
    return parser


def code_parser() -> MagicParser:
    """Return the parser for the options of %%opencode: those of %%prompt, and what to do with the answer's code."""
    parser = prompt_parser("%%opencode")
    parser.usage = "%(prog)s [options] INSTRUCTION"
    what = parser.add_mutually_exclusive_group()
    for action, effect in CODE_ACTIONS.items():
        what.add_argument(f"--{action}", dest="action", action="store_const", const=action, help=effect)
    return parser


def parse_code(line: str) -> tuple[argparse.Namespace, str]:
    """Parse the line of %%opencode: its options, also one at its end, and the instruction. Raises UsageError."""
    parser = code_parser()
    options, instruction = parser.parse_with_text(line)
    late = parser.options_after(instruction)
    if not late:
        return options, instruction
    before, *_ = line.rstrip().rsplit(None, len(late.split()))
    return parser.parse_with_text(f"{late} {before}")


CODE_ACTIONS = {
    "insert": "put the answer's code into a new cell below",
    "replace": "put the answer's code in place of this cell",
    "run": "run the answer's code; asks first, as for the agent's own code",
}
"""What becomes of the code in the answer of a `%%opencode` cell."""


def _identifier(text: str) -> str:
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a variable name")
    return text


def place(text: str) -> str:
    """Parse where code is to stand. Raises ArgumentTypeError."""
    try:
        return checked_place(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None


def times(text: str) -> int:
    """Parse an option that takes a count. Raises ArgumentTypeError."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of times")
    return int(text)


def seconds(text: str) -> float:
    """Parse an option that takes seconds. Raises ArgumentTypeError."""
    return _above_zero(text, float, "a number of seconds")


def dollars(text: str) -> float:
    """Parse an option that takes an amount in USD. Raises ArgumentTypeError."""
    return _above_zero(text, float, "an amount in USD")


def whole_number(text: str) -> int:
    """Parse an option that takes a whole number. Raises ArgumentTypeError."""
    return _above_zero(text, int, "a whole number")


def _above_zero(text: str, kind: Callable[[str], N], what: str) -> N:
    try:
        value = kind(text)
    except ValueError:
        value = kind("0")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what} above 0")
    return value
