"""Attribute file changes to a turn: files its tools report, and files changed while a silent tool ran. Pure.

The server's snapshots record everything that changed during a step, whoever changed it. A file belongs to the turn if
one of its tools reports it (`edit`, `write`, `apply_patch`), and probably if a tool that reports nothing ran in that
step (`bash`, an MCP tool, a subagent). Every other change was made by someone else.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from opencode_nb.diffs.quoting import unquote
from opencode_nb.transcript import tool_calls
from opencode_nb.transcript.state import Message, TurnState
from opencode_nb.transcript.tool_calls import Json

READING = frozenset({"read", "glob", "grep", "list", "webfetch", "websearch", "codesearch", "lsp"}) | {
    *("todowrite", "todoread", "question", "skill", "invalid", "plan_enter", "plan_exit", "StructuredOutput")
}
"""The server's built-in tools that change no files. Unknown tools may change any file."""


@dataclass(slots=True)
class Step:
    """One step of the model: its tool calls, and the server's snapshots before and after it ("" if none).

    `files` are those the server noted as changed; it mangles names with quotes, backslashes, or leading or trailing
    spaces.
    """

    before: str = ""
    after: str = ""
    files: tuple[str, ...] = ()
    calls: list[Json] = field(default_factory=list)

    @property
    def silent(self) -> bool:
        """Whether a tool ran in this step that does not report what it changes."""
        return any(is_silent(call) for call in self.calls)


def steps(turn: TurnState) -> list[Step]:
    """Return the turn's steps in order. The server puts a step's patch after its end, or where it was stopped."""
    found: list[Step] = []
    for message in list(turn.steps.values()):
        found += _steps_of(message)
    return found


def _steps_of(message: Message) -> list[Step]:
    found = [Step()]
    for part in list(message.parts.values()):
        kind = part.get("type")
        if kind == "step-start":
            found.append(Step(before=str(part.get("snapshot") or "")))
        elif kind == "step-finish":
            found[-1].after = str(part.get("snapshot") or "")
        elif kind == "patch":
            found[-1].files = tuple(map(str, part.get("files") or []))
        elif kind == "tool":
            found[-1].calls.append(part)
    return [step for step in found if step.before or step.calls]


def is_silent(call: Json) -> bool:
    """Return whether this call may have changed files without reporting them. Rejected calls have not."""
    name, state = str(call.get("tool") or ""), call.get("state") or {}
    ran = state.get("status") != "pending" and not _NOT_RUN.match(str(state.get("error") or ""))
    return ran and name not in tool_calls.CHANGING and name not in READING


_NOT_RUN = re.compile(
    r"The user (rejected permission|dismissed|has specified a rule)|Model tried to call unavailable tool"
)
"""How the server's errors begin for calls that never ran."""


def reporting_calls(turn: TurnState) -> list[Json]:
    """Return the completed calls that report their files, including sub-sessions, in the order they ended."""
    found = [call for call in _calls(turn) if (call.get("state") or {}).get("status") == "completed"]
    return sorted(found, key=lambda call: (call["state"].get("time") or {}).get("end") or 0)


def _calls(turn: TurnState) -> Iterator[Json]:
    yield from (part for part in turn.parts if part.get("tool") in tool_calls.CHANGING)
    for children in list(turn.children.values()):
        for child in children:
            yield from _calls(child)


def ran_silent(turns: Iterable[TurnState]) -> bool:
    """Return whether any tool of these turns may have changed files without reporting them."""
    return any(step.silent for turn in turns for step in steps(turn))


def root_of(turn: TurnState) -> str:
    """Return the repository's directory from the turn's steps; "" outside git."""
    roots = (str((step.info.get("path") or {}).get("root") or "") for step in list(turn.steps.values()))
    return next((root for root in roots if root not in ("", "/")), "")


def own_diffs(turn: TurnState) -> list[Json]:
    """Return the server's diffs of a turn without those of files that others changed meanwhile.

    Judges by names alone: no file is read.
    """
    diffs = turn.diffs
    if not diffs:
        return diffs
    if not any(step.before for step in steps(turn)) or any(not names(call) for call in reporting_calls(turn)):
        return _by_file(diffs)  # unknown who made which change
    is_own, moves = _by_name(turn), ran_silent([turn])
    return _by_file(
        diff
        for diff in diffs
        # for a moved file, the server notes only the new name
        if is_own(unquote(str(diff.get("file") or ""))) or (moves and diff.get("status") == "deleted")
    )


def _by_file(diffs: Iterable[Json]) -> list[Json]:
    """Merge to one diff per file: a turn that continued after a compaction may have several."""
    found: dict[str, Json] = {}
    for diff in diffs:
        before = found.get(str(diff.get("file")))
        found[str(diff.get("file"))] = diff if before is None else _together(before, diff)
    return list(found.values())


def _together(one: Json, other: Json) -> Json:
    sums = {key: int(one.get(key) or 0) + int(other.get(key) or 0) for key in ("additions", "deletions")}
    return {**one, **sums, "patch": f"{one.get('patch') or ''}{other.get('patch') or ''}"}


def _by_name(turn: TurnState) -> Callable[[str], bool]:
    root = root_of(turn)
    reported = {_lexical(turn, name) for call in reporting_calls(turn) for name in names(call)}
    inside = {name.removeprefix(f"{root}/") for name in reported if name.startswith(f"{root}/")}
    outside = [name for name in reported if not name.startswith(f"{root}/")]  # perhaps the same place through a link
    silent = {file for step in steps(turn) if step.silent for file in step.files}

    def is_own(file: str) -> bool:
        return (
            file in inside
            or posixpath.join(root, _as_noted(file)) in silent
            or any(name.endswith(f"/{file}") for name in outside)
        )

    return is_own


def _lexical(turn: TurnState, name: str) -> str:
    """Make a tool's path absolute, relative to the working directory of the turn's steps."""
    places = (str((step.info.get("path") or {}).get("cwd") or "") for step in list(turn.steps.values()))
    return posixpath.normpath(posixpath.join(next(filter(None, places), ""), name))


def _as_noted(file: str) -> str:
    """Return a name as in the server's patch part: quoted by git, then trimmed and backslashes turned into slashes."""
    special = any(ord(character) < 0x20 or character in '"\\\x7f' for character in file)
    quoted = '"' + "".join(_ESCAPES.get(character, character) for character in file) + '"' if special else file
    return quoted.strip().replace("\\", "/")


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def names(call: Json) -> list[str]:
    """Return the files of a reporting call, as named by the tool and its arguments."""
    said = (str(diff.get(key) or "") for diff in tool_calls.reported(call) for key in ("filePath", "movePath", "file"))
    return list(dict.fromkeys(filter(None, [*tool_calls.paths(call), *said])))


def located(name: str, directory: Path) -> Path:
    """Return the real path of a tool's file: resolve links, as the tools write through them."""
    place = Path(os.path.normpath(directory / name))
    try:
        return Path(os.path.realpath(place))
    except (OSError, ValueError):  # a loop of links, or a name with a NUL
        return place
