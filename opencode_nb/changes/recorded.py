"""Read a turn's changes from the server's snapshots: git trees around each step, minus changes by others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from opencode_nb.changes import git_objects
from opencode_nb.changes.reported import relative
from opencode_nb.diffs.change import Change, Side
from opencode_nb.diffs.compose import compose
from opencode_nb.transcript.attribution import Step, names, reporting_calls, steps
from opencode_nb.transcript.state import Json, TurnState


@dataclass(frozen=True, slots=True)
class Span:
    """The trees before and after a step ("" is git's index), the files that differ, and those the turn changed."""

    before: str
    after: str
    changed: frozenset[str]
    own: frozenset[str]
    silent: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """A turn's changes from the snapshots. `silent` are the files that a silent tool may have changed."""

    changes: list[Change]
    silent: frozenset[str]
    store: git_objects.Repository
    tree: str | None

    def last(self, paths: Iterable[str]) -> dict[str, Side | None]:
        """Return these files from the turn's last tree; None for missing ones."""
        return git_objects.sides(self.store, self.tree, paths) if self.tree is not None else {}


def has_trees(turn: TurnState) -> bool:
    """Return whether the server took snapshots around this turn's steps."""
    return any(step.before for step in steps(turn))


def of_turn(turn: TurnState, following: TurnState | None, store: git_objects.Repository, directory: Path) -> Recorded:
    """Return what the turn changed, without changes by others. `following` is the turn after it."""
    spans = _spans(turn, following, store, directory)
    own = frozenset[str]().union(*(span.own for span in spans))
    silent = frozenset[str]().union(*(span.own for span in spans if span.silent))
    reported = _named(reporting_calls(turn), store, directory)
    changes = [replace(change, certain=change.path in reported) for change in _changes(spans, own, store)]
    return Recorded(changes, silent, store, spans[-1].after if spans else None)


def _changes(spans: list[Span], own: frozenset[str], store: git_objects.Repository) -> list[Change]:
    """Return the turn's own changes from its first tree to its last; step by step if others changed the same files."""
    if not own:
        return []
    if not own & _foreign(spans, store):
        return [change for change in git_objects.between(store, spans[0].before, spans[-1].after) if change.path in own]
    touched = (span for span in spans if span.own)
    return compose(
        [c for c in git_objects.between(store, span.before, span.after) if c.path in span.own] for span in touched
    )


def _foreign(spans: list[Span], store: git_objects.Repository) -> set[str]:
    """Return the files that someone else changed during a step, or between two steps."""
    found = {path for span in spans for path in span.changed - span.own}
    for span, following in pairwise(spans):
        if span.after and span.after != following.before:
            found |= git_objects.names_between(store, span.after, following.before)
    return found


def _spans(turn: TurnState, following: TurnState | None, store: git_objects.Repository, directory: Path) -> list[Span]:
    """Return the steps with their trees. After a step that was cut off, use the next tree, or the index."""
    found = [step for step in steps(turn) if step.before]
    later = next((step.before for step in steps(following) if step.before), "") if following else ""
    nexts = [step.before for step in found[1:]]
    ends = zip(found, [*nexts, later], strict=False)  # a shell command's turn has no trees at all
    return [_span(step, step.after or after, store, directory) for step, after in ends]


def _span(step: Step, after: str, store: git_objects.Repository, directory: Path) -> Span:
    changed = frozenset(git_objects.names_between(store, step.before, after)) if step.before != after else frozenset()
    told = _named([call for call in step.calls if call["state"].get("status") != "error"], store, directory)
    return Span(step.before, after, changed, changed if step.silent else changed & told, step.silent)


def _named(calls: Iterable[Json], store: git_objects.Repository, directory: Path) -> frozenset[str]:
    """Return the files that these calls name."""
    return frozenset(relative(name, store.worktree, directory) for call in calls for name in names(call))
