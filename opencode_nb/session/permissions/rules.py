"""Permission rules as the user writes them: their names and their precedence. Pure.

A rule applies to a permission ("edit"), a tool, which stands for the permission that it needs ("write" needs "edit"),
or a pattern of names ("github_*"). Its value is "allow", "ask" or "deny", or a mapping to these from patterns of
the files, commands or URLs in a request. `*` and `?` are wildcards, as on the server.

The order of rules does not matter. A bare `*` applies only if no other rule matches; of several matching rules, the
strictest wins: deny over ask over allow.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from opencode_nb.tools.names import own_tool

ACTIONS = ("ask", "allow", "deny")
MODES = ("ask", "edits", "plan", "allow", "deny")
"""What the `permission=` option may be, beside rules and a callable."""

STRICTEST_FIRST = ("deny", "ask", "allow")

PERMISSIONS = (
    "bash",
    "cells",
    "codesearch",
    "delete_cell",
    "doom_loop",
    "edit",
    "edit_cell",
    "external_directory",
    "figure",
    "glob",
    "grep",
    "history",
    "insert_cell",
    "inspect",
    "list",
    "lsp",
    "move_cell",
    "plan_enter",
    "plan_exit",
    "progress",
    "python",
    "question",
    "read",
    "run_cell",
    "skill",
    "task",
    "todowrite",
    "variables",
    "webfetch",
    "websearch",
)
"""The permissions that the server knows, and the tools of the kernel, whose full names differ by session."""

PERMISSION_OF = {
    "write": "edit",
    "apply_patch": "edit",
    "patch": "edit",
    "multiedit": "edit",
    "shell": "bash",
    "ls": "list",
    "todo": "todowrite",
    "todoread": "todowrite",
    "agent": "task",
    "subagent": "task",
    "list_mcp_resources": "read",
    "list_mcp_resource_templates": "read",
    "read_mcp_resource": "read",
}
"""Tool -> the permission that it needs."""

STANDS_FOR = {"run_cell": "python"}
"""Tool of the kernel -> another that can do the same: what holds that, holds it too."""

UNASKED = ("bash", "question", "plan_enter", "plan_exit")
"""Permissions that the server does not always ask for: tools that ask themselves, bare redirects (`> file`)."""

_KNOWN = (*PERMISSIONS, *PERMISSION_OF)
_INNER = ("invalid", "execute", "batch")  # built-in tools without a permission
_SHORT = 4  # letters; in words this short, replacing one often gives another real word: list, lint

Table = dict[str, str]


class Rules:
    """The rules of one mapping. Raises ValueError for an invalid rule or a misspelt name."""

    def __init__(self, option: Mapping[str, str | Mapping[str, str]]) -> None:
        self._tables: dict[str, list[Table]] = {}
        for name, rule in option.items():
            _check(name, rule)
            table = {"*": rule} if isinstance(rule, str) else {_at_home(text): action for text, action in rule.items()}
            self._tables.setdefault(PERMISSION_OF.get(name, name), []).append(table)

    @property
    def names(self) -> list[str]:
        """The permissions and patterns that have rules."""
        return list(self._tables)

    @property
    def unknown(self) -> list[str]:
        """Names to check with the server: they may be tools."""
        return unknown(self._tables)

    @property
    def tells_paths_apart(self) -> bool:
        """Whether any rule has patterns, such as paths."""
        return any(text != "*" for tables in self._tables.values() for table in tables for text in table)

    def action(self, permission: str, spellings: Iterable[str] = ("*",)) -> str | None:
        """Return the action for a subject of a permission, matching any of its `spellings`; None if no rule matches.

        Without spellings, return the action for subjects without a pattern of their own.
        """
        texts = list(spellings)
        said = strictest(_action(table, texts) for table in self._named(permission))
        return said or strictest(_action(table, texts) for table in self._tables.get("*", []))

    def singled_out(self, permission: str) -> list[str]:
        """Return the patterns of files, commands, ... that are asked or denied."""
        tables = [*self._named(permission), *self._tables.get("*", [])]
        found = [text for table in tables for text, action in table.items() if text != "*" and action != "allow"]
        return list(dict.fromkeys(found))

    def patterns(self, permission: str) -> dict[str, str]:
        """Return the action for each pattern of files, commands, ... that has one of its own."""
        tables = self._named(permission) or self._tables.get("*", [])
        return {text: action for table in tables for text, action in table.items() if text != "*"}

    def denies_all(self, permission: str) -> bool:
        """Whether the rules deny this permission without exception."""
        tables = self._named(permission) or self._tables.get("*", [])
        return any("*" in table and set(table.values()) == {"deny"} for table in tables)

    def _named(self, permission: str) -> list[Table]:
        every = names(permission)
        fitting = (key for key in self._tables if key != "*" and any(matches(name, key) for name in every))
        return [table for key in fitting for table in self._tables[key]]


def names(permission: str) -> tuple[str, ...]:
    """Return the names by which rules and hooks may speak of a permission: a tool of the kernel has two, or three."""
    own = own_tool(permission)
    return tuple(filter(None, (permission, own, STANDS_FOR.get(own or permission))))


def strictest(actions: Iterable[str | None]) -> str | None:
    """Return the strictest action: deny over ask over allow; None if there is none."""
    said = set(actions)
    return next((action for action in STRICTEST_FIRST if action in said), None)


@functools.lru_cache(maxsize=1024)
def matches(text: str, pattern: str) -> bool:
    """Match text as the server does: `*` is any text, `?` one character, a trailing ` *` is optional."""
    expression = re.escape(pattern.replace("\\", "/")).replace(r"\*", ".*").replace(r"\?", ".")
    if expression.endswith(r"\ .*"):
        expression = expression.removesuffix(r"\ .*") + "( .*)?"
    return re.fullmatch(expression, text.replace("\\", "/"), re.DOTALL) is not None


def unknown(names: Iterable[str]) -> list[str]:
    """Return the names that are neither patterns nor permissions: they may be tools."""
    return [name for name in names if not (is_pattern(name) or name in PERMISSIONS)]


def is_pattern(name: str) -> bool:
    """Whether a name contains wildcards."""
    return "*" in name or "?" in name


def is_builtin(tool: str) -> bool:
    """Whether a tool is built into the server: other tools might not ask for permission."""
    return tool in _KNOWN or tool in _INNER


def _action(table: Table, texts: list[str]) -> str | None:
    patterns = (pattern for pattern in table if pattern != "*" and any(matches(text, pattern) for text in texts))
    singled_out = (table[pattern] for pattern in patterns)
    return strictest(singled_out) or table.get("*")


def _check(name: str, rule: str | Mapping[str, str]) -> None:
    table = rule if isinstance(rule, Mapping) else {"*": rule}
    for pattern, action in table.items():
        if not isinstance(pattern, str) or action not in ACTIONS:
            raise ValueError(f"permission={{{name!r}: {rule!r}}}: a rule is one of {', '.join(ACTIONS)}.")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"permission={{{name!r}: {rule!r}}}: name a permission or a tool, such as edit or bash.")
    if meant := misspelt(name):
        raise ValueError(f"permission={{{name!r}: {rule!r}}}: there is no {name!r}. Did you mean {meant!r}?")


def misspelt(name: str) -> str:
    """Return the known name that this one is a typo of, or ""."""
    if is_pattern(name) or is_builtin(name):
        return ""
    return next((known for known in _KNOWN if _bare(name) == _bare(known) or _slipped(name.lower(), known)), "")


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _slipped(name: str, known: str) -> bool:
    """Whether the names differ by swapped letters, or by one that is missing, added or replaced."""
    if sorted(name) == sorted(known):
        return True
    short, long = sorted((name, known), key=len)
    if len(long) == len(short) + 1:
        is_word = name.count("_") == known.count("_") and not re.search(r"\d", name)
        return is_word and any(long[:at] + long[at + 1 :] == short for at in range(len(long)))
    replaced = sum(a != b for a, b in zip(name, known, strict=False))
    return len(name) == len(known) > _SHORT and replaced == 1


def _at_home(pattern: str) -> str:
    """Expand `~` or `$HOME` at the start of a pattern, as the server's configuration does."""
    for home in ("~", "$HOME"):
        if pattern == home or pattern.startswith(f"{home}/"):
            return str(Path.home()) + pattern.removeprefix(home)
    return pattern
