"""Subcommands for who answers: list models and agents, show and choose the model, agent and variant."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, NamedTuple

from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.workspace import Workspace
from opencode_nb.portal import run
from opencode_nb.session.prompt import acts, listing
from opencode_nb.session.prompt.variants import of_effort
from opencode_nb.transcript import usage

if TYPE_CHECKING:
    from opencode_nb.session.session import AsyncSession

group = Group("Models and agents")

DEFAULT = "default"
"""What `%opencode variant` takes for the model's own default."""


class Choice(NamedTuple):
    """A choice for the next prompt, and where it comes from in words; "" if nobody made one."""

    name: str
    source: str

    def __str__(self) -> str:
        return f"{self.name} ({self.source})"


# --- lists ------------------------------------------------------------------------------------------------------------


@group.command()
def models(workspace: Workspace, _options: Namespace) -> None:
    """List the models that you can use."""
    found = workspace.ai.models_detail()
    if not found:
        workspace.ai._async.need("models")
        workspace.ai.model_choice()  # raises ModelError, which says how to set one up
    say(listing.models(found))


@group.command()
def agents(workspace: Workspace, _options: Namespace) -> None:
    """List the agents that you can prompt."""
    say(listing.agents(workspace.ai.agents()))


# --- choices ----------------------------------------------------------------------------------------------------------


@group.command(argument("model", nargs="?", metavar="MODEL", help="provider/model, or provider/model/variant"))
def model(workspace: Workspace, options: Namespace) -> None:
    """Show which model answers, or choose another for this session."""
    if options.model:
        wanted = run(acts.picked_model, workspace.ai._async, options.model)
        _choose(workspace, model=wanted, variant=None)  # each model has its own variants
    say(f"Model: {_model(workspace)}")


@group.command(argument("agent", nargs="?", metavar="AGENT", help="the agent's name"))
def agent(workspace: Workspace, options: Namespace) -> None:
    """Show which agent answers, or choose another for this session."""
    if options.agent:
        names = [str(one["name"]) for one in workspace.ai.agents()]
        _choose(workspace, agent=acts.one_of(options.agent, names, "agent"))
    say(f"Agent: {_agent(workspace)}")


@group.command(argument("variant", nargs="?", metavar="VARIANT", help=f'its name, or "{DEFAULT}"'))
def variant(workspace: Workspace, options: Namespace) -> None:
    """Show which variant of the model answers, such as its effort, or choose another for this session."""
    name = workspace.ai.model_choice(_model(workspace).name).model
    listed = workspace.ai.models_detail()
    if options.variant:
        names = acts.variants_of(name, listed)
        reset = options.variant == DEFAULT and DEFAULT not in names
        _choose(workspace, variant=None if reset else acts.one_of(options.variant, names, "variant"))
    known = next((list(one["variants"]) for one in listed if one["id"] == name), [])
    say(f"Variant: {_variant(workspace, known) or f'the own default of {name}'}")
    say(f"{name} has {', '.join(known) or 'no variants'}.")


def _choose(workspace: Workspace, **choice: str | None) -> None:
    """Set the choice for the session, or for the next prompts if there is none yet."""
    if workspace.session is None:
        workspace.prefer(**choice)
    else:
        run(_chosen, workspace.session._async, choice)


async def _chosen(session: AsyncSession, choice: dict[str, str | None]) -> None:
    session.choose(**choice)


# --- what is chosen, and by whom --------------------------------------------------------------------------------------


def _set(workspace: Workspace, name: str) -> Choice | None:
    """Return what the session, or the options of new ones, say of a choice."""
    default = getattr(workspace.ai._async, name)
    value = getattr(workspace.session, name) if workspace.session else default
    if not value:
        return None
    return Choice(value, workspace.origin(name) if value == default else "chosen for this session")


def _model(workspace: Workspace) -> Choice:
    """Return the model of the next prompt. Raises ModelError if there is none."""
    ai, session = workspace.ai, workspace.session
    if chosen := _set(workspace, "model"):
        return chosen._replace(name=ai.model_choice(chosen.name).full_name)  # it may lack its provider
    asked = _set(workspace, "agent")
    ai.start()
    if own := run(ai._async.model_of_agent, asked.name if asked else None):
        return Choice(own, "the agent's own")
    if session and (so_far := usage.session_model(session._async.transcript.info)):
        return Choice(so_far, "this session's so far")
    choice = ai.model_choice()
    return Choice(choice.model, choice.source) if choice.model else Choice("the agent's own choice", "turns tell it")


def _agent(workspace: Workspace) -> Choice:
    if chosen := _set(workspace, "agent"):
        return chosen
    return Choice(run(workspace.ai.start()._async.default_agent), "OpenCode's default")


def _variant(workspace: Workspace, known: list[str]) -> Choice | None:
    """Return the variant of the next prompt, None for the model's own default."""
    if chosen := _set(workspace, "variant"):
        return chosen
    asked = _set(workspace, "model")
    if asked and (named := workspace.ai.model_choice(asked.name).variant):
        return Choice(named, "from the model's name")
    effort = _set(workspace, "effort")
    meant = of_effort(effort.name, known) if effort else None
    return Choice(meant, f"for effort {effort}") if effort and meant else None
