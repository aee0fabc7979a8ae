"""A turn's changes as its tools report them, with file contents recorded by this kernel around each call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from opencode_nb.changes import revert
from opencode_nb.changes.recorder import Images
from opencode_nb.diffs.change import Change, Side, Status, known
from opencode_nb.diffs.compose import compose
from opencode_nb.diffs.text import encode
from opencode_nb.transcript import tool_calls
from opencode_nb.transcript.attribution import located, names
from opencode_nb.transcript.state import Json

NO_IMAGE = "the file's content from before is unknown: git does not track it, and no kernel was watching.  \
Change it by hand."


@dataclass(slots=True)
class Report:
    """A turn's calls about one file, with one change each, in order. `exact`: both sides of each are known."""

    path: str
    calls: list[Json] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    exact: bool = True

    def whole(self) -> Change | None:
        """Combine the changes into one; None if they cancel out."""
        return next(iter(compose([change] for change in self.changes)), None)

    def explains(self, before: Side | None, after: Side | None) -> bool:
        """Return whether the calls turn `before` into `after`: then nobody else changed the file meanwhile."""
        text = revert.text(before) if before else ""
        for call, change in zip(self.calls, self.changes, strict=True):
            text = _applied(text, call, change)
        return text is not None and _plain(text) == _plain(revert.text(after) if after else "")


def _applied(text: str | None, call: Json, change: Change) -> str | None:
    """Return a file's text after a call; None if unknown."""
    if call.get("tool") == "write":
        return str((call["state"].get("input") or {}).get("content") or "")
    patch = _patch_of(call, change.path)
    if text is None or patch is None:
        return None
    if patch.get("status") == "deleted":
        return ""
    return revert.patched(_plain(text), _plain(str(patch.get("patch") or "").replace(_NO_NEWLINE, "")))


def _patch_of(call: Json, path: str) -> Json | None:
    """Return what a call reports about one file; None for a move, whose patch is for the old path."""
    found = tool_calls.reported(call)
    if len(found) > 1:
        found = [diff for diff in found if f"/{diff.get('filePath') or diff.get('file')}".endswith(f"/{path}")]
    return found[0] if len(found) == 1 and not found[0].get("movePath") else None


_NO_NEWLINE = "\n\\ No newline at end of file"


def _plain(text: str | None) -> str | None:
    """Remove what the tools' patches lose: Windows line endings, and whether the last line ends with a newline."""
    return text and text.replace("\r\n", "\n").rstrip("\n") + "\n"


def reports(calls: Iterable[Json], root: Path, directory: Path, images: Images | None) -> dict[str, Report]:
    """Return what completed calls report, by path relative to `root`; paths outside of it are absolute."""
    found: dict[str, Report] = {}
    for call in calls:
        for path, change in _of_call(call, root, directory, images).items():
            report = found.setdefault(path, Report(path))
            report.calls.append(call)
            report.changes.append(change)
            report.exact &= not change.unknown
    return found


def _of_call(call: Json, root: Path, directory: Path, images: Images | None) -> dict[str, Change]:
    """Return what one call changed: from recorded images of its files, else from its own report."""
    changes: dict[str, Change] = {}
    for diff in tool_calls.reported(call):
        path = relative(str(diff.get("movePath") or diff.get("filePath") or diff.get("file")), root, directory)
        changes[path] = _as_told(path, diff)
    for name in names(call):
        path = relative(name, root, directory)
        change = _as_seen(path, str(call.get("callID")), name, images) or _as_written(path, call)
        if change is not None:
            changes[path] = change
    return changes


def _as_seen(path: str, call: str, name: str, images: Images | None) -> Change | None:
    """From its images. Equal ones prove nothing: the call may have been faster than the image before it."""
    before, after = (images.before.get((call, name)), images.after.get((call, name))) if images else (None, None)
    if before is None or after is None or before == after:
        return None
    return Change(path, before.side, after.side)


def _as_written(path: str, call: Json) -> Change | None:
    """From the input of `write`: the whole file after it; before it, no file or an unknown one."""
    state = call["state"]
    if call.get("tool") != "write":
        return None
    content = known(encode(str((state.get("input") or {}).get("content") or "")))
    exists = bool((state.get("metadata") or {}).get("exists"))
    return Change(path, None, content, unknown=NO_IMAGE if exists else "")


def _as_told(path: str, diff: Json) -> Change:
    """From the tool's own patch."""
    return Change(path, patch=str(diff.get("patch") or ""), unknown=NO_IMAGE, given_status=status(diff))


def status(diff: Json) -> Status:
    """Map a diff's status: anything but an addition or a deletion is a modification."""
    said = diff.get("status")
    return "added" if said == "added" else "deleted" if said == "deleted" else "modified"


def relative(name: str, root: Path, directory: Path) -> str:
    """Return a tool's path relative to the root; a path outside stays absolute.

    A link in the path that leads out of the root is not followed: it may have been created since.
    """
    place, base = located(name, directory), located("", root)
    if place.is_relative_to(base):
        return place.relative_to(base).as_posix()
    named = Path(os.path.normpath(directory / name))
    starts = (start for start in (directory, root) if named.is_relative_to(start))
    inside = (located("", start) / named.relative_to(start) for start in starts)
    found = next((path for path in inside if path.is_relative_to(base)), None)
    return str(place) if found is None else found.relative_to(base).as_posix()


def merged(
    recorded: Sequence[Change],
    told: dict[str, Report],
    silent: frozenset[str],
    tracked: dict[str, Side | None],
    root: Path,
) -> list[Change]:
    """Merge a turn's changes from both sources: git's snapshots, and the tools' reports.

    Git's trees are exact, but not in time: someone else may have written to the file in the same step. Images are
    closer to the call. For files that git does not see (ignored, in a nested repository, too large) there are only the
    reports. `tracked` are git's last states of the reported files, `silent` the files that a silent tool may have
    changed.
    """
    by_path = {change.path: change for change in recorded}
    for path, report in told.items():
        whole = report.whole()
        if path in by_path:
            counts = report.exact and path not in silent
        else:
            counts = whole is not None and _is_unseen(path, whole, tracked, root)
        if whole is not None and counts:
            by_path[path] = whole
        if path in by_path and path not in silent:
            mine = by_path[path]
            by_path[path] = replace(mine, explained=partial(report.explains, mine.before, mine.after))
    return list(by_path.values())


def _is_unseen(path: str, whole: Change, tracked: dict[str, Side | None], root: Path) -> bool:
    """Return whether git has no record of the file, or could not record its last state."""
    last = tracked.get(path)
    if last is None:
        return True
    now = revert.look(whole, root).now
    return not whole.unknown and revert.same(now, whole.after) and not revert.same(last, whole.after)
