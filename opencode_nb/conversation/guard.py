"""What the server's undo and redo would write over: they look at nothing themselves. Blocking.

An undo writes the files of its turns as they were before them. A redo, and an undo where something is undone already,
first restores every file of the work tree to what it was at the first undo. So: what somebody has changed in a file of
these turns is refused, or with force kept aside; what was changed in other files is put back right after.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from opencode_nb.conversation import acts, disk, git, kept, sources
from opencode_nb.conversation.state import TurnState
from opencode_nb.diffs.change import LINK, SUBMODULE, Side
from opencode_nb.errors import DiffConflictError, OpencodeError


@dataclass(frozen=True, slots=True)
class Overwritten:
    """What an act of the server would overwrite of somebody's, by path: `mine` in its turns' files, `others` elsewhere.

    `blocked` says of files why they can't be looked at, and so not be kept.
    """

    root: Path = Path()
    mine: dict[str, Side | None] = field(default_factory=dict)
    others: dict[str, Side | None] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)

    def settle(self, *, force: bool) -> str:
        """Keep aside what will be overwritten; a line that says where. Raises DiffConflictError, and nothing is done.

        Without `force` that is raised for everything in `mine`.
        """
        refused = {**self.blocked, **({} if force else dict.fromkeys(self.mine, _CHANGED))}
        if refused:
            said = "; ".join(f"{path}: {reason}" for path, reason in [*refused.items()][:_NAMED])
            more = f"; and {len(refused) - _NAMED} more files" if len(refused) > _NAMED else ""
            raise DiffConflictError(f"Nothing was done: {said}{more}. {_NEXT}", refused=tuple(refused.items()))
        self._keep(self.others)
        places = self._keep(self.mine)
        listed = ", ".join(f"{path} as {place}" for path, place in places.items())
        return f"Overwritten; kept for {kept.KEPT_DAYS} days: {listed}." if places else ""

    def _keep(self, sides: Mapping[str, Side | None]) -> dict[str, Path]:
        try:
            return {path: kept.keep(side.read()) for path, side in sides.items() if side and side.mode != LINK}
        except OSError as error:
            raise OpencodeError(f"Nothing was done: no copies could be kept in {kept.folder()}: {error}.") from error

    def put_back(self) -> None:
        """Give the other files back what they had. Raises OpencodeError where that can't be written."""
        for path, side in self.others.items():
            try:
                place = disk.locate(self.root, path)
                if not acts.same(disk.read(place), side):
                    disk.write(place, side)
            except (OSError, disk.UnreadableError) as error:
                raise OpencodeError(
                    f"The server overwrote {path}, and it could not be put back: {error}. "
                    f"What it was is among the newest files in {kept.folder()}."
                ) from error


_CHANGED = "it was changed since by somebody else (you, another turn or another session)"
_NEXT = "Look at them with turn.diff(), which takes back files and hunks one by one; or overwrite them with force=True \
(%opencode undo --force, redo --force), which keeps a copy"
_NAMED = 5


class _Step(NamedTuple):
    """The files that a step has changed, and the trees before and after; after is "" where it was stopped."""

    before: str
    files: tuple[str, ...]
    after: str


def look(undoing: Sequence[TurnState], undone: Sequence[TurnState], snapshot: str, place: sources.Place) -> Overwritten:
    """What undoing these turns (none: a redo) overwrites, where others are `undone` since `snapshot` ("": none are).

    Nothing where the server's snapshots are not on this machine: then nobody can tell.
    """
    store = sources.snapshots_of([*undone, *undoing], place)
    if store is None:
        return Overwritten()
    steps = [*_steps(undoing, store.worktree)]
    then, now = _first(steps), _first(_steps(undone, store.worktree))
    paths = {*then, *now, *(git.moved_since(store, snapshot) if snapshot else ())}
    last = snapshot or (steps[-1].after if steps else "")
    written = _sides(store, {path: then.get(path, snapshot) for path in paths})
    left = _sides(store, {path: now.get(path, last) for path in paths})
    edited = _edited_between(store, steps, snapshot)
    found = Overwritten(store.worktree)
    for path in sorted(path for path in paths if path in then or written[path]):
        if any(side and side.mode == SUBMODULE for side in (written[path], left[path])):
            continue  # git leaves its folder alone
        try:
            side = _present(store.worktree, path, left[path], paths)
        except disk.UnreadableError as error:
            found.blocked[path] = str(error).rstrip(".")
            continue
        if acts.same(side, written[path]) or (path not in edited and acts.same(side, left[path])):
            continue
        if path not in then and path not in now:
            found.others[path] = side
        elif not place.own.has(path, side):
            found.mine[path] = side
    return found


def _present(root: Path, path: str, left: Side | None, paths: Container[str]) -> Side | None:
    """The file as it is now. A folder that was left in its place is none; the server removes it with all that is in it.

    Raises disk.UnreadableError, also where a file is in such a folder that is none of `paths`.
    """
    try:
        return disk.read(disk.locate(root, path))
    except disk.FolderError:
        inside = (Path(folder, name) for folder, _, names in os.walk(root / path) for name in names)
        if left is None and all(file.relative_to(root).as_posix() in paths for file in inside):
            return None
        raise


def _steps(turns: Iterable[TurnState], worktree: Path) -> Iterator[_Step]:
    """The steps that have changed files. The server puts a step's patch after its end, or where it was stopped."""
    root, after = f"{worktree.as_posix()}/", ""
    for part in (part for turn in turns for part in turn.parts):
        if part.get("type") == "step-start":
            after = ""
        elif part.get("type") == "step-finish":
            after = str(part.get("snapshot") or "")
        elif part.get("type") == "patch":
            files = tuple(str(file).removeprefix(root) for file in part.get("files") or [])
            yield _Step(str(part.get("hash")), files, after)


def _first(steps: Iterable[_Step]) -> dict[str, str]:
    """By file the tree before the first step that changed it: what an undo writes."""
    found: dict[str, str] = {}
    for step in steps:
        for file in step.files:
            found.setdefault(file, step.before)
    return found


def _edited_between(store: git.Repository, steps: Sequence[_Step], snapshot: str) -> set[str]:
    """The files that somebody changed after one of the steps had, until the next one or the snapshot."""
    edited, touched = set[str](), set[str]()
    for step, following in pairwise([*steps, _Step(snapshot, (), "")]):
        touched.update(step.files)
        if step.after and following.before and step.after != following.before:
            edited |= touched & git.names_between(store, step.after, following.before)
    return edited


def _sides(store: git.Repository, trees: Mapping[str, str]) -> dict[str, Side | None]:
    """Each path's file as its tree has it."""
    found: dict[str, Side | None] = {}
    for tree in set(trees.values()):
        found |= git.sides(store, tree, [path for path in trees if trees[path] == tree])
    return found
