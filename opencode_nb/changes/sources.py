"""Find the changes of a turn, a session or the work tree, and what each source can miss.

For turns, in this order: the server's own snapshots (git trees: exact bytes) if this machine has them, together with
the tools' reports; the server's patches of them, which lose anything that is not UTF-8 and names with quotes or tabs;
without snapshots, the tools' reports with the bytes from `recorder`. Changes that a turn does not account for are left
out (`attribution`). Blocking; run it off the event loop.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from opencode_nb.changes import git_objects, recorded, reported, unrecorded
from opencode_nb.changes import worktree as disk
from opencode_nb.changes.ledger import Own
from opencode_nb.changes.recorder import Images
from opencode_nb.diffs.build import counted
from opencode_nb.diffs.change import REGULAR, SUBMODULE, Change, Side, known
from opencode_nb.diffs.compose import compose
from opencode_nb.diffs.patch import parse
from opencode_nb.diffs.quoting import unquote
from opencode_nb.diffs.renames import detect
from opencode_nb.diffs.text import encode
from opencode_nb.transcript import attribution
from opencode_nb.transcript.state import Json, TurnState

MAX_BYTES = 16 * 1024 * 1024
"""Larger files of the work tree are listed, not shown: their bytes would stay in memory as long as the diff."""


class Found(NamedTuple):
    """Changes, the directory their paths are relative to (None: not on this machine), and their source.

    `own` knows the session's own states of files; `played`: a recording is their source.
    """

    changes: list[Change]
    root: Path | None
    source: str
    own: Own | None = None
    played: bool = False


@dataclass(frozen=True, slots=True)
class Replayed:
    """What turns of a recording changed, by their ids, and the directory that the paths are relative to."""

    root: Path
    changes: Mapping[str, Sequence[Change]]


@dataclass(frozen=True, slots=True)
class Place:
    """A session's directory and project as the server names them, and what this kernel knows of it.

    `turns` are its visible turns, empty if the first ones are not loaded; `known` are all loaded turns, undone ones
    too. `replayed` has what each turn changed, if they are played from a recording: nothing else is looked at then.
    """

    session_id: str
    directory: Path
    project: str
    turns: Sequence[TurnState]
    known: Sequence[TurnState]
    images: Images | None
    own: Own
    environment: Mapping[str, str]
    replayed: Replayed | None = None

    @property
    def data(self) -> Path:
        """The server's data directory, if it runs on this machine in this environment."""
        home = self.environment.get("XDG_DATA_HOME") or os.environ.get("XDG_DATA_HOME")
        return (Path(home) if home else Path.home() / ".local" / "share") / "opencode"


def of_turns(turns: Sequence[TurnState], place: Place) -> Found:
    """Return what these turns of one session changed, combined into one change per file."""
    layers, root, source = _layers(turns, place)
    if turns == place.turns:
        place.own.learn(layers)
    else:
        place.own.learn_from((lambda: _layers(place.turns, place)[0]) if place.turns else None)
    return Found(counted(compose(layers, place.own.has)), root, source, place.own, place.replayed is not None)


def snapshots_of(turns: Sequence[TurnState], place: Place) -> git_objects.Repository | None:
    """Return the server's snapshots of these turns; None if they are not on this machine."""
    root = "" if place.replayed else next(filter(None, map(attribution.root_of, turns)), "")
    return _snapshots(turns, Path(root), place) if root else None


def _layers(turns: Sequence[TurnState], place: Place) -> tuple[list[list[Change]], Path | None, str]:
    """Return what each turn changed, from the best source that has all of them."""
    if place.replayed is not None:
        return [list(place.replayed.changes.get(turn.id, ())) for turn in turns], place.replayed.root, _RECORDED
    roots = [root for turn in turns if (root := attribution.root_of(turn))]
    if not roots or not any(recorded.has_trees(turn) for turn in turns):
        here = place.directory if place.directory.is_dir() else None
        return [_of_tools(turn, place) for turn in turns], here, _TOOLS.format(unrecorded.reason(place.directory))
    worktree = Path(roots[-1])
    store = _snapshots(turns, worktree, place)
    here = worktree if worktree.is_dir() else None
    if store is None:
        return [_of_patches(turn, here) for turn in turns], here, _PATCHES
    layers = [_of_snapshots(turn, _following(turn, place), store, place) for turn in turns]
    return layers, here, _SNAPSHOTS.format(_scope(place.directory, worktree)) + _uncertain(layers)


_SNAPSHOTS = "From the server's git snapshots of {}, and the tools' reports on ignored files and nested \
repositories. Not included: what commands changed there, and new files over 2 MB."
_RECORDED = "From a recording. Not included: the content of files over 1 MB, and of those that hold secrets."
_PATCHES = "From the server's patches (its snapshots are not on this machine). Not included: ignored files, nested \
repositories, new files over 2 MB, and the bytes of files that are not UTF-8 text."
_TOOLS = "From the tools' reports: {}, so what commands changed is not included."
_UNCERTAIN = " Changed while a command, an MCP tool or a subagent ran, perhaps by someone else: {}."
_WORK_TREE = "From git: the current files against {}, including new ones. Not included: ignored files \
and nested repositories."
_NAMED = 5


def _uncertain(layers: Iterable[Iterable[Change]]) -> str:
    """Return a sentence about the files that others may have changed; "" if there are none."""
    paths = sorted({change.path for layer in layers for change in layer if not change.certain})
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return _UNCERTAIN.format(", ".join(paths[:_NAMED]) + more) if paths else ""


def _scope(directory: Path, worktree: Path) -> str:
    return f"{directory}, a part of its repository" if directory != worktree.resolve() else "the repository"


def _following(turn: TurnState, place: Place) -> TurnState | None:
    """Return the turn after this one, undone or not; None for the last."""
    at = next((index for index, other in enumerate(place.known) if other.id == turn.id), None)
    return None if at is None else next(iter(place.known[at + 1 : at + 2]), None)


def _of_snapshots(
    turn: TurnState, following: TurnState | None, store: git_objects.Repository, place: Place
) -> list[Change]:
    told = reported.reports(attribution.reporting_calls(turn), store.worktree, place.directory, place.images)
    found = recorded.of_turn(turn, following, store, place.directory)
    changes = reported.merged(found.changes, told, found.silent, found.last(told), store.worktree)
    return detect(changes)


def _snapshots(turns: Iterable[TurnState], worktree: Path, place: Place) -> git_objects.Repository | None:
    """Return the repository of the server's snapshots, if it is here and has all trees of these turns."""
    name = hashlib.sha1(str(worktree).encode(), usedforsecurity=False).hexdigest()
    store = git_objects.Repository(place.data / "snapshot" / place.project / name, worktree)
    if not store.git_dir.is_dir() or not worktree.is_dir():
        return None
    trees = {tree for turn in turns for step in attribution.steps(turn) for tree in (step.before, step.after) if tree}
    return store if store.has(*trees) else None


# The server's patches


def _of_patches(turn: TurnState, root: Path | None) -> list[Change]:
    return detect(_of_patch(diff, root) for diff in attribution.own_diffs(turn))


def _of_patch(diff: Json, root: Path | None) -> Change:
    """Return one file of the server's own diffs. Its patch has the whole file, unless something was lost."""
    path, text = str(diff.get("file") or ""), str(diff.get("patch") or "")
    added, removed = int(diff.get("additions") or 0), int(diff.get("deletions") or 0)
    status = reported.status(diff)
    hunks = parse(text)
    is_empty = not hunks and status in ("added", "deleted") and not added and not removed and bool(text)
    if "\ufffd" in text or path.startswith('"') or len(hunks) + is_empty != 1:
        change = Change(unquote(path), additions=added, deletions=removed, unknown=_LOST, given_status=status)
        return replace(change, patch=text or f"Binary files a/{path} and b/{path} differ\n")
    mode = _mode_on_disk(root, path)
    before = "".join(line for hunk in hunks for line in hunk.old)
    after = "".join(line for hunk in hunks for line in hunk.new)
    return Change(
        path,
        None if status == "added" else known(encode(before), mode),
        None if status == "deleted" else known(encode(after), mode),
        additions=added,
        deletions=removed,
    )


_LOST = "the server's patch lacks some of its bytes (it is binary, not UTF-8, or has an unusual name). \
Undo the turn on the server: session.revert(turn)."


def _mode_on_disk(root: Path | None, path: str) -> str:
    """Return the mode on disk: the server's patches have none."""
    try:
        now = disk.read(disk.locate(root, path)) if root else None
    except disk.UnreadableError:
        now = None
    return now.mode if now else REGULAR


def _of_tools(turn: TurnState, place: Place) -> list[Change]:
    calls = attribution.reporting_calls(turn)
    told = reported.reports(calls, place.directory, place.directory, place.images)
    return detect(reported.merged([], told, frozenset(), {}, place.directory))


# The work tree


def of_work_tree(directory: Path, branch: str = "") -> Found:
    """Return what differs on disk from the last commit, or from a branch's merge base. Raises GitError outside git."""
    repository = git_objects.discover(directory)
    listed = git_objects.uncommitted(repository, git_objects.base(repository, branch))
    changes = [change for entry in listed if (change := _with_disk(entry, repository.worktree))]
    name = f"where this branch left {branch}" if branch else "the last commit"
    return Found(counted(detect(changes)), repository.worktree, _WORK_TREE.format(name))


def _with_disk(change: Change, root: Path) -> Change | None:
    """Return the change with the file on disk as its side after; None if nothing differs."""
    place = root / change.path
    if place.is_file() and not place.is_symlink() and place.stat().st_size > MAX_BYTES:
        return replace(change, before=None, unknown=_LARGE, given_status="modified" if change.before else "added")
    try:
        after = _now(change, place)
    except (disk.UnreadableError, git_objects.GitError) as error:
        return replace(change, before=None, unknown=str(error))
    if after is change.before is None or (after and change.before and after.same(change.before)):
        return None
    return replace(change, after=after)


def _now(change: Change, place: Path) -> Side | None:
    """Return the file on disk; a folder counts as none, unless it is a submodule."""
    if change.before and change.before.mode == SUBMODULE and place.is_dir():
        return known(git_objects.head(place).encode(), SUBMODULE)
    return None if place.is_dir() and not place.is_symlink() else disk.read(place)


_LARGE = f"it has more than {MAX_BYTES >> 20} MB. View it with git."
