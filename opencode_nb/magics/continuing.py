"""Go on with the session that the notebook used before its kernel was started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.kernel import notebook
from opencode_nb.magics.showing.frontend import Frontend, detect
from opencode_nb.magics.workspace import Workspace

if TYPE_CHECKING:
    from opencode_nb.session.blocking import Session


def continue_session(workspace: Workspace, shell: InteractiveShell | None, prompt: str | None = None) -> str:
    """Make the notebook's last session current, if none is; return a line that says so, "" if there is none.

    Does nothing in headless runs, which begin anew each time, and for the notebook's first `prompt`: who runs that
    again, as "Run All" does, runs the notebook again.
    """
    if detect(shell) is not Frontend.PAGE:
        return ""
    session = workspace.previous()
    if session is None or (prompt is not None and _runs_again(session, prompt)):
        return ""
    workspace.session = session
    return f"Continuing session {session.title}."


def _runs_again(session: Session, prompt: str) -> bool:
    turns = session.turns()
    return notebook.is_first_prompt() or (bool(turns) and turns[0].prompt == prompt)


def panel_session(workspace: Workspace, shell: InteractiveShell | None, *, new: bool, another: str) -> Session:
    """Return the notebook's session for a panel, or a new one, and make it current.

    Prints a line if it is that of before a restart; `another` is how to start another one.
    """
    if not new and (line := continue_session(workspace, shell)):
        print(f"{line} {another} starts another.")  # noqa: T201  # the cell's own output
    return workspace.current(new=new)
