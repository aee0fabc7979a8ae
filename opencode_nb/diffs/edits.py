"""Revert, reapply and merge changes exactly: what does not fit is refused, never guessed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from opencode_nb.diffs.blocks import Block, blocks
from opencode_nb.diffs.patch import CONTEXT, Hunk
from opencode_nb.diffs.text import split


def switched(now: str, hunk: Hunk, *, source: str, back: bool) -> str | None:
    """Return `now` with one hunk reverted (`back`) or reapplied; None if the hunk is not there unchanged.

    `source` is the whole text that contains the hunk's current lines: the version after it, or the version before it to
    reapply it. The rest of `now` may have changed since: the hunk is looked for where its lines have moved to, and they
    must occur only there.
    """
    later = _Later(source, now)
    place = later.place(hunk, back)
    _, _, new = _sides(hunk, back)
    return None if place is None else "".join([*later.lines[: place[0]], *new, *later.lines[place[1] :]])


def switchable(now: str, hunks: Iterable[Hunk], *, source: str, back: bool) -> list[bool]:
    """Return, for each hunk, whether `switched` would revert (or reapply) it."""
    later = _Later(source, now)
    return [later.place(hunk, back) is not None for hunk in hunks]


class _Later:
    """A current text in which to locate hunks of another version."""

    def __init__(self, source: str, now: str) -> None:
        self.lines = split(now)
        self._is_new = not source
        self._changed = blocks(source, now)

    def place(self, hunk: Hunk, back: bool) -> tuple[int, int] | None:
        """Return the range of the hunk's lines in `now`; None if they changed or occur more than once."""
        start, old, _ = _sides(hunk, back)
        first = start - 1 if old else start
        found = self._moved(first, first + len(old))
        if found is None or not _edges_fit(hunk, *found, len(self.lines)) or self._stands_twice(old):
            return None
        return found

    def _moved(self, start: int, end: int) -> tuple[int, int] | None:
        """Return where these lines of the other version are now; None if they, or lines between them, changed."""
        if self._is_new:
            return None if self.lines else (0, 0)
        shift = 0
        for block in self._changed:
            if block.old_end <= start:
                shift = block.new_end - block.old_end
            elif block.old_start < end:
                return None
        return start + shift, end + shift

    def _stands_twice(self, part: Sequence[str]) -> bool:
        places = self._places.get(part[0], ()) if part else ()
        return sum(self.lines[at : at + len(part)] == part for at in places) > 1

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """The positions of each line."""
        found: dict[str, list[int]] = {}
        for at, line in enumerate(self.lines):
            found.setdefault(line, []).append(at)
        return found


def _edges_fit(hunk: Hunk, start: int, end: int, length: int) -> bool:
    """A hunk with less than full context was at the beginning or end of the file, and must still be there."""
    kinds = "".join(line.kind for line in hunk.lines)
    above, below = len(kinds) - len(kinds.lstrip(" ")), len(kinds) - len(kinds.rstrip(" "))
    return (above >= CONTEXT or start == 0) and (below >= CONTEXT or end == length)


def placed(now: str, hunk: Hunk, *, back: bool) -> str | None:
    """Like `switched`, but without the whole text: the hunk's lines must be at exactly their line numbers in `now`."""
    start, old, new = _sides(hunk, back)
    lines = split(now)
    first = start - 1 if old else start
    if lines[first : first + len(old)] != old:
        return None
    return "".join([*lines[:first], *new, *lines[first + len(old) :]])


def _sides(hunk: Hunk, back: bool) -> tuple[int, list[str], list[str]]:
    """Return where a hunk starts, the lines that must be there, and their replacement."""
    return (hunk.new_start, hunk.new, hunk.old) if back else (hunk.old_start, hunk.old, hunk.new)


def reverted(before: str, after: str, now: str) -> list[bool] | None:
    """Return, for each of `blocks(before, after)`, whether it is reverted in `now`; None if `now` differs otherwise."""
    old, new, lines = split(before), split(after), split(now)
    changed = blocks(before, after)
    ways: list[dict[int, tuple[int, bool]]] = []  # after each block: position in `now` -> position before it, reverted?
    places, at = {0}, 0
    for block in changed:
        equal = old[at : block.old_start]
        starts = {place + len(equal) for place in places if lines[place : place + len(equal)] == equal}
        ways.append(dict(_steps(starts, lines, old, new, block)))
        places, at = set(ways[-1]), block.old_end
    end = len(lines) - len(old[at:])
    if end not in places or lines[end:] != old[at:]:
        return None
    return _retraced(changed, ways, end)


def _steps(
    starts: set[int], lines: Sequence[str], old: Sequence[str], new: Sequence[str], block: Block
) -> Iterator[tuple[int, tuple[int, bool]]]:
    """Yield where a block can end from each start, as reverted text or as changed text."""
    for text, back in ((old[block.old_start : block.old_end], True), (new[block.new_start : block.new_end], False)):
        for start in starts:
            if lines[start : start + len(text)] == text:
                yield start + len(text), (start, back)


def _retraced(changed: Sequence[Block], ways: Sequence[dict[int, tuple[int, bool]]], end: int) -> list[bool]:
    """Walk back from `end` and return which blocks are reverted."""
    flags: list[bool] = []
    for index in range(len(changed) - 1, -1, -1):
        start, back = ways[index][end]
        flags.append(back)
        end = start - (changed[index].old_start - (changed[index - 1].old_end if index else 0))
    return flags[::-1]


def composed(before: str, after: str, back: Sequence[bool]) -> str:
    """Return the text in which the blocks flagged in `back` are as before, and the others as after."""
    old, new = split(before), split(after)
    pieces: list[str] = []
    at = 0
    for block, is_back in zip(blocks(before, after), back, strict=True):
        pieces += old[at : block.old_start]
        pieces += old[block.old_start : block.old_end] if is_back else new[block.new_start : block.new_end]
        at = block.old_end
    return "".join([*pieces, *old[at:]])


def merged(base: str, one: str, other: str) -> str | None:
    """Merge the changes of both into `base`; None if they changed the same or touching places differently."""
    lines, sides = split(base), (split(one), split(other))
    changes = sorted((*block, side) for side, text in enumerate((one, other)) for block in blocks(base, text))
    pieces: list[str] = []
    at = 0
    while changes:
        start, end, mine = _cluster(changes)
        versions = [_version(lines, sides[side], mine[side], start, end) for side in (0, 1)]
        if mine[0] and mine[1] and versions[0] != versions[1]:
            return None
        pieces += lines[at:start] + (versions[0] if mine[0] else versions[1])
        at = end
    return "".join([*pieces, *lines[at:]])


def _cluster(changes: list[tuple[int, int, int, int, int]]) -> tuple[int, int, tuple[list[Block], list[Block]]]:
    """Pop the first changes that touch each other: return their range in `base`, and the blocks of each side."""
    start, end = changes[0][0], changes[0][1]
    mine: tuple[list[Block], list[Block]] = ([], [])
    while changes and changes[0][0] <= end:
        *block, side = changes.pop(0)
        mine[side].append(Block(*block))
        end = max(end, block[1])
    return start, end, mine


def _version(base: Sequence[str], side: Sequence[str], mine: Sequence[Block], start: int, end: int) -> list[str]:
    """Return one side's version of `base[start:end]`."""
    pieces: list[str] = []
    at = start
    for block in mine:
        pieces += [*base[at : block.old_start], *side[block.new_start : block.new_end]]
        at = block.old_end
    return [*pieces, *base[at:end]]
