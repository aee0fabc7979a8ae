"""RecordedClient: stands in for the server where a recording is played. Sends nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from secrets import token_hex
from typing import Any, ClassVar

from opencode_nb.api.stand_in import StandIn
from opencode_nb.errors import NotFoundError, OpencodeError
from opencode_nb.recording.recording import Recording
from opencode_nb.transcript.state import Json


class RecordedClient(StandIn):
    """Keeps the sessions of a replay, and answers what prompts and undo need. Everything else raises OpencodeError.

    `sessions` are those that are open already.
    """

    def __init__(self, recording: Recording, directory: str, sessions: Iterable[Json]) -> None:
        super().__init__("replay", directory)
        self._recording = recording
        self._sessions: dict[str, Json] = {info["id"]: info for info in sessions}

    def refusal(self, operation: str) -> OpencodeError:
        """Return the error of an operation that needs a server."""
        return OpencodeError(
            f"This is a replay of {self._recording.path.name}: it has no server for {operation}. "
            "It plays recorded prompts only; without the replay setting the same code works live."
        )

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

    answers: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "app.agents": _agents,
        "command.list": _commands,
        "session.create": _create,
        "session.get": _get,
        "session.update": _update,
        "session.revert": _revert,
        "session.unrevert": _unrevert,
        "session.list": _list,
        "session.delete": _delete,
        "session.abort": _abort,
        "session.status": _status,
    }
