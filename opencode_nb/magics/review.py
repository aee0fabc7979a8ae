"""oc.chat, oc.diff and %opencode diff: views of the notebook's own agent and session."""

from __future__ import annotations

from typing import Any, Literal

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.changes.diff import Diff
from opencode_nb.errors import OpencodeError
from opencode_nb.magics.continuing import panel_session
from opencode_nb.magics.showing.frontend import Frontend, detect
from opencode_nb.magics.workspace import Workspace, workspace_of
from opencode_nb.session.blocking import Opencode, Session
from opencode_nb.session.turn import Turn
from opencode_nb.widgets.chat import ChatPanel
from opencode_nb.widgets.diff import DiffView

Source = Literal["session", "last", "git", "branch"]

_NO_SESSION = (
    "There are no changes to show: this notebook has no session yet. Start one with %%prompt or oc.chat(), or "
    "continue one with %opencode use."
)


def chat(session: Session | str | None = None, *, new: bool = False, **options: Any) -> ChatPanel:
    """Open a chat panel on the notebook's session (that of %%prompt), on another one, or on one by id or title.

    In a fresh kernel, the notebook's session is the one it used last; with `new`, it is a new one. With options, which
    are those of `Opencode`, the panel gets its own agent: `session` is then an id, or None for a new session. Raises
    OpencodeError if no session matches.
    """
    shell = get_ipython()
    live = detect(shell) is not Frontend.HEADLESS
    if options or isinstance(session, Session):
        return ChatPanel(session, live=live, **options)
    workspace = workspace_of(shell)
    if session is None:
        return ChatPanel(panel_session(workspace, shell, new=new, another="oc.chat(new=True)"), live=live)
    return ChatPanel(workspace.ai.session(id=workspace.ai.find_session(session)["id"]), live=live)


def diff(subject: Diff | Turn | Session | Opencode | None = None) -> DiffView:
    """Show what a turn or a session changed, to review and revert. As the value of a cell, the view displays itself.

    None means the notebook's current session (that of %%prompt); an Opencode means its work tree as git sees it.
    Comments on lines are sent with the session's next prompt. Raises OpencodeError if there is no session.
    """
    shell = get_ipython()
    subject = subject if subject is not None else _current_session(shell)
    session = subject if isinstance(subject, Session) else getattr(subject, "session", None)
    found = subject if isinstance(subject, Diff) else subject.diff()
    live = detect(shell) is Frontend.PAGE
    return DiffView(found, session if isinstance(session, Session) else None, live=live)


def _current_session(shell: InteractiveShell | None) -> Session:
    session = workspace_of(shell).session
    if session is None:
        raise OpencodeError(_NO_SESSION)
    return session


def show(changes: Diff, session: Session | None) -> DiffView | None:
    """Return a review of changes as a cell's value; print it in a terminal."""
    frontend = detect(get_ipython())
    if frontend is Frontend.TERMINAL:
        from rich.console import Console

        Console().print(changes)
        return None
    return DiffView(changes, session, live=frontend is Frontend.PAGE)


def changes_of(workspace: Workspace, source: Source) -> tuple[Diff, Session | None]:
    """Return the changes that `%opencode diff` shows, and the session that gets the comments. Raises OpencodeError."""
    session = workspace.session
    if source in ("git", "branch"):
        return workspace.ai.diff("git" if source == "git" else "branch"), session
    if session is None:
        raise OpencodeError(_NO_SESSION)
    if source == "session":
        return session.diff(), session
    turns = session.turns()
    if not turns:
        raise OpencodeError("There are no changes to show: the session has no turn yet.")
    return turns[-1].diff(), session
