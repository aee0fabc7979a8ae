"""Revert and reapply a file's change: read the file, refuse or write, read it again.

Never overwrites an unknown state: the file must be as the change left it, or as earlier reverts left it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opencode_nb.changes import backups, worktree
from opencode_nb.changes.ledger import Own
from opencode_nb.diffs import edits
from opencode_nb.diffs.blocks import blocks
from opencode_nb.diffs.change import LINK, SUBMODULE, Change, Side, known
from opencode_nb.diffs.patch import Hunk, parse
from opencode_nb.diffs.text import decode, encode, is_binary
from opencode_nb.errors import DiffConflictError

State = Literal["applied", "reverted", "partly", "changed since"]

_HUNK_CHANGED = "these lines or those next to them were changed since. Edit them by hand."
_REMOTE = "its files are on another machine. Undo the turn there: session.revert(turn)."
_SUBMODULE = "it is a submodule. `git submodule update` restores the commit that the repository names."


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a change in the current file. `back`: which blocks are reverted, if only some are."""

    state: State
    now: Side | None = None
    old_now: Side | None = None
    back: tuple[bool, ...] = ()
    reason: str = ""


def look(change: Change, root: Path | None) -> Standing:
    """Compare the file with the change. Never raises: an unreadable file is "changed since", with a reason."""
    if problem := _unactable(change, root):
        return Standing("changed since", reason=problem)
    assert root is not None
    try:
        now = _now(root, change.path, change.after)
        old_now = _now(root, change.old_path, None) if change.old_path else None
    except worktree.UnreadableError as error:
        return Standing("changed since", reason=str(error))
    return _pieces_standing(change, now) if _in_pieces(change) else _standing(change, now, old_now)


def _now(root: Path, path: str, after: Side | None) -> Side | None:
    """Return the file as it is now. If the change left no file, a folder in its place counts as none, as in git."""
    try:
        return worktree.read(worktree.locate(root, path))
    except worktree.FolderError:
        if after is None:
            return None
        raise


def _in_pieces(change: Change) -> bool:
    """Return whether only the hunks of a tool's patch are known, not the file before and after."""
    return change.before is None and change.after is None and bool(change.unknown and parse(change.patch))


def _pieces_standing(change: Change, now: Side | None) -> Standing:
    for state, back in _SWITCHES:
        if now and _switched_pieces(change, now, back=back) is not None:
            return Standing(state, now)
    return Standing("changed since", now, reason=change.unknown)


_SWITCHES: tuple[tuple[State, bool], ...] = (("applied", True), ("reverted", False))


def _switched_pieces(change: Change, now: Side, *, back: bool) -> Side | None:
    """Return the file with every hunk reverted or reapplied, each at exactly its line numbers."""
    lines = text(now)
    for hunk in reversed(parse(change.patch)):
        lines = None if lines is None else edits.placed(lines, hunk, back=back)
    return None if lines is None else known(encode(lines), now.mode)


def placed(change: Change, now: Side | None, *, back: bool) -> Side | None:
    """Revert or reapply the hunks of a change that consists only of hunks; None if they don't fit.

    Returns the file unchanged if that was done already.
    """
    if now is None or not _in_pieces(change):
        return None
    return _switched_pieces(change, now, back=back) or (now if _switched_pieces(change, now, back=not back) else None)


def patched(before: str | None, patch: str | None) -> str | None:
    """Apply every hunk of a patch to a text at exactly its line numbers; None if one does not fit."""
    for hunk in reversed(parse(patch or "")):
        before = None if before is None else edits.placed(before, hunk, back=False)
    return before


def _unactable(change: Change, root: Path | None) -> str:
    """Return why this change cannot be reverted or reapplied; "" if it can."""
    if root is None:
        return _REMOTE
    if any(side and side.mode == SUBMODULE for side in (change.before, change.after)):
        return _SUBMODULE
    return "" if _in_pieces(change) else change.unknown


def _standing(change: Change, now: Side | None, old_now: Side | None) -> Standing:
    if same(now, change.after) and old_now is None:
        return Standing("applied", now, old_now)
    if (same(old_now, change.before) and now is None) if change.old_path else same(now, change.before):
        return Standing("reverted", now, old_now)
    back = _taken_back(change, now) if old_now is None else None
    if back is not None:
        return Standing("partly", now, old_now, tuple(back))
    if change.is_own and not change.old_path and change.is_own(now):
        return Standing("partly", now)
    return Standing("changed since", now, old_now, reason=_changed(change, now, old_now))


def _taken_back(change: Change, now: Side | None) -> list[bool] | None:
    if now is None or change.before is None or change.after is None:
        return None
    if now.mode not in (change.before.mode, change.after.mode):
        return None
    texts = [text(side) for side in (change.before, change.after, now)]
    return edits.reverted(*(one or "" for one in texts)) if None not in texts else None


def _changed(change: Change, now: Side | None, old_now: Side | None) -> str:
    """Describe how the file differs from what the change left."""
    if old_now is not None:
        return f"there is a file at {change.old_path} again. Move it away first."
    if now is None:
        return "it was deleted since. Its contents are in .after and .before."
    if change.after is None:
        return "a new file is there now. Move it away first."
    return "it was changed since by someone else: you, another turn or another session."


def same(one: Side | None, other: Side | None) -> bool:
    """Return whether both are the same file, or both None."""
    return one is other if one is None or other is None else one.same(other)


def text(side: Side | None) -> str | None:
    """Return a file's text; None if it has none: binary, a link, a submodule, no file."""
    if side is None or side.mode in (LINK, SUBMODULE) or is_binary(side.read()):
        return None
    return decode(side.read())


Copies = dict[str, str]
"""Backups of what was overwritten, by path."""


def switch_file(change: Change, root: Path | None, own: Own, *, back: bool) -> Copies | None:
    """Revert or reapply the whole change; None if there was nothing to do. Raises DiffConflictError."""
    standing = look(change, root)
    if standing.state == ("reverted" if back else "applied"):
        return None
    if standing.state == "changed since":
        raise refusal(change.path, standing.reason + _by_hunks(change, standing, back=back))
    assert root is not None
    return _carry_out(change, standing, root, own, back=back)


def _carry_out(change: Change, standing: Standing, root: Path, own: Own, *, back: bool) -> Copies:
    is_own, copies = own.is_pure(change), Copies()
    for path, now, then in _moves(change, standing, back=back):
        copies |= _write(root, path, now, then)
        if is_own:
            own.add(path, then)
    return copies


def _moves(change: Change, standing: Standing, *, back: bool) -> list[tuple[str, Side | None, Side | None]]:
    """Return what to write: path, current side, new side. The file exists under one of its names at any moment."""
    if _in_pieces(change) and standing.now:
        return [(change.path, standing.now, _switched_pieces(change, standing.now, back=back))]
    if not change.old_path:
        return [(change.path, standing.now, change.before if back else change.after)]
    moves = [
        (change.old_path, standing.old_now, change.before if back else None),
        (change.path, standing.now, None if back else change.after),
    ]
    return moves if back else moves[::-1]


def _by_hunks(change: Change, standing: Standing, *, back: bool) -> str:
    if change.unknown or text(standing.now) is None or text(change.after) is None or text(change.before) is None:
        return ""
    call, done = ("revert", "reverted") if back else ("apply", "applied again")
    return f" Its unchanged hunks can be {done} one by one: .hunks[0].{call}()."


def switch_hunk(change: Change, root: Path | None, own: Own, hunk: Hunk, *, back: bool) -> Copies | None:
    """Revert or reapply one hunk; None if there was nothing to do. Raises DiffConflictError.

    The rest of the file may have changed since, and is kept; the hunk's own lines and their neighbours must not have.
    """
    standing = look(change, root)
    if is_whole(change, standing):
        return switch_file(change, root, own, back=back)
    (is_back,) = hunks_back(change, standing, [hunk])
    if is_back is back:
        return None
    changed = _switched_hunk(change, standing, hunk, back=back)
    if is_back is None or changed is None or standing.now is None or root is None:
        raise refusal(change.path, _HUNK_CHANGED if standing.now else standing.reason)
    then = known(encode(changed), standing.now.mode)
    copies = _write(root, change.path, standing.now, then)
    if (standing.state != "changed since" and own.is_pure(change)) or own.has(change.path, standing.now):
        own.add(change.path, then)
    return copies


def is_whole(change: Change, standing: Standing) -> bool:
    """Return whether there are no hunks to revert: the file was added, deleted, or has its old name again."""
    if change.unknown:
        return False
    return change.before is None or change.after is None or bool(change.old_path and standing.state == "reverted")


def hunks_back(change: Change, standing: Standing, hunks: Sequence[Hunk]) -> list[bool | None]:
    """Return whether each hunk is reverted now; None if its lines were changed since."""
    if standing.state in ("applied", "reverted"):
        return [standing.state == "reverted"] * len(hunks)
    if standing.back:
        flags = dict(zip(blocks(text(change.before) or "", text(change.after) or ""), standing.back, strict=True))
        return [_agreed(flags.get(block) for block in hunk.blocks) for hunk in hunks]
    can_go, can_come = (_switchable(change, standing, hunks, back=back) for back in (True, False))
    return [None if go == come else come for go, come in zip(can_go, can_come, strict=True)]


def _agreed(flags: Iterable[bool | None]) -> bool | None:
    """Return the flag that all share; None if they differ."""
    (first, *others) = {*flags}
    return None if others else first


def _switchable(change: Change, standing: Standing, hunks: Sequence[Hunk], *, back: bool) -> list[bool]:
    """Return which hunks can be reverted (`back`) or reapplied in a file that was changed since."""
    now, before, after = (text(side) for side in (standing.now, change.before, change.after))
    if now is not None and standing.state == "changed since":
        if _in_pieces(change):
            return [edits.placed(now, hunk, back=back) is not None for hunk in hunks]
        if before is not None and after is not None:
            return edits.switchable(now, hunks, source=after if back else before, back=back)
    return [False] * len(hunks)


def _switched_hunk(change: Change, standing: Standing, hunk: Hunk, *, back: bool) -> str | None:
    """Return the file's text with one hunk reverted or reapplied; None if the hunk is not there unchanged."""
    now, before, after = (text(side) for side in (standing.now, change.before, change.after))
    if now is None:
        return None
    if before is None or after is None:
        return edits.placed(now, hunk, back=back) if _in_pieces(change) else None
    if standing.state == "changed since":
        return edits.switched(now, hunk, source=after if back else before, back=back)
    mine, all_blocks = {*hunk.blocks}, blocks(before, after)
    if not mine.issubset(all_blocks):
        return None
    flags = standing.back or [standing.state == "reverted"] * len(all_blocks)
    kept_as = zip(all_blocks, flags, strict=True)
    return edits.composed(before, after, [back if block in mine else flag for block, flag in kept_as])


def refusal(path: str, reason: str) -> DiffConflictError:
    """Return the error for a file that was left alone."""
    return DiffConflictError(f"{path} was not changed: {reason}", refused=((path, reason),))


def _write(root: Path, path: str, now: Side | None, then: Side | None) -> Copies:
    """Back up the file, write it and read it back; return the backup. Raises DiffConflictError."""
    if same(now, then):
        return {}
    copies = Copies()
    try:
        if now is not None and now.mode != LINK:
            copies[path] = str(backups.keep(now.read()))
        place = worktree.locate(root, path)
        worktree.write(place, then)
        written = worktree.read(place)
    except OSError as error:
        raise refusal(
            path, f"it could not be written: {error.strerror}. Free some space or check its permissions."
        ) from error
    if not same(written, then):
        raise refusal(path, "another program is writing to it at the same time. Try again.")
    return copies
