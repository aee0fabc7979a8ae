"""Open recordings. What reads and plays them is loaded then: few prompts are played."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING

from opencode_nb.transcript.state import Json

if TYPE_CHECKING:
    from opencode_nb.recording.recording import Recording
    from opencode_nb.session.recorded.feed import RecordedFeed


def recording_in(path: str | PathLike[str] | Recording) -> Recording:
    """Return this process's recording in a file; a recording as it is."""
    from opencode_nb.recording.recording import Recording, recording_of

    return path if isinstance(path, Recording) else recording_of(path)


def feed_of(recording: Recording, directory: str, sessions: Iterable[Json]) -> RecordedFeed:
    """Return a feed that stands in for the server's where a recording is played; `sessions` are open already."""
    from opencode_nb.session.recorded.client import RecordedClient
    from opencode_nb.session.recorded.feed import RecordedFeed

    return RecordedFeed(RecordedClient(recording, directory, sessions))
