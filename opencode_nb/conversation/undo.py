"""What an undo or redo came to. The server answers 200 whatever became of the files: here they are looked at."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from opencode_nb.conversation.state import Json, TurnState
from opencode_nb.conversation.turn import tool_diffs
from opencode_nb.diffs.edits import placed
from opencode_nb.diffs.patch import Hunk, parse
from opencode_nb.diffs.text import decode


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo or redo did.

    `undone` are the prompts that are undone now, oldest first; `files` those that now are as they should be, `differ`
    those that are not, `warning` says why, and what to do; "" where all is well.
    """

    undone: tuple[str, ...]
    files: tuple[str, ...]
    differ: tuple[str, ...]
    warning: str

    def __str__(self) -> str:
        restored = f"Restored: {_named(self.files)}" if self.files else ""
        return "\n".join(filter(None, (restored, self.warning))) or "It had changed no files."


def outcome(
    undone: list[TurnState], touched: list[TurnState], root: Path, *, back: bool, by_git: bool, kept: str
) -> Undone:
    """Look at the files of the turns that were `touched`: undone now, or with `back` redone now.

    `kept` says what was kept of what was overwritten.
    """
    diffs = _edges(touched, root, back=back)
    differ = [file for file, diff in diffs.items() if root.is_dir() and not _stands(root / file, diff, back=back)]
    files = [file for file in diffs if file not in differ]
    if by_git or back:
        warning = _DIFFERS.format(_named(differ)) if differ else ""
    else:
        used_tools = any(part.get("type") == "tool" for turn in touched for part in turn.parts)
        warning = _NO_GIT if used_tools else ""
        warning += f" Still changed: {_named(differ)}" if differ else ""
    warning = "\n".join(filter(None, (warning, kept)))
    return Undone(tuple(_prompt(turn) for turn in undone), tuple(files), tuple(differ), warning)


_DIFFERS = "Not as they should be: {}. Something else has changed them since, or git ignores them: look at them."
_NO_GIT = "Only the conversation is undone: outside a git repository files cannot be restored."


def _named(files: Iterable[str]) -> str:
    return ", ".join(map(shlex.quote, files))


def _edges(turns: list[TurnState], root: Path, *, back: bool) -> dict[str, Json]:
    """The outermost diff of each file: of the first of these turns, or the last. What git ignores only tools tell."""
    found: dict[str, Json] = {}
    for turn in reversed(turns) if back else turns:
        said = tool_diffs(turn)
        for diff in (*turn.diffs, *(reversed(said) if back else said)):
            found.setdefault(_relative(str(diff.get("file", "")), root), diff)
    return found


def _relative(file: str, root: Path) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_absolute() and path.is_relative_to(root) else file


def _stands(file: Path, diff: Json, *, back: bool) -> bool:
    """Whether a file is as it was before this diff, or with `back` as it was after it."""
    try:
        text = decode(file.read_bytes())
    except FileNotFoundError:
        return diff.get("status") == ("deleted" if back else "added")
    except OSError:
        return False
    if diff.get("status") == ("deleted" if back else "added"):
        return False
    return all(_fits(text, hunk, back=back) for hunk in parse(str(diff.get("patch") or "")))


def _fits(text: str, hunk: Hunk, *, back: bool) -> bool:
    """Whether this side of a hunk stands in the text; where both do, as after lines were appended, the longer one."""
    if placed(text, hunk, back=back) is None:
        return False
    mine, other = (hunk.new, hunk.old) if back else (hunk.old, hunk.new)
    return len(mine) > len(other) or placed(text, hunk, back=not back) is None


def _prompt(turn: TurnState) -> str:
    parts = turn.prompt.parts.values() if turn.prompt else ()
    return "\n\n".join(str(part["text"]) for part in parts if part.get("text") and not part.get("synthetic"))
