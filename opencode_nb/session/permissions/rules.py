"""Permission rules as a user writes them: which names there are, and which rule counts. Pure.

A rule is for a permission ("edit"), for a tool, which stands for the permission that it needs ("write" needs "edit"),
or for a pattern of names ("github_*"). It is "allow", "ask" or "deny", or a mapping of patterns to these: patterns of
the files, commands or addresses that a request is about. `*` and `?` are wildcards, as they are for the server.

Which of several rules counts does not depend on their order. A bare `*` is for what no other rule names; of the others
that match, the strictest counts: deny before ask before allow.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

ACTIONS = ("ask", "allow", "deny")
STRICTEST_FIRST = ("deny", "ask", "allow")

PERMISSIONS = (
    "bash",
    "codesearch",
    "doom_loop",
    "edit",
    "external_directory",
    "glob",
    "grep",
    "list",
    "lsp",
    "plan_enter",
    "plan_exit",
    "python",
    "question",
    "read",
    "skill",
    "task",
    "todowrite",
    "webfetch",
    "websearch",
)
"""What the server asks for or hides by name, and `python`: code in the kernel."""

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
"""Other names for them: tool -> the permission that it needs."""

UNASKED = ("bash", "question", "plan_enter", "plan_exit")
"""What the server does not always ask for: a tool that asks by itself, a command that only redirects (`> file`)."""

_KNOWN = (*PERMISSIONS, *PERMISSION_OF)
_INNER = ("invalid", "execute", "batch")  # tools of the server's own that have no permission
_SHORT = 4  # letters; with one replaced, too many real words are as close: list and lint

Table = dict[str, str]


class Rules:
    """The rules of one mapping. Raises ValueError for a rule that is none, and for a misspelt name."""

    def __init__(self, option: Mapping[str, str | Mapping[str, str]]) -> None:
        self._tables: dict[str, list[Table]] = {}
        for name, rule in option.items():
            _check(name, rule)
            table = {"*": rule} if isinstance(rule, str) else {_at_home(text): action for text, action in rule.items()}
            self._tables.setdefault(PERMISSION_OF.get(name, name), []).append(table)

    @property
    def names(self) -> list[str]:
        """The permissions and patterns that there are rules for."""
        return list(self._tables)

    @property
    def unknown(self) -> list[str]:
        """The names that only the server can tell whether there are such tools."""
        return [name for name in self._tables if not (is_pattern(name) or name in PERMISSIONS)]

    @property
    def tells_paths_apart(self) -> bool:
        """Whether a rule is for some files only."""
        return any(text != "*" for tables in self._tables.values() for table in tables for text in table)

    def action(self, permission: str, spellings: Iterable[str] = ("*",)) -> str | None:
        """What the rules say about this, by whichever of its `spellings` a rule knows it; None where they say nothing.

        Without spellings: what they say about all that no pattern singles out.
        """
        texts = list(spellings)
        said = strictest(_action(table, texts) for table in self._named(permission))
        return said or strictest(_action(table, texts) for table in self._tables.get("*", []))

    def singled_out(self, permission: str) -> list[str]:
        """The patterns of files, commands, ... that are not plainly allowed."""
        tables = [*self._named(permission), *self._tables.get("*", [])]
        found = [text for table in tables for text, action in table.items() if text != "*" and action != "allow"]
        return list(dict.fromkeys(found))

    def denies_all(self, permission: str) -> bool:
        """Whether there is nothing of it that is not denied."""
        tables = self._named(permission) or self._tables.get("*", [])
        return any("*" in table and set(table.values()) == {"deny"} for table in tables)

    def _named(self, permission: str) -> list[Table]:
        fitting = (key for key in self._tables if key != "*" and matches(permission, key))
        return [table for key in fitting for table in self._tables[key]]


def strictest(actions: Iterable[str | None]) -> str | None:
    """Deny before ask before allow; None where there is none of them."""
    said = set(actions)
    return next((action for action in STRICTEST_FIRST if action in said), None)


@functools.lru_cache(maxsize=1024)
def matches(text: str, pattern: str) -> bool:
    """Whether a text fits a pattern, as for the server: `*` is any text, `?` one character, a last ` *` is optional."""
    expression = re.escape(pattern.replace("\\", "/")).replace(r"\*", ".*").replace(r"\?", ".")
    if expression.endswith(r"\ .*"):
        expression = expression.removesuffix(r"\ .*") + "( .*)?"
    return re.fullmatch(expression, text.replace("\\", "/"), re.DOTALL) is not None


def is_pattern(name: str) -> bool:
    """Whether it stands for several names."""
    return "*" in name or "?" in name


def is_builtin(tool: str) -> bool:
    """Whether a tool of the server's list is the server's own: what is not may never ask."""
    return tool in _KNOWN or tool in _INNER


def close_to(name: str, known: Iterable[str]) -> str:
    """The known name that is meant, or ""."""
    return next(iter(difflib.get_close_matches(name.lower(), list(known), 1)), "")


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
    """The known name that this one misses by a slip of the fingers, or ""."""
    if is_pattern(name) or is_builtin(name):
        return ""
    return next((known for known in _KNOWN if _bare(name) == _bare(known) or _slipped(name.lower(), known)), "")


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _slipped(name: str, known: str) -> bool:
    """Whether they differ by swapped letters, or by one that was left out, added or replaced."""
    if sorted(name) == sorted(known):
        return True
    short, long = sorted((name, known), key=len)
    if len(long) == len(short) + 1:
        is_word = name.count("_") == known.count("_") and not re.search(r"\d", name)
        return is_word and any(long[:at] + long[at + 1 :] == short for at in range(len(long)))
    replaced = sum(a != b for a, b in zip(name, known, strict=False))
    return len(name) == len(known) > _SHORT and replaced == 1


def _at_home(pattern: str) -> str:
    """With the home directory written out, as the server's own configuration takes it."""
    for home in ("~", "$HOME"):
        if pattern == home or pattern.startswith(f"{home}/"):
            return str(Path.home()) + pattern.removeprefix(home)
    return pattern
