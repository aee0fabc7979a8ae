"""Elsewhere: which sessions besides the one that a panel shows wait for an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opencode_nb.session.incoming.feed import Feed
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change, Transcript

_NEWS = frozenset({"request", "ended", "earlier"})


class Elsewhere:
    """Knows the requests of all sessions that are followed here; `changed` is called when they may have changed."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._feed: Feed | None = None
        self._end: Callable[[], None] = lambda: None

    def waiting(self, session: AsyncSession) -> list[Json]:
        """Return `{id, title}` of each session but this one, and its subagents', that waits for an answer."""
        if session.owner.connection.state != "connected":
            return []
        self._follow(session.owner.feed)
        others = [one for one in session.owner.feed.transcripts.values() if session.transcript.find(one.id) is None]
        return [{"id": one.id, "title": str(one.info.get("title") or "")} for one in others if _waits(one)]

    def _follow(self, feed: Feed) -> None:
        """Listen to this stream: a server that was started again has a new one."""
        if feed is not self._feed:
            self.close()
            self._feed, self._end = feed, feed.listen(self._heard)

    def _heard(self, _transcript: Transcript, changes: Iterable[Change]) -> None:
        if any(change.kind in _NEWS for change in changes):
            self._changed()

    def close(self) -> None:
        """Stop listening."""
        self._end()
        self._feed, self._end = None, lambda: None


def _waits(transcript: Transcript) -> bool:
    return any(turn.permissions or turn.questions for turn in list(transcript.turns.values()))
