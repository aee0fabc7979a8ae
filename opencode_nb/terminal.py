"""A running turn in a terminal. Only one at a time writes to the screen: the live view, or a question to the user."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live

from opencode_nb.render.turn.terminal import LiveTerminal
from opencode_nb.session.blocking import Session
from opencode_nb.session.permissions.console import ConsolePerson
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.session.permissions.policy import Person
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.transcript import Change


class TerminalView:
    """Prints the turn while it streams, with rich; printed output stays. Asks the user with `input()`."""

    cleared = False
    final = True

    def __init__(self, session: Session, jobs: Jobs) -> None:
        self.person: Person | None = ConsolePerson(jobs, self._aside)
        self._session = session
        self._console = PausableConsole()
        self._live: LiveTerminal | None = None
        self._turn: Turn | None = None
        self._lock = threading.Lock()
        self._asking = False
        self._unsubscribe: Callable[[], None] = lambda: None

    def attach(self, turn: Turn) -> None:
        """Show this turn."""
        self._turn, self._live = turn, LiveTerminal(turn.state, self._console)
        self._unsubscribe = self._session.subscribe(self._changed)

    def _changed(self, change: Change) -> None:
        with self._lock:
            mine = self._turn is not None and change.turn == self._turn.id
            if self._live is not None and mine and not self._asking:
                self._live.update({change.key})

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Leave the screen to a question. Changes meanwhile are shown with the first one after it."""
        self._ask(True)
        self._console.pause()
        try:
            yield
        finally:
            self._console.resume()
            self._ask(False)

    def _ask(self, asking: bool) -> None:
        with self._lock:
            self._asking = asking

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unsubscribe()
        with self._lock:
            live, self._live = self._live, None
        if live is not None:
            live.close()


class PausableConsole(Console):
    """A console whose live display can be hidden for a while."""

    _shown: Live | None = None

    def set_live(self, live: Live) -> bool:
        """Remember the display (rich calls this when it starts)."""
        self._shown = live
        return super().set_live(live)

    def pause(self) -> None:
        """Hide the display completely; the next output begins on an empty line."""
        if self._shown is not None:
            self._shown.update(Group())  # it would restart by erasing as many lines as it last showed
            self._shown.stop()

    def resume(self) -> None:
        """Show it again at the cursor."""
        if self._shown is not None:
            self._shown.vertical_overflow = "ellipsis"  # stopping set it to "visible"
            self._shown.start()
