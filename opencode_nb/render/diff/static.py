"""Render a whole read-only diff: for saved notebooks, Markdown, plain text and terminals.

Large diffs are cut to what a notebook can hold; the rest is mentioned, and is in `diff.patch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from opencode_nb.diffs.reviewable import ReviewableDiff, ReviewableFile
from opencode_nb.render.diff import box as files
from opencode_nb.render.diff.cells import amount, cell_lines, cells_html, cells_patch
from opencode_nb.render.diff.kernel import kernel_html, kernel_lines
from opencode_nb.render.markdown.convert import fenced
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join, visible

if TYPE_CHECKING:
    from rich.console import RenderableType

OPENED = 5
"""Maximum number of files shown unfolded."""

SHOWN_LINES = 3_000
"""Maximum changed lines of all files together; further files are only named."""

SHOWN_TEXT = 200_000
"""Maximum characters of a patch in Markdown and plain text."""

_ROOT = "opencode-nb mathjax_ignore tex2jax_ignore"
_LETTERS = {"added": "A", "deleted": "D", "renamed": "R"}


def as_json(file: ReviewableFile) -> dict[str, Any]:
    """Return a file's change in the server's format, as `render.diff.box` takes it."""
    return {
        "file": file.file,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "patch": file.patch,
    }


def headline(diff: ReviewableDiff) -> str:
    """Return a headline such as `2 files, 1 cell changed`."""
    count = len(diff.files)
    changed = [f"{count} file{'' if count == 1 else 's'}"] if count else []
    changed += [amount(len(diff.cells))] if diff.cells else []
    nothing = "No files changed" if diff.kernel else "No changes"
    return f"{', '.join(changed)} changed" if changed else nothing


# HTML


def diff_html(diff: ReviewableDiff) -> Html:
    """Render the whole diff as static markup with collapsible files."""
    shown = _shown(diff)
    boxes = [_box(file, open_=len(shown) <= OPENED) for file in shown]
    return _root(diff, join([*boxes, _left_out(diff, len(shown)), cells_html(diff.cells), kernel_html(diff.kernel)]))


def _box(file: ReviewableFile, *, open_: bool) -> Html:
    """Render one file; only the beginning of a very long patch, as a line may have millions of characters."""
    shown = as_json(file)
    patch = shown["patch"]
    if len(patch) <= SHOWN_TEXT:
        return files.html(shown, open_=open_)
    told = element("div", escape(_more(patch)), style="muted small")
    return join([files.html({**shown, "patch": patch[:SHOWN_TEXT]}, open_=open_), told])


def summary_html(diff: ReviewableDiff) -> Html:
    """Render the names of the files with their counts, and those of the cells."""
    cells = [element("div", escape(line), style="line") for line in cell_lines(diff.cells)]
    return _root(diff, join([_names(diff.files), *cells]))


def _root(diff: ReviewableDiff, content: Html) -> Html:
    title = element("span", escape(headline(diff)), style="strong")
    pieces = [title, files.counts(diff.additions, diff.deletions)] if diff.files else [title]
    source = element("div", escape(diff.source), style="muted small")
    head = element("div", join([join(pieces, Html(" ")), source]), style="title")
    return element("div", join([head, content]), style="root", classes=_ROOT, data_view="diff")


def _shown(diff: ReviewableDiff) -> list[ReviewableFile]:
    """Return the first files, up to the maximum of lines and characters, but at least one."""
    lines = characters = 0
    shown: list[ReviewableFile] = []
    for file in diff.files:
        lines += file.additions + file.deletions
        characters += len(file.patch)
        if shown and (lines > SHOWN_LINES or characters > SHOWN_TEXT):
            break
        shown.append(file)
    return shown


def _left_out(diff: ReviewableDiff, shown: int) -> Html:
    rest = diff.files[shown:]
    if not rest:
        return NOTHING
    summary = element("summary", escape(f"{len(rest)} more files, without their lines"), style="more")
    return element("details", join([summary, _names(rest)]))


def _names(listed: Sequence[ReviewableFile]) -> Html:
    rows = [
        join([files.file_title(as_json(file)), Html(" "), files.counts(file.additions, file.deletions)])
        for file in listed
    ]
    return join(element("div", row, style="line") for row in rows)


# Text


def diff_markdown(diff: ReviewableDiff) -> str:
    """Return a headline, the diff's source, and the patch as a code block."""
    counts = f" +{diff.additions} \u2212{diff.deletions}" if diff.files else ""
    patch = fenced(_cut(diff.patch), "diff") if diff.files else ""
    cells = fenced(_cut(cells_patch(diff.cells)), "diff") if diff.cells else ""
    kernel = "\n".join(kernel_lines(diff.kernel))
    pieces = [f"**{headline(diff)}**{counts}", visible(diff.source), patch, cells]
    return "\n\n".join(filter(None, [*pieces, fenced(kernel, "text") if kernel else ""]))


def diff_text(diff: ReviewableDiff) -> str:
    """Return a line for each file with its status."""
    lines = [f"{headline(diff)} +{diff.additions} \u2212{diff.deletions}", diff.source]
    lines += [f"{_letter(file)} {_path(file)} +{file.additions} \u2212{file.deletions}" for file in diff.files]
    return visible("\n".join([*lines, *cell_lines(diff.cells), *kernel_lines(diff.kernel)]))


def _cut(text: str) -> str:
    if len(text) <= SHOWN_TEXT:
        return text
    return f"{text[:SHOWN_TEXT]}\n{_more(text)}"


def _more(text: str) -> str:
    return f"({len(text) - SHOWN_TEXT:,} more characters are in diff.patch)"


def _letter(file: ReviewableFile) -> str:
    return _LETTERS.get(file.status, "M")


def _path(file: ReviewableFile) -> str:
    return f"{file.old_file} \u2192 {file.file}" if file.status == "renamed" else file.file


def diff_terminal(diff: ReviewableDiff) -> RenderableType:
    """Render the files and their lines for a terminal."""
    shown = _shown(diff)
    table = Table.grid(padding=(0, 1))
    for file in diff.files:
        amount = (Text(f"+{file.additions}", style="green"), Text(f"\u2212{file.deletions}", style="red"))
        table.add_row(Text(_letter(file), style="bold"), Text(visible(_path(file))), *amount)
    rest = len(diff.files) - len(shown)
    return Group(
        Text(visible(headline(diff)), style="bold"),
        Text(visible(diff.source), style="dim"),
        table,
        *(files.terminal(as_json(file)) for file in shown),
        *([Text(f"{rest} more files: their lines are in diff.patch", style="dim")] if rest else []),
        *([Text(cells_patch(diff.cells).rstrip("\n"))] if diff.cells else []),
        *map(Text, kernel_lines(diff.kernel)),
    )
