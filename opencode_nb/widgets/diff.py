"""The view of a diff: a widget to review changes, and to revert unwanted ones.

One direction: a click arrives as an intent -> it is carried out in a thread, one at a time -> `LiveDiff` returns what
changed -> numbered batches of patches -> the page (live.py). Files are rendered when a page requests them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from opencode_nb.changes.diff import Diff, FileDiff
from opencode_nb.diffs.comment import Comment
from opencode_nb.kernel.cells import pages
from opencode_nb.portal import run
from opencode_nb.render.diff.review import LiveDiff
from opencode_nb.session.blocking import Session
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change
from opencode_nb.widgets import assets
from opencode_nb.widgets.answers import chosen_columns
from opencode_nb.widgets.diff_acts import Act, Acts, Report
from opencode_nb.widgets.live import LiveView, SavedWidget
from opencode_nb.widgets.notebook.own_notebook import own_notebook_warning


class DiffWidget(SavedWidget):
    """The widget model of a diff's view."""

    _esm = assets.script("diff/diff.js")
    _css = assets.styles("core/base.css", "core/rows.css", "diff/diff.css")


class DiffView:
    """Shows a `Diff`, as the value of a cell or with `display`.

    Comments are sent with the next prompt of `session`; without a session there are none. `live=False` shows the diff's
    static form, where no page can react. Create and close it on the main thread.
    """

    def __init__(self, diff: Diff, session: Session | AsyncSession | None = None, *, live: bool = True) -> None:
        self.diff = diff
        self._session = session._async if isinstance(session, Session) else session
        self._acts = Acts(diff)
        self._one_at_a_time = asyncio.Lock()
        self._unsubscribe: Callable[[], None] = lambda: None
        self._end_page: Callable[[], None] = lambda: None
        self._intents: dict[str, Callable[[Json], Any]] = {
            "file": self._show,
            "columns": self._set_columns,
            "more": self._more,
            "expand": self._expand,
            "notebook": self._set_notebook,
            "act": self._act,
            "history": self._history,
            "copy": self._copy,
            "comment": self._comment,
            "uncomment": self._uncomment,
        }
        self.widget: DiffWidget | None = None
        if live:
            self._open(DiffWidget())

    @property
    def comments(self) -> list[Comment]:
        """The comments that the session's next prompt will include."""
        return list(self._session.comments) if self._session is not None else []

    # -- showing ---------------------------------------------------------------------------------------------------

    def _open(self, widget: DiffWidget) -> None:
        root = self.diff.root
        self._live = LiveDiff(
            self.diff,
            directory=str(root or ""),
            home=str(Path.home()),
            can_comment=self._session is not None,
            warning=own_notebook_warning(self.diff.files, root),
        )
        self.widget = widget
        self._view: LiveView[str] = LiveView(widget, self._intent)
        run(self._begin)

    async def _begin(self) -> None:
        self._view.open(self._live)
        if self._session is not None:
            self._live.comments = list(self._session.comments)
            self._unsubscribe = self._session.subscribe(self._session_changed)
            self._end_page = pages.add(self._view, lambda: self._session.id if self._session is not None else "")

    def close(self) -> None:
        """Remove the view from the page; the diff stays."""
        if self.widget is not None:
            run(self._close)
            self._view.remove()
            self.widget = None

    async def _close(self) -> None:
        self._unsubscribe()
        self._end_page()
        await self._view.close()

    def _session_changed(self, _change: Change) -> None:
        """If a prompt has sent the comments, stop showing them as pending."""
        assert self._session is not None
        if self._live.comments != self._session.comments:
            self._update_comments()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[Json, Json]:
        data, metadata = self.diff._repr_mimebundle_()
        if self.widget is None:
            return data, metadata
        from opencode_nb.render.diff.static import summary_html

        # For those who read the notebook later without the widget, include a short form.
        bundle = {"text/html": summary_html(self.diff), "text/plain": data["text/plain"]}
        return {**self.widget.bundle(), **bundle}, metadata

    def _display_(self) -> DiffWidget | Diff:
        """Return what marimo shows if the view is a cell's last value."""
        return self.diff if self.widget is None else self.widget

    def __repr__(self) -> str:
        return f"<DiffView of {self.diff!r}>"

    # -- intents ---------------------------------------------------------------------------------------------------

    async def _intent(self, message: Json) -> None:
        """Carry out a page's intent; ignored if its file or hunk does not exist."""
        intent = self._intents.get(str(message.get("kind")))
        if intent is None:
            return
        async with self._one_at_a_time:
            await intent(message)

    async def _render(self, *indices: int) -> None:
        """Send the current bodies of these files."""
        for index in indices:
            try:
                await asyncio.to_thread(self._live.render, index)
            except Exception as error:  # in any case, the page waits for this file, and the others can be shown
                self._live.fail(index, f"{type(error).__name__}: {error}")
        self._send({str(index) for index in indices})

    def _send(self, places: Iterable[str]) -> None:
        for place in places:
            self._view.changed(place)
        self._view.flush()

    def _index(self, message: Json) -> int | None:
        """Return the file that a message is about: the part of its id before the hunk's number."""
        text = str(message.get("id", "")).partition(".")[0]
        return int(text) if text.isdecimal() and int(text) < len(self.diff.files) else None

    async def _show(self, message: Json) -> None:
        if (index := self._index(message)) is not None:
            await self._render(index)

    async def _set_columns(self, message: Json) -> None:
        self._send(self._live.set_columns(chosen_columns(message)))

    async def _more(self, message: Json) -> None:
        if (index := self._index(message)) is not None:
            self._live.more(index)
            await self._render(index)

    async def _expand(self, message: Json) -> None:
        index, gap = self._index(message), str(message.get("id", "")).partition(".")[2]
        if index is not None and gap.isdecimal() and message.get("part") in ("top", "bottom", "all"):
            self._live.expand(index, int(gap), str(message["part"]))
            await self._render(index)

    async def _set_notebook(self, message: Json) -> None:
        index, choice = self._index(message), message.get("set")
        if index is not None and choice in ("cells", "json", "outputs"):
            self._live.set_notebook(index, str(choice))
            await self._render(index)

    async def _copy(self, message: Json) -> None:
        if (index := self._index(message)) is not None and self.widget is not None:
            text = self.diff.files[index].patch.encode("utf-8", "replace").decode()
            self.widget.send({"kind": "patch-text", "id": message["id"], "text": text})

    # -- reverting-------------------------------------------------------------------------------------------------

    async def _act(self, message: Json) -> None:
        acts: dict[Any, Act] = {"revert": "revert", "apply": "apply"}
        if (act := acts.get(message.get("act"))) is not None:
            await self._done(await asyncio.to_thread(self._acts.act, act, str(message.get("id"))))

    async def _history(self, message: Json) -> None:
        step = self._acts.undo_last if message.get("id") == "undo" else self._acts.redo_last
        await self._done(await asyncio.to_thread(step))

    async def _done(self, report: Report) -> None:
        """Show the result of a revert or apply, and the current state of the files concerned."""
        live = self._live
        live.say(report.text, report.refused)
        live.refuse(report.files, report.refused if len(report.files) == 1 else "")
        live.undo, live.redo = self._acts.undo_title, self._acts.redo_title
        await asyncio.to_thread(self._look, report.files)
        if len(report.files) == 1:
            await self._render(*report.files)
        self._send({"bar", "said", "cells", *(str(index) for index in report.files)})

    def _look(self, indices: Iterable[int]) -> None:
        for index in indices:
            self._live.look(index)
            self._live.stale(index)

    # -- comments --------------------------------------------------------------------------------------------------

    async def _comment(self, message: Json) -> None:
        index, at, text = self._index(message), str(message.get("at", "")), str(message.get("text", "")).strip()
        if index is None or self._session is None or not text or not at[1:].isdecimal():
            return
        file, old = self.diff.files[index], at.startswith("o")
        quoted = _line_of(file, int(at[1:]), old=old)
        self._session.comments.append(Comment(file.file, int(at[1:]), text, old, quoted))
        self._live.say(f"The next prompt will include your comment on {file.file}.")
        self._live.comments = list(self._session.comments)
        await self._render(index)
        self._send({"said"})

    async def _uncomment(self, message: Json) -> None:
        index, number = self._index(message), str(message.get("number", ""))
        if index is None or self._session is None or not number.isdecimal():
            return
        mine = [comment for comment in self._session.comments if comment.file == self.diff.files[index].file]
        if int(number) < len(mine):
            self._session.comments.remove(mine[int(number)])
        self._live.say("Comment removed.")
        self._live.comments = list(self._session.comments)
        await self._render(index)
        self._send({"said"})

    def _update_comments(self) -> None:
        assert self._session is not None
        files = {comment.file for comment in self._live.comments}
        self._live.comments = list(self._session.comments)
        self._send(self._live.stale(*(i for i, file in enumerate(self.diff.files) if file.file in files)))


def _line_of(file: FileDiff, number: int, *, old: bool) -> str:
    """Return a line of the file before or after, if a hunk contains it."""
    for hunk in file.hunks:
        at = hunk.old_start if old else hunk.new_start
        for line in hunk.lines:
            if line.kind == ("+" if old else "-"):
                continue
            if at == number:
                return line.text
            at += 1
    return ""
