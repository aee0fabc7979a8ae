"""Ranked completions for the word at a prompt's cursor: commands, files, agents, variables. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from opencode_nb.session.prompt import parts as prompt_parts

LIMIT = 20
"""Maximum number of completions: more than a menu shows, few enough to compute on every keystroke."""

_COMMAND = re.compile(r"\s*/(\S*)$")
_MENTION = re.compile(r"(?:^|(?<=[\s(\[{\"']))@((?:[^\s@\"][^\s@]*)?)$")
_QUOTED = re.compile(r"(?:^|(?<=[\s(\[{]))@\"((?:[^\s\"][^\"\n]*)?)(?:(?<=/)\"([^\s@\"]*))?$")
"""A name with spaces; after a folder's closing quote, the name of a file in it."""

Kind = Literal["command", "agent", "file", "variable"]


class Word(NamedTuple):
    """The word being typed, from `start` to `end`; `text` leaves out the `/` or `@` at `start`."""

    kind: Literal["command", "mention"]
    text: str
    start: int
    end: int


class Completion(NamedTuple):
    """`insert` replaces the text from `start` to `end`; `label` and `detail` are shown.

    `acts`: a command that begins with what was typed and needs nothing after it, so that Enter can run it.
    """

    kind: Kind
    label: str
    insert: str
    detail: str
    start: int
    end: int
    acts: bool = False


def word_at(text: str, cursor: int) -> Word | None:
    """Return the word before the cursor, or None if it cannot be completed."""
    before = text[:cursor]
    if found := _COMMAND.fullmatch(before):
        return Word("command", found[1], found.start(1) - 1, cursor)
    if found := _QUOTED.search(before):
        return Word("mention", found[1] + (found[2] or ""), found.start(), cursor)
    if found := _MENTION.search(before):
        return Word("mention", found[1], found.start(1) - 1, cursor)
    return None


def commands(word: Word, listed: Iterable[Any]) -> list[Completion]:
    """Return the matching commands (`name`, `description`, `aliases`, `acts`), best first; before any letter, all.

    Only names that contain the text match: letters in order would find /unshare for the path /usr.
    """
    text = word.text.lower()
    found = {name: command for command in listed for name in (str(command["name"]), *command["aliases"])}
    matching = ranked(text, (name for name in found if text in name.lower())) if text else list(found)
    best: dict[str, str] = {}
    for name in matching:
        best.setdefault(str(found[name]["name"]), name)
    return [_command(found[name], name, word) for name in best.values()]


def _command(command: Any, matching: str, word: Word) -> Completion:
    label, acts = f"/{command['name']}", command["acts"] and matching.startswith(word.text)
    return Completion("command", label, f"{label} ", str(command.get("description") or ""), word.start, word.end, acts)


def mentions(
    word: Word, files: Iterable[Any], agents: Iterable[Any], variables: Iterable[str], limit: int = LIMIT
) -> list[Completion]:
    """Return matching files, agents and variables, best first; if none matches, `files`, which the server's search did.

    It finds some in spite of typing errors, and others that have hardly a letter in common. `variables` may be a
    mapping, with a word on each.
    """
    details = variables if isinstance(variables, Mapping) else {}
    about: dict[tuple[Kind, str], str] = {("variable", name): details.get(name, "variable") for name in variables}
    about |= {("agent", str(agent["name"])): str(agent.get("description") or "agent") for agent in agents}
    paths = [str(path) for path in files if str(path).strip("/")]
    about |= {("file", path): "directory" if path.endswith("/") else "file" for path in paths}
    named = [key for key in about if key[0] == "variable" or prompt_parts.mention(key[1])]
    scored = [(score, order) for order, key in enumerate(named) if (score := rank(word.text, key[1])) is not None]
    found = [named[order] for _score, order in sorted(scored)] or [key for key in named if key[0] == "file"]
    return [_mention(kind, name, about[kind, name], word) for kind, name in found[:limit]]


def _mention(kind: Kind, name: str, detail: str, word: Word) -> Completion:
    text = f"@{name}" if kind == "variable" else prompt_parts.mention(name)
    return Completion(kind, text, text if name.endswith("/") else f"{text} ", detail, word.start, word.end)


def ranked(text: str, names: Iterable[str]) -> list[str]:
    """Return the names that match a text, best first."""
    scored = [(score, name) for name in names if (score := rank(text, name)) is not None]
    return [name for _score, name in sorted(scored)]


def rank(text: str, name: str) -> tuple[int, ...] | None:
    """Score how well a name matches the typed text: lower is better, None means no match.

    Best to worst: equal, prefix, prefix of the last path segment, prefix of a word, substring, letters in order.
    """
    wanted, known = text.lower(), name.lower().rstrip("/")
    tail = known.rpartition("/")[2]
    tests = (
        known == wanted,
        known.startswith(wanted),
        tail.startswith(wanted),
        re.search(rf"(?:^|[^a-z0-9]){re.escape(wanted)}", known) is not None,
        wanted in known,
        _in_order(wanted, known),
    )
    return next(((score, len(known)) for score, fits in enumerate(tests) if fits), None)


def _in_order(letters: str, name: str) -> bool:
    rest = iter(name)
    return all(letter in rest for letter in letters)
