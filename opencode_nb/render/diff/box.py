"""Render one changed file `{file, patch, additions, deletions, status}` as HTML, Markdown and terminal text.

Owns the look of read-only changes: in tool cards, permission requests and saved notebooks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.text import Text

from opencode_nb.diffs.patch import FilePatch, parse_files, write_hunks
from opencode_nb.render.diff.patched_notebook import Section, hunks_of, sections
from opencode_nb.render.diff.rows import lines, number_width, numbered, paint, shown_as
from opencode_nb.render.markdown.convert import fenced
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join, reveal, visible
from opencode_nb.render.markup.highlight import MAX_HIGHLIGHTED

Json = dict[str, Any]

FOLDED_AFTER = 400
"""Lines of a diff shown before the rest is folded."""

STATUS = {"added": "new file", "deleted": "deleted", "renamed": "renamed", "moved": "moved"}
"""Labels of a file's status, except for a mere modification."""


def stats(diff: Json) -> tuple[int, int]:
    """Return lines added and removed, from the server's counts or else from the patch."""
    added, removed = diff.get("additions"), diff.get("deletions")
    if isinstance(added, int) and isinstance(removed, int):
        return added, removed
    kinds = [line.kind for file in _files(diff) for hunk in file.hunks for line in hunk.lines]
    return kinds.count("+"), kinds.count("-")


def _files(diff: Json) -> list[FilePatch]:
    return parse_files(str(diff.get("patch") or ""))


# HTML


def html(diff: Json, *, open_: bool = True, columns: int = 1) -> Html:
    """Render the file as a collapsible box."""
    path = str(diff.get("file") or "")
    summary = element(
        "summary", join([file_title(diff), element("span", counts(*stats(diff)), style="end")]), style="summary"
    )
    return element("details", join([summary, body(diff, columns)]), style="file", open=open_, data_file=path)


def file_title(diff: Json) -> Html:
    """Return the file's path and status, the latter unless it was merely modified."""
    status = happened(diff)
    title = element("span", escape(str(diff.get("file") or "")), style="subtitle")
    return join([title, element("span", escape(f" {status}"), style="muted small plain")]) if status else title


def happened(diff: Json) -> str:
    """Describe the status unless merely modified: `new file`, `renamed from old.py`."""
    status = STATUS.get(str(diff.get("status") or ""), "")
    return f"{status or 'moved'} from {diff['from']}" if diff.get("from") else status


def counts(added: int, removed: int) -> Html:
    """Render `+2 −1`; the signs are text for those who don't see colours."""
    return join(
        [element("span", escape(f"+{added}"), style="good"), element("span", escape(f"\u2212{removed}"), style="bad")],
        Html(" "),
    )


def columns_html(columns: int) -> Html:
    """Build the choice of one or two columns; a live view remembers it (`page.Look`)."""
    choices = (("1", "Unified", "Changes in one column"), ("2", "Split", "Before and after side by side"))
    buttons = [
        element(
            "button",
            escape(label),
            type="button",
            title=title,
            aria_pressed=str(id_ == str(columns)).lower(),
            data_intent="columns",
            data_id=id_,
        )
        for id_, label, title in choices
    ]
    return element("div", join(buttons), classes="oc-columns", role="group", aria_label="Columns of the changes")


def body(diff: Json, columns: int = 1) -> Html:
    """Render the changed lines in one or two columns, with the end of a long diff folded."""
    files = _files(diff)
    if not any(file.hunks for file in files):
        return without_lines(diff)
    path = str(diff.get("file") or "")
    every = list(_lines(path, sections(path, files), columns))
    if not every:
        return element("div", escape("No cell source changed, only outputs, counts, ids or metadata."), style="body")
    shown, folded = every[:FOLDED_AFTER], every[FOLDED_AFTER:]
    return join([block(shown), _fold(folded) if folded else NOTHING])


def whole(diff: Json, columns: int = 1) -> list[Html]:
    """Return all changed lines for someone who decides by them, with invisible characters marked; see `block`."""
    return list(_lines(str(diff.get("file") or ""), hunks_of(_files(diff)), columns, reveal))


def without_lines(diff: Json) -> Html:
    """Say why a change has no lines."""
    return element("div", escape(_without_lines(_files(diff))), style="body")


def _without_lines(files: Sequence[FilePatch]) -> str:
    if any(file.binary for file in files):
        return "Binary file changed."
    renamed = next((file for file in files if file.old_path and file.new_path and file.old_path != file.new_path), None)
    if renamed:
        return f"Renamed from {renamed.old_path}."
    mode = next((file for file in files if file.old_mode and file.new_mode and file.old_mode != file.new_mode), None)
    return f"Mode changed from {mode.old_mode} to {mode.new_mode}." if mode else "No changed lines to show."


def block(content: Iterable[Html]) -> Html:
    """Wrap lines of a diff in one code block."""
    return element("pre", element("code", join(content), style="rows"), style="patch")


def _fold(rest: Sequence[Html]) -> Html:
    plural = "" if len(rest) == 1 else "s"
    summary = element("summary", escape(f"Show {len(rest)} more line{plural}"), style="more body")
    return element("details", join([summary, block(rest)]))


def _lines(
    path: str, shown: Sequence[Section], columns: int, show: Callable[[str], str] = lambda text: text
) -> Iterable[Html]:
    """Yield the rows of all sections; `show` converts each line's text for display."""
    titled = [(title, [shown_as(show, row) for row in numbered(hunk)]) for title, hunk in shown]
    every = [row for _, rows in titled for row in rows]
    width = number_width(every)
    coloured = sum(len(row.text) for row in every) <= MAX_HIGHLIGHTED
    for title, rows in titled:
        yield element("span", escape(f"{title}\n"), style="hunk")
        yield from lines(paint(rows, path if coloured else ""), width, columns)


# Markdown and terminal


def markdown(diff: Json) -> str:
    """Return the file's name, counts and patch."""
    added, removed = stats(diff)
    source = f" from {code_span(str(diff['from']))}" if diff.get("from") else ""
    title = f"{code_span(str(diff.get('file') or ''))}{source} +{added} \u2212{removed}"
    patch = patch_text(diff)
    return f"{title}\n\n{fenced(patch, 'diff')}" if patch else title


def code_span(text: str) -> str:
    """Return text as Markdown inline code, whatever it contains."""
    text = visible(text.replace("\n", " "))
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if longest or not text.strip() else ""
    return f"{ticks}{pad}{text}{pad}{ticks}" if text else ""


def patch_text(diff: Json) -> str:
    """Return the hunks of a patch without file headers, or the changed cells of a whole notebook."""
    files = _files(diff)
    shown = sections(str(diff.get("file") or ""), files)
    if any(title != hunk.header for title, hunk in shown):
        pieces = [(f"@@ {title} @@", write_hunks([hunk]).partition("\n")[2]) for title, hunk in shown]
        return "\n".join(f"{title}\n{lines}".removesuffix("\n") for title, lines in pieces)
    return write_hunks([hunk for _, hunk in shown]).removesuffix("\n")


_TERMINAL = {"+": "green", "-": "red", "@": "cyan", "\\": "dim"}


def terminal(diff: Json) -> Text:
    """Render the file for a terminal."""
    added, removed = stats(diff)
    text = Text().append(visible(str(diff.get("file") or "")), style="bold")
    if diff.get("from"):
        text.append(visible(f" {happened(diff)}"))
    text.append(f"  +{added}", style="green").append(f" \u2212{removed}\n", style="red")
    for line in visible(patch_text(diff)).split("\n"):
        text.append(f"{line}\n", style=_TERMINAL.get(line[:1], ""))
    return text
