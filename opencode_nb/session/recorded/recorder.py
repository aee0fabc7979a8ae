"""Recorder: adds one turn of a live session to a recording when it has ended."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable, Iterable
from os import PathLike
from typing import Protocol

from opencode_nb.changes import sources
from opencode_nb.errors import OpencodeError
from opencode_nb.recording import turns
from opencode_nb.recording.asked import Asked, asked
from opencode_nb.recording.recording import Ran, Recording, recording_of
from opencode_nb.session.owner import Owner
from opencode_nb.transcript.state import Json, TurnState

log = logging.getLogger("opencode_nb")

NOT_RUN = ("PromptNotSent", "PromptRefused", "ConnectionLost", "ServerExited", "ServerClock", "NotAnswered")
"""Errors of turns that say nothing of the agent: the prompt never reached it, or the server was lost."""


class Recordable(Protocol):
    """A live session."""

    owner: Owner
    known_secrets: Callable[[], Iterable[str]]

    @property
    def title(self) -> str:
        """The session's title."""

    @property
    def place(self) -> sources.Place:
        """Where to look for the session's changes."""


class Recorder:
    """Adds one turn to a recording. Created before the turn is sent: attached files may change while it runs.

    Of a prompt that is sent again, only its last turn is played.
    """

    def __init__(self, session: Recordable, recording: Recording, question: Asked) -> None:
        self._session, self._recording, self._asked = session, recording, question
        self._number: int | None = None

    @classmethod
    async def of(cls, session: Recordable, path: str | PathLike[str], parts: list[Json]) -> Recorder:
        """Create one for a prompt with these parts. Raises OSError or OpencodeError if nothing can be recorded there.

        Also raises OpencodeError for the file of a recording of a newer version.
        """
        recording = recording_of(path)
        await asyncio.to_thread(recording.check_writable)
        return cls(session, recording, await asyncio.to_thread(asked, parts, session.owner.directory))

    async def keep(self, state: TurnState) -> None:
        """Add the turn, which has ended. It stays as it is if that fails: log why."""
        if (state.error or {}).get("name") in NOT_RUN:
            return
        kept = copy.deepcopy(turns.as_json(state))  # the transcript goes on on this thread
        try:
            await asyncio.to_thread(self._add, kept, state)
        except (OSError, OpencodeError) as error:
            log.warning("The turn was not recorded in %s: %s", self._recording.path, error)

    def _add(self, kept: Json, state: TurnState) -> None:
        session, owner = self._session, self._session.owner
        found = sources.of_turns([state], session.place)
        ran = Ran(kept, found.changes, owner.directory, found.root, session.title, owner.version)
        password = [owner.password] if owner.password else []
        secrets = {*password, *session.known_secrets()}
        self._number = self._recording.add(self._asked, ran, secrets, self._number)
