"""Build patches from two versions of a file, byte for byte as `git diff` prints them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from opencode_nb.diffs.blocks import Block, Pair, blocks, compared, prepare
from opencode_nb.diffs.change import LINK, SUBMODULE, Change, Side
from opencode_nb.diffs.patch import CONTEXT, FilePatch, Hunk, Kind, Line, write_file
from opencode_nb.diffs.text import decode, encode, is_binary, split

_SECTION_BYTES = 80
_ID_LENGTH = 7
_NO_ID = "0" * _ID_LENGTH


def hunks(before: str, after: str, context: int = CONTEXT) -> tuple[Hunk, ...]:
    """Return the hunks between two texts."""
    old, new = split(before), split(after)
    section = _Section(old)
    return tuple(_hunk(old, new, group, context, section) for group in _groups(blocks(before, after), context))


def build(change: Change) -> str:
    """Return a change's patch with headers. A link that became a file (or vice versa) is a deletion and an addition."""
    before, after = change.before, change.after
    if before and after and _kind(before) != _kind(after):
        gone = Change(change.old_path or change.path, before=before)
        return build(gone) + build(Change(change.path, after=after))
    return write_file(file_patch(change), *_ids(before, after))


def file_patch(change: Change) -> FilePatch:
    """Return a change's patch as a value."""
    old, new = _content(change.before), _content(change.after)
    return FilePatch(
        old_path=(change.old_path or change.path) if change.before else "",
        new_path=change.path if change.after else "",
        old_mode=change.before.mode if change.before else "",
        new_mode=change.after.mode if change.after else "",
        similarity=change.similarity,
        binary=is_binary(old) or is_binary(new),
        hunks=hunks(*_texts(change)),
    )


def counted(changes: Iterable[Change]) -> list[Change]:
    """Return the changes, with added and deleted lines counted where they are missing, in few runs of git."""
    listed = [*changes]
    lacking = [change for change in listed if change.additions is None and _is_one_patch(change)]
    counts = map(_count, compared(map(_texts, lacking)))
    known = {change.path: count for change, count in zip(lacking, counts, strict=True)}
    return [replace(change, **known.get(change.path, {})) for change in listed]


def _count(found: Sequence[Block]) -> dict[str, Any]:
    return {
        "additions": sum(block.new_end - block.new_start for block in found),
        "deletions": sum(block.old_end - block.old_start for block in found),
    }


def compare_all(changes: Iterable[Change]) -> None:
    """Compare many files with few runs of git, so that building their patches is cheap."""
    prepare(_texts(change) for change in changes if _is_one_patch(change))


def _is_one_patch(change: Change) -> bool:
    before, after = change.before, change.after
    return bool(before or after) and (not before or not after or _kind(before) == _kind(after))


def _texts(change: Change) -> Pair:
    """Return both sides as text for a line-by-line comparison, or two empty texts if one is binary."""
    old, new = _content(change.before), _content(change.after)
    return ("", "") if is_binary(old) or is_binary(new) else (decode(old), decode(new))


def _kind(side: Side) -> str:
    return side.mode if side.mode in (LINK, SUBMODULE) else "file"


def _content(side: Side | None) -> bytes:
    """Return what git compares: the bytes of a file, or a line with the commit of a submodule."""
    if side is None:
        return b""
    return b"Subproject commit " + side.read() + b"\n" if side.mode == SUBMODULE else side.read()


def _ids(before: Side | None, after: Side | None) -> tuple[str, str]:
    """Return the abbreviated blob ids of both sides, as in git's `index` line."""
    return _id(before), _id(after)


def _id(side: Side | None) -> str:
    if side is None:
        return _NO_ID
    return (decode(side.read()) if side.mode == SUBMODULE else side.blob)[:_ID_LENGTH]


def _groups(changed: Sequence[Block], context: int) -> Iterator[list[Block]]:
    """Group blocks whose context lines touch: each group becomes one hunk."""
    group: list[Block] = []
    for block in changed:
        if group and block.old_start - group[-1].old_end > 2 * context:
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _hunk(old: Sequence[str], new: Sequence[str], group: Sequence[Block], context: int, section: _Section) -> Hunk:
    first, last = group[0], group[-1]
    lead = min(context, first.old_start)
    tail = min(context, len(old) - last.old_end)
    start, end = first.old_start - lead, last.old_end + tail
    new_start, new_end = first.new_start - lead, last.new_end + tail
    return Hunk(
        old_start=start + (end > start),
        old_lines=end - start,
        new_start=new_start + (new_end > new_start),
        new_lines=new_end - new_start,
        section=section.above(start),
        lines=tuple(_lines(old, new, group, start, end)),
    )


def _lines(old: Sequence[str], new: Sequence[str], group: Sequence[Block], start: int, end: int) -> Iterator[Line]:
    at = start
    for block in group:
        yield from (_line(" ", text) for text in old[at : block.old_start])
        yield from (_line("-", text) for text in old[block.old_start : block.old_end])
        yield from (_line("+", text) for text in new[block.new_start : block.new_end])
        at = block.old_end
    yield from (_line(" ", text) for text in old[at:end])


def _line(kind: Kind, text: str) -> Line:
    return Line(kind, text[:-1]) if text.endswith("\n") else Line(kind, text, newline=False)


class _Section:
    """Find the text after `@@`: the nearest line above that begins with a letter, `_` or `$`."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._looked = 0
        self._found = ""

    def above(self, start: int) -> str:
        """Return the section of a hunk at line `start`. Call in the order of hunks: no line is scanned twice."""
        for i in range(start - 1, self._looked - 1, -1):
            first = self._lines[i][0]
            if first.isascii() and (first.isalpha() or first in "_$"):
                self._found = _cut(self._lines[i]).rstrip()
                break
        self._looked = max(start, self._looked)
        return self._found


def _cut(line: str) -> str:
    """Cut a line to `_SECTION_BYTES` without splitting a character."""
    data = encode(line)
    ends = range(min(len(data), _SECTION_BYTES), -1, -1)
    return next(text for end in ends if line.startswith(text := decode(data[:end])))
