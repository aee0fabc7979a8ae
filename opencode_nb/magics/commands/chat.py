"""Subcommand for the chat panel: chat."""

from __future__ import annotations

from argparse import Namespace

from IPython.core.error import UsageError
from IPython.core.getipython import get_ipython

from opencode_nb.errors import OpencodeError
from opencode_nb.magics.commands.group import Group, argument
from opencode_nb.magics.continuing import panel_session
from opencode_nb.magics.showing.frontend import Frontend, detect
from opencode_nb.magics.workspace import Workspace

group = Group("Chat")

_HELP = "session id, start of an id, or title (default: the notebook's current session)"


@group.command(
    argument("session", nargs="*", metavar="SESSION", help=_HELP),
    argument("-n", "--new", action="store_true", help="start a new session and make it current"),
)
def chat(workspace: Workspace, options: Namespace) -> object:
    """Open a chat panel on the session of %%prompt, with all that OpenCode's own apps offer."""
    from opencode_nb.widgets.chat import ChatPanel

    shell = get_ipython()
    frontend = detect(shell)
    if frontend is Frontend.TERMINAL:
        raise OpencodeError(
            "A terminal cannot show the chat panel: %opencode tui continues this session in OpenCode's own UI."
        )
    wanted = " ".join(options.session)
    if wanted and options.new:
        raise UsageError("%opencode chat: --new starts a new session: name none.")
    found = workspace.find(wanted) if wanted else None
    session = found or panel_session(workspace, shell, new=options.new, another="`--new`")
    return ChatPanel(session, live=frontend is Frontend.PAGE)
