"""`replay(path)`: play the turns of a recording from plain Python."""

from __future__ import annotations

import asyncio
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from opencode_nb.portal import run
from opencode_nb.recording.recording import Recording
from opencode_nb.session.blocking import Opencode, Session
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.session.permissions.policy import PermissionOption
from opencode_nb.session.recorded.playing import headline, show
from opencode_nb.session.session import AsyncSession
from opencode_nb.session.turn import Turn


def replay(
    path: str | PathLike[str], *, directory: str | PathLike[str] | None = None, permission: PermissionOption = "ask"
) -> Replay:
    """Open a recording, to play its turns in `directory` without a server or the `opencode` program.

    Every prompt is counted anew from here on. Recorded changes to files are made where the files are as they were
    before, unless `permission` denies edits. Raises OpencodeError for a file that is missing, no recording, or of a
    newer version.
    """
    recording = Recording(Path(path).expanduser().resolve())
    return Replay(recording, None if directory is None else Path(directory), permission).start()


class Replay(Opencode):
    """Plays recorded turns. Sessions can prompt, undo and be read; whatever needs a server raises OpencodeError.

    Each turn says that it is a replay: below its answer, and as `replayed` in its provenance. Created by `replay`.
    """

    def __init__(self, recording: Recording, directory: Path | None, permission: PermissionOption) -> None:
        super().__init__(replay=recording, directory=directory, permission=permission)
        self._recording = recording

    @cached_property
    def _session(self) -> Session:
        return self.session()

    def prompt(self, text: str, **options: Any) -> Turn:
        """Play a prompt in one session for all of them; options as for `Session.prompt`.

        Raises OpencodeError for a prompt that is not recorded, and the recorded turn's own error.
        """
        return self._session.prompt(text, **options)

    @property
    def turns(self) -> list[Turn]:
        """All recorded turns, in order, to read. Plays nothing and changes no files."""
        return Session(run(_all_of, self._async, self._recording), self).turns()

    def __repr__(self) -> str:
        return f"<Replay of {self._recording.path}>"


async def _all_of(owner: AsyncOpencode, recording: Recording) -> AsyncSession:
    """Return a session of its own with every recorded turn."""
    session = await owner.session()
    for recorded in await asyncio.to_thread(recording.turns):
        show(session, recorded, [headline(recorded, recording)])
    return session
