"""Unified diffs: read from the server's patches, and shown as HTML, Markdown and terminal text.

Owns the patch format and how a changed file looks. Knows nothing of conversations, and takes nothing back.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from opencode_nb.render.escaping import NOTHING, Html, element, escape, join, visible
from opencode_nb.render.highlight import MAX_HIGHLIGHTED, Run, span
from opencode_nb.render.highlight import lines as code_lines
from opencode_nb.render.style import STYLES
from opencode_nb.render.words import Range, changed_words, pair

Json = dict[str, Any]

FOLDED_AFTER = 400
"""How many lines of a diff are shown before the rest is folded."""

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")
_GIT_HEADER = re.compile(r'diff --git (?:"?a/(.*?)"?) (?:"?b/(.*?)"?)\Z')
_NO_NEWLINE = "\\"


@dataclass(slots=True, frozen=True)
class Line:
    """One line of a hunk: `sign` is " ", "+", "-" or a backslash (a remark); numbers count from 1."""

    sign: str
    text: str
    old: int | None = None
    new: int | None = None


@dataclass(slots=True, frozen=True)
class Hunk:
    """Changed lines with those around them; `header` is the whole `@@` line, `section` what stands after it."""

    header: str
    old_start: int
    new_start: int
    section: str
    lines: list[Line]


@dataclass(slots=True)
class FilePatch:
    """What a patch does to one file; paths as in the patch, without `a/` and `b/`; "" for a side that doesn't exist."""

    old_path: str = ""
    new_path: str = ""
    binary: bool = False
    hunks: list[Hunk] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The file's present path, or its last one if it's gone."""
        return self.new_path or self.old_path

    @property
    def renamed(self) -> bool:
        """Whether the file has another path than before."""
        return bool(self.old_path and self.new_path and self.old_path != self.new_path)


def parse_patch(patch: str) -> list[Hunk]:
    """The hunks of a patch, of all its files one after the other."""
    return [hunk for file in parse_files(patch) for hunk in file.hunks]


def parse_files(patch: str) -> list[FilePatch]:
    """The files of a patch: git's headers, `Index:` headers, or none; lines that aren't understood are skipped."""
    files: list[FilePatch] = []
    lines = patch.split("\n")
    index = 0
    while index < len(lines):
        line = lines[index]
        if _HUNK.match(line):
            hunk, index = _read_hunk(lines, index)
            _current(files).hunks.append(hunk)
            continue
        _read_header(files, line)
        index += 1
    return files


def _current(files: list[FilePatch]) -> FilePatch:
    if not files:
        files.append(FilePatch())
    return files[-1]


def _read_header(files: list[FilePatch], line: str) -> None:
    if match := _GIT_HEADER.match(line):
        files.append(FilePatch(match[1], match[2]))
    elif line.startswith("Index: "):
        files.append(FilePatch(line[7:].strip(), line[7:].strip()))
    elif line.startswith("--- "):
        if not files or files[-1].hunks:
            files.append(FilePatch())
        files[-1].old_path = _path(line[4:])
    elif line.startswith("+++ "):
        _current(files).new_path = _path(line[4:])
    elif line.startswith(("rename from ", "copy from ")):
        _current(files).old_path = line.split(" from ", 1)[1]
    elif line.startswith(("rename to ", "copy to ")):
        _current(files).new_path = line.split(" to ", 1)[1]
    elif line.startswith("new file mode"):
        _current(files).old_path = ""
    elif line.startswith("deleted file mode"):
        _current(files).new_path = ""
    elif line.startswith(("Binary files ", "GIT binary patch")):
        _current(files).binary = True


def _path(text: str) -> str:
    path = text.split("\t")[0].strip().strip('"')
    return "" if path == "/dev/null" else re.sub(r"\A[ab]/", "", path)


def _read_hunk(lines: Sequence[str], index: int) -> tuple[Hunk, int]:
    """The hunk whose header is at `index`, and the index after it. Its counts tell where it ends, not the lines."""
    match = _HUNK.match(lines[index])
    assert match is not None
    old, new = int(match[1]), int(match[3])
    old_end = old + (int(match[2]) if match[2] else 1)
    new_end = new + (int(match[4]) if match[4] else 1)
    hunk = Hunk(lines[index], old, new, match[5], [])
    index += 1
    while index < len(lines):
        line = lines[index]
        sign = line[:1] or " "
        if sign == _NO_NEWLINE:
            hunk.lines.append(Line(sign, line[2:]))
        elif sign == "-" and old < old_end:
            hunk.lines.append(Line(sign, line[1:], old=old))
            old += 1
        elif sign == "+" and new < new_end:
            hunk.lines.append(Line(sign, line[1:], new=new))
            new += 1
        elif sign == " " and old < old_end and new < new_end:
            hunk.lines.append(Line(sign, line[1:], old, new))
            old, new = old + 1, new + 1
        else:
            break
        index += 1
    return hunk, index


def stats(diff: Json) -> tuple[int, int]:
    """Lines added and removed: as the server counted them, else as the patch has them."""
    added, removed = diff.get("additions"), diff.get("deletions")
    if isinstance(added, int) and isinstance(removed, int):
        return added, removed
    signs = [line.sign for hunk in parse_patch(str(diff.get("patch") or "")) for line in hunk.lines]
    return signs.count("+"), signs.count("-")


# HTML


def html(diff: Json, *, open_: bool = True) -> Html:
    """One changed file `{file, patch, additions, deletions, status}` as a box that folds."""
    path = str(diff.get("file") or "")
    summary = element(
        "summary", join([file_title(diff), element("span", counts(*stats(diff)), style="end")]), style="summary"
    )
    return element("details", join([summary, body(diff)]), style="file", open=open_, data_file=path)


def file_title(diff: Json) -> Html:
    """The file's path, with what happened to it where that isn't a mere change."""
    status = str(diff.get("status") or "")
    title = element("span", escape(str(diff.get("file") or "")), style="subtitle")
    known = {"added": "new file", "deleted": "deleted", "renamed": "renamed", "moved": "moved"}
    return (
        join([title, element("span", escape(f" {known[status]}"), style="muted small plain")])
        if status in known
        else title
    )


def counts(added: int, removed: int) -> Html:
    """`+2 −1`, in words for those who don't see colours: the signs are text."""
    return join(
        [element("span", escape(f"+{added}"), style="good"), element("span", escape(f"\u2212{removed}"), style="bad")],
        Html(" "),
    )


def body(diff: Json) -> Html:
    """The changed lines of one file, the end of a long diff folded."""
    path, patch = str(diff.get("file") or ""), str(diff.get("patch") or "")
    files = parse_files(patch)
    if not any(file.hunks for file in files):
        return element("div", escape(_without_lines(diff, files)), style="body")
    rows = list(_rows(path, [hunk for file in files for hunk in file.hunks]))
    shown, folded = rows[:FOLDED_AFTER], rows[FOLDED_AFTER:]
    return join([_block(shown), _fold(folded) if folded else NOTHING])


def _without_lines(diff: Json, files: Sequence[FilePatch]) -> str:
    if any(file.binary for file in files):
        return "Binary file changed."
    renamed = next((file for file in files if file.renamed), None)
    return f"Renamed from {renamed.old_path}." if renamed else "No changed lines to show."


def _block(rows: Iterable[Html]) -> Html:
    return element("pre", element("code", join(rows), style="rows"), style="patch")


def _fold(rows: Sequence[Html]) -> Html:
    plural = "" if len(rows) == 1 else "s"
    summary = element("summary", escape(f"Show {len(rows)} more line{plural}"), style="more body")
    return element("details", join([summary, _block(rows)]))


def _rows(path: str, hunks: Sequence[Hunk]) -> Iterator[Html]:
    width = max(
        (len(str(number)) for hunk in hunks for line in hunk.lines for number in (line.old, line.new) if number),
        default=1,
    )
    coloured = sum(len(line.text) for hunk in hunks for line in hunk.lines) <= MAX_HIGHLIGHTED
    for hunk in hunks:
        yield element("span", escape(hunk.header), style="hunk")
        for line, runs, marks in _coloured(hunk, path if coloured else ""):
            yield _row(line, runs, marks, width)


_ROW_STYLES = {" ": "same", "+": "added", "-": "removed", _NO_NEWLINE: "hunk"}
_MARK_TAGS = {"+": "ins", "-": "del"}


def _row(line: Line, runs: list[Run], marks: list[Range], width: int) -> Html:
    # A line end in the row keeps lines apart for those who copy, or read without styles.
    numbers = f"{_number(line.old, width)} {_number(line.new, width)} "
    code = join([escape(f"{line.sign} "), _marked(runs, marks, _MARK_TAGS.get(line.sign, ""))])
    return element(
        "span", join([element("span", escape(numbers), style="number"), code, Html("\n")]), style=_ROW_STYLES[line.sign]
    )


def _number(number: int | None, width: int) -> str:
    return ("" if number is None else str(number)).rjust(width)


def _coloured(hunk: Hunk, path: str) -> Iterator[tuple[Line, list[Run], list[Range]]]:
    """Each line with its coloured runs and the ranges that changed in it."""
    marks = _changed_ranges(hunk.lines)
    old = iter(_side(hunk.lines, "-", path))
    new = iter(_side(hunk.lines, "+", path))
    for index, line in enumerate(hunk.lines):
        if line.sign == _NO_NEWLINE:
            yield line, [(line.text, "")], []
        elif line.sign == "-":
            yield line, next(old), marks.get(index, [])
        else:
            if line.sign == " ":
                next(old)
            yield line, next(new), marks.get(index, [])


def _side(lines: Sequence[Line], sign: str, path: str) -> list[list[Run]]:
    """The coloured lines of the old ("-") or new ("+") side."""
    return code_lines("\n".join(line.text for line in lines if line.sign in (" ", sign)), path)


def _changed_ranges(lines: Sequence[Line]) -> dict[int, list[Range]]:
    """What changed inside lines: the removed lines of a change are paired with its added ones."""
    ranges: dict[int, list[Range]] = {}
    for removed, added in _changes(lines):
        for i, j in pair([lines[index].text for index in removed], [lines[index].text for index in added]):
            ranges[removed[i]], ranges[added[j]] = changed_words(lines[removed[i]].text, lines[added[j]].text)
    return ranges


def _changes(lines: Sequence[Line]) -> Iterator[tuple[list[int], list[int]]]:
    """Runs of removed lines with the added ones right after them, as indices."""
    removed: list[int] = []
    added: list[int] = []
    for index, line in enumerate(lines):
        if line.sign == "+":
            added.append(index)
        elif line.sign == "-" and not added:
            removed.append(index)
        elif line.sign != _NO_NEWLINE:
            yield removed, added
            removed, added = ([index] if line.sign == "-" else []), []
    yield removed, added


def _marked(runs: list[Run], marks: list[Range], tag: str) -> Html:
    """Coloured code with `<ins>` or `<del>` around the changed ranges."""
    pieces: list[Html] = []
    position = 0
    bounds = sorted({edge for mark in marks for edge in mark})
    for text, kind in runs:
        for start, end in _cut(position, position + len(text), bounds):
            piece = span(text[start - position : end - position], kind)
            marked = tag and any(first <= start and end <= last for first, last in marks)
            pieces.append(Html(f'<{tag} style="{STYLES[tag]}">{piece}</{tag}>') if marked else piece)
        position += len(text)
    return join(pieces)


def _cut(start: int, end: int, bounds: Sequence[int]) -> Iterator[Range]:
    edges = [start, *(bound for bound in bounds if start < bound < end), end]
    return itertools.pairwise(edges) if start < end else iter(())


# Markdown and terminal


def fenced(text: str, info: str = "") -> str:
    """Text as a fenced Markdown block; the fence is longer than any inside."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{info}\n{visible(text).rstrip(chr(10))}\n{fence}"


def markdown(diff: Json) -> str:
    """One changed file as Markdown: its name, its counts and its patch."""
    added, removed = stats(diff)
    title = f"{code_span(str(diff.get('file') or ''))} +{added} \u2212{removed}"
    patch = patch_text(diff)
    return f"{title}\n\n{fenced(patch, 'diff')}" if patch else title


def code_span(text: str) -> str:
    """Text as Markdown inline code, whatever is in it."""
    text = visible(text.replace("\n", " "))
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if longest or not text.strip() else ""
    return f"{ticks}{pad}{text}{pad}{ticks}" if text else ""


def patch_text(diff: Json) -> str:
    """The hunks of a patch without the headers of its files."""
    hunks = parse_patch(str(diff.get("patch") or ""))
    return "\n".join("\n".join([hunk.header, *(_raw(line) for line in hunk.lines)]) for hunk in hunks)


def _raw(line: Line) -> str:
    return f"{line.sign} {line.text}" if line.sign == _NO_NEWLINE else line.sign + line.text


_TERMINAL = {"+": "green", "-": "red", "@": "cyan", _NO_NEWLINE: "dim"}


def terminal(diff: Json) -> Text:
    """One changed file for a terminal."""
    added, removed = stats(diff)
    text = Text(visible(str(diff.get("file") or "")), style="bold")
    text.append(f"  +{added}", style="green").append(f" \u2212{removed}\n", style="red")
    for line in visible(patch_text(diff)).split("\n"):
        text.append(f"{line}\n", style=_TERMINAL.get(line[:1], ""))
    return text
