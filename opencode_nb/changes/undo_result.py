"""The result of an undo or redo: what is on disk afterwards, whatever the server answered."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from opencode_nb.changes import backups, sources, unrecorded
from opencode_nb.changes.undo_plan import Plan
from opencode_nb.diffs.memory import Restored
from opencode_nb.transcript import attribution
from opencode_nb.transcript.state import TurnState


@dataclass(frozen=True, slots=True)
class Undone:
    """The result of an undo or redo.

    `undone` are the prompts that are undone now, oldest first. `files` are now as they should be, `differ` are not;
    `warning` says why and what to do, "" if all is well. All paths are relative to `root`. `copies` are (path, backup)
    of what was overwritten; `uncertain` are those `files` that someone else may have changed while the turn ran;
    `directory` is the session's working directory.
    """

    undone: tuple[str, ...]
    files: tuple[str, ...]
    differ: tuple[str, ...]
    warning: str
    root: Path | None = None
    copies: tuple[tuple[str, str], ...] = ()
    uncertain: tuple[str, ...] = ()
    directory: Path | None = None
    kernel: Restored | None = None
    """What was restored in the kernel; None if the turns ran no code there."""

    def __str__(self) -> str:
        is_elsewhere = self.root and self.directory and self.root.resolve() != self.directory.resolve()
        where = f" in {self.root}" if is_elsewhere else ""
        restored = f"Restored{where}: {_named(self.files)}" if self.files else ""
        files = "\n".join(filter(None, (restored, self.unsure, self.warning))) or "There were no files to restore."
        return f"{files}\n{self.kernel}" if self.kernel else files

    @property
    def unsure(self) -> str:
        """Which files someone else may have changed, and their backups; "" if none."""
        copies = [(path, place) for path, place in self.copies if path in self.uncertain]
        listed = ", ".join(f"{shlex.quote(path)} as {place}" for path, place in copies)
        return f"Someone else may have changed these too; copies from before: {listed}" if listed else ""


def outcome(
    undone: Sequence[TurnState], touched: Sequence[TurnState], plan: Plan, failed: dict[str, str], place: sources.Place
) -> Undone:
    """Return the result of an undo or redo of the `touched` turns; `failed` says why files differ from the plan."""
    files = [path for path, goal in sorted(plan.goals.items()) if goal.touched and path not in failed]
    differ = {**plan.left, **failed}
    copies = {path: str(copy) for path, copy in plan.copies.items() if path in plan.goals}
    overwritten = {path: copies[path] for path in sorted(plan.forced) if path in copies}
    lines = (_differing(differ), _unknown(touched, plan, place), _overwritten(overwritten))
    return Undone(
        undone=tuple(_prompt(turn) for turn in undone),
        files=tuple(files),
        differ=tuple(sorted(differ)),
        warning="\n".join(filter(None, lines)),
        root=plan.root,
        copies=tuple(copies.items()),
        directory=place.directory,
        uncertain=tuple(path for path in files if not plan.goals[path].certain and path not in overwritten),
    )


def _differing(differ: dict[str, str]) -> str:
    said = "; ".join(f"{shlex.quote(path)}: {reason}" for path, reason in sorted(differ.items()))
    return f"Not restored: {said}." if said else ""


def _unknown(turns: Sequence[TurnState], plan: Plan, place: sources.Place) -> str:
    """Return what cannot have been restored, and why: changes by commands, if the server takes no snapshots."""
    if plan.root is None:
        return _REMOTE
    if any(step.before for turn in turns for step in attribution.steps(turn)) or not attribution.ran_silent(turns):
        return ""
    return _COMMANDS.format(unrecorded.reason(place.directory))


def _overwritten(copies: dict[str, str]) -> str:
    listed = ", ".join(f"{path} as {place}" for path, place in copies.items())
    return f"Overwritten, with copies kept for {backups.KEPT_DAYS} days: {listed}." if listed else ""


_REMOTE = "The files are on another machine and were not checked: the server restores what it can."
_COMMANDS = "What commands changed is not restored: {}."


def _named(files: Iterable[str]) -> str:
    return ", ".join(map(shlex.quote, files))


def _prompt(turn: TurnState) -> str:
    parts = turn.prompt.parts.values() if turn.prompt else ()
    return "\n\n".join(str(part["text"]) for part in parts if part.get("text") and not part.get("synthetic"))
