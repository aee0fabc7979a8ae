"""The chat panel: one session with its transcript, composer and docks, until it is closed.

The page gets markup through `LiveChat` (render/chat) and live.py, and facts for its own controls through the `state`
trait (chat_state.py). The user's actions come back as intents (chat_intents.py). Everything runs on the package's loop
thread, so that the panel works while cells run.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import traitlets

from opencode_nb.errors import OpencodeError
from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells import pages
from opencode_nb.portal import run
from opencode_nb.render.chat.live import Key, LiveChat
from opencode_nb.render.turn.parts import Look
from opencode_nb.session import compose as composer_text
from opencode_nb.session.blocking import Opencode, Session, discard
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.session.prompt.parts import Attachment
from opencode_nb.session.session import AsyncSession
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change
from opencode_nb.widgets import assets, chat_kernel
from opencode_nb.widgets.chat_intents import Intents
from opencode_nb.widgets.chat_kernel import KernelAccess
from opencode_nb.widgets.chat_saved import SavedChat
from opencode_nb.widgets.chat_setup import SetupWatch
from opencode_nb.widgets.chat_state import Facts
from opencode_nb.widgets.elsewhere import Elsewhere
from opencode_nb.widgets.kernel_context import follow, mentioned
from opencode_nb.widgets.live import FLUSH_INTERVAL, LiveView, NoView, SavedWidget, View
from opencode_nb.widgets.static_display import display_static


class ChatWidget(SavedWidget):
    """The widget model of a panel; for the `state` that the page's controls show, see `chat_state.Facts.state`."""

    _esm = assets.script("chat/chat.js")
    _css = assets.styles("core/base.css", "core/rows.css", "chat/chat.css", "composer/composer.css")
    state = traitlets.Dict().tag(sync=True)


class ChatPanel:
    """A chat on one session: displays itself in a cell; `send` and `value` do the same from Python.

    `session` is a Session, a session's id, or None for a new one; `options` are those of `Opencode`, for a panel that
    creates its own. Close it to end its subscription (and what it started); the session stays.
    What was said is also in the notebook's file, in a static form (chat_saved.py); `live=False` shows only that form,
    where no page can react.
    """

    def __init__(self, session: Session | str | None = None, *, live: bool = True, **options: Any) -> None:
        self._own: Opencode | None = None
        self._made: Session | None = None
        self.kernel: KernelAccess | None = chat_kernel.live_access()
        """What sessions may use and know of this kernel; None where there is none."""
        if not isinstance(session, Session):
            session = self._bring(session, options)
        elif options:
            raise TypeError("Pass either a session or options: options are for a panel that creates its own session.")
        self.widget = ChatWidget() if live else None
        self._session = session
        self._intents = Intents(self, lambda: self._session._async)
        self._view: View[Key] = LiveView(self.widget, self._intents.take) if self.widget else NoView()
        self._saved = SavedChat(self.widget.save if self.widget else lambda _data, _metadata: None)
        self._end_static: Callable[[], None] = lambda: None
        if not live:
            self._ipython_display_ = self._display_static  # IPython prefers it to the MIME bundle
        self._facts = Facts()
        self._setup = SetupWatch(lambda: self._session._async.owner, self.learn)
        self._elsewhere = Elsewhere(self._tell_state)
        self._look = Look()
        self._ends: list[Callable[[], None]] = []
        self._state_due: asyncio.TimerHandle | None = None
        self._closed = False
        try:
            run(self.open, session._async)
        except BaseException:
            self.close()
            raise

    def _bring(self, session_id: str | None, options: Json) -> Session:
        """Open the session with this id, or a new one, on the panel's own agent."""
        self._own = Opencode(**options)
        try:
            session = self._own.session(id=session_id)
        except BaseException:
            self._own.close()
            raise
        self._made = None if session_id else session
        return session

    # -- Python API ------------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """The session that is shown; changes when the user opens another one in the panel."""
        return self._session

    @property
    def value(self) -> list[Turn]:
        """The turns so far, oldest first, without undone ones."""
        return self._session.turns()

    def send(self, text: str, *, files: Iterable[Any] = (), images: Iterable[Any] = ()) -> Turn:
        """Send a prompt like the composer. Returns at once; `turn.wait()` waits. Requests are shown in the panel."""
        turn = run(self.prompt, text, files=files, images=images)
        turn.session = self._session
        return turn

    def close(self) -> None:
        """Close the panel. A running turn continues; a server that the panel started is stopped.

        A session that the panel created, and in which nothing was sent, is deleted.
        """
        if not self._closed:
            self._closed = True
            self._end_static()
            run(self._close)
            self._view.remove()
            if self._own is not None:
                if self._made is not None:
                    discard(self._made)
                self._own.close()

    def _display_static(self) -> None:
        """Display the static form, and replace it after each cell that changes it."""
        self._end_static()
        self._end_static = display_static(lambda: run(self._saved.now))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[Json, Json]:
        data, metadata = self._saved.bundle
        return {**(self.widget.bundle() if self.widget else {}), **data}, metadata

    def _display_(self) -> ChatWidget | ChatPanel:
        """Return what marimo shows if the panel is a cell's last value."""
        return self.widget or self

    def __repr__(self) -> str:
        return f"<ChatPanel {self._session!r}>"

    # -- on the loop's thread --------------------------------------------------------------------------------------

    async def open(self, session: AsyncSession) -> None:
        """Show this session."""
        self._unfollow()
        self._session = Session(session, self._session.owner)
        follow(session)
        self.chat = LiveChat(session.transcript, self._look)
        chat = self.chat
        self._ends = [
            session.subscribe(self._changed),
            session.queue.subscribe(self._tell_state),
            session.keep_while(lambda: not chat.at_end),
            *([pages.add(self._view, lambda: session.id)] if isinstance(self._view, LiveView) else []),
        ]
        self._view.open(self.chat)
        self._saved.open(session)
        self._facts.dismiss()  # it belongs to another session
        self._set_state()  # log and bar show the same session even if the server is unreachable
        await self.learn()

    async def prompt(self, text: str, **options: Any) -> Turn:
        """Send a prompt without waiting for its turn; the panel shows requests that the policy leaves open."""
        self._begin()
        return await self._session._async.prompt(text, **options, **self._sending(), wait=False)

    def _sending(self, cells: Iterable[str] = ()) -> Json:
        """Return the options of a message, whether sent at once or from the queue."""
        return {"person": self._intents, "mentions": partial(mentioned, self._session._async, cells=[*cells])}

    def _begin(self) -> None:
        """Show the latest turn, and note which session this notebook uses now."""
        self.chat.latest()
        if isinstance(self._view, LiveView):
            pages.prefer(self._view)
        if self.widget is not None:
            notebook.remember(self._session.id)

    async def compose(self, text: str, attachments: list[Json], mode: str | None, cells: Iterable[str] = ()) -> None:
        """Send the composer's text: a message, a server's /command, or with mode "shell" the user's shell command.

        `attachments` are `{name, mime, data}`, data in base64. While a turn runs, a message or /command waits in the
        queue, unless mode is "steer": then the agent reads it after its current step. Commands of ours never come here.
        `cells` are the ids of the notebook's cells that go along as they are when it is sent.
        """
        self._begin()
        session = self._session._async
        files = [Attachment(str(one["name"]), str(one["mime"]), b64decode(one["data"])) for one in attachments]
        if mode == "shell":
            if files:
                raise OpencodeError("A shell command takes no files: send them with a message.")
            await session.shell(text, wait=False)
        elif mode != "steer" and session.busy:
            await session.queue.add(text, files=files, commands=True, **self._sending(cells))
        else:
            await composer_text.send(session, text, files=files, **self._sending(cells))

    async def send_again(self, message: str) -> None:
        """Send the prompt of a failed turn again, with all that was attached to it.

        Raises OpencodeError if the session is busy, or no longer has the message.
        """
        session = self._session._async
        prompt = next((turn.state.prompt for turn in session.turns() if turn.id == message), None)
        if prompt is None:
            raise OpencodeError("This message is no longer in the session. Write it again.")
        if session.busy:
            raise OpencodeError("The agent is working. Wait for it to end, or stop it first.")
        self._begin()
        await session.send(prompt_parts.again(prompt), person=self._intents)

    async def learn(self) -> None:
        """Fetch the facts from the server again, and show them."""
        await self._facts.learn(self._session._async)
        self._view.changed(("", "session"))
        self._set_state()
        self._setup.watch(self._facts.no_model and not self._closed)

    def notify(self, text: str, level: str = "info", again: Json | None = None) -> None:
        """Show a notice in the panel's pages, see `Facts.notify`."""
        self._facts.notify(text, level, again)
        self._tell_state()

    def dismiss(self) -> None:
        """Remove the notice."""
        self._facts.dismiss()
        self._tell_state()

    def send_to_page(self, message: Json) -> None:
        """Send a message to all of the panel's pages."""
        if self.widget is not None:
            self.widget.send(message)

    def set_columns(self, columns: int) -> None:
        """Show changes in one or two columns, in any session."""
        self._look.columns = columns
        self._view.take_snapshot()

    def choose_kernel(self, intent: Json) -> None:
        """Choose what the agent may use and know of this kernel. Raises OpencodeError if that is not for this panel."""
        if self.kernel is None:
            raise OpencodeError("This panel has no kernel whose tools the agent could have.")
        if warning := chat_kernel.choose(self.kernel, self._session._async, intent):
            self.notify(warning, "warning", {"kind": "new"})
        self._tell_state()

    def refresh(self) -> None:
        """Update the window and the facts on the page."""
        self._view.changed(("", "session"))
        self._tell_state()

    def _changed(self, change: Change) -> None:
        self._view.changed((change.turn, change.key))
        if change.kind != "delta":
            self._saved.changed(change)
        if change.kind == "warned":
            self.notify(self._session._async.transcript.turns[change.turn].warnings[-1], "warning")
        elif change.kind not in ("delta", "part"):
            self._tell_state()

    def _tell_state(self) -> None:
        """Schedule an update of the state: a burst of events changes it once."""
        if self._state_due is None:
            self._state_due = asyncio.get_running_loop().call_later(FLUSH_INTERVAL, self._set_state)

    def _set_state(self) -> None:
        self._forget_state_due()
        if self.widget is None:
            return
        session = self._session._async
        state = self._facts.state(session, at_end=self.chat.at_end)
        state["elsewhere"] = self._elsewhere.waiting(session)
        state["kernel"] = chat_kernel.state(self.kernel, session)
        known = {name: value for name, value in self.widget.state.items() if name != "n"}
        if state != known:
            self.widget.state = {**state, "n": self.widget.state.get("n", 0) + 1}

    def _forget_state_due(self) -> None:
        if self._state_due is not None:
            self._state_due.cancel()
            self._state_due = None

    def _unfollow(self) -> None:
        for end in self._ends:
            end()
        self._ends.clear()

    async def _close(self) -> None:
        self._setup.watch(False)
        self._unfollow()
        self._elsewhere.close()
        self._forget_state_due()
        self._saved.close()
        await self._view.close()
