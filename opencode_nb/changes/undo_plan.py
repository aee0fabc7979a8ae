"""Plan an undo or redo of files: decide beforehand what each file must contain, and ensure it afterwards.

The server's own undo is for the conversation. It checks nothing: it writes the files of every step as they were before,
whoever changed them, deletes those whose names git quotes, and a redo first restores the whole work tree to its state
at the first undo. So every file it may touch is backed up first. A file of these turns that someone changed since is
refused, or overwritten with force; every other file is restored to what it was. Blocking.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from opencode_nb.changes import backups, revert, sources, undo_record, worktree
from opencode_nb.changes.server_undo import reach
from opencode_nb.diffs.change import LINK, SUBMODULE, Change, Side, known
from opencode_nb.diffs.compose import MIXED, singles
from opencode_nb.errors import DiffConflictError, OpencodeError
from opencode_nb.transcript.state import TurnState

MAX_BYTES = 64 * 1024 * 1024
"""Larger files are not backed up: without force, an undo or redo that may overwrite one is refused."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One of the turns' files: its content now, and afterwards.

    `certain`: only the agent changed it; `touched`: the undo or redo changes it.
    """

    now: Side | None
    then: Side | None
    certain: bool
    touched: bool


@dataclass(slots=True)
class Plan:
    """The outcome that an undo or redo must have.

    `others` are other people's files that the server may write, `left` says why files of the turns stay unchanged,
    `forced` are those whose later changes are overwritten.
    """

    root: Path | None = None
    goals: dict[str, Goal] = field(default_factory=dict)
    others: dict[str, Side | None] = field(default_factory=dict)
    beyond: dict[str, list[str]] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    forced: set[str] = field(default_factory=set)
    copies: dict[str, Path] = field(default_factory=dict)

    def keep(self) -> None:
        """Back up what may be overwritten. Raises OpencodeError: then nothing may be changed."""
        sides = {**self.others, **{path: goal.now for path, goal in self.goals.items()}}
        try:
            self.copies = {path: backups.keep(side.read()) for path, side in sides.items() if side and _is_file(side)}
        except OSError as error:
            raise OpencodeError(f"Nothing was done: could not save copies in {backups.folder()}: {error}.") from error

    def carry_out(self) -> dict[str, str]:
        """Correct what the server did differently; return why files could not be corrected, by path."""
        failed: dict[str, str] = {}
        wanted = {**self.others, **{path: goal.then for path, goal in self.goals.items()}}
        for link, paths in self.beyond.items():
            self._clear(link, paths)
        for path in sorted(wanted, key=lambda path: (wanted[path] is not None, path)):
            if problem := self._put(path, wanted[path]):
                failed[path] = problem
        return failed

    def take_back(self) -> None:
        """Restore everything after the server failed. Raises OpencodeError if that fails."""
        before = {**self.others, **{path: goal.now for path, goal in self.goals.items()}}
        failed = {path: problem for path, side in before.items() if (problem := self._put(path, side))}
        if failed:
            said = "; ".join(f"{path}: {problem}" for path, problem in failed.items())
            raise OpencodeError(
                f"The server failed, and these files could not be restored: {said}. "
                f"Their contents are among the newest files in {backups.folder()}."
            )

    def _put(self, path: str, side: Side | None) -> str:
        """Write a file unless it is already as it should be; return why that failed, else ""."""
        assert self.root is not None
        try:
            where = worktree.locate(self.root, path)
            if not revert.same(_present(where), side):
                worktree.write(where, side)
            return "" if revert.same(_present(where), side) else "another program is writing to it at the same time"
        except (OSError, worktree.UnreadableError) as error:
            return str(error)

    def _clear(self, link: str, paths: Iterable[str]) -> None:
        """Make way for a link that the server replaced with a folder containing these files."""
        assert self.root is not None
        if (self.root / link).is_symlink():
            return
        for path in paths:
            (self.root / path).unlink(missing_ok=True)


def _is_file(side: Side) -> bool:
    return side.mode not in (LINK, SUBMODULE)


def make(
    undoing: Sequence[TurnState],
    redoing: Sequence[TurnState],
    place: sources.Place,
    *,
    reverted: dict[str, object],
    force: bool,
) -> Plan:
    """Plan to undo some turns and redo others; `reverted` is the session's `revert`, if it has one.

    Raises DiffConflictError, without `force`, if someone changed files of these turns since; even with it, if something
    is in the way that cannot be backed up.
    """
    everything = replace(place, turns=place.known if place.turns else [])
    redo, undo = (sources.of_turns(turns, everything) for turns in (redoing, undoing))
    plan = Plan((undo if undoing else redo).root)
    if plan.root is None:
        return plan
    snapshot = str(reverted.get("snapshot") or "")
    for change in _singles(redo):
        _redo(plan, change, undo_record.state_before(place, change, snapshot, redoing), everything, force=force)
    for change in _singles(undo):
        _undo(plan, change, everything, force=force)
    _others(plan, reach(undoing, [*undoing, *redoing], snapshot, everything))
    _refuse(plan)
    return plan


def _singles(found: sources.Found) -> Iterator[Change]:
    """Yield the changes except submodules: git leaves their folders alone."""
    for change in found.changes:
        for single in singles(change):
            if not any(side and side.mode == SUBMODULE for side in (single.before, single.after)):
                yield single


def _undo(plan: Plan, change: Change, place: sources.Place, *, force: bool) -> None:
    _aim(plan, change, change.before, change.after, place, force=force, back=True)


def _redo(plan: Plan, change: Change, then: Side | None, place: sources.Place, *, force: bool) -> None:
    _aim(plan, change, then, change.before, place, force=force, back=False)


def _aim(
    plan: Plan, change: Change, then: Side | None, left: Side | None, place: sources.Place, *, force: bool, back: bool
) -> None:
    """Add the goal of one file, if nobody changed what the last undo or redo `left`; else add why not."""
    path, standing = change.path, revert.look(change, plan.root)
    try:
        now = worktree.read(worktree.locate(plan.root or Path(), path))
    except worktree.UnreadableError as error:
        if not isinstance(error, worktree.FolderError) or then is not None or left is not None:
            plan.refused[path] = str(error).rstrip(".")
        return
    if change.unknown and change.unknown != MIXED and (back or then is None):
        then = revert.placed(change, now, back=back)
        if then is None:
            plan.left[path] = change.unknown.rstrip(".")
            return
    is_known = standing.state != "changed since" or revert.same(now, then)
    if not is_known and ((back and change.unknown) or not revert.same(now, left)) and not place.own.has(path, now):
        if not force:
            plan.refused[path] = _CHANGED
            return
        plan.forced.add(path)
    if now is not None and _is_large((plan.root or Path()) / path) and not force:
        plan.refused[path] = _LARGE
        return
    certain = change.certain and (change.explained is None or change.explained())
    then = then and known(then.read(), then.mode)  # read now: git's line endings can depend on the file on disk
    plan.goals[path] = Goal(now, then, certain, touched=not revert.same(change.before, then) or back)


_CHANGED = "it was changed since by someone else (you, another turn or another session)"
_LARGE = f"it is too large to back up (more than {MAX_BYTES >> 20} MB). Move it away first"


def _is_large(place: Path) -> bool:
    return place.is_file() and not place.is_symlink() and place.stat().st_size > MAX_BYTES


def _others(plan: Plan, paths: Iterable[str]) -> None:
    """Add the other files that the server may write, as they are now."""
    assert plan.root is not None
    for path in sorted({*paths} - {*plan.goals} - {*plan.refused}):
        if (link := _link_above(plan.root, path)) is not None:
            plan.others[link] = worktree.read(plan.root / link)
            plan.beyond.setdefault(link, []).append(path)
            continue
        try:
            place = worktree.locate(plan.root, path)
            if _is_large(place):
                plan.refused[path] = _LARGE
            else:
                plan.others[path] = worktree.read(place)
        except worktree.FolderError:
            inside = _files_below(plan.root, path)
            plan.others |= {path: None, **{file: worktree.read(plan.root / file) for file in inside}}
        except worktree.UnreadableError as error:
            plan.refused[path] = str(error).rstrip(".")


def _link_above(root: Path, path: str) -> str | None:
    """Return the first folder of a path that is a link."""
    folders = [*Path(path).parents][-2::-1]
    return next((folder.as_posix() for folder in folders if (root / folder).is_symlink()), None)


def _files_below(root: Path, path: str) -> list[str]:
    found = (Path(folder, name) for folder, _, names in os.walk(root / path) for name in names)
    return [file.relative_to(root).as_posix() for file in found]


def _present(place: Path) -> Side | None:
    """Return the file now; a folder with something in it is not a file."""
    try:
        return worktree.read(place)
    except worktree.FolderError:
        return None


def _refuse(plan: Plan) -> None:
    if plan.refused:
        said = "; ".join(f"{path}: {reason}" for path, reason in [*plan.refused.items()][:_NAMED])
        more = f"; and {len(plan.refused) - _NAMED} more files" if len(plan.refused) > _NAMED else ""
        raise DiffConflictError(f"Nothing was done: {said}{more}. {_NEXT}", refused=tuple(plan.refused.items()))


_NEXT = "Review them with turn.diff(), which reverts single files and hunks, or overwrite them with force=True \
(%opencode undo --force, redo --force), which keeps a copy"
_NAMED = 5
