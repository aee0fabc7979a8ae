"""Where the changes of a turn, a session or the work tree are to be had, and what each source can miss.

For turns, in this order: the server's own snapshots (git trees: exact bytes of everything, whoever changed it), where
this machine has them; the patches that the server made of them, which have lost what is no UTF-8 text, and names with
quotes or tabs; outside git, what the tools say, with the bytes from `images`. Blocking; run it off the event loop.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from opencode_nb.conversation import disk, git
from opencode_nb.conversation.images import Images
from opencode_nb.conversation.own import Own
from opencode_nb.conversation.state import Json, TurnState
from opencode_nb.diffs import tools
from opencode_nb.diffs.change import REGULAR, SUBMODULE, Change, Side, Status, known
from opencode_nb.diffs.composing import compose
from opencode_nb.diffs.making import counted
from opencode_nb.diffs.patch import parse
from opencode_nb.diffs.quoting import unquote
from opencode_nb.diffs.renames import detect
from opencode_nb.diffs.text import encode

MAX_BYTES = 16 * 1024 * 1024
"""Files of the work tree that are larger are named, not shown: their bytes would be held for as long as the diff."""


class Found(NamedTuple):
    """Changes, the directory that their paths are relative to (None: not on this machine), and where they are from."""

    changes: list[Change]
    root: Path | None
    source: str
    own: Own | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session works: its directory and project as the server names them, and what this kernel knows of it.

    `turns` are all of its turns, none where the first ones are not loaded.
    """

    directory: Path
    project: str
    turns: Sequence[TurnState]
    images: Images | None
    own: Own
    environment: Mapping[str, str]

    @property
    def data(self) -> Path:
        """The server's data directory, if it runs on this machine in this environment."""
        home = self.environment.get("XDG_DATA_HOME") or os.environ.get("XDG_DATA_HOME")
        return (Path(home) if home else Path.home() / ".local" / "share") / "opencode"


def of_turns(turns: Sequence[TurnState], place: Place) -> Found:
    """What these turns of one session changed, put together into one change for each file."""
    layers, root, source = _layers(turns, place)
    if turns == place.turns:
        place.own.learn(layers)
    elif place.turns:
        place.own.learn_from(lambda: _layers(place.turns, place)[0])
    return Found(counted(compose(layers, place.own.has)), root, source, place.own)


def snapshots_of(turns: Sequence[TurnState], place: Place) -> git.Repository | None:
    """The server's snapshots of these turns; None where they are not on this machine."""
    root = next(filter(None, map(_worktree, turns)), "")
    return _snapshots(turns, Path(root), place) if root else None


def _layers(turns: Sequence[TurnState], place: Place) -> tuple[list[list[Change]], Path | None, str]:
    """What each of the turns changed, from the best source that has all of them."""
    roots = [root for turn in turns if (root := _worktree(turn))]
    if not roots or not any(_trees(turn) for turn in turns):
        here = place.directory if place.directory.is_dir() else None
        return [_of_tools(turn, place) for turn in turns], here, _TOOLS
    worktree = Path(roots[-1])
    repository = _snapshots(turns, worktree, place)
    here = worktree if worktree.is_dir() else None
    if repository is None:
        return [_of_patches(turn, here) for turn in turns], here, _PATCHES
    changes = [detect(git.between(repository, *trees)) for turn in turns if (trees := _trees(turn))]
    return changes, here, _SNAPSHOTS.format(_scope(place.directory, worktree))


_SHARED = "What else changed files meanwhile (you, another session) is in it too"
_SNAPSHOTS = f"From the server's git snapshots of {{}}. {_SHARED}; ignored files, repositories inside \
it, and new files over 2 MB are not."
_PATCHES = f"From the server's patches (its snapshots are not on this machine). {_SHARED}; ignored files, \
repositories inside it, new files over 2 MB, and the bytes of what is no UTF-8 text are not."
_TOOLS = "From what the tools said they wrote: this is no git repository, so what commands changed is not in it."
_WORK_TREE = "From git: the files as they are now against {}, new ones included. Ignored files \
and repositories inside it are not."


def _scope(directory: Path, worktree: Path) -> str:
    return f"{directory}, a part of its repository" if directory != worktree.resolve() else "the repository"


def _worktree(turn: TurnState) -> str:
    """The repository's directory, as the turn's steps have it; "" outside git."""
    for step in turn.steps.values():
        root = str((step.info.get("path") or {}).get("root") or "")
        if root not in ("", "/"):
            return root
    return ""


def _trees(turn: TurnState) -> tuple[str, str] | None:
    """The trees before the first step and after the last that has come to its end, as the server takes them too."""
    first = [part["snapshot"] for part in turn.parts if part.get("type") == "step-start" and part.get("snapshot")]
    last = [part["snapshot"] for part in turn.parts if part.get("type") == "step-finish" and part.get("snapshot")]
    return (str(first[0]), str(last[-1])) if first and last else None


def _snapshots(turns: Iterable[TurnState], worktree: Path, place: Place) -> git.Repository | None:
    """The repository in which the server keeps its snapshots, where it is here and has all of these turns' trees."""
    name = hashlib.sha1(str(worktree).encode(), usedforsecurity=False).hexdigest()
    store = git.Repository(place.data / "snapshot" / place.project / name, worktree)
    if not store.git_dir.is_dir() or not worktree.is_dir():
        return None
    trees = {tree for turn in turns for tree in _trees(turn) or ()}
    return store if store.has(*trees) else None


# The server's patches


def _of_patches(turn: TurnState, root: Path | None) -> list[Change]:
    return detect(_of_patch(diff, root) for diff in turn.diffs)


def _of_patch(diff: Json, root: Path | None) -> Change:
    """One file of the server's own diffs; its patch has the whole file, unless something was lost."""
    path, text = str(diff.get("file") or ""), str(diff.get("patch") or "")
    added, removed = int(diff.get("additions") or 0), int(diff.get("deletions") or 0)
    status = _status(diff)
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


def _status(diff: Json) -> Status:
    status = diff.get("status")
    return "added" if status == "added" else "deleted" if status == "deleted" else "modified"


_LOST = "the server's patch has not all of its bytes (it is binary, no UTF-8, or has an unusual name). \
Undo the turn on the server: session.revert(turn)."


def _mode_on_disk(root: Path | None, path: str) -> str:
    """The server's patches have no modes: what is on disk must do."""
    try:
        now = disk.read(disk.locate(root, path)) if root else None
    except disk.UnreadableError:
        now = None
    return now.mode if now else REGULAR


# The tools


def _of_tools(turn: TurnState, place: Place) -> list[Change]:
    return compose(_of_call(part, place) for part in _calls(turn))


def _calls(turn: TurnState) -> list[Json]:
    """The completed calls that changed files, those of sub-sessions too, in the order of their ends."""
    parts = [part for part in turn.parts if part.get("tool") in tools.CHANGING]
    for children in turn.children.values():
        parts += [part for child in children for part in _calls(child)]
    done = [part for part in parts if (part.get("state") or {}).get("status") == "completed"]
    return sorted(done, key=lambda part: (part["state"].get("time") or {}).get("end") or 0)


def _of_call(part: Json, place: Place) -> list[Change]:
    """What one call changed: by the images of its files, else by what it said."""
    changes: dict[str, Change] = {}
    for diff in tools.reported(part):
        path = _named(str(diff.get("file")), place.directory)
        changes[path] = _as_told(path, diff)
    for name in tools.paths(part):
        path = _named(name, place.directory)
        change = _as_seen(path, str(part.get("callID")), name, place.images) or _as_written(path, part)
        if change is not None:
            changes[path] = change
    return list(changes.values())


def _as_seen(path: str, call: str, name: str, images: Images | None) -> Change | None:
    """By its images; two that are the same say nothing: the call may have been faster than the look before it."""
    before, after = (images.before.get((call, name)), images.after.get((call, name))) if images else (None, None)
    if before is None or after is None or before == after:
        return None
    return Change(path, before.side, after.side)


def _as_written(path: str, part: Json) -> Change | None:
    """By what `write` was given: the whole file after it; before it there was none, or nobody knows it."""
    state = part["state"]
    if part.get("tool") != "write":
        return None
    content = known(encode(str((state.get("input") or {}).get("content") or "")))
    exists = bool((state.get("metadata") or {}).get("exists"))
    return Change(path, None, content, unknown=_NO_IMAGE if exists else "")


def _as_told(path: str, diff: Json) -> Change:
    """By the tool's own patch."""
    return Change(path, patch=str(diff.get("patch") or ""), unknown=_NO_IMAGE, given_status=_status(diff))


_NO_IMAGE = "nobody has the whole file from before: this is no git repository, and no kernel was looking. \
Change it by hand."


def _named(path: str, directory: Path) -> str:
    """A tool's path relative to the session's directory; one that is elsewhere stays absolute."""
    absolute = Path(os.path.normpath(directory / path))
    return absolute.relative_to(directory).as_posix() if absolute.is_relative_to(directory) else str(absolute)


# The work tree


def of_work_tree(directory: Path, branch: str = "") -> Found:
    """What differs on disk from the last commit, or from where HEAD left a branch. Raises GitError outside git."""
    repository = git.discover(directory)
    listed = git.uncommitted(repository, git.base(repository, branch))
    changes = [change for entry in listed if (change := _with_disk(entry, repository.worktree))]
    name = f"where this branch left {branch}" if branch else "the last commit"
    return Found(counted(detect(changes)), repository.worktree, _WORK_TREE.format(name))


def _with_disk(change: Change, root: Path) -> Change | None:
    """The change with what is on disk as its side after; None where that is the same."""
    place = root / change.path
    if place.is_file() and not place.is_symlink() and place.stat().st_size > MAX_BYTES:
        return replace(change, before=None, unknown=_LARGE, given_status="modified" if change.before else "added")
    try:
        after = _now(change, place)
    except (disk.UnreadableError, git.GitError) as error:
        return replace(change, before=None, unknown=str(error))
    if after is change.before is None or (after and change.before and after.same(change.before)):
        return None
    return replace(change, after=after)


def _now(change: Change, place: Path) -> Side | None:
    """What is on disk; a folder is no file, unless it is a submodule's."""
    if change.before and change.before.mode == SUBMODULE and place.is_dir():
        return known(git.head(place).encode(), SUBMODULE)
    return None if place.is_dir() and not place.is_symlink() else disk.read(place)


_LARGE = f"it has more than {MAX_BYTES >> 20} MB. Look at it with git."
