"""oc.diff and %opencode diff: what is looked through, and where it is shown."""

from __future__ import annotations

from typing import Literal

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.conversation.changes import Diff
from opencode_nb.conversation.sync import Opencode, Session
from opencode_nb.conversation.turn import Turn
from opencode_nb.errors import OpencodeError
from opencode_nb.magics.frontend import Frontend, detect
from opencode_nb.magics.workspace import Workspace
from opencode_nb.widgets.diff import DiffView

Source = Literal["session", "last", "git", "branch"]

_NO_SESSION = "There are no changes to show: no session has begun in this notebook. %opencode use goes on with one."


def diff(subject: Diff | Turn | Session | Opencode | None = None) -> DiffView:
    """What a turn or a session changed, to look through and to take back; the value of a cell shows itself.

    None is the notebook's current session (that of %%prompt); an Opencode stands for its work tree as git sees it.
    Comments on lines go along with the session's next prompt. Raises OpencodeError where there is no session.
    """
    shell = get_ipython()
    subject = subject if subject is not None else _current_session(shell)
    session = subject if isinstance(subject, Session) else getattr(subject, "session", None)
    found = subject if isinstance(subject, Diff) else subject.diff()
    return DiffView(found, session if isinstance(session, Session) else None, live=_has_page(shell))


def _has_page(shell: InteractiveShell | None) -> bool:
    return shell is not None and detect(shell) is Frontend.PAGE


def _current_session(shell: InteractiveShell | None) -> Session:
    from opencode_nb.magics.extension import workspace_of

    workspace = workspace_of(shell)
    if workspace is None or workspace.session is None:
        raise OpencodeError(_NO_SESSION)
    return workspace.session


def changes_of(workspace: Workspace, source: Source) -> tuple[Diff, Session | None]:
    """What `%opencode diff` is about, and the session that takes comments. Raises OpencodeError."""
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
