"""Recording: the turns in a file, found by what was asked and how often it was asked before. Blocking."""

from __future__ import annotations

import difflib
import os
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from opencode_nb.diffs.change import Change
from opencode_nb.errors import OpencodeError
from opencode_nb.recording import files, store
from opencode_nb.recording.asked import Asked
from opencode_nb.recording.recorded import Recorded
from opencode_nb.recording.turns import over_strings
from opencode_nb.secret import mask
from opencode_nb.tools.secret_values import mask_values, of_environment
from opencode_nb.transcript.state import Json

_SHOWN = 80
"""Characters of a prompt in an error."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A turn to record (`turns.as_json`), what it changed on disk, and where and on what it ran.

    The paths of `changes` start at `root`, None if they are not on this machine.
    """

    turn: Json
    changes: Sequence[Change]
    directory: Path
    root: Path | None
    title: str
    opencode: str


class Recording:
    """The turns in one file. Counts how often each prompt was asked, from its creation on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: list[Recorded] = []
        self._damaged = 0
        self._version: tuple[int, int] | None = None  # of the file, when it was read
        self._played: Counter[str] = Counter()
        self._added: Counter[str] = Counter()
        self._lock = threading.Lock()  # of the counters

    def __repr__(self) -> str:
        return f"<Recording {self.path}>"

    # -- reading ---------------------------------------------------------------------------------------------------

    def turns(self) -> list[Recorded]:
        """Return the recorded turns, in order; of one that was recorded again the last.

        Raises OpencodeError for a file that is missing, no recording, or of a newer version.
        """
        status = self.path.stat() if self.path.exists() else None
        version = (status.st_mtime_ns, status.st_size) if status else None
        if version is None or version != self._version:
            lines, self._damaged = store.read(self.path)
            self._kept, self._version = self._read(lines), version
        return self._kept

    def _read(self, lines: Iterable[Json]) -> list[Recorded]:
        found: dict[tuple[str, int], Recorded] = {}
        for line in lines:
            try:
                turn = Recorded.of(line)
            except (KeyError, TypeError):
                self._damaged += 1
                continue
            found[turn.key, turn.occurrence] = turn
        return list(found.values())

    def next(self, asked: Asked) -> Recorded:
        """Return the turn that answers this, the next time that it is asked. Raises OpencodeError if there is none."""
        with self._lock:
            known = {turn.occurrence: turn for turn in self.turns() if turn.key == asked.key}
            number = self._played[asked.key] + 1
            if number not in known:
                raise OpencodeError(self._not_recorded(asked, len(known)))
            self._played[asked.key] = number
            return known[number]

    def _not_recorded(self, asked: Asked, times: int) -> str:
        name, again = self.path.name, f"Record it: %%prompt --record {self.path}, or prompt(..., record=...)."
        if times:
            said = f"{times} time{'' if times == 1 else 's'}"
            return (
                f"{_short(asked.text)} is recorded {said} in {name}, and was asked once more in this run. "
                f"To play from the beginning, restart the kernel or open the recording anew. {again}"
            )
        close = max(self.turns(), key=lambda turn: _likeness(turn.prompt, asked.text), default=None)
        if close is None:
            why = "Nothing is recorded there."
        elif close.prompt == mask(asked.text):
            why = "The same words are recorded with other attachments or values: restore those."
        else:
            why = f"The closest that is recorded: {_short(close.prompt)}."
        lines = "1 damaged line in the file was" if self._damaged == 1 else f"{self._damaged} damaged lines were"
        damaged = f" {lines} left out: its turn may be there." if self._damaged else ""
        return f"{_short(asked.text)} is not recorded in {name}. {why}{damaged} {again}"

    @property
    def opencode(self) -> str:
        """The version of the server that ran the last turn."""
        return next((turn.opencode for turn in reversed(self.turns())), "")

    @property
    def agents(self) -> list[str]:
        """The agents that the prompts mention."""
        parts = (part for turn in self.turns() for part in turn.parts())
        return sorted({str(part.get("name")) for part in parts if part.get("type") == "agent"})

    @property
    def commands(self) -> list[str]:
        """The slash commands that were run."""
        words = (turn.prompt.split(maxsplit=1)[:1] for turn in self.turns())
        return sorted({word[1:] for first in words for word in first if word.startswith("/")})

    # -- writing ---------------------------------------------------------------------------------------------------

    def check_writable(self) -> None:
        """Raise OSError or OpencodeError unless turns can be added, before one is sent."""
        store.check_writable(self.path)

    def add(self, asked: Asked, ran: Ran, secrets: Collection[str], number: int | None = None) -> int:
        """Add a turn, with secrets masked: what looks like one, and these values. Raises OSError.

        Returns which one it is of those that were asked this: the next, unless `number` says whose place it takes.
        """

        def masked(text: str) -> str:
            return mask(mask_values(text, known))

        known = {*of_environment(), *secrets}
        changed = [files.as_json(change, masked) for change in ran.changes]
        turn = Recorded(
            prompt=masked(asked.text),
            key=asked.key,
            occurrence=0,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            title=masked(ran.title),
            opencode=ran.opencode,
            directory=str(ran.directory),
            root=os.path.relpath(ran.root, ran.directory) if ran.root else ".",
            turn=over_strings(ran.turn, masked),
            files=tuple(changed),
        )
        with self._lock:
            number = number or self._added[asked.key] + 1
            store.append(self.path, {**asdict(turn), "occurrence": number})
            self._added[asked.key] = max(number, self._added[asked.key])
        return number


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…")


_recordings: dict[Path, Recording] = {}


def recording_of(path: str | os.PathLike[str]) -> Recording:
    """Return this process's recording in a file, whose counts go on over all that use it."""
    place = Path(path).expanduser().resolve()
    return _recordings.setdefault(place, Recording(place))
