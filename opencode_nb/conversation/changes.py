"""Diff, FileDiff, Hunk: what was changed, as values to look through, and to take back or redo piece by piece.

Nothing here remembers what was reverted: each look and each act reads the files as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from opencode_nb.diffs import patch as patches
from opencode_nb.diffs.change import Change
from opencode_nb.diffs.patch import Line

__all__ = ["Diff", "FileDiff", "Hunk", "Line", "Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act did: `done`, the paths it changed; `refused`, (path, reason) of those that it left as they are."""

    done: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


class Hunk:
    """A few changed lines of one file, with those around them: `header`, `lines`; `revert()` and `apply()`."""

    def __init__(self, file: FileDiff, index: int, value: patches.Hunk) -> None:
        self.file = file
        self.index = index
        self.value = value

    @property
    def header(self) -> str:
        """The `@@ -1,2 +1,3 @@` line."""
        return self.value.header

    @property
    def old_start(self) -> int:
        """The first line's number before, from 1."""
        return self.value.old_start

    @property
    def old_lines(self) -> int:
        """How many lines it has of the file before."""
        return self.value.old_lines

    @property
    def new_start(self) -> int:
        """The first line's number after, from 1."""
        return self.value.new_start

    @property
    def new_lines(self) -> int:
        """How many lines it has of the file after."""
        return self.value.new_lines

    @property
    def lines(self) -> tuple[Line, ...]:
        """Its lines: `kind` (" ", "+" or "-"), `text`, `newline`. Bytes that are not UTF-8 are lone surrogates."""
        return self.value.lines

    @property
    def patch(self) -> str:
        """It as a patch has it, with its header."""
        return self.value.text

    def __repr__(self) -> str:
        return f"<Hunk {self.header}>"


class FileDiff:
    """One file's change: `file`, `status`, `additions`, `deletions`, `patch`, `before`, `after`, `hunks`."""

    def __init__(self, change: Change, root: Path | None) -> None:
        self._change = change
        self._root = root

    @property
    def file(self) -> str:
        """Its path, relative to the work tree, with `/`."""
        return self._change.path

    @property
    def old_file(self) -> str:
        """Where it was before it was renamed; "" where it was not."""
        return self._change.old_path

    @property
    def status(self) -> str:
        """added, deleted, modified or renamed."""
        return self._change.status

    @property
    def additions(self) -> int:
        """Lines added."""
        return self._count("+") if self._change.additions is None else self._change.additions

    @property
    def deletions(self) -> int:
        """Lines removed."""
        return self._count("-") if self._change.deletions is None else self._change.deletions

    def _count(self, kind: str) -> int:
        return sum(line.kind == kind for hunk in self._parsed for line in hunk.lines)

    @property
    def patch(self) -> str:
        """The change as `git diff` shows it. Bytes that are not UTF-8 are lone surrogates (`surrogateescape`)."""
        return self._change.patch

    @property
    def before(self) -> bytes | None:
        """The whole file before; None where there was none, or where `unknown` says why nobody has it."""
        return self._change.before.read() if self._change.before else None

    @property
    def after(self) -> bytes | None:
        """The whole file after; None where there is none, or where `unknown` says why nobody has it."""
        return self._change.after.read() if self._change.after else None

    @property
    def unknown(self) -> str:
        """Why `before` and `after` are not to be had, and what can be done; "" where they are."""
        return self._change.unknown

    @property
    def binary(self) -> bool:
        """Whether it has no lines to show: a NUL byte near its beginning, as git decides."""
        return any(file.binary for file in patches.parse_files(self.patch))

    @property
    def old_mode(self) -> str:
        """Git's mode before: "100644", "100755" (executable), "120000" (link), "160000" (submodule); "" for none."""
        return self._change.before.mode if self._change.before else ""

    @property
    def new_mode(self) -> str:
        """Git's mode after."""
        return self._change.after.mode if self._change.after else ""

    @cached_property
    def hunks(self) -> tuple[Hunk, ...]:
        """Its changed places, parsed when first asked for."""
        return tuple(Hunk(self, index, value) for index, value in enumerate(self._parsed))

    @cached_property
    def _parsed(self) -> tuple[patches.Hunk, ...]:
        return patches.parse(self.patch)

    def __repr__(self) -> str:
        return f"<FileDiff {self.status} {self.file} +{self.additions} -{self.deletions}>"


class Diff:
    """What a turn, a session or the work tree changed: `files`, `patch`, `diff["path"]`, and where it comes from.

    `source` says in one line which source it is, and what it can miss.
    """

    def __init__(self, changes: Iterable[Change], root: Path | None, source: str) -> None:
        self.files = tuple(FileDiff(change, root) for change in changes)
        self.source = source

    @property
    def additions(self) -> int:
        """Lines added in all files."""
        return sum(file.additions for file in self.files)

    @property
    def deletions(self) -> int:
        """Lines removed in all files."""
        return sum(file.deletions for file in self.files)

    @property
    def patch(self) -> str:
        """All files' patches, as `git diff` shows them."""
        return "".join(file.patch for file in self.files)

    def __getitem__(self, path: str) -> FileDiff:
        """The file of that path. Raises KeyError."""
        for file in self.files:
            if file.file == path:
                return file
        raise KeyError(f"No change of {path!r}. There are: {', '.join(file.file for file in self.files) or 'none'}.")

    def __contains__(self, path: object) -> bool:
        return any(file.file == path for file in self.files)

    def __iter__(self) -> Iterator[FileDiff]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return f"<Diff {len(self.files)} files +{self.additions} -{self.deletions}, {self.source}>"
