"""What a person does in a panel: each intent of the page as what it does to the session.

Every method runs on the package's loop thread, and may be called twice for one click. What fails is told to the page
that asked; an intent without an id is one of the transcript's own buttons, and its failure becomes a notice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from opencode_nb.conversation.policy import Answer
from opencode_nb.conversation.session import AsyncSession
from opencode_nb.conversation.state import Json
from opencode_nb.errors import NotFoundError, OpencodeError
from opencode_nb.widgets import chat_state
from opencode_nb.widgets.answers import permission_answer, question_answer

if TYPE_CHECKING:
    from opencode_nb.api.client import AsyncClient
    from opencode_nb.widgets.chat import ChatPanel

log = logging.getLogger("opencode_nb")


class Intents:
    """Carries out what a panel's pages want, and answers them."""

    def __init__(self, panel: ChatPanel) -> None:
        self._panel = panel

    @property
    def _session(self) -> AsyncSession:
        return self._panel.session._async

    async def take(self, intent: Json) -> None:
        """Do what this message of the page says, and tell it how that went."""
        if intent.get("kind") == "ask":
            await self._answer(intent)
            return
        act = _INTENTS.get(str(intent.get("kind")))
        if act is None:
            return
        key = intent.get("id") if intent.get("kind") not in _ASKED else None
        try:
            await act(self, intent)
        except Exception as error:  # whatever it was, the page must hear of it: nobody else listens here
            self._failed(key, error)
        else:
            if key is not None:
                self._panel.send_to_page({"kind": "done", "id": key})

    def _failed(self, key: Any, error: Exception) -> None:
        if not isinstance(error, (OpencodeError, OSError, ValueError)):
            log.exception("An intent of the chat panel failed")
        text = str(error) or type(error).__name__
        if key is not None:
            self._panel.send_to_page({"kind": "failed", "id": key, "message": text})
        else:
            self._panel.notify(text, "error")

    async def _answer(self, question: Json) -> None:
        """{kind: ask, what, n, ...} -> {kind: answer, n, items or error}."""
        answer: Json = {"kind": "answer", "n": question.get("n")}
        try:
            answer["items"] = await _ANSWERS[str(question.get("what"))](self, question)
        except Exception as error:  # as above
            answer["error"] = str(error) or type(error).__name__
        self._panel.send_to_page(answer)

    # -- being asked: the docks answer, whoever asked ----------------------------------------------------------------

    async def permission(self, request: Json) -> Answer | None:
        """A `Person` whose answer never comes this way: a click in any panel replies for all (see `_permission`)."""
        await asyncio.Event().wait()
        return None

    async def question(self, request: Json) -> list[list[str]] | Literal["reject"] | None:
        """As `permission`."""
        await asyncio.Event().wait()
        return None

    async def _permission(self, intent: Json) -> None:
        request, answer = self._open_request(intent), permission_answer(intent)
        if request is None or answer is None:
            return
        with self._answering(request, answer.reply, answer.message):
            await self._client.permission.reply(request["id"], reply=answer.reply, message=answer.message or None)

    async def _question(self, intent: Json) -> None:
        request, answers = self._open_request(intent), question_answer(intent)
        if request is None or answers is None:
            return
        if answers == "reject":
            with self._answering(request, "reject", ""):
                await self._client.question.reject(request["id"])
            return
        with self._answering(request, "answered", "; ".join(", ".join(answer) for answer in answers)):
            await self._client.question.reply(request["id"], answers=answers)

    @property
    def _client(self) -> AsyncClient:
        return self._session.owner.client

    def _open_request(self, intent: Json) -> Json | None:
        """The request as it is open now; None where it was answered elsewhere, or by the same click before."""
        key = str(intent.get("id"))
        for turn in self._session.transcript.turns.values():
            found = turn.permissions.get(key) or turn.questions.get(key)
            if found is not None:
                return found
        return None

    @contextmanager
    def _answering(self, request: Json, reply: str, message: str) -> Iterator[None]:
        """Note the answer before it is sent, as its echo may come first; what cannot be sent is open again."""
        feed, session = self._session.owner.feed, self._session.id
        feed.tell(session, "decided", request=request, reply=reply, by="you", message=message)
        try:
            yield
        except NotFoundError:  # another client was quicker, or the turn has ended
            return
        except OpencodeError:
            kind = "question.asked" if "questions" in request else "permission.asked"
            feed.apply({"type": kind, "properties": request})
            raise

    # -- talking -----------------------------------------------------------------------------------------------------

    async def _send(self, intent: Json) -> None:
        await self._panel.prompt(str(intent.get("text") or ""))

    async def _stop(self, _intent: Json) -> None:
        await self._session.abort()

    async def _pick(self, intent: Json) -> None:
        for name in ("model", "agent", "variant"):
            if name in intent:
                setattr(self._session, name, str(intent[name]) or None)
        await self._panel.learn()

    # -- sessions ----------------------------------------------------------------------------------------------------

    async def _new(self, _intent: Json) -> None:
        await self._panel.open(await self._session.owner.session())

    async def _open(self, intent: Json) -> None:
        await self._panel.open(await self._session.owner.session(id=str(intent.get("session"))))

    async def _rename(self, intent: Json) -> None:
        session = await self._session.owner.session(id=str(intent.get("session") or self._session.id))
        await session.rename(str(intent.get("title")))

    async def _fork(self, intent: Json) -> None:
        await self._panel.open(await self._session.fork(intent.get("message")))

    async def _delete(self, intent: Json) -> None:
        """Delete a session; the panel goes on with a new one where it was its own."""
        session = await self._session.owner.session(id=str(intent.get("session") or self._session.id))
        if session is self._session:
            await self._new(intent)
        await session.delete()

    async def _reconnect(self, _intent: Json) -> None:
        await self._session.owner.start()
        await self._panel.open(self._session)

    async def _undo(self, intent: Json) -> None:
        """Take back a message and all after it; the last one where none is named."""
        turns = self._session.turns()
        message = intent.get("message") or (turns[-1].id if turns else None)
        if message is not None:
            await self._session.revert(str(message))

    async def _redo(self, _intent: Json) -> None:
        await self._session.unrevert()

    # -- the window --------------------------------------------------------------------------------------------------

    async def _earlier(self, _intent: Json) -> None:
        self._panel.chat.earlier()
        self._panel.refresh()

    async def _later(self, _intent: Json) -> None:
        self._panel.chat.later()
        self._panel.refresh()

    async def _latest(self, _intent: Json) -> None:
        self._panel.chat.latest()
        self._panel.refresh()

    # -- answers -----------------------------------------------------------------------------------------------------

    async def _sessions(self, question: Json) -> list[Json]:
        found = await self._session.owner.sessions(search=str(question.get("search") or "") or None)
        return [
            {"id": info["id"], "title": str(info.get("title") or ""), "updated": info["time"]["updated"], "busy": False}
            for info in found
        ]

    async def _models(self, _question: Json) -> list[Json]:
        return await chat_state.models(self._session)


_ASKED = ("permission", "question")
"""The intents whose id is the request's."""

_INTENTS: dict[str, Callable[[Intents, Json], Awaitable[None]]] = {
    "permission": Intents._permission,
    "question": Intents._question,
    "send": Intents._send,
    "stop": Intents._stop,
    "pick": Intents._pick,
    "new": Intents._new,
    "open": Intents._open,
    "rename": Intents._rename,
    "fork": Intents._fork,
    "delete": Intents._delete,
    "undo": Intents._undo,
    "redo": Intents._redo,
    "reconnect": Intents._reconnect,
    "earlier": Intents._earlier,
    "later": Intents._later,
    "latest": Intents._latest,
}

_ANSWERS: dict[str, Callable[[Intents, Json], Awaitable[list[Json]]]] = {
    "sessions": Intents._sessions,
    "models": Intents._models,
}
