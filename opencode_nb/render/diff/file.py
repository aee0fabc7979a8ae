"""Render one file of a diff on the live page: its heading, and below it its changes and buttons. Pure.

A body is requested when it comes near the visible area, so that a diff of many files costs only what is viewed.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opencode_nb.diffs.reviewable import ReviewableFile, ReviewableHunk
from opencode_nb.diffs.text import decode
from opencode_nb.render.diff import notebook as review_notebook
from opencode_nb.render.diff.box import STATUS, block
from opencode_nb.render.diff.rows import UNKNOWN, Notes, Painted, context, lines, numbered, paint, shortened, sides
from opencode_nb.render.diff.tree import amount
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join

if TYPE_CHECKING:
    from opencode_nb.diffs.comment import Comment

GUARDED = 1_000
"""Files with more changed lines are shown on request only, this many lines at a time."""

LONGEST_LINE = 4_000
"""Characters shown of a line; minified code has lines of a million."""

CONTEXT_STEP = 20
"""Unchanged lines shown at a time."""

MAX_PICTURE = 4_000_000
"""Larger pictures, in bytes, are mentioned but not shown."""

_PICTURES = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "gif": "gif", "webp": "webp"}


@dataclass(slots=True)
class FileView:
    """What the user chose to see of a file, and what the page has of it.

    `gaps`: for the gap before each hunk (and after the last), how many unchanged lines are shown at its start and end.
    `as_cells` and `outputs` are for notebooks. `version` increases when the body on the page becomes stale. `state` is
    the last state read from disk, `refused` why the last revert or apply did nothing.
    """

    limit: int = 0
    as_cells: bool = True
    outputs: bool = False
    gaps: dict[int, tuple[int, int]] = field(default_factory=dict)
    version: int = 1
    sent: bool = False
    state: str = ""
    refused: str = ""


def section_html(index: int, file: ReviewableFile, view: FileView) -> Html:
    """Render a file's section: open, its body not loaded yet."""
    awaited = element("div", data_key=f"f{index}b", classes="oc-awaited")
    return element(
        "details",
        join([head_html(index, file, view), awaited]),
        classes="oc-section",
        open=True,
        data_file=file.file,
        data_index=str(index),
        data_fold=f"f{index}",
        data_lines=str(min(file.additions + file.deletions, GUARDED)),
    )


def head_html(index: int, file: ReviewableFile, view: FileView) -> Html:
    """Render a file's heading; its version tells the page whether the body below is stale."""
    name = element("span", escape(file.file), classes="oc-path")
    pieces = [name, _status(file), element("span", escape(view.state), classes="oc-state") if _tells(view) else NOTHING]
    refused = element("span", escape(view.refused), classes="oc-refused") if view.refused else NOTHING
    content = join([*(piece for piece in pieces if piece), amount(file), refused], Html(" "))
    return element(
        "summary", content, classes="oc-file", data_key=f"f{index}h", data_id=str(index), data_version=str(view.version)
    )


def _tells(view: FileView) -> bool:
    return view.state not in ("", "applied")


def _status(file: ReviewableFile) -> Html:
    known = STATUS.get(file.status, "")
    text = f"renamed from {file.old_file}" if file.status == "renamed" and file.old_file else known
    return element("span", escape(text), style="muted small") if text else NOTHING


def body_html(
    index: int, file: ReviewableFile, view: FileView, *, columns: int, comments: Sequence[Comment] = (), path: str = ""
) -> Html:
    """Render everything below a file's heading, in one or two columns. `path`: the file's location on disk."""
    pieces = [_tools(index, file, view, path), _facts(file), *_content(index, file, view, columns, comments)]
    return element("div", join(pieces), classes="oc-body", data_key=f"f{index}b", data_version=str(view.version))


def failed_html(index: int, view: FileView, reason: str) -> Html:
    """Render the replacement of a body that cannot be shown."""
    text = element("div", escape(f"This file cannot be shown: {reason}"), classes="oc-facts oc-bad")
    return element("div", text, classes="oc-body", data_key=f"f{index}b", data_version=str(view.version))


# Buttons


def button(
    label: str,
    intent: str,
    *,
    id: str = "",
    title: str = "",
    classes: str = "oc-button",
    pressed: bool | None = None,
    disabled: bool = False,
    **data: str,
) -> Html:
    """Build a button that sends an intent. A disabled one stays focusable, so that clicks never lose the focus."""
    return element(
        "button",
        escape(label),
        classes=classes,
        type="button",
        title=title or None,
        aria_pressed=None if pressed is None else str(pressed).lower(),
        aria_disabled="true" if disabled else None,
        data_intent=intent or None,
        data_id=id or None,
        **{f"data_{name}": value for name, value in data.items()},
    )


def _tools(index: int, file: ReviewableFile, view: FileView, path: str) -> Html:
    name, key = file.file, str(index)
    pieces = []
    if view.state != "reverted":
        pieces.append(button("Revert file", "act", id=key, act="revert", title=f"Revert the changes in {name}"))
    if view.state in ("reverted", "partly"):
        pieces.append(button("Apply file", "act", id=key, act="apply", title=f"Apply the changes in {name} again"))
    if file.patch:
        pieces.append(button("Copy patch", "copy", id=key, title=f"Copy the patch of {name}"))
    if path and file.status != "deleted":
        pieces.append(element("a", escape("Open file"), classes="oc-button", data_open=path, title=path))
    return element("div", join(pieces), classes="oc-tools")


def _notebook_tools(index: int, view: FileView) -> Html:
    key, cells = str(index), view.as_cells
    buttons = [
        button("Cells", "notebook", id=key, pressed=cells, set="cells"),
        button("JSON", "notebook", id=key, pressed=not cells, set="json", title="The file itself, hunk by hunk"),
    ]
    if cells:
        buttons.append(button("Outputs", "notebook", id=key, pressed=view.outputs, set="outputs"))
    return element("div", join(buttons), classes="oc-tools")


def _facts(file: ReviewableFile) -> Html:
    facts = []
    if file.old_mode and file.new_mode and file.old_mode != file.new_mode:
        facts.append(f"Mode {file.old_mode} \u2192 {file.new_mode}")
    if file.binary:
        facts.append(f"Binary file, {_size(file.before)} \u2192 {_size(file.after)}")
    elif not file.hunks:
        facts.append("No lines changed." if facts or file.status == "renamed" else "An empty file.")
    return element("div", escape("; ".join(facts)), classes="oc-facts") if facts else NOTHING


def _size(data: bytes | None) -> str:
    return "none" if data is None else f"{len(data):,} bytes"


# Content


def _content(
    index: int, file: ReviewableFile, view: FileView, columns: int, comments: Sequence[Comment]
) -> Iterator[Html]:
    if file.binary:
        yield _pictures(file)
        return
    notebook = review_notebook.read(file, outputs=view.outputs)
    if notebook is not None:
        yield _notebook_tools(index, view)
    if notebook is not None and view.as_cells:
        yield from review_notebook.cells_html(index, notebook, columns=columns, outputs=view.outputs)
        return
    total = sum(len(hunk.lines) for hunk in file.hunks)
    shown = total if total <= GUARDED else view.limit
    if shown:
        yield from _Hunks(index, file, view, columns, comments).html(shown)
    if shown < total:
        yield _guard(index, shown, total)


def _guard(index: int, shown: int, total: int) -> Html:
    text = f"{total - shown:,} more lines." if shown else f"A large change: {total:,} lines."
    more = button(f"Show {min(GUARDED, total - shown):,} lines", "more", id=str(index))
    return element("div", join([escape(text), more], Html(" ")), classes="oc-guard")


def _pictures(file: ReviewableFile) -> Html:
    kind = _PICTURES.get(file.file.rpartition(".")[2].lower())
    if kind is None:
        return NOTHING
    both = [(name, data) for name, data in (("Before", file.before), ("After", file.after)) if data]
    return element("div", join(_picture(name, kind, data) for name, data in both), classes="oc-pictures")


def _picture(name: str, kind: str, data: bytes) -> Html:
    caption = element("figcaption", escape(f"{name}, {len(data):,} bytes"))
    if len(data) > MAX_PICTURE:
        return element("figure", join([caption, escape("Too large to show.")]))
    url = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return element("figure", join([caption, element("img", src=url, alt=name)]))


class _Hunks:
    """The hunks of a file and the lines between them."""

    def __init__(
        self, index: int, file: ReviewableFile, view: FileView, columns: int, comments: Sequence[Comment]
    ) -> None:
        self._index, self._file, self._view, self._columns = index, file, view, columns
        self._after = decode(file.after or b"")
        self._lines = self._after.removesuffix("\n").split("\n") if self._after else []
        self._whole = sides(decode(file.before or b""), self._after, file.file) if self._lines else UNKNOWN
        self._width = len(str(max((max(_end(hunk)) for hunk in file.hunks), default=1)))
        self._notes = _notes(index, comments)
        self._taken = self._which_are_taken()

    def _which_are_taken(self) -> Sequence[bool | None]:
        """Return which hunks are reverted. Reads the file only if they may differ."""
        state = self._view.state
        if state in ("partly", "changed since"):
            return self._file.reverted
        return [state == "reverted"] * len(self._file.hunks)

    def html(self, shown: int) -> Iterator[Html]:
        old = new = 1  # the first lines after the previous hunk
        hunks = self._file.hunks
        for number, hunk in enumerate(hunks):
            if shown <= 0:
                return
            yield self._gap(number, old, new, hunk.new_start + (hunk.new_lines == 0))
            yield self._hunk(number, hunk, shown)
            shown -= len(hunk.lines)
            old, new = _end(hunk)
        if self._lines and shown >= 0:
            yield self._gap(len(hunks), old, new, len(self._lines) + 1)

    def _hunk(self, number: int, hunk: ReviewableHunk, limit: int) -> Html:
        rows = numbered(hunk, limit, LONGEST_LINE)
        key, taken = f"{self._index}.{number}", self._taken[number]
        act = ("Apply hunk", "apply") if taken else ("Revert hunk", "revert")
        head = [element("span", escape(hunk.header), classes="oc-range")]
        if taken:
            head.append(element("span", escape("reverted"), classes="oc-state"))
        head.append(button(act[0], "act", id=key, act=act[1], title=f"{act[0]} {number + 1} of {self._file.file}"))
        content = [
            element("div", join(head), classes="oc-change-bar"),
            self._block(paint(rows, self._file.file, self._whole)),
        ]
        return element(
            "div",
            join(content),
            classes="oc-change oc-taken" if taken else "oc-change",
            role="group",
            tabindex="-1",
            aria_label=f"Change {number + 1} of {len(self._file.hunks)}, {_place(hunk)}",
            data_hunk=key,
        )

    def _block(self, painted: Sequence[Painted]) -> Html:
        return block(lines(painted, self._width, self._columns, self._notes))

    # unchanged lines

    def _gap(self, number: int, old: int, new: int, end: int) -> Html:
        """Render the unchanged lines from line `new` up to `end`, as far as expanded."""
        count = end - new if self._lines else 0
        if count <= 0:
            return NOTHING
        top, bottom = self._view.gaps.get(number, (0, 0))
        if top + bottom >= count:
            return self._unchanged(old, new, count)
        left = count - top - bottom
        return join(
            [
                self._unchanged(old, new, top),
                self._expander(number, left, first=number == 0, last=number == len(self._file.hunks)),
                self._unchanged(old + count - bottom, new + count - bottom, bottom),
            ]
        )

    def _unchanged(self, old: int, new: int, count: int) -> Html:
        if not count:
            return NOTHING
        lines = [shortened(text, LONGEST_LINE) for text in self._lines[new - 1 : new - 1 + count]]
        cut = 1 if all(text.endswith("\r") for text in lines) else 0
        rows = context([text[: len(text) - cut] for text in lines], old, new)
        return self._block(paint(rows, self._file.file, self._whole))

    def _expander(self, number: int, left: int, *, first: bool, last: bool) -> Html:
        lines = "1 unchanged line" if left == 1 else f"{left:,} unchanged lines"
        few = f"{CONTEXT_STEP} lines"
        wanted = (
            [("top", f"\u2193 {few}", not first), ("bottom", f"\u2191 {few}", not last)] if left > CONTEXT_STEP else []
        )
        buttons = [
            button(label, "expand", id=f"{self._index}.{number}", part=part, classes="oc-more")
            for part, label, there in [*wanted, ("all", f"Show {lines}", True)]
            if there
        ]
        return element("div", join(buttons), classes="oc-expander")


def _end(hunk: ReviewableHunk) -> tuple[int, int]:
    """Return the old and new numbers of the first line after a hunk; an empty side starts at the line before it."""
    old = hunk.old_start + (hunk.old_lines or 1)
    new = hunk.new_start + (hunk.new_lines or 1)
    return old, new


def _place(hunk: ReviewableHunk) -> str:
    """Describe a hunk's position for screen readers."""
    if not hunk.new_lines:
        return f"{hunk.old_lines} lines removed at line {hunk.new_start}"
    last = hunk.new_start + hunk.new_lines - 1
    return f"line {last}" if hunk.new_lines == 1 else f"lines {hunk.new_start} to {last}"


def _notes(index: int, comments: Sequence[Comment]) -> Notes:
    notes: dict[str, Html] = {}
    for number, comment in enumerate(comments):
        remove = button("Remove comment", "uncomment", id=str(index), number=str(number))
        content = join([element("span", escape(comment.text), classes="oc-said"), remove])
        note = element("span", content, classes="oc-comment", role="note", aria_label="Your comment")
        notes[comment.at] = join([notes.get(comment.at, NOTHING), note])
    return notes
