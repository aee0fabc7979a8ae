"""Play a recorded turn in a session: its messages, and its changes to files where they fit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Protocol

from opencode_nb.changes import sources
from opencode_nb.changes.diff import Diff, FileDiff, Outcome, switch_all
from opencode_nb.errors import DiffConflictError
from opencode_nb.recording import turns
from opencode_nb.recording.asked import asked
from opencode_nb.recording.recorded import Recorded, time_of
from opencode_nb.recording.recording import Recording
from opencode_nb.session.owner import Owner
from opencode_nb.session.permissions.policy import Policy
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Transcript

DIFFERENT = "it is not as it was before the recorded change"
DENIED = "the permission policy denies edits"
NO_CODE = "Code that the agent ran in the kernel then was not run again."


class Playable(Protocol):
    """A session of a replay."""

    owner: Owner
    transcript: Transcript
    replayed: sources.Replayed | None

    @property
    def id(self) -> str:
        """The session's id."""

    @property
    def place(self) -> sources.Place:
        """Where to look for the session's changes."""

    def turns(self) -> list[Turn]:
        """Return the turns, without undone ones."""


async def play(session: Playable, recording: Recording, parts: list[Json], policy: Policy) -> Turn:
    """Play the turn that answers these parts of a prompt. Raises OpencodeError if it is not recorded."""
    await session.owner.start()
    question = await asyncio.to_thread(asked, parts, session.owner.directory)
    recorded = await asyncio.to_thread(recording.next, question)
    lines = [headline(recorded, recording), *await asyncio.to_thread(_change_files, session, recorded, policy)]
    return show(session, recorded, [*lines, NO_CODE] if recorded.ran_code else lines)


def show(session: Playable, recorded: Recorded, lines: list[str]) -> Turn:
    """Add a recorded turn to the session, with these lines about it. Changes no files."""
    owner, transcript = session.owner, session.transcript
    earlier = session.replayed.changes if session.replayed else {}
    root, turn_id = recorded.root_in(owner.directory), str(recorded.turn["id"])
    session.replayed = sources.Replayed(root, {**earlier, turn_id: recorded.changes})
    for event in (*_undone(transcript), _titled(transcript, recorded.title)):
        owner.feed.apply(event)
    kept, last = recorded.turn_in(owner.directory, session.id), transcript.newest
    for event in turns.events(kept, lines, after=last.at if last else 0.0):
        owner.feed.apply(event)
    return next(turn for turn in session.turns() if turn.id == turn_id)


def _undone(transcript: Transcript) -> Iterator[Json]:
    """Yield the removal of undone turns, as the server does it with the next prompt."""
    for turn in transcript.undone_turns:
        for message in [*turn.steps, turn.id]:
            removed = {"sessionID": transcript.id, "messageID": message}
            yield {"type": "message.removed", "properties": removed}


def _titled(transcript: Transcript, title: str) -> Json:
    info = {name: value for name, value in transcript.info.items() if name != "revert"}
    return {"type": "session.updated", "properties": {"info": {**info, "title": title or info.get("title")}}}


def headline(recorded: Recorded, recording: Recording) -> str:
    """Return the line that says that a turn is a replay."""
    when = f"recorded {time_of(recorded.time)} in {recording.path.name}"
    return f"This is a replay, {when}: no model was asked and no tool ran."


def _change_files(session: Playable, recorded: Recorded, policy: Policy) -> list[str]:
    """Change the files as recorded, those that are as they were before; return what was changed, and what was not."""
    root = recorded.root_in(session.owner.directory)
    diff = Diff(recorded.changes, root, "", session.place.own, played=True)
    denied = policy.action("edit") == "deny"

    def apply(file: FileDiff, *, back: bool) -> Outcome:
        if file.state == "applied":
            return Outcome()
        if denied or file.state != "reverted":
            why = DENIED if denied else file.unknown.rstrip(".") or DIFFERENT
            raise DiffConflictError(why, refused=((file.file, why),))
        return file.apply()

    try:
        outcome = switch_all(diff.files, apply, back=False)
    except DiffConflictError as error:
        outcome = Outcome(refused=error.refused)
    return list(_told(outcome))


def _told(outcome: Outcome) -> Iterator[str]:
    if outcome.done:
        yield f"Changed as recorded: {', '.join(outcome.done)}."
    yield from (f"Not changed as recorded: {path}: {why.rstrip('.')}." for path, why in outcome.refused)
