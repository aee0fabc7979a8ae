"""Subcommands for the agent's server: start, stop, restart, status."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from opencode_nb.conversation.models import ModelError, announcement
from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.commands.sessions import named
from opencode_nb.magics.workspace import Workspace

group = Group("The agent")


def _directory(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {text}")
    return path


@group.command(
    argument("--demo", action="store_true", help="use the scripted demo model, which is not an AI"),
    argument("-m", "--model", metavar="MODEL", help="provider/model for prompts that name none"),
    argument("-a", "--agent", metavar="AGENT", help="agent for prompts that name none"),
    argument("-d", "--directory", metavar="PATH", type=_directory, help="where the agent works (default: here)"),
    argument("--permission", metavar="RULE", choices=["ask", "allow", "deny"], help="ask, allow or deny"),
)
def start(workspace: Workspace, options: Namespace) -> None:
    """Start the agent, with options that hold until it is started anew."""
    wanted = {
        "model": options.model,
        "agent": options.agent,
        "directory": options.directory,
        "permission": options.permission,
        "demo": options.demo or None,
    }
    earlier = workspace.session
    ai = workspace.configure(**{key: value for key, value in wanted.items() if value is not None})
    say("Starting OpenCode…")
    ai.start()
    status(workspace, options)
    if options.demo:
        say("It plays fixed turns, chosen by plain words: any %%prompt that it does not know gets the list of them.")
    if earlier is not None:
        say(f"The session before is kept: %opencode use {earlier.id} goes on with it.")
    if options.model:
        ai.model_choice()  # a wrong one fails this cell, rather than the first prompt


@group.command()
def stop(workspace: Workspace, _options: Namespace) -> None:
    """Stop the server; the next prompt starts it again, with the same options and session."""
    running, cut_off = workspace.running, workspace.busy
    workspace.stop()
    if cut_off:
        say("The turn that was running is cut off; what came until then is kept.")
    say("OpenCode is stopped; the next %%prompt starts it again." if running else "OpenCode was not running.")


@group.command()
def restart(workspace: Workspace, options: Namespace) -> None:
    """Restart the agent alone: the kernel, its variables and the current session stay."""
    stop(workspace, options)
    say("Starting OpenCode…")
    workspace.ai.start()
    status(workspace, options)


@group.command()
def status(workspace: Workspace, _options: Namespace) -> None:
    """Show the server, the model and the current session."""
    ai, server, session = workspace.ai, workspace.ai.server, workspace.session
    if not workspace.running:
        say("OpenCode is not running; the next %%prompt starts it, or %opencode start.")
        if server is not None:
            say(f"It ended by itself. Its log: {server.log_path}")
        return
    say(f"OpenCode {ai.version} at {ai.client.base_url}, in {ai.directory}")
    if server is not None:
        say(f"Log: {server.log_path}")
    try:
        say(announcement(ai.model_choice()))
    except ModelError as error:
        say(f"Model: {error}")
    say(f"Session: {named(session)}, ${session.cost:.4f}" if session else "Session: the first %%prompt makes one.")
    if workspace.busy:
        say("A turn is running: %opencode abort stops it.")
