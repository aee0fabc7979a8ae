"""RecordedClient: stands in for the server where a recording is played. Sends nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from opencode_nb.api.client import AsyncClient
from opencode_nb.api.record import wrap
from opencode_nb.errors import NotFoundError, OpencodeError
from opencode_nb.recording.recording import Recording
from opencode_nb.transcript.state import Json

if TYPE_CHECKING:
    from opencode_nb.api.spec import Row


class RecordedClient(AsyncClient):
    """Keeps the sessions of a replay, and answers what prompts and undo need. Everything else raises OpencodeError.

    `sessions` are those that are open already.
    """

    def __init__(self, recording: Recording, directory: str, sessions: Iterable[Json]) -> None:
        super().__init__("http://replay.invalid", directory=directory)
        self._recording = recording
        self._sessions: dict[str, Json] = {info["id"]: info for info in sessions}

    def _call(self, row: Row, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._answer(str(row["name"]), *args, **kwargs)

    async def _answer(self, operation: str, *args: Any, **fields: Any) -> Any:
        answer = _ANSWERS.get(operation)
        if answer is None:
            raise OpencodeError(
                f"This is a replay of {self._recording.path.name}: it has no server for {operation}. "
                "It plays recorded prompts only; without the replay setting the same code works live."
            )
        return wrap(answer(self, *args, **fields))

    async def request(self, method: str, path: str, **_options: Any) -> Any:
        """Raise OpencodeError."""
        return await self._answer(f"{method} {path}")

    async def aclose(self) -> None:
        """Do nothing: there are no connections."""

    def _agents(self) -> list[Json]:
        return [{"name": name, "mode": "primary"} for name in self._recording.agents]

    def _commands(self) -> list[Json]:
        return [{"name": name} for name in self._recording.commands]

    def _create(self, *, title: str | None = None, **_fields: Any) -> Json:
        now, session = time.time() * 1000, f"ses_replay{token_hex(8)}"
        info = {
            "id": session,
            "title": title or f"Replay of {self._recording.path.name}",
            "directory": self.directory,
            "time": {"created": now, "updated": now},
        }
        self._sessions[session] = info
        return info

    def _get(self, session: str) -> Json:
        if session not in self._sessions:
            raise NotFoundError(f"This is a replay of {self._recording.path.name}: it has no session {session}.")
        return self._sessions[session]

    def _update(self, session: str, *, title: str | None = None, **_fields: Any) -> Json:
        return self._set(session, title=title or self._get(session)["title"])

    def _revert(self, session: str, *, messageID: str) -> Json:
        return self._set(session, revert={"messageID": messageID})

    def _unrevert(self, session: str) -> Json:
        return self._set(session, revert=None)

    def _set(self, session: str, **fields: Any) -> Json:
        known = {**self._get(session), **fields}
        self._sessions[session] = {name: value for name, value in known.items() if value is not None}
        return self._sessions[session]

    def _list(self, *, search: str | None = None, **_fields: Any) -> list[Json]:
        return [info for info in reversed(self._sessions.values()) if (search or "") in info["title"]]

    def _delete(self, session: str) -> bool:
        return self._sessions.pop(session, None) is not None

    def _abort(self, _session: str, **_options: Any) -> bool:
        return True

    def _status(self) -> Mapping[str, Json]:
        return {}


_ANSWERS: dict[str, Callable[..., Any]] = {
    "app.agents": RecordedClient._agents,
    "command.list": RecordedClient._commands,
    "session.create": RecordedClient._create,
    "session.get": RecordedClient._get,
    "session.update": RecordedClient._update,
    "session.revert": RecordedClient._revert,
    "session.unrevert": RecordedClient._unrevert,
    "session.list": RecordedClient._list,
    "session.delete": RecordedClient._delete,
    "session.abort": RecordedClient._abort,
    "session.status": RecordedClient._status,
}
