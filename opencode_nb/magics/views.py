"""How a running turn is shown, one class for each front-end; all follow `View`."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from IPython.display import clear_output, display, update_display

from opencode_nb.magics.frontend import Frontend
from opencode_nb.session.blocking import Session
from opencode_nb.session.permissions.console import ConsolePerson
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.session.permissions.policy import Person
from opencode_nb.session.turn import Turn


class View(Protocol):
    """Shows a turn between enter and exit. `person` can be asked.

    `cleared`: exit takes the cell's output away. `final`: what it showed stays, so the Turn is not to be shown again.
    """

    person: Person | None
    cleared: bool
    final: bool

    def attach(self, turn: Turn) -> None:
        """Show this turn from now on."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_view(frontend: Frontend, session: Session, jobs: Jobs, *, quiet: bool) -> View:
    """The view for a cell that waits for its turn, serving `jobs`."""
    if frontend is Frontend.HEADLESS:
        return SilentView(None)
    if quiet:
        return SilentView(ConsolePerson(jobs))
    if frontend is Frontend.PAGE:
        return PageView(session, ConsolePerson(jobs))
    from opencode_nb.terminal import TerminalView

    return TerminalView(session, jobs)


class SilentView:
    """Shows nothing: for quiet cells, and where nobody watches."""

    cleared = False
    final = False

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
    final = False

    def __init__(self, session: Session, fallback: Person | None) -> None:
        from opencode_nb.widgets.turn import TurnView

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
        """Put the turn's static form where the widget is, also after the cell has ended, and take the widget down."""
        update_display(turn, display_id=self._display_id)
        self.close()

    def close(self) -> None:
        """Take the widget down, and leave the output as it is."""
        self._view.close()
