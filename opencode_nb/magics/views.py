"""How a running turn is shown, one class for each front-end; all follow `View`."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from IPython.display import clear_output, display, update_display

from ..conversation.policy import Person
from ..conversation.sync import Session
from ..conversation.transcript import Change
from ..conversation.turn import Turn

if TYPE_CHECKING:
    from ..render.terminal import LiveTerminal


class View(Protocol):
    """Shows a turn between enter and exit. `person` can be asked; `cleared`: exit takes the cell's output away."""

    person: Person | None
    cleared: bool

    def attach(self, turn: Turn) -> None:
        """Show this turn from now on."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class SilentView:
    """Shows nothing: for quiet cells, and where nobody watches."""

    cleared = False

    def __init__(self, person: Person | None) -> None:
        self.person = person

    def attach(self, turn: Turn) -> None:
        """Nothing to show."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class PageView:
    """A live widget in the cell's output, gone when the turn has ended. Its page is asked, else `fallback`."""

    cleared = True

    def __init__(self, session: Session, fallback: Person | None) -> None:
        from ..widgets.turn import TurnView

        self._view = TurnView(session, fallback)
        self.person: Person | None = self._view
        self._display_id = f"opencode_nb-{id(self)}"

    def attach(self, turn: Turn) -> None:
        """Show this turn from now on."""
        self._view.attach(turn)

    def __enter__(self) -> Self:
        display(self._view.widget, display_id=self._display_id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._view.close()
        clear_output(wait=True)

    def replace(self, turn: Turn) -> None:
        """Put the turn's static form where the widget is, also after the cell has ended."""
        update_display(turn, display_id=self._display_id)

    def close(self) -> None:
        """Take the widget down and leave the output as it is."""
        self._view.close()


class TerminalView:
    """Prints the turn as it comes, through rich."""

    cleared = False

    def __init__(self, session: Session, person: Person | None) -> None:
        self.person = person
        self._session = session
        self._live: LiveTerminal | None = None
        self._turn: Turn | None = None
        self._unsubscribe = lambda: None

    def attach(self, turn: Turn) -> None:
        """Show this turn from now on."""
        from ..render.terminal import LiveTerminal

        self._turn, self._live = turn, LiveTerminal(turn.state)
        self._unsubscribe = self._session.subscribe(self._changed)

    def _changed(self, change: Change) -> None:
        if self._live is not None and self._turn is not None and change.turn == self._turn.id:
            self._live.update({change.key})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unsubscribe()
        if self._live is not None:
            self._live.close()
