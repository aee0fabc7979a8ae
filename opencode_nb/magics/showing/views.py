"""Views of a running turn, one class per front end; all implement `View`."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self
from uuid import uuid4

from IPython.display import clear_output, display, update_display

from opencode_nb.magics.showing.frontend import Frontend
from opencode_nb.session.permissions.console import ConsolePerson
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.session.permissions.policy import Person

if TYPE_CHECKING:
    from opencode_nb.session.blocking import Session
    from opencode_nb.session.turn import Turn


class View(Protocol):
    """Shows a turn between enter and exit. `person` can be asked.

    `cleared`: exit clears the cell's output. `final`: what the view showed stays, so do not display the Turn again.
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


def make_view(frontend: Frontend, session: Session, jobs: Jobs, *, quiet: bool, whole: bool) -> View:
    """Return the view for a cell that serves `jobs` while it waits for its turn.

    `whole`: the cell has no other output, so that its page can be cleared for the turn.
    """
    if frontend is Frontend.HEADLESS:
        return SilentView(None)
    if quiet:
        return SilentView(ConsolePerson(jobs))
    if frontend is Frontend.PAGE:
        return (PageView if whole else PlaceView)(session, ConsolePerson(jobs))
    from opencode_nb.terminal import TerminalView

    return TerminalView(session, jobs)


def import_view(frontend: Frontend) -> None:
    """Import what shows a turn here: it takes a while."""
    if frontend is Frontend.PAGE:
        import opencode_nb.widgets.turn
    elif frontend is Frontend.TERMINAL:
        import opencode_nb.terminal  # noqa: F401


class SilentView:
    """Shows nothing: for quiet cells and headless runs."""

    cleared = False
    final = False

    def __init__(self, person: Person | None) -> None:
        self.person = person

    def attach(self, turn: Turn) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class PageView:
    """A live widget in the cell's output, removed when the turn ends. Asks in the page, else through `fallback`."""

    cleared = True
    final = False

    def __init__(self, session: Session, fallback: Person | None) -> None:
        from opencode_nb.widgets.turn import TurnView

        self._view = TurnView(session, fallback)
        self.person: Person | None = self._view.person
        self._display_id = f"opencode_nb-{uuid4().hex}"

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
        """Replace the widget with the turn's static form, even after the cell has ended, and close the widget."""
        update_display(turn, display_id=self._display_id)
        self.close()

    def close(self) -> None:
        """Close the widget and leave the output as it is."""
        self._view.close()


class PlaceView(PageView):
    """A live widget among other output of its cell, replaced by the turn's static form when the turn ends."""

    cleared = False
    final = True

    def __init__(self, session: Session, fallback: Person | None) -> None:
        super().__init__(session, fallback)
        self._turn: Turn | None = None

    def attach(self, turn: Turn) -> None:
        """Show this turn from now on."""
        self._turn = turn
        super().attach(turn)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._turn is not None:
            self.replace(self._turn)
            return
        update_display({"text/plain": ""}, raw=True, display_id=self._display_id)  # nothing was sent
        self.close()
