"""Which files the server's own undo and redo may overwrite, measured and read in version 1.18.33. Blocking."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from opencode_nb.changes import git_objects, sources
from opencode_nb.transcript.attribution import Step, root_of, steps
from opencode_nb.transcript.state import TurnState


def reach(undoing: Sequence[TurnState], turns: Sequence[TurnState], snapshot: str, place: sources.Place) -> set[str]:
    """Return the files that the server may write when it undoes some turns; `turns` are all that the undo or redo
    covers.

    With a `snapshot`, turns are undone already: then the server first restores the whole work tree to it. If the
    server's snapshots are not on this machine, only the names in its patches are known.
    """
    store = sources.snapshots_of(turns, place)
    found = {path for turn in undoing for step in steps(turn) for path in _noted(step, root_of(turn))}
    if store is None:
        return found
    for turn in undoing:
        for step in steps(turn):
            found |= _of_step(store, step)
    return found | git_objects.moved_since(store, snapshot) if snapshot else found


def _noted(step: Step, root: str) -> Iterator[str]:
    """Yield the files of a step's patch by their noted names: the server deletes by these, mangled or not."""
    for file in step.files:
        path = PurePosixPath(file)
        if path.is_relative_to(root) and ".." not in path.parts:
            yield path.relative_to(root).as_posix()


def _of_step(store: git_objects.Repository, step: Step) -> set[str]:
    """Return the files that differ from before the step, and those matching a name that git takes for a pattern."""
    if not step.files:
        return set()
    patterns = [file for file in _noted(step, str(store.worktree)) if any(character in file for character in "*?[")]
    others = git_objects.names_in(store, step.before) if patterns else []
    matched = {name for name in others if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)}
    return matched | git_objects.names_between(store, step.before, step.after)
