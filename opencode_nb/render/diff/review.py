"""The live page of a diff: its files, and what the user chose to see of them.

`LiveDiff` is the picture of a live view: it remembers what the page has and returns what changed. It changes no files.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from opencode_nb.diffs.reviewable import ReviewableDiff
from opencode_nb.render.diff.box import counts
from opencode_nb.render.diff.cells import live_cells_html
from opencode_nb.render.diff.file import (
    CONTEXT_STEP,
    GUARDED,
    FileView,
    body_html,
    button,
    failed_html,
    head_html,
    section_html,
)
from opencode_nb.render.diff.kernel import kernel_html
from opencode_nb.render.diff.static import headline
from opencode_nb.render.diff.tree import in_order, leaf_html, tree_html
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join
from opencode_nb.render.markup.patch_ops import Op

if TYPE_CHECKING:
    from opencode_nb.diffs.comment import Comment

_KEYS = (
    ("n or j", "next change"),
    ("p or k", "previous change"),
    ("] and [", "next and previous file"),
    ("\u2193 and \u2191", "next and previous line"),
    ("c", "comment on the line"),
    ("/", "filter the files"),
    ("Enter", "press the focused button"),
    ("?", "show these keys"),
)

_ALL = 10**9
"""In lines: the whole gap."""


class LiveDiff:
    """What a page shows of a diff.

    `directory` contains the files on disk, "" if unknown, and `home` is the user's home directory, which a page may
    abbreviate. `can_comment`: whether a next prompt can include comments. `warning` is about the open notebook, if the
    diff changes it.
    """

    def __init__(
        self, diff: ReviewableDiff, *, directory: str = "", home: str = "", can_comment: bool = False, warning: str = ""
    ) -> None:
        self.diff = diff
        self.views = [FileView() for _ in diff.files]
        self.columns = 1
        self.comments: list[Comment] = []
        self.undo, self.redo = "", ""
        self._directory, self._home = directory, home
        self._can_comment, self._warning = can_comment, warning
        self._said = NOTHING
        self._lines: dict[int, tuple[Html, Html]] = {}
        self._bodies: dict[int, Html] = {}

    # -- the picture -----------------------------------------------------------------------------------------------

    def snapshot(self) -> Html:
        """Return the whole view; the page requests the bodies of files later."""
        for index, view in enumerate(self.views):
            view.sent = False
            self._lines[index] = self._line(index)
        said = element("div", self._said, classes="oc-outcome", role="status", data_key="said")
        panes = element("div", join([self._side(), self._sections()]), classes="oc-panes")
        files = [panes, _help()] if self.diff.files else []
        rest = [self._cells(), kernel_html(self.diff.kernel, "kernel")]
        return join([self._header(), said, self._warning_html(), *files, *rest])

    def update(self, dirty: set[str] | None) -> list[Op]:
        """Return the operations for these places: "bar", "said", "cells", and the index of each changed file."""
        dirty = {"bar", "said", "cells", *self._sent()} if dirty is None else dirty
        ops: list[Op] = []
        if "said" in dirty:
            ops.append(["splice", "said", 0, self._said])
        if "bar" in dirty and (self.diff.files or self.diff.cells):
            ops.append(["put", "bar", "root", self._bar()])
        if "cells" in dirty and self.diff.cells:
            ops.append(["put", "cells", "root", self._cells()])
        for index in sorted(int(key) for key in dirty if key.isdecimal()):
            ops += self._file_ops(index)
        return ops

    def _file_ops(self, index: int) -> list[Op]:
        ops: list[Op] = []
        before, self._lines[index] = self._lines[index], self._line(index)
        for key, parent, old, new in zip(
            (f"t{index}", f"f{index}h"), ("tree", "files"), before, self._lines[index], strict=True
        ):
            if new != old:
                ops.append(["put", key, parent, new])
        if index in self._bodies:
            ops.append(["put", f"f{index}b", "files", self._bodies.pop(index)])
        return ops

    def _line(self, index: int) -> tuple[Html, Html]:
        """Return a file's line in the tree and its heading."""
        file, view = self.diff.files[index], self.views[index]
        return leaf_html(index, file, view.state), head_html(index, file, view)

    def _sent(self) -> list[str]:
        return [str(index) for index, view in enumerate(self.views) if view.sent]

    # -- choices ----------------------------------------------------------------------------------------------------

    def look(self, index: int) -> None:
        """Read a file's state on disk."""
        self.views[index].state = self.diff.files[index].state

    def render(self, index: int) -> None:
        """Prepare a file's current body for its next update; may take a while, on any thread."""
        self.look(index)
        file, view = self.diff.files[index], self.views[index]
        comments = [comment for comment in self.comments if comment.file == file.file]
        path = f"{self._directory}/{file.file}" if self._directory else ""
        self._bodies[index] = body_html(index, file, view, columns=self.columns, comments=comments, path=path)
        view.sent = True

    def fail(self, index: int, reason: str) -> None:
        """Prepare the replacement of a file's body that cannot be shown."""
        self._bodies[index] = failed_html(index, self.views[index], reason)
        self.views[index].sent = True

    def stale(self, *indices: int) -> set[str]:
        """Mark these files' bodies stale; return the places to update."""
        for index in indices:
            self.views[index].version += 1
        return {str(index) for index in indices}

    def set_columns(self, columns: int) -> set[str]:
        """Show changes in one or two columns; return the places to update."""
        self.columns = columns
        cells = {"cells"} if self.diff.cells else set()
        return {"bar", *cells, *self.stale(*(index for index, view in enumerate(self.views) if view.sent))}

    def more(self, index: int) -> None:
        """Show more lines of a large change."""
        self.views[index].limit += GUARDED

    def set_notebook(self, index: int, choice: str) -> None:
        """Show a notebook as "cells" or "json", or toggle the "outputs" of its cells."""
        view = self.views[index]
        if choice == "outputs":
            view.outputs = not view.outputs
        else:
            view.as_cells = choice == "cells"

    def expand(self, index: int, gap: int, part: str) -> None:
        """Show more unchanged lines of a gap: at its "top", at its "bottom", or "all"."""
        top, bottom = self.views[index].gaps.get(gap, (0, 0))
        steps = {"top": (top + CONTEXT_STEP, bottom), "bottom": (top, bottom + CONTEXT_STEP), "all": (_ALL, 0)}
        self.views[index].gaps[gap] = steps[part]

    def refuse(self, indices: Iterable[int], reason: str) -> None:
        """Also show a refusal at the files, whose headings stay visible while scrolling; "" clears it."""
        for index in indices:
            self.views[index].refused = reason

    def say(self, text: str, refused: str = "") -> None:
        """Show what happened, and what was refused and why."""
        pieces = [element("span", escape(text), style="plain") if text else NOTHING]
        pieces.append(element("span", escape(refused), style="warn plain") if refused else NOTHING)
        self._said = join((piece for piece in pieces if piece), Html(" "))

    # -- parts -----------------------------------------------------------------------------------------------------

    def _header(self) -> Html:
        diff, count = self.diff, len(self.diff.files)
        source = element("span", escape(diff.source), classes="oc-source")
        if not count and not diff.cells:
            return element(
                "div", join([element("strong", escape("No changes")), source], Html(" ")), classes="oc-title"
            )
        amounts = [counts(diff.additions, diff.deletions)] if count else []
        title = join([element("strong", escape(headline(diff))), *amounts, source], Html(" "))
        return element("div", join([element("div", title, classes="oc-title"), self._bar()]), classes="oc-head")

    def _cells(self) -> Html:
        return live_cells_html(self.diff.cells, columns=self.columns)

    def _bar(self) -> Html:
        buttons = [
            button("Unified", "columns", id="1", title="Changes in one column", pressed=self.columns == 1),
            button("Split", "columns", id="2", title="Before and after side by side", pressed=self.columns == 2),
            button("Wrap lines", "", title="Break long lines, or scroll them", pressed=True, local="wrap"),
            button("Undo", "history", id="undo", title=self.undo or "Nothing to undo", disabled=not self.undo),
            button("Redo", "history", id="redo", title=self.redo or "Nothing to redo", disabled=not self.redo),
            button("Revert all", "act", id="all", act="revert", title="Revert every change shown here"),
        ]
        return element("div", join(buttons), classes="oc-toolbar", role="toolbar", aria_label="Changes", data_key="bar")

    def _warning_html(self) -> Html:
        if not self._warning:
            return NOTHING
        # JupyterLab itself runs the command in these attributes.
        reload = button(
            "Reload Notebook from Disk", "", commandlinker_command="docmanager:reload", commandlinker_args="{}"
        )
        return element("div", join([escape(self._warning), reload], Html(" ")), classes="oc-warning", role="alert")

    def _side(self) -> Html:
        search = element(
            "input", type="search", aria_label="Filter files", placeholder="Filter files", classes="oc-filter"
        )
        tree = tree_html(self.diff.files, [view.state for view in self.views])
        return element("nav", join([search, tree]), classes="oc-side", aria_label="Files")

    def _sections(self) -> Html:
        sections = [
            section_html(index, self.diff.files[index], self.views[index]) for index in in_order(self.diff.files)
        ]
        return element(
            "div",
            join(sections),
            classes="oc-files",
            data_key="files",
            data_commenting="true" if self._can_comment else None,
            data_home=self._home,
        )


def _help() -> Html:
    rows = [
        join([element("dt", element("kbd", escape(keys))), element("dd", escape(meaning))]) for keys, meaning in _KEYS
    ]
    content = join([element("summary", escape("Keys")), element("dl", join(rows))])
    return element("details", content, classes="oc-help", data_fold="help")
