"""Every command that a text of ours names is there, with the options that it names."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from opencode_nb.cli import _parser as cli_parser
from opencode_nb.magics.commands import GROUPS

ROOT = Path(__file__).parents[1]
PLACES = (("opencode_nb", "py"), ("opencode_nb", "js"), ("notebooks", "ipynb"))
SOURCES = [ROOT / "README.md", *(file for place, ending in PLACES for file in (ROOT / place).rglob(f"*.{ending}"))]
MAGICS: dict[str, argparse.ArgumentParser] = {
    "help": argparse.ArgumentParser(),
    **{name: command.parser for group in GROUPS for name, command in group.commands.items()},
}
NAMED = re.compile(
    r"(?P<program>%opencode|(?<=[`$] )opencode-nb|(?<=`)opencode-nb) (?P<name>[a-z][a-z-]*)(?P<rest>[^`\n\"']*)"
)


def named() -> Iterator[tuple[str, str, str, str]]:
    for file in SOURCES:
        for match in NAMED.finditer(file.read_text(encoding="utf-8")):
            yield f"{file.relative_to(ROOT)}: {match[0].strip()}", match["program"], match["name"], match["rest"]


def commands(program: str) -> dict[str, argparse.ArgumentParser]:
    return MAGICS if program == "%opencode" else subcommands(cli_parser())


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(action.choices)


def test_texts_name_commands_at_all() -> None:
    assert {program for _, program, _, _ in named()} == {"%opencode", "opencode-nb"}


@pytest.mark.parametrize(("where", "program", "name", "rest"), sorted(set(named())))
def test_a_command_that_is_named_is_there(where: str, program: str, name: str, rest: str) -> None:
    assert name in commands(program), where
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", rest))
    assert options <= set(commands(program)[name]._option_string_actions), where
