"""Unified patches as values: files, hunks and lines, as written by git or the server.

Owns the format. Reads git's headers, `Index:` headers (sent by the OpenCode server) and bare hunks. A hunk ends where
its counts say, whatever its lines look like, so a removed `-- x` is not taken for a header.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, NamedTuple

from opencode_nb.diffs.quoting import quote, unquote

Kind = Literal[" ", "+", "-"]

CONTEXT = 3
"""Unchanged lines around a change; git's default."""

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(?: (.*))?")
_NO_NEWLINE = "\\ No newline at end of file"
_DEV_NULL = "/dev/null"
_TAB = "\t"


class Block(NamedTuple):
    """Lines `old_start:old_end` became `new_start:new_end`. Counted from 0; either range may be empty."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a hunk. `kind` is " ", "+" or "-"; `newline` is False only for a last line without one."""

    kind: Kind
    text: str
    newline: bool = True

    @property
    def content(self) -> str:
        """The line as in the file, with its newline."""
        return f"{self.text}\n" if self.newline else self.text


@dataclass(frozen=True, slots=True)
class Hunk:
    """Changed lines with their context. Line numbers count from 1; an empty side starts at the line before it."""

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    section: str
    lines: tuple[Line, ...]

    @property
    def header(self) -> str:
        """The `@@ -1,2 +1,3 @@ def f():` line."""
        old, new = _range(self.old_start, self.old_lines), _range(self.new_start, self.new_lines)
        return f"@@ -{old} +{new} @@{' ' if self.section else ''}{self.section}"

    @property
    def text(self) -> str:
        """The hunk as in a patch, header included, each line with its newline."""
        return "".join([f"{self.header}\n", *(_written(line) for line in self.lines)])

    @property
    def old(self) -> list[str]:
        """The lines before, with their newlines."""
        return [line.content for line in self.lines if line.kind != "+"]

    @property
    def new(self) -> list[str]:
        """The lines after, with their newlines."""
        return [line.content for line in self.lines if line.kind != "-"]

    @property
    def blocks(self) -> Iterator[Block]:
        """The changed places of this hunk."""
        old, new = self.old_start - bool(self.old_lines), self.new_start - bool(self.new_lines)
        for is_same, lines in groupby(self.lines, lambda line: line.kind == " "):
            kinds = [line.kind for line in lines]
            block = Block(old, old + len(kinds) - kinds.count("+"), new, new + len(kinds) - kinds.count("-"))
            old, new = block.old_end, block.new_end
            if not is_same:
                yield block

    def reversed(self) -> Hunk:
        """Return the hunk that reverts this one."""
        signs: dict[Kind, Kind] = {"+": "-", "-": "+", " ": " "}
        lines = tuple(replace(line, kind=signs[line.kind]) for line in self.lines)
        return Hunk(self.new_start, self.new_lines, self.old_start, self.old_lines, self.section, lines)


@dataclass(frozen=True, slots=True)
class FilePatch:
    """A patch of one file. Paths are unquoted, without `a/` and `b/`; "" for a side that does not exist.

    Modes are git's octal strings ("100644"), "" if the patch has none. `similarity` is in percent, for renames.
    """

    old_path: str = ""
    new_path: str = ""
    old_mode: str = ""
    new_mode: str = ""
    similarity: int | None = None
    binary: bool = False
    hunks: tuple[Hunk, ...] = ()

    @property
    def path(self) -> str:
        """The file's current path, or its last one if deleted."""
        return self.new_path or self.old_path


def parse(patch: str) -> tuple[Hunk, ...]:
    """Return the hunks of a patch; those of several files one after the other."""
    return tuple(hunk for file in parse_files(patch) for hunk in file.hunks)


def parse_files(patch: str) -> list[FilePatch]:
    """Return the files of a patch, in order. Unknown lines are skipped; never raises."""
    lines = patch.split("\n")
    files: list[FilePatch] = []
    index = 0
    while index < len(lines):
        if _HUNK.match(lines[index]):
            hunks, index = _read_hunks(lines, index)
            _change(files, hunks=(*_current(files).hunks, *hunks))
        else:
            _read_header(files, lines[index])
            index += 1
    return files


def write_hunks(hunks: Sequence[Hunk]) -> str:
    """Write hunks as in a patch, without file headers."""
    return "".join(hunk.text for hunk in hunks)


def write_file(file: FilePatch, old_id: str = "", new_id: str = "") -> str:
    """Write a file's part of a patch as `git diff` does. The ids are abbreviated blob ids."""
    return "".join(f"{line}\n" for line in _headers(file, old_id, new_id)) + write_hunks(file.hunks)


def _headers(file: FilePatch, old_id: str, new_id: str) -> Iterator[str]:
    old, new = file.old_path or file.new_path, file.new_path or file.old_path
    yield f"diff --git {quote('a/' + old)} {quote('b/' + new)}"
    yield from _mode_headers(file)
    if file.old_path and file.new_path and old != new:
        yield f"similarity index {file.similarity or 0}%"
        yield from (f"rename from {quote(old)}", f"rename to {quote(new)}")
    if old_id != new_id:
        same_mode = f" {file.new_mode}" if file.old_mode == file.new_mode and file.new_mode else ""
        yield f"index {old_id}..{new_id}{same_mode}"
    before, after = _label("a/", file.old_path), _label("b/", file.new_path)
    if file.binary and old_id != new_id:
        yield f"Binary files {before.rstrip()} and {after.rstrip()} differ"
    elif file.hunks:
        yield from (f"--- {before}", f"+++ {after}")


def _mode_headers(file: FilePatch) -> Iterator[str]:
    if not file.old_path:
        yield f"new file mode {file.new_mode}"
    elif not file.new_path:
        yield f"deleted file mode {file.old_mode}"
    elif file.old_mode != file.new_mode:
        yield from (f"old mode {file.old_mode}", f"new mode {file.new_mode}")


def _label(prefix: str, path: str) -> str:
    """Return a name for `---` or `+++`. Git ends names that contain a space with a tab, to mark where they end."""
    return f"{quote(prefix + path)}{_TAB if ' ' in path else ''}" if path else _DEV_NULL


def _range(start: int, count: int) -> str:
    return str(start) if count == 1 else f"{start},{count}"


def _written(line: Line) -> str:
    return f"{line.kind}{line.text}\n" + ("" if line.newline else f"{_NO_NEWLINE}\n")


# Reading


def _current(files: list[FilePatch]) -> FilePatch:
    if not files:
        files.append(FilePatch())
    return files[-1]


def _change(files: list[FilePatch], **changes: object) -> None:
    files[-1] = replace(_current(files), **changes)  # type: ignore[arg-type]  # the fields' own types


def _read_header(files: list[FilePatch], line: str) -> None:
    if line.startswith("diff --git "):
        old, new = _git_paths(line[11:])
        files.append(FilePatch(old, new))
    elif line.startswith("Index: "):
        files.append(FilePatch(line[7:], line[7:]))
    elif line.startswith("--- "):
        if not files or files[-1].hunks:
            files.append(FilePatch())
        _change(files, old_path=_path(line[4:], _current(files).old_path))
    elif line.startswith("+++ "):
        _change(files, new_path=_path(line[4:], _current(files).new_path))
    elif line.startswith(("Binary files ", "GIT binary patch")):
        _change(files, binary=True)
    elif files:
        _read_extended(files, line)


def _read_extended(files: list[FilePatch], line: str) -> None:
    """Read one of git's extended header lines."""
    for start, changes in _EXTENDED.items():
        if line.startswith(start):
            value = line[len(start) :]
            _change(files, **{name: convert(value) for name, convert in changes.items()})


def _nothing(_: str) -> str:
    return ""


def _percent(text: str) -> int | None:
    digits = text.rstrip("%")
    return int(digits) if digits.isdecimal() else None


def _last_word(text: str) -> str:
    return text.rpartition(" ")[2]


_EXTENDED: dict[str, dict[str, Callable[[str], str | int | None]]] = {
    "rename from ": {"old_path": unquote},
    "rename to ": {"new_path": unquote},
    "copy from ": {"old_path": unquote},
    "copy to ": {"new_path": unquote},
    "old mode ": {"old_mode": str},
    "new mode ": {"new_mode": str},
    "new file mode ": {"new_mode": str, "old_path": _nothing},
    "deleted file mode ": {"old_mode": str, "new_path": _nothing},
    "similarity index ": {"similarity": _percent},
}


def _path(text: str, known: str) -> str:
    """Read the name after `---` or `+++`. The server's own (`Index:`) ends in a tab and has no `a/`."""
    name = unquote(text.removesuffix("\r").removesuffix("\t"))
    if name == _DEV_NULL:
        return ""
    bare = name[2:] if name[:2] in ("a/", "b/") else name
    return known if known and known in (name, bare) else bare


def _git_paths(text: str) -> tuple[str, str]:
    """Read the two names after `diff --git`: quoted, or the same name twice if spaces make it ambiguous."""
    if text.startswith('"'):
        end = re.match(r'"(?:[^"\\]|\\.)*"', text)
        cut = end.end() if end else len(text)
        old, new = text[:cut], text[cut + 1 :]
    elif text.endswith('"') and ' "' in text:
        cut = text.index(' "')
        old, new = text[:cut], text[cut + 1 :]
    else:
        half = len(text) // 2
        same = text[half : half + 1] == " " and text[2:half] == text[half + 3 :]
        cut = half if same else max(text.find(" b/"), 0)
        old, new = text[:cut], text[cut + 1 :]
    return unquote(old)[2:], unquote(new)[2:]


def _read_hunks(lines: Sequence[str], index: int) -> tuple[list[Hunk], int]:
    """Read consecutive hunks starting at `index`; also return the index after them."""
    hunks: list[Hunk] = []
    while index < len(lines) and _HUNK.match(lines[index]):
        hunk, index = _read_hunk(lines, index)
        hunks.append(hunk)
    return hunks, index


def _read_hunk(lines: Sequence[str], index: int) -> tuple[Hunk, int]:
    """Read the hunk whose header is at `index`; also return the index after it."""
    match = _HUNK.match(lines[index])
    assert match is not None
    old, new = (1 if count is None else int(count) for count in (match[2], match[4]))
    read: list[Line] = []
    index += 1
    left = {"-": old, "+": new}
    while index < len(lines) and (line := _read_line(lines[index], left)) is not None:
        read.append(line)
        index += 1
        if index < len(lines) and lines[index].startswith("\\"):
            read[-1] = replace(line, newline=False)
            index += 1
    return Hunk(int(match[1]), old, int(match[3]), new, match[5] or "", tuple(read)), index


def _read_line(line: str, left: dict[str, int]) -> Line | None:
    """Read one line of a hunk and count it off `left`, the lines missing on each side; None after the hunk's end."""
    kind: Kind
    match line[:1]:
        case "-" | "+" as sign:
            kind = sign
        case " " | "":  # some programs strip the space of an empty line
            kind = " "
        case _:
            return None
    sides = ("-", "+") if kind == " " else (kind,)
    if any(left[side] == 0 for side in sides):
        return None
    for side in sides:
        left[side] -= 1
    return Line(kind, line[1:])
