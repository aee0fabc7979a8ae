"""Subcommands for what the agent can call: tools, mcp."""

from __future__ import annotations

import getpass
import os
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from opencode_nb.closest import did_you_mean
from opencode_nb.errors import OpencodeError
from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.showing.frontend import can_ask
from opencode_nb.magics.workspace import Workspace
from opencode_nb.secret import Secret
from opencode_nb.session.prompt import listing
from opencode_nb.session.prompt.acts import NO_MCP

if TYPE_CHECKING:
    from opencode_nb.session.mcp.servers import McpStatus
    from opencode_nb.session.permissions.effective import ToolRule

group = Group("Tools")

SHOWN = 4
"""Exceptions of a tool's rule to show."""


@group.command()
def tools(workspace: Workspace, _options: Namespace) -> None:
    """List the agent's tools, and whether they run, ask or are denied under the current policy."""
    for rule in workspace.ai.tool_rules():
        say(f"{rule.tool:<20} {rule.action}{_exceptions(rule)}")
    say("The kernel's own tools (python, variables, ...) are not among them: they come with each prompt.")


def _exceptions(rule: ToolRule) -> str:
    shown = [f"{action} for {pattern}" for pattern, action in rule.exceptions]
    more = ["…"] if len(shown) > SHOWN else []
    return f", but {', '.join([*shown[:SHOWN], *more])}" if shown else ""


# --- MCP servers ------------------------------------------------------------------------------------------------------


@group.command(
    argument("action", nargs="?", metavar="ACTION", help="list (default), add, connect, disconnect or auth"),
    argument("name", nargs="?", metavar="MCP", help="the server's name"),
    argument("server", nargs="*", metavar="SERVER", help="for add: a URL, or a command with its arguments"),
    argument(
        "--env", action="append", default=[], metavar="NAME", help="for add: pass this environment variable; repeatable"
    ),
    argument("--token", action="store_true", help="for add: ask for a bearer token to send to the URL"),
    hint="Options come last, and -- before a command that has options of its own. ",
)
def mcp(workspace: Workspace, options: Namespace) -> None:
    """List the MCP servers; add, connect or disconnect one, or log in to it (auth).

    What is added is the agent's until the kernel ends; OpenCode's configuration sets MCP servers up for good.
    """
    action = options.action or "list"
    if action not in _ACTIONS:
        meant = did_you_mean(action, ACTIONS)
        raise UsageError(f"%opencode mcp {action}: no such action.{meant} Available: {', '.join(ACTIONS)}.")
    if (action == "list" and options.name) or (action not in ("list", "add") and options.server):
        raise UsageError(f"%opencode mcp {action}: too many words. %opencode help mcp shows what it takes.")
    if action != "list" and not options.name:
        raise UsageError(f"%opencode mcp {action}: name the server. %opencode mcp lists them.")
    _ACTIONS[action](workspace, options)


def _list(workspace: Workspace, _options: Namespace) -> None:
    say(listing.mcp_servers(workspace.ai.mcp.status()) or NO_MCP)


def _add(workspace: Workspace, options: Namespace) -> None:
    if not options.server:
        raise UsageError("%opencode mcp add: give a URL, or a command with its arguments, after the name.")
    _tell(options.name, workspace.ai.mcp.add(options.name, _server(options)))


def _server(options: Namespace) -> Any:
    """Return the server as given; what is secret does not stand in the cell."""
    if "://" in options.server[0]:
        headers = {"Authorization": f"Bearer {_asked('Token: ')}"} if options.token else {}
        return {"url": options.server[0], "headers": headers}
    if missing := [name for name in options.env if name not in os.environ]:
        raise UsageError(f"%opencode mcp add: this kernel has no environment variable {missing[0]}.")
    return {"command": options.server, "environment": {name: os.environ[name] for name in options.env}}


def _connect(workspace: Workspace, options: Namespace) -> None:
    _tell(options.name, workspace.ai.mcp.connect(options.name))


def _disconnect(workspace: Workspace, options: Namespace) -> None:
    workspace.ai.mcp.disconnect(options.name)
    say(f"{options.name}: disconnected. %opencode mcp connect {options.name} connects it again.")


def _auth(workspace: Workspace, options: Namespace) -> None:
    servers = workspace.ai.mcp
    say(f"Open this page and allow the access: {servers.auth(options.name)}")
    say("It ends on a page at 127.0.0.1, which may not load: copy its address, which has the code.")
    _tell(options.name, servers.finish_auth(options.name, _asked("The address, or the code: ")))


def _tell(name: str, status: McpStatus) -> None:
    """Print the state. Raises OpencodeError if the server failed."""
    if status.status == "failed":
        raise OpencodeError(f"MCP server {name} {status}. %opencode mcp connect {name} tries again.")
    say(listing.mcp_server(name, status))


def _asked(question: str) -> str:
    if not can_ask():
        raise OpencodeError("Nobody can be asked for it here: run this where a cell can ask, as in JupyterLab.")
    return Secret(getpass.getpass(question))


_ACTIONS: dict[str, Callable[[Workspace, Namespace], None]] = {
    "list": _list,
    "add": _add,
    "connect": _connect,
    "disconnect": _disconnect,
    "auth": _auth,
}
ACTIONS = tuple(_ACTIONS)
"""What `%opencode mcp` does."""
