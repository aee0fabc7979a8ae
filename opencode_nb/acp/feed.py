"""AcpFeed: applies what an agent tells of its sessions. The agent's process is the stream."""

from __future__ import annotations

import logging

from opencode_nb.acp.client import AcpClient
from opencode_nb.errors import OpencodeError
from opencode_nb.session.incoming.feed import Feed
from opencode_nb.session.incoming.health import HealthRecord
from opencode_nb.transcript.transcript import Transcript

log = logging.getLogger("opencode_nb")


class AcpFeed(Feed):
    """A feed that is connected while the agent runs."""

    def __init__(self, client: AcpClient, record: HealthRecord) -> None:
        super().__init__(client, record=record)
        self._agent, self._ended = client, False
        client.apply = self._take

    async def start(self) -> None:
        """Connect: the agent runs."""
        self._set_connection("connected")

    @property
    def lost(self) -> bool:
        """Whether the agent has ended: only a new one helps."""
        return self._ended

    async def restart(self) -> None:
        """Do nothing while the agent runs."""

    def ended(self, why: str) -> None:
        """Fail every open turn: the agent has ended."""
        self._ended = True
        self._take_said()
        self._set_connection("lost", why)
        self.fail_all("ServerExited", why)
        self._agent.ended()

    async def resync(self) -> None:
        """Have a new process of the agent go on with the sessions that are followed."""
        for transcript in list(self.transcripts.values()):
            try:
                await self._agent.resume(transcript.id, transcript.info)
            except OpencodeError as error:  # its turns can still be read
                log.warning("The agent cannot go on with session %s: %s", transcript.id, error)

    def forget(self, session_id: str) -> None:
        """Stop following a session, which the agent then closes."""
        super().forget(session_id)
        self._agent.release(session_id)

    async def _load(self, transcript: Transcript) -> None:
        await self._agent.load(transcript.id)
