"""Subcommands that list what you can choose from: models, agents."""

from __future__ import annotations

from argparse import Namespace

from opencode_nb.magics.commands.group import Group, say
from opencode_nb.magics.workspace import Workspace
from opencode_nb.session.prompt import listing

group = Group("Models and agents")


@group.command()
def models(workspace: Workspace, _options: Namespace) -> None:
    """List the models that you can use."""
    found = workspace.ai.models_detail()
    if not found:
        workspace.ai.model_choice()  # raises ModelError, which says how to set one up
    say(listing.models(found))


@group.command()
def agents(workspace: Workspace, _options: Namespace) -> None:
    """List the agents that you can prompt."""
    say(listing.agents(workspace.ai.agents()))
