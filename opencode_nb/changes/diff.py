"""Diff, FileDiff, Hunk: what changed, as values to inspect, and to revert or reapply piece by piece.

Nothing here remembers what was reverted: every look and every change reads the files as they are now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from opencode_nb.api.verifying import refuse_acts
from opencode_nb.changes import revert as reverting
from opencode_nb.changes.cells import CellDiff, Together
from opencode_nb.changes.ledger import Own
from opencode_nb.diffs import build
from opencode_nb.diffs import patch as patches
from opencode_nb.diffs.cells import ChangedCells
from opencode_nb.diffs.change import Change
from opencode_nb.diffs.memory import KernelChanges
from opencode_nb.diffs.outcome import Outcome
from opencode_nb.diffs.patch import Line
from opencode_nb.diffs.text import is_binary
from opencode_nb.errors import DiffConflictError
from opencode_nb.transcript.state import Json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from opencode_nb.changes.undo_result import Undone

__all__ = ["CellDiff", "Diff", "FileDiff", "Hunk", "Line", "Outcome"]


class Hunk:
    """Some changed lines of one file with context: `header`, `lines`; `revert()` and `apply()`."""

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
        """The number of the first line before the change, from 1."""
        return self.value.old_start

    @property
    def old_lines(self) -> int:
        """Number of lines before the change."""
        return self.value.old_lines

    @property
    def new_start(self) -> int:
        """The number of the first line after the change, from 1."""
        return self.value.new_start

    @property
    def new_lines(self) -> int:
        """Number of lines after the change."""
        return self.value.new_lines

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines: `kind` (" ", "+" or "-"), `text`, `newline`. Bytes that are not UTF-8 are lone surrogates."""
        return self.value.lines

    @property
    def patch(self) -> str:
        """The hunk as in a patch, with its header."""
        return self.value.text

    @property
    def reverted(self) -> bool | None:
        """Whether the hunk is reverted now; None if someone else changed its lines since."""
        return self.file._are_back([self.value])[0]

    def revert(self) -> Outcome:
        """Revert the hunk, and keep the rest of the file. Raises DiffConflictError without changing anything."""
        return self.file._switch_hunk(self.value, back=True)

    def apply(self) -> Outcome:
        """Reapply the hunk after a revert. Raises DiffConflictError without changing anything."""
        return self.file._switch_hunk(self.value, back=False)

    def __repr__(self) -> str:
        return f"<Hunk {self.header}>"


class FileDiff:
    """One file's change: `file`, `status`, `additions`, `deletions`, `patch`, `before`, `after`, `hunks`."""

    def __init__(self, change: Change, root: Path | None, own: Own, *, played: bool = False) -> None:
        self._change = change
        self._root = root
        self._own = own
        self._played = played

    @property
    def file(self) -> str:
        """The path, relative to the work tree, with `/`."""
        return self._change.path

    @property
    def old_file(self) -> str:
        """The path before a rename; "" if it was not renamed."""
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
        """The whole file before; None if it did not exist, or if `unknown` says why it is not available."""
        return self._change.before.read() if self._change.before else None

    @property
    def after(self) -> bytes | None:
        """The whole file after; None if it does not exist, or if `unknown` says why it is not available."""
        return self._change.after.read() if self._change.after else None

    @property
    def unknown(self) -> str:
        """Why `before` and `after` are not available, and what to do; "" if they are."""
        return self._change.unknown

    @property
    def certain(self) -> bool:
        """Whether one of the agent's tools reported it; else it changed while a tool ran that reports nothing."""
        return self._change.certain

    @cached_property
    def binary(self) -> bool:
        """Whether it has no lines to show: a NUL byte near the beginning, as in git."""
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
        """The hunks, parsed on first use."""
        return tuple(Hunk(self, index, value) for index, value in enumerate(self._parsed))

    @property
    def reverted(self) -> tuple[bool | None, ...]:
        """Whether each hunk is reverted now, from one read of the file; None for those that others changed since."""
        return tuple(self._are_back(self._parsed))

    @cached_property
    def _parsed(self) -> tuple[patches.Hunk, ...]:
        return patches.parse(self.patch)

    @property
    def state(self) -> reverting.State:
        """The file's state now: "applied", "reverted", "partly" (some hunks are reverted), or "changed since"."""
        return self._look().state

    @property
    def reason(self) -> str:
        """Why it is "changed since", and what to do; "" for other states."""
        return self._look().reason

    def revert(self) -> Outcome:
        """Revert the whole change. Raises DiffConflictError, without writing, if the file was changed since."""
        return self._switch(back=True)

    def apply(self) -> Outcome:
        """Reapply the whole change. Raises DiffConflictError like `revert`."""
        return self._switch(back=False)

    def _look(self) -> reverting.Standing:
        return reverting.look(self._change, self._root)

    def _are_back(self, hunks: Sequence[patches.Hunk]) -> list[bool | None]:
        return reverting.hunks_back(self._change, self._look(), hunks)

    def _switch(self, *, back: bool) -> Outcome:
        refuse_acts(playing=self._played)
        return self._outcome(reverting.switch_file(self._change, self._root, self._own, back=back))

    def _finish(self, *, back: bool) -> Outcome:
        """Finish what an undo or redo left undone. The file was checked right before it."""
        return Outcome((self.file,), copies=self._switch(back=back).copies)

    def _switch_hunk(self, hunk: patches.Hunk, *, back: bool) -> Outcome:
        refuse_acts(playing=self._played)
        return self._outcome(reverting.switch_hunk(self._change, self._root, self._own, hunk, back=back))

    def _outcome(self, copies: reverting.Copies | None) -> Outcome:
        return Outcome() if copies is None else Outcome((self.file,), copies=tuple(copies.items()))

    def __repr__(self) -> str:
        return f"<FileDiff {self.status} {self.file} +{self.additions} -{self.deletions}>"


class Undo(Protocol):
    """What undoes a whole diff at once where it can, so that a conversation knows of it."""

    def carry_out(self, diff: Diff, *, back: bool) -> Undone | None:
        """Undo it, or with `back=False` redo it; None where it must be done file by file."""


class Piece(Protocol):
    """What can be reverted by itself: a file, or all cells together."""

    @property
    def status(self) -> str:
        """added, deleted, modified or renamed."""

    def _switch(self, *, back: bool) -> Outcome:
        """Revert it, or reapply it. Raises DiffConflictError."""

    def _finish(self, *, back: bool) -> Outcome:
        """Finish what an undo or redo left undone."""


class Diff:
    """What a turn, a session or the work tree changed: `files`, `cells`, `patch`, `diff["path"]`, and its source.

    `source` names the source in one line, and what it can miss. `played`: the turns are those of a recording.
    """

    def __init__(
        self,
        changes: Iterable[Change],
        root: Path | None,
        source: str,
        own: Own | None = None,
        played: bool = False,
        *,
        undo: Undo | None = None,
        kernel: KernelChanges | None = None,
        cells: ChangedCells | None = None,
    ) -> None:
        known = Own() if own is None else own
        self.files = tuple(FileDiff(change, root, known, played=played) for change in changes)
        self.root = root
        """The directory of the files; None if they are not on this machine."""
        self.source = source
        self.kernel = kernel
        """What the turn's code changed in the kernel; None if it ran none. Only undoing the turn restores it."""
        self.cells = tuple(CellDiff(change, cells) for change in cells.listed()) if cells is not None else ()
        """The cells of the open notebook that the agent changed; none after a restart of the kernel."""
        together = [Together(self.cells, cells)] if cells is not None and self.cells else []
        self._pieces: Sequence[Piece] = [*self.files, *together]
        self._undo = undo
        self._played = played

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
        """The patches of all files, as `git diff` shows them."""
        self._compare_all()
        return "".join(file.patch for file in self.files)

    def _compare_all(self) -> None:
        build.compare_all(file._change for file in self.files)

    def revert(self) -> Outcome:
        """Revert everything; files and cells that were changed since are left alone and listed in `refused`.

        The last turn of a session is also undone on the server, unless that would overwrite other changes; the rest is
        done file by file. Raises DiffConflictError if all of them were changed since.
        """
        return self._switch(back=True)

    def apply(self) -> Outcome:
        """Reapply everything that was reverted, the same way as `revert`."""
        return self._switch(back=False)

    def _switch(self, *, back: bool) -> Outcome:
        refuse_acts(playing=self._played)
        undone = self._undo.carry_out(self, back=back) if self._undo is not None else None
        if undone is not None:
            outcome = switch_all(self._pieces, lambda piece, back: piece._finish(back=back), back=back)
            return replace(outcome, copies=(*undone.copies, *outcome.copies))
        return switch_all(self._pieces, lambda piece, back: piece._switch(back=back), back=back)

    def __getitem__(self, path: str) -> FileDiff:
        """Return the file with that path. Raises KeyError."""
        for file in self.files:
            if file.file == path:
                return file
        raise KeyError(
            f"No change to {path!r}. Changed files: {', '.join(file.file for file in self.files) or 'none'}."
        )

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
        cells = f", {len(self.cells)} cells" if self.cells else ""
        return f"<Diff {len(self.files)} files +{self.additions} -{self.deletions}{cells}, {self.source}>"


def switch_all(pieces: Iterable[Piece], act: Callable[..., Outcome], *, back: bool) -> Outcome:
    """Revert or reapply what is possible, first the files that will be gone: they may make way for others."""
    done: list[str] = []
    refused: list[tuple[str, str]] = []
    copies: list[tuple[str, str]] = []
    for piece in sorted(pieces, key=lambda piece: piece.status != ("added" if back else "deleted")):
        try:
            outcome = act(piece, back=back)
            done += outcome.done
            refused += outcome.refused
            copies += outcome.copies
        except DiffConflictError as error:
            refused += error.refused
    if refused and not done:
        text = "Nothing was changed: " + " ".join(f"{path}: {reason}" for path, reason in refused[:_NAMED])
        more = f" And {len(refused) - _NAMED} more files." if len(refused) > _NAMED else ""
        raise DiffConflictError(text + more, refused=tuple(refused))
    return Outcome(tuple(done), tuple(refused), tuple(copies))


_NAMED = 5
