"""Diff, FileDiff, Hunk: what was changed, as values to look through, and to take back or redo piece by piece.

Nothing here remembers what was reverted: each look and each act reads the files as they are now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from opencode_nb.changes import revert as reverting
from opencode_nb.changes.ledger import Own
from opencode_nb.diffs import build
from opencode_nb.diffs import patch as patches
from opencode_nb.diffs.change import Change
from opencode_nb.diffs.patch import Line
from opencode_nb.diffs.text import is_binary
from opencode_nb.errors import DiffConflictError
from opencode_nb.transcript.state import Json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from opencode_nb.changes.undo_result import Undone

__all__ = ["Diff", "FileDiff", "Hunk", "Line", "Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act did: `done`, the paths it changed; `refused`, (path, reason) of those that it left as they are.

    `copies` are (path, place) of what was overwritten.
    """

    done: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    copies: tuple[tuple[str, str], ...] = ()


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

    @property
    def reverted(self) -> bool | None:
        """Whether it is taken back now; None where its lines were changed since by somebody else."""
        return self.file._are_back([self.value])[0]

    def revert(self) -> Outcome:
        """Take it back, and leave the rest of the file as it is now. Raises DiffConflictError, and then did nothing."""
        return self.file._switch_hunk(self.value, back=True)

    def apply(self) -> Outcome:
        """Make it again after it was taken back. Raises DiffConflictError, and then did nothing."""
        return self.file._switch_hunk(self.value, back=False)

    def __repr__(self) -> str:
        return f"<Hunk {self.header}>"


class FileDiff:
    """One file's change: `file`, `status`, `additions`, `deletions`, `patch`, `before`, `after`, `hunks`."""

    def __init__(self, change: Change, root: Path | None, own: Own) -> None:
        self._change = change
        self._root = root
        self._own = own

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

    @cached_property
    def patch(self) -> str:
        """The change as `git diff` shows it. Bytes that are not UTF-8 are lone surrogates (`surrogateescape`)."""
        return self._change.patch if self._without_sides else build.build(self._change)

    @property
    def _without_sides(self) -> bool:
        return self._change.before is None and self._change.after is None

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
    def certain(self) -> bool:
        """Whether a tool of the agent reported it; else it changed while a tool ran that reports nothing."""
        return self._change.certain

    @cached_property
    def binary(self) -> bool:
        """Whether it has no lines to show: a NUL byte near its beginning, as git decides."""
        if self._without_sides:
            return any(file.binary for file in patches.parse_files(self.patch))
        return is_binary(self.before or b"") or is_binary(self.after or b"")

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

    @property
    def reverted(self) -> tuple[bool | None, ...]:
        """Which of its hunks are taken back now, by one look at the file; None for those changed since by others."""
        return tuple(self._are_back(self._parsed))

    @cached_property
    def _parsed(self) -> tuple[patches.Hunk, ...]:
        return patches.parse(self.patch)

    @property
    def state(self) -> reverting.State:
        """How the file stands to it now: "applied", "reverted", "partly" (some hunks are), or "changed since"."""
        return self._look().state

    @property
    def reason(self) -> str:
        """Why it is "changed since", and what can be done; "" where it is not."""
        return self._look().reason

    def revert(self) -> Outcome:
        """Take the whole change back. Raises DiffConflictError where the file was changed since; it stays as it is."""
        return self._switch(back=True)

    def apply(self) -> Outcome:
        """Make the whole change again. Raises DiffConflictError as `revert` does."""
        return self._switch(back=False)

    def _look(self) -> reverting.Standing:
        return reverting.look(self._change, self._root)

    def _are_back(self, hunks: Sequence[patches.Hunk]) -> list[bool | None]:
        return reverting.hunks_back(self._change, self._look(), hunks)

    def _switch(self, *, back: bool) -> Outcome:
        return self._outcome(reverting.switch_file(self._change, self._root, self._own, back=back))

    def _finish(self, *, back: bool) -> Outcome:
        """Do what an undo or redo has left of it. The file was seen to be as it should right before it."""
        return Outcome((self.file,), copies=self._switch(back=back).copies)

    def _switch_hunk(self, hunk: patches.Hunk, *, back: bool) -> Outcome:
        return self._outcome(reverting.switch_hunk(self._change, self._root, self._own, hunk, back=back))

    def _outcome(self, copies: reverting.Copies | None) -> Outcome:
        return Outcome() if copies is None else Outcome((self.file,), copies=tuple(copies.items()))

    def __repr__(self) -> str:
        return f"<FileDiff {self.status} {self.file} +{self.additions} -{self.deletions}>"


class Undo(Protocol):
    """What undoes a whole diff at once where it can, so that a conversation knows of it."""

    def carry_out(self, diff: Diff, *, back: bool) -> Undone | None:
        """Undo it, or with `back=False` redo it; None where it must be done file by file."""


class Diff:
    """What a turn, a session or the work tree changed: `files`, `patch`, `diff["path"]`, and where it comes from.

    `source` says in one line which source it is, and what it can miss.
    """

    def __init__(
        self,
        changes: Iterable[Change],
        root: Path | None,
        source: str,
        own: Own | None = None,
        *,
        undo: Undo | None = None,
    ) -> None:
        known = Own() if own is None else own
        self.files = tuple(FileDiff(change, root, known) for change in changes)
        self.root = root
        """Where the files are; None where they are out of reach."""
        self.source = source
        self._undo = undo

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
        self._compare_all()
        return "".join(file.patch for file in self.files)

    def _compare_all(self) -> None:
        build.compare_all(file._change for file in self.files)

    def revert(self) -> Outcome:
        """Take everything back; files that were changed since stay as they are, and are in `refused`.

        The last turn of a session is undone on the server too, where that overwrites nothing; what the server leaves is
        done file by file, as everything else is. Raises DiffConflictError where all files were changed since.
        """
        return self._switch(back=True)

    def apply(self) -> Outcome:
        """Make everything again that was taken back, as `revert` does."""
        return self._switch(back=False)

    def _switch(self, *, back: bool) -> Outcome:
        undone = self._undo.carry_out(self, back=back) if self._undo is not None else None
        if undone is not None:
            outcome = switch_all(self.files, FileDiff._finish, back=back)
            return replace(outcome, copies=(*undone.copies, *outcome.copies))
        return switch_all(self.files, FileDiff._switch, back=back)

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

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[Json, Json]:
        from opencode_nb.render.diff import static as render

        self._compare_all()
        forms = {"text/html": render.diff_html, "text/markdown": render.diff_markdown, "text/plain": render.diff_text}
        return {mime: form(self) for mime, form in forms.items()}, {}

    def __rich__(self) -> RenderableType:
        from opencode_nb.render.diff import static

        self._compare_all()
        return static.diff_terminal(self)

    def __repr__(self) -> str:
        return f"<Diff {len(self.files)} files +{self.additions} -{self.deletions}, {self.source}>"


def switch_all(files: Iterable[FileDiff], act: Callable[..., Outcome], *, back: bool) -> Outcome:
    """Take back or make again what can be; those that leave no file come first, as they may make way for others."""
    done: list[str] = []
    refused: list[tuple[str, str]] = []
    copies: list[tuple[str, str]] = []
    for file in sorted(files, key=lambda file: file.status != ("added" if back else "deleted")):
        try:
            outcome = act(file, back=back)
            done += outcome.done
            copies += outcome.copies
        except DiffConflictError as error:
            refused += error.refused
    if refused and not done:
        text = "Nothing was changed: " + " ".join(f"{path}: {reason}" for path, reason in refused[:_NAMED])
        more = f" And {len(refused) - _NAMED} more files." if len(refused) > _NAMED else ""
        raise DiffConflictError(text + more, refused=tuple(refused))
    return Outcome(tuple(done), tuple(refused), tuple(copies))


_NAMED = 5
