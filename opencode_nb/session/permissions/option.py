"""Parse the permission option from text: an environment variable, or `--permission` of magics and `opencode-nb ask`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from opencode_nb.session.permissions.rules import MODES, Rules


def parsed(text: str) -> str | dict[str, Any]:
    """Parse a mode, such as `ask` or `edits`, or rules as JSON. Raises ValueError for invalid JSON or rules."""
    if not text.startswith("{"):
        return text
    rules = _read(text)
    Rules(rules)
    return rules


def _read(text: str) -> dict[str, Any]:
    try:
        rules: dict[str, Any] = json.loads(text, object_pairs_hook=_each_once)
    except json.JSONDecodeError:
        raise ValueError(
            f'{text!r} is not JSON: use {", ".join(MODES)}, or rules such as {{"bash": "deny"}}.'
        ) from None
    return rules


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject duplicate names: JSON keeps the last rule, which may allow what the first one denies."""
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ValueError(f"there are two rules for {twice!r}: keep one.")
    return dict(pairs)


def _of_a_line(text: str) -> str | dict[str, Any]:
    try:
        return parsed(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None


class _Choices(tuple[str, ...]):
    """The choices that Tab completion offers; also accepts parsed rules."""

    __slots__ = ()

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Mapping) or super().__contains__(value)


ARGUMENT: dict[str, Any] = {"metavar": "RULE", "type": _of_a_line, "choices": _Choices(MODES)}
"""Keyword arguments of `ArgumentParser.add_argument` for `--permission`."""

HELP = f'{", ".join(MODES)}, or rules by permission or tool: \'{{"bash": "deny"}}\''
