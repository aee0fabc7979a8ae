"""Answer a page's queries: data too large for the state, or needed only on request."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable

from opencode_nb.kernel.context.offers import offered
from opencode_nb.render.turn.words import occurrences
from opencode_nb.session.prompt.acts import file_name
from opencode_nb.session.prompt.command import File
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript.state import Json

_EXPORTS = {
    "md": "text/markdown",
    "html": "text/html",
    "ipynb": "application/x-ipynb+json",
    "json": "application/json",
}

_STEPS = {
    "failed": "Check its command or address, then connect it again.",
    "needs_auth": "To log in, run this in a cell:",
    "needs_client_registration": "Give it an OAuth client in OpenCode's configuration, then connect it again.",
}
"""What to do about an MCP server in these states."""


def downloadable(file: File) -> Json:
    """Return a file for a page to save: `{name, mime, data}`, data in base64."""
    data = base64.b64encode(file.content.encode("utf-8", "replace")).decode()
    return {"name": file.name, "mime": _EXPORTS[file.kind], "data": data}


class Answers:
    """Answers {kind: ask, what, n, ...} with {kind: answer, n, items}, or {..., error}: a text with the next step."""

    def __init__(self, shown: Callable[[], AsyncSession], send: Callable[[Json], None]) -> None:
        self._shown = shown
        self._send = send

    @property
    def _session(self) -> AsyncSession:
        return self._shown()

    async def give(self, question: Json) -> None:
        """Answer a query of the page."""
        answer: Json = {"kind": "answer", "n": question.get("n")}
        try:
            answer["items"] = await _QUESTIONS[str(question.get("what"))](self, question)
        except Exception as error:  # in any case, a page waits for an answer
            answer["error"] = str(error) or type(error).__name__
        self._send(answer)

    async def _sessions(self, question: Json) -> list[Json]:
        owner = self._session.owner
        found = await owner.sessions(search=str(question.get("search") or "") or None)
        statuses = await owner.client.session.status()
        return [
            {
                "id": info["id"],
                "title": str(info.get("title") or ""),
                "updated": (info.get("time") or {}).get("updated"),  # an agent may not tell it
                "busy": info["id"] in (statuses or {}),
            }
            for info in found
        ]

    async def _models(self, _question: Json) -> list[Json]:
        return await self._session.owner.models_detail()

    async def _mcp(self, _question: Json) -> list[Json]:
        """Return the MCP servers with their states, and what to do about each."""
        servers = (await self._session.owner.mcp.status()).items()
        return [
            {
                "name": name,
                "state": str(status),
                "connected": status.connected,
                "step": _STEPS.get(status.status, ""),
                "command": status.login(name),
            }
            for name, status in servers
        ]

    async def _complete(self, question: Json) -> list[Json]:
        text = str(question.get("text") or "")
        found = await self._session.owner.complete(text, variables=offered(text))
        return [{"text": one.label, "detail": one.detail, "kind": one.kind, "acts": one.acts} for one in found]

    async def _answer(self, question: Json) -> list[Json]:
        """Return a turn's answer in the model's own Markdown."""
        turns = [turn for turn in self._session.turns() if turn.id == question.get("message")]
        return [{"text": turn.text} for turn in turns]

    async def _search(self, question: Json) -> list[Json]:
        """Return which turns have the words, and how often; `all` loads the earlier messages of the session first."""
        session = self._session
        if question.get("all"):
            await session.load_all()
        words = str(question.get("text") or "")
        found = [(turn.id, occurrences(turn, words)) for turn in session.transcript.visible_turns]
        turns = [{"message": turn, "count": count} for turn, count in found if count]
        return [{"turns": turns, "earlier": session.transcript.has_earlier}]

    async def _export(self, question: Json) -> list[Json]:
        """Return the session as one file to download, in base64."""
        kind = str(question.get("format"))
        return [downloadable(File(file_name(self._session, kind), kind, await self._session.export(kind)))]


_QUESTIONS: dict[str, Callable[[Answers, Json], Awaitable[list[Json]]]] = {
    "sessions": Answers._sessions,
    "models": Answers._models,
    "mcp": Answers._mcp,
    "complete": Answers._complete,
    "answer": Answers._answer,
    "search": Answers._search,
    "export": Answers._export,
}
