"""Carry out the user's actions in a panel: each intent of the page becomes a call on the session.

Every method runs on the package's loop thread, and may be called twice for one click. The page is told at once that its
intent arrived, and later that it is done or why it failed. Intents without an id come from the transcript's own
buttons, and their failures become notices.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from opencode_nb.changes.undo_result import Undone
from opencode_nb.errors import DiffConflictError, NotFoundError, OpencodeError
from opencode_nb.render.chat.live import LiveChat
from opencode_nb.session import compose
from opencode_nb.session.models import NO_MODEL, NoModelError
from opencode_nb.session.permissions.policy import Answer
from opencode_nb.session.prompt.command import Result
from opencode_nb.session.prompt.commands import Said
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript.state import Json
from opencode_nb.widgets.answers import chosen_columns, permission_answer, question_answer
from opencode_nb.widgets.chat_answers import Answers, downloadable

log = logging.getLogger("opencode_nb")

NO_MODEL_HERE = f"{NO_MODEL} Choose one of the ways above."
DEMO_STARTED = (
    "The scripted demo answers from now on, in cells too. It is not an AI: words in the prompt choose what it plays. "
    "To end it, run %opencode start and then this panel's cell again."
)

REMEMBERED = 256
"""Ids of intents kept to carry out each only once: far more than are ever in progress."""


class Panel(Protocol):
    """What an intent can do to the panel itself: `chat.ChatPanel`."""

    @property
    def chat(self) -> LiveChat:
        """What its pages show of the transcript."""

    async def open(self, session: AsyncSession, /) -> None:
        """Show this session from now on."""

    async def compose(self, text: str, attachments: list[Json], mode: str | None, cells: list[str], /) -> None:
        """Send what was written in the composer; `cells` are the ids of the notebook's cells that go along."""

    async def send_again(self, message: str, /) -> None:
        """Send the prompt of a failed turn again."""

    async def learn(self) -> None:
        """Ask the server again which models and agents there are, and show them."""

    def refresh(self) -> None:
        """Bring the window and the facts that the page shows up to date."""

    def set_columns(self, columns: int, /) -> None:
        """Show changes in one column or two."""

    def choose_kernel(self, intent: Json, /) -> None:
        """Choose what the agent may use and know of this kernel."""

    def notify(self, text: str, level: str = "info", again: Json | None = None) -> None:
        """Show a notice; `again` is the intent of its button."""

    def dismiss(self) -> None:
        """Take the notice away."""

    def send_to_page(self, message: Json, /) -> None:
        """Send a message to all of its pages."""


class Intents:
    """Carries out and answers the intents of a panel's pages. Is the `Person` of the turns that the panel sends."""

    def __init__(self, panel: Panel, shown: Callable[[], AsyncSession]) -> None:
        self._panel = panel
        self._shown = shown
        self._answers = Answers(shown, panel.send_to_page)
        self._taken: deque[Any] = deque(maxlen=REMEMBERED)

    @property
    def _session(self) -> AsyncSession:
        return self._shown()

    async def take(self, intent: Json) -> None:
        """Carry out this message of the page, and report the result."""
        kind = str(intent.get("kind"))
        act = _INTENTS.get(kind)
        if act is None:
            return
        key = intent.get("id") if kind not in _ASKED else None
        if key is not None and key in self._taken:
            return
        self._taken.append(key)
        received = key if kind != "ask" else intent.get("n")
        if received is not None:
            self._panel.send_to_page({"kind": "received", "id": received})  # it may take a while
        try:
            result = await act(self, intent)
        except Exception as error:  # in any case, the page must be told: nobody else sees it
            self._failed(key, error, _again(intent, error))
        else:
            if key is not None:
                done: Json = {"kind": "done", "id": key}
                self._panel.send_to_page(done | {"result": result} if result else done)

    def _failed(self, key: Any, error: Exception, again: Json | None) -> None:
        if not isinstance(error, (OpencodeError, OSError, ValueError)):
            log.exception("An intent of the chat panel failed")
        text = NO_MODEL_HERE if isinstance(error, NoModelError) else str(error) or type(error).__name__
        if key is not None:
            failed = {"kind": "failed", "id": key, "message": text, "again": again}
            self._panel.send_to_page({**failed, "told": self._log_tells(text)})
        else:
            self._panel.notify(text, "error", again)

    def _log_tells(self, text: str) -> bool:
        """Return whether the failure is also that of the last turn, so that the log shows it already."""
        last = next(reversed(self._session.transcript.visible_turns), None)
        data = (last.error or {}).get("data") if last else None
        return isinstance(data, dict) and text in str(data.get("message"))

    # -- requests: answered in the docks, whoever sent the turn --------------------------------------------------------

    async def permission(self, request: Json) -> Answer | None:
        """Never returns: a click in any panel answers for all (see `_permission`)."""
        await asyncio.Event().wait()
        return None

    async def question(self, request: Json) -> list[list[str]] | Literal["reject"] | None:
        """Never returns, like `permission`."""
        await asyncio.Event().wait()
        return None

    async def _permission(self, intent: Json) -> None:
        if answer := permission_answer(intent):
            await self._session.reply(str(intent.get("id")), answer.reply, answer.message)

    async def _question(self, intent: Json) -> None:
        if answers := question_answer(intent):
            await self._session.answer(str(intent.get("id")), None if answers == "reject" else answers)

    # -- messages ----------------------------------------------------------------------------------------------------

    async def _send(self, intent: Json) -> Json | None:
        text, attachments, mode = str(intent.get("text") or ""), intent.get("attachments") or [], intent.get("mode")
        said = Said("prompt", text) if mode == "shell" else await compose.read(self._session.owner, text)
        cells = [str(one) for one in intent.get("cells") or []]
        if said.kind != "own":
            await self._panel.compose(text, attachments, mode, cells)
            return None
        if attachments or cells:
            raise OpencodeError(f"/{said.name} takes no files or cells: send them with a message.")
        return await self._act(said, intent)

    async def _act(self, said: Said, intent: Json) -> Json:
        """Carry out a command of ours."""
        if said.name in _STEPS:
            return await self._step(said.name, intent)
        result = await compose.act(self._session, said)
        if result.session is not None:
            await self._panel.open(result.session)
        return _shown(result)

    async def _step(self, name: str, intent: Json) -> Json:
        """Undo the last message or redo the first undone one as the buttons do: a refused step can be forced."""
        undone = [turn.id for turn in self._session.transcript.undone_turns]
        intent.update(kind=name, message=next(iter(undone), "") if name == "redo" else "")
        await _INTENTS[name](self, intent)
        return {"said": _STEPS[name]}

    async def _send_again(self, intent: Json) -> None:
        await self._panel.send_again(str(intent.get("message")))

    async def _stop(self, _intent: Json) -> None:
        await self._session.abort()

    async def _pick(self, intent: Json) -> None:
        choice = {name: str(intent[name]) or None for name in ("model", "agent", "variant") if name in intent}
        if "model" in choice:
            choice.setdefault("variant", None)  # each model has its own
        self._session.choose(**choice)
        await self._panel.learn()

    async def _choose_kernel(self, intent: Json) -> None:
        self._panel.choose_kernel(intent)

    # -- without a model -----------------------------------------------------------------------------------------------

    async def _use_model(self, intent: Json) -> None:
        """Use a model for all prompts that name none, in cells too: OpenCode's free one, which stands on the page."""
        await self._session.owner.use_model(str(intent.get("model")))
        await self._panel.learn()

    async def _start_demo(self, _intent: Json) -> None:
        await self._session.owner.start_demo()
        await self._panel.learn()
        self._panel.notify(DEMO_STARTED)

    async def _check_setup(self, _intent: Json) -> None:
        await self._session.owner.renew(unseen=True)
        await self._panel.learn()
        await self._session.owner.model_choice()  # raises if there is still none

    # -- messages that wait --------------------------------------------------------------------------------------------

    async def _edit_waiting(self, intent: Json) -> None:
        text = str(intent.get("text") or "")
        compose.check_sendable(await compose.read(self._session.owner, text))
        await self._session.queue.edit(str(intent.get("item")), text)

    async def _hold_waiting(self, intent: Json) -> None:
        await self._session.queue.hold(str(intent.get("item")))

    async def _release_waiting(self, intent: Json) -> None:
        """The page may show another session by now."""
        await (await self._named(intent)).queue.release(str(intent.get("item")))

    async def _drop_waiting(self, intent: Json) -> None:
        await self._session.queue.remove(str(intent.get("item")))

    async def _send_waiting(self, intent: Json) -> None:
        self._panel.chat.latest()
        await self._session.queue.send_now(str(intent.get("item")))

    async def _resume(self, _intent: Json) -> None:
        await self._session.queue.resume()

    # -- sessions ----------------------------------------------------------------------------------------------------

    async def _new(self, intent: Json) -> Json:
        return await self._act(Said("own", "", "new"), intent)

    async def _open(self, intent: Json) -> None:
        try:
            session = await self._session.owner.session(id=str(intent.get("session")))
        except NotFoundError:
            raise OpencodeError("This session no longer exists: it was deleted elsewhere. Open another one.") from None
        await self._panel.open(session)

    async def _rename(self, intent: Json) -> None:
        await (await self._named(intent)).rename(str(intent.get("title")))

    async def _fork(self, intent: Json) -> None:
        message = intent.get("message")
        await self._panel.open(await self._session.fork(str(message) if message else None))

    async def _delete(self, intent: Json) -> None:
        """Delete a session; if the panel shows it, open a new one once the old one is gone."""
        session = await self._named(intent)
        if session is not self._session:
            await session.delete()
            return
        following = await session.owner.session()
        try:
            await session.delete()
        except OpencodeError:
            await following.delete()
            raise
        await self._panel.open(following)

    async def _named(self, intent: Json) -> AsyncSession:
        """Return the session that an intent names, else the one that is shown."""
        name = str(intent.get("session") or self._session.id)
        return self._session if name == self._session.id else await self._session.owner.session(id=name)

    async def _share(self, _intent: Json) -> None:
        await self._session.share()

    async def _unshare(self, _intent: Json) -> None:
        await self._session.unshare()

    async def _compact(self, _intent: Json) -> None:
        self._panel.chat.latest()
        await self._session.compact()

    async def _mcps(self, intent: Json) -> Json:
        return await self._act(Said("own", "", "mcps"), intent)

    async def _mcp(self, intent: Json) -> None:
        """Connect or disconnect an MCP server. What came of it stands in the list, which the page asks for then."""
        servers, name = self._session.owner.mcp, str(intent.get("server"))
        if intent.get("connect"):
            await servers.connect(name)
        else:
            await servers.disconnect(name)

    async def _undo(self, intent: Json) -> None:
        """Undo a message and all after it; the last message if none is named."""
        session = await self._named(intent)
        last = next(reversed(session.transcript.visible_turns), None)
        message = str(intent.get("message") or (last.id if last else "")) or None
        intent.update(session=session.id, message=message)  # a forced retry must mean the same ones
        self._tell(await session.undo(message, force=bool(intent.get("force"))))

    async def _redo(self, intent: Json) -> None:
        """Redo up to and including the named message; everything if none is named."""
        session = await self._named(intent)
        force = bool(intent.get("force"))
        following = _following(session, str(intent.get("message") or ""))
        if following:
            self._tell(await session.revert(following, force=force))
        else:
            self._tell(await session.unrevert(force=force))

    def _tell(self, done: Undone) -> None:
        kernel = str(done.kernel) if done.kernel else ""
        if said := "\n".join(filter(None, (done.unsure, done.warning, kernel))):
            self._panel.notify(said, "warning" if done.warning else "info")

    async def _reconnect(self, _intent: Json) -> None:
        await self._session.owner.reconnect()
        await self._panel.learn()

    # -- the page ----------------------------------------------------------------------------------------------------

    async def _ask(self, intent: Json) -> None:
        await self._answers.give(intent)

    async def _earlier(self, _intent: Json) -> None:
        if self._panel.chat.at_beginning:
            await self._session.load_earlier()
        self._panel.chat.earlier()
        self._panel.refresh()

    async def _later(self, _intent: Json) -> None:
        self._panel.chat.later()
        self._panel.refresh()

    async def _show(self, intent: Json) -> None:
        self._panel.chat.show(str(intent.get("message")))
        self._panel.refresh()

    async def _latest(self, _intent: Json) -> None:
        self._panel.chat.latest()
        self._panel.refresh()

    async def _columns(self, intent: Json) -> None:
        self._panel.set_columns(chosen_columns(intent))

    async def _dismiss(self, _intent: Json) -> None:
        self._panel.dismiss()


def _following(session: AsyncSession, message: str) -> str | None:
    """Return the first message that stays undone after redoing this one; None if none does."""
    undone = [turn.id for turn in session.transcript.undone_turns]
    if message and message not in undone:
        raise OpencodeError("This message is no longer undone, so there is nothing to redo.")
    return session.transcript.undone_after(message) if message else None


def _shown(result: Result) -> Json:
    """Return what the page shows of a command's result."""
    if result.file is not None:
        return {"file": downloadable(result.file), "text": f"Saved: {result.file.name}"}
    if result.session is not None:
        return {"said": result.text}  # the session itself is what one sees
    has_changes = result.diff is not None and (result.diff.files or result.diff.cells)
    review = "\n%opencode diff in a cell reviews them." if has_changes else ""
    return {"text": result.text + review, "opens": result.opens}


_STEPS = {"undo": "Undone.", "redo": "Restored."}
"""The commands that buttons carry out too, and what is said then."""


def _again(intent: Json, error: Exception) -> Json | None:
    """Return the intent that forces the action, if only someone else's changes prevented it."""
    in_the_way = isinstance(error, DiffConflictError) and not intent.get("force")
    return {**intent, "force": True} if in_the_way else None


_ASKED = ("permission", "question", "columns")
"""Intents whose id is not the page's own number, but that of their subject."""

_INTENTS: dict[str, Callable[[Intents, Json], Awaitable[Json | None]]] = {
    "permission": Intents._permission,
    "question": Intents._question,
    "send": Intents._send,
    "again": Intents._send_again,
    "stop": Intents._stop,
    "pick": Intents._pick,
    "kernel": Intents._choose_kernel,
    "use_model": Intents._use_model,
    "start_demo": Intents._start_demo,
    "check_setup": Intents._check_setup,
    "queue_edit": Intents._edit_waiting,
    "queue_hold": Intents._hold_waiting,
    "queue_release": Intents._release_waiting,
    "queue_drop": Intents._drop_waiting,
    "queue_send": Intents._send_waiting,
    "queue_resume": Intents._resume,
    "new": Intents._new,
    "open": Intents._open,
    "rename": Intents._rename,
    "fork": Intents._fork,
    "delete": Intents._delete,
    "share": Intents._share,
    "unshare": Intents._unshare,
    "compact": Intents._compact,
    "mcps": Intents._mcps,
    "mcp": Intents._mcp,
    "undo": Intents._undo,
    "redo": Intents._redo,
    "reconnect": Intents._reconnect,
    "ask": Intents._ask,
    "earlier": Intents._earlier,
    "later": Intents._later,
    "latest": Intents._latest,
    "show": Intents._show,
    "columns": Intents._columns,
    "dismiss": Intents._dismiss,
}
