"""Which added file is a deleted one under another name: exactly the same, or like it, as git measures it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from opencode_nb.diffs.change import LINK, SUBMODULE, Change, Side
from opencode_nb.diffs.text import encode, is_binary

_ALIKE = 50
"""Percent of a file that must be the same; git's own number."""

_PIECE = 64
"""Long lines are compared in pieces of this many bytes, so that binary files can be alike too."""

_MAX_PAIRS = 10_000
"""More than this many pairs are not compared: only what is exactly the same is found then."""


def detect(changes: Iterable[Change]) -> list[Change]:
    """The same changes, sorted by path; a file deleted here and added elsewhere becomes one that was renamed."""
    rest = sorted(changes, key=lambda change: encode(change.path))
    gone = {change.path: change.before for change in rest if change.before and not change.after}
    new = {change.path: change.after for change in rest if change.after and not change.before}
    if not gone or not new:
        return rest
    found: dict[str, tuple[str, int]] = {}  # the new path -> the old one, and how alike they are
    _pair(found, gone, new, _identical)
    if len(gone) * len(new) <= _MAX_PAIRS:
        _pair(found, gone, new, _Alike())
    taken = {old for old, _ in found.values()}
    return [_joined(change, found, rest) for change in rest if change.after or change.path not in taken]


def _pair(
    found: dict[str, tuple[str, int]],
    gone: dict[str, Side],
    new: dict[str, Side],
    measure: Callable[[Side, Side], int],
) -> None:
    """Pair the most alike first, the same file name before others; what was paired is no longer looked for."""
    scores = [
        (measure(before, after), _name(old) == _name(path), old, path)
        for path, after in new.items()
        for old, before in gone.items()
    ]
    for score, _, old, path in sorted(scores, key=lambda entry: (-entry[0], not entry[1])):
        if score >= _ALIKE and old in gone and path in new:
            found[path] = (old, score)
            del gone[old], new[path]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _joined(change: Change, found: dict[str, tuple[str, int]], rest: Iterable[Change]) -> Change:
    if change.path not in found:
        return change
    old, score = found[change.path]
    before = next(other.before for other in rest if other.path == old)
    return replace(change, old_path=old, before=before, similarity=score, additions=None, deletions=None)


def _identical(before: Side, after: Side) -> int:
    if (before.mode in _SPECIAL or after.mode in _SPECIAL) and before.mode != after.mode:
        return 0
    if before.id and after.id:
        return 100 if before.id == after.id else 0
    return 100 if before.read() == after.read() else 0


_SPECIAL = (LINK, SUBMODULE)


class _Alike:
    """How many percent of the larger file's bytes are in the other too; counted once for each file."""

    def __init__(self) -> None:
        self._counted: dict[int, tuple[int, Counter[bytes]]] = {}

    def __call__(self, before: Side, after: Side) -> int:
        if before.mode in _SPECIAL or after.mode in _SPECIAL:
            return 0
        (size, pieces), (new_size, new_pieces) = self._count(before), self._count(after)
        larger = max(size, new_size)
        if not larger or min(size, new_size) * 100 < larger * _ALIKE:
            return 0
        common = sum(len(piece) * count for piece, count in (pieces & new_pieces).items())
        return common * 100 // larger

    def _count(self, side: Side) -> tuple[int, Counter[bytes]]:
        if id(side) not in self._counted:
            data = side.read()
            self._counted[id(side)] = len(data), Counter(_pieces(data))
        return self._counted[id(side)]


def _pieces(data: bytes) -> Iterator[bytes]:
    """Lines, long ones in pieces; a text's CRLF counts as LF, so that other line ends are no other file."""
    text = data if is_binary(data) else data.replace(b"\r\n", b"\n")
    *whole, last = text.split(b"\n")
    for line in [*(line + b"\n" for line in whole), last]:
        yield from (line[at : at + _PIECE] for at in range(0, len(line), _PIECE))
