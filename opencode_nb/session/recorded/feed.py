"""RecordedFeed: applies what a recording holds; there is no stream to follow."""

from __future__ import annotations

from opencode_nb.session.incoming.feed import ConnectionState, Feed
from opencode_nb.transcript.transcript import Transcript


class RecordedFeed(Feed):
    """A feed without a stream, which is connected from its start on and never lost."""

    async def start(self) -> None:
        """Connect, without waiting."""
        self.connection = ConnectionState("connected")

    @property
    def lost(self) -> bool:
        """Always False."""
        return False

    async def restart(self) -> None:
        """Do nothing."""

    async def resync(self) -> None:
        """Do nothing: what was played is all there is."""

    async def _recall(self, transcript: Transcript) -> None:
        """Do nothing: the recording has who answered."""
