"""Revert and apply changes from a diff's view one by one, with undo and redo.

The diff itself makes every change, and reads the files as they are now; this module records what was done, so that it
can be undone. Synchronous: the view runs it in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from opencode_nb.changes.diff import CellDiff, Diff, FileDiff, Hunk, Outcome
from opencode_nb.errors import DiffConflictError, OpencodeError

Act = Literal["revert", "apply"]

_INVERSE: dict[Act, Act] = {"revert": "apply", "apply": "revert"}
_DONE = {"revert": "Reverted", "apply": "Reapplied"}
_NOT_DONE = {"revert": "Not reverted", "apply": "Not reapplied"}


_IN_PAGE = {
    ".hunks[0].revert()": "press Revert hunk",
    ".hunks[0].apply()": "press Apply hunk",
    "session.revert(turn)": "%opencode undo, or Undo in the chat panel",
    "turn.diff()": "oc.diff(turn)",
    "in .after and .before": "in the lines below",
}
"""What to do in the page instead of the Python calls named in the reasons of a refusal."""


class Target(NamedTuple):
    """A file by its index, or one of its hunks; or a cell by its index."""

    file: int | None = None
    hunk: int | None = None
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a revert or apply, in words; `files` are the indices of the files concerned."""

    text: str
    refused: str
    files: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    act: Act
    targets: tuple[Target, ...]
    name: str


class Acts:
    """Reverts and applies changes, and remembers them."""

    def __init__(self, diff: Diff) -> None:
        self._diff = diff
        self._done: list[_Step] = []
        self._undone: list[_Step] = []

    @property
    def undo_title(self) -> str:
        """What Undo would do; "" if there is nothing to undo."""
        return f"Undo: {_verb(_INVERSE[self._done[-1].act])} {self._done[-1].name}" if self._done else ""

    @property
    def redo_title(self) -> str:
        """What Redo would do; "" if there is nothing to redo."""
        return f"Redo: {_verb(self._undone[-1].act)} {self._undone[-1].name}" if self._undone else ""

    def act(self, act: Act, key: str) -> Report:
        """Revert or apply what `key` names: "all", a file's index, "FILE.HUNK", or "c" and a cell's index."""
        targets = self._targets(act, key)
        step, report = self._carry_out(act, targets, self._name(key, targets))
        if step.targets:
            self._done.append(step)
            self._undone.clear()
        return report

    def undo_last(self) -> Report:
        """Undo the last revert or apply."""
        return self._go(self._done, self._undone, "There is nothing to undo.", inverse=True)

    def redo_last(self) -> Report:
        """Redo what was undone last."""
        return self._go(self._undone, self._done, "There is nothing to redo.", inverse=False)

    def _go(self, source: list[_Step], goal: list[_Step], nothing: str, *, inverse: bool) -> Report:
        if not source:
            return Report(nothing, "", ())
        step = source[-1]
        act = _INVERSE[step.act] if inverse else step.act
        done, report = self._carry_out(act, step.targets, step.name)
        if done.targets:  # refused changes can be tried again
            left = tuple(target for target in step.targets if target not in done.targets)
            source[-1:] = [_Step(step.act, left, step.name)] if left else []
            goal.append(_Step(step.act, done.targets, step.name))
        return report

    # -- one change ------------------------------------------------------------------------------------------------

    def _targets(self, act: Act, key: str) -> tuple[Target, ...]:
        if key == "all":
            files = (target for index in range(len(self._diff.files)) for target in self._of_file(act, index))
            return (*files, *self._of_cells(act, range(len(self._diff.cells))))
        if key[:1] == "c" and key[1:].isdecimal() and int(key[1:]) < len(self._diff.cells):
            return self._of_cells(act, [int(key[1:])])
        file, _, hunk = key.partition(".")
        if not file.isdecimal() or int(file) >= len(self._diff.files):
            return ()
        if not hunk:
            return self._of_file(act, int(file))
        known = hunk.isdecimal() and int(hunk) < len(self._diff.files[int(file)].hunks)
        return (Target(int(file), int(hunk)),) if known else ()

    def _of_file(self, act: Act, index: int) -> tuple[Target, ...]:
        """Return a partly reverted file hunk by hunk, so that undo restores exactly these."""
        file = self._diff.files[index]
        if file.state == ("reverted" if act == "revert" else "applied"):
            return ()
        if file.state != "partly":
            return (Target(index),)
        wanted = act == "revert"
        return tuple(Target(index, number) for number, is_back in enumerate(file.reverted) if is_back != wanted)

    def _of_cells(self, act: Act, indices: Sequence[int]) -> tuple[Target, ...]:
        """Return the cells that are not so yet, the last one first if they are taken back: places depend on it."""
        wanted = act == "revert"
        left = [Target(cell=index) for index in indices if self._diff.cells[index].reverted is not wanted]
        return tuple(left[::-1] if wanted else left)

    def _carry_out(self, act: Act, targets: Sequence[Target], name: str) -> tuple[_Step, Report]:
        done: list[Target] = []
        refused: dict[str, None] = {}  # in order, each once
        for target in targets:
            reasons = self._try(act, target)
            refused |= dict.fromkeys(reasons)
            if not reasons:
                done.append(target)
        text = f"{_DONE[act]}: {name}." if done else "" if refused else "Nothing left to do."
        why = f"{_NOT_DONE[act]}: {' '.join(refused)}" if refused else ""
        files = tuple(dict.fromkeys(target.file for target in targets if target.file is not None))
        return _Step(act, tuple(done), name), Report(text, why, files)

    def _try(self, act: Act, target: Target) -> list[str]:
        """Return the reasons for a refusal; empty if it was done."""
        subject = self._subject(target)
        try:
            outcome: Outcome = subject.revert() if act == "revert" else subject.apply()
        except DiffConflictError as error:
            return [f"{path}: {_in_page(reason)}" for path, reason in error.refused] or [_in_page(str(error))]
        except (OpencodeError, OSError) as error:
            return [f"{self._called(target)}: {error}"]
        return [f"{path}: {_in_page(reason)}" for path, reason in outcome.refused]

    def _subject(self, target: Target) -> FileDiff | Hunk | CellDiff:
        if target.file is None:
            return self._diff.cells[target.cell or 0]
        file = self._diff.files[target.file]
        return file if target.hunk is None else file.hunks[target.hunk]

    def _called(self, target: Target) -> str:
        return self._diff.cells[target.cell or 0].title if target.file is None else self._diff.files[target.file].file

    def _name(self, key: str, targets: Sequence[Target]) -> str:
        if key == "all":
            counts = {
                "file": len({target.file for target in targets if target.file is not None}),
                "cell": sum(target.cell is not None for target in targets),
            }
            told = [f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items() if count]
            return " and ".join(told) or "0 files"
        file, _, hunk = key.partition(".")
        path = self._called(targets[0]) if targets else f"file {file}"
        return f"change {int(hunk) + 1} of {path}" if hunk.isdecimal() else path


def _in_page(reason: str) -> str:
    for call, button in _IN_PAGE.items():
        reason = reason.replace(call, button)
    return reason


def _verb(act: Act) -> str:
    return "revert" if act == "revert" else "reapply"
