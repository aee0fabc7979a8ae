"""What the slash commands do: one function for each, on the session that is shown. Raise OpencodeError."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from opencode_nb.closest import did_you_mean
from opencode_nb.errors import OpencodeError
from opencode_nb.session.prompt import listing
from opencode_nb.session.prompt.command import File, Lists, Result, Subject
from opencode_nb.session.prompt.variants import splits
from opencode_nb.transcript import usage
from opencode_nb.transcript.state import Json

FORMATS = ("md", "html", "ipynb", "json")
"""What a session can be exported as."""

NO_MCP = "There are no MCP servers: %opencode mcp add attaches one, OpenCode's configuration sets them up for good."

_UNNAMED = re.compile(r"New session - \d{4}-")
_UNFIT = re.compile(r"\W+")
_NAME_LENGTH = 60


# --- messages ---------------------------------------------------------------------------------------------------------


async def undo(session: Subject, _rest: str) -> Result:
    """Stop the running turn, if any, and undo the last one."""
    return Result(listing.undone(await session.undo()))


async def redo(session: Subject, _rest: str) -> Result:
    """Redo the first message that is undone."""
    return Result(listing.redone(await session.redo()))


async def compact(session: Subject, _rest: str) -> Result:
    """Replace the context with a summary."""
    before = await session.context()
    await session.compact()
    return Result(listing.compacted(before, await session.context()))


# --- sessions ---------------------------------------------------------------------------------------------------------


async def new(session: Subject, _rest: str) -> Result:
    """Start a session with the same choices; a running turn goes on in the one before."""
    started = await session.owner.session()
    names = ("model", "agent", "variant", "effort", "permission")
    started.choose(**{name: getattr(session, name) for name in names})
    goes_on = " The turn in the one before goes on: /sessions returns to it." if session.busy else ""
    return Result(f"New session.{goes_on}", session=started)


async def sessions(session: Subject, wanted: str) -> Result:
    """List the sessions, or open one."""
    if not wanted:
        listed = await session.owner.sessions()
        return Result(listing.shortened(listing.sessions(listed, session.id)), opens="sessions")
    info = await session.owner.find_session(wanted)
    directory = str(info.get("directory") or session.owner.directory)
    if directory != str(session.owner.directory):
        raise OpencodeError(f"That session belongs to another directory: {directory}. Open it there.")
    opened = await session.owner.session(id=str(info["id"]))
    return Result(f"Session: {_named(opened)}", session=opened)


async def fork(session: Subject, _rest: str) -> Result:
    """Go on in a copy."""
    copy = await session.fork()
    return Result(f"Session: {_named(copy)}. The original stays as it is: /sessions returns to it.", session=copy)


async def rename(session: Subject, title: str) -> Result:
    """Change the title; without one, ask for it."""
    if not title:
        return Result(f"The title is: {_named(session)}. /rename TITLE changes it.", opens="rename")
    await session.rename(title)
    return Result(f"Session: {title}")


async def share(session: Subject, _rest: str) -> Result:
    """Publish the session."""
    return Result(f"{listing.shared(await session.share())}\n/unshare removes it again.")


async def unshare(session: Subject, _rest: str) -> Result:
    """Remove the published copy."""
    if not session.shared_url:
        return Result("The session was not shared.")
    await session.unshare()
    return Result("The session is no longer shared.")


async def export(session: Subject, wanted: str) -> Result:
    """Return the session as a file."""
    kind = one_of(wanted or "md", FORMATS, "format")
    return Result(file=File(file_name(session, kind), kind, await session.export(kind)))


async def copy(_session: Subject, _rest: str) -> Result:
    """Have the page copy the session: only it reaches the user's clipboard."""
    return Result("Only the chat panel reaches your clipboard: /export writes the session to a file.", opens="copy")


async def diff(session: Subject, _rest: str) -> Result:
    """Return what the session changed."""
    changes = await session.diff()
    return Result(listing.changed(changes), diff=changes)


# --- who answers ------------------------------------------------------------------------------------------------------


async def models(session: Subject, wanted: str) -> Result:
    """List the models, or pick one for what comes."""
    listed = await session.owner.models_detail()
    if not listed:
        session.owner.need("models")
        await session.owner.model_choice()  # raises ModelError, which says how to set one up
    if not wanted:
        return Result(listing.shortened(listing.models(listed, await _model(session))), opens="models")
    model = await picked_model(session.owner, wanted)
    session.choose(model=model, variant=None)  # each model has its own variants
    return Result(f"Model: {model}, from the next message on.")


async def agents(session: Subject, wanted: str) -> Result:
    """List the agents, or pick one for what comes."""
    listed = await session.owner.agents()
    if not wanted:
        current = session.agent or str(session.transcript.info.get("agent") or await session.owner.default_agent())
        return Result(listing.agents(listed, current), opens="agents")
    agent = one_of(wanted, [str(agent["name"]) for agent in listed], "agent")
    session.choose(agent=agent)
    return Result(f"Agent: {agent}, from the next message on.")


async def permissions(session: Subject, wanted: str) -> Result:
    """List the permission modes, or pick one for what comes in this session."""
    current = session.permission
    if not wanted:
        return Result(listing.modes(session.owner.policy.option if current is None else current))
    mode = one_of(wanted, list(listing.MODES), "mode")
    session.choose(permission=mode)
    return Result(f"Permission: {listing.permission(mode)}, from the next message on.")


async def variants(session: Subject, wanted: str) -> Result:
    """List the variants of the model, or pick one for what comes."""
    model = await _next_model(session)
    listed = await session.owner.models_detail()
    names = variants_of(model, listed)
    if not wanted:
        return Result("\n".join(names), opens="variants")
    variant = one_of(wanted, names, "variant")
    session.choose(variant=variant)
    return Result(f"Variant: {variant}, from the next message on.")


# --- what there is ----------------------------------------------------------------------------------------------------


async def status(session: Subject, _rest: str) -> Result:
    """Tell the session, who answers, what is allowed, and what was used."""
    chosen = await _next_model(session)
    agent = session.agent or str(session.transcript.info.get("agent") or await session.owner.default_agent())
    owner = session.owner
    facts = {
        "Session": _named(session),
        "Directory": str(owner.directory),
        "Model": " ".join(filter(None, (chosen, session.variant))) or "the agent's own choice",
        "Effort": session.effort or "not set",
        "Agent": agent,
        "Permission": listing.permission(owner.policy.option if session.permission is None else session.permission),
        "Budget": listing.limits((owner.budget, session.budget), {**owner.turn_limits, "timeout": owner.timeout}),
        "Context": listing.used(await session.context()) or "nothing was sent yet",
        "Cost": f"${session.cost:.4f} at the provider's list prices",
        owner.name: owner.version,
    }
    return Result("\n".join(f"{name + ':':<12}{value}" for name, value in facts.items()))


async def mcps(session: Subject, wanted: str) -> Result:
    """List the MCP servers, or connect or disconnect one."""
    servers = session.owner.mcp
    verb, _, name = wanted.partition(" ")
    if not wanted:
        listed = listing.mcp_servers(await servers.status())
        changes = "/mcps connect NAME or /mcps disconnect NAME changes one."
        return Result(f"{listed}\n{changes}", opens="mcps") if listed else Result(NO_MCP)
    if verb not in ("connect", "disconnect") or not name.strip():
        raise OpencodeError(f"/mcps {wanted}: write /mcps, /mcps connect NAME or /mcps disconnect NAME.")
    if verb == "disconnect":
        await servers.disconnect(name.strip())
        return Result(f"{name.strip()}: disconnected. /mcps connect {name.strip()} connects it again.")
    return Result(listing.mcp_server(name.strip(), await servers.connect(name.strip())))


async def skills(session: Subject, _rest: str) -> Result:
    """List the skills, which are commands of the server."""
    found = [command for command in await session.owner.commands() if command.get("source") == "skill"]
    return Result(listing.commands(found) or "There are no skills here.")


async def thinking(_session: Subject, _rest: str) -> Result:
    """Have the page open or fold the model's reasoning."""
    return Result("Only the chat panel opens all at once: in an output, click the reasoning.", opens="thinking")


async def details(_session: Subject, _rest: str) -> Result:
    """Have the page open or fold what tools did."""
    return Result("Only the chat panel opens all at once: in an output, click the tool's line.", opens="details")


# --- names ------------------------------------------------------------------------------------------------------------


def file_name(session: Any, kind: str) -> str:
    """Return the name of a file with the session: after its title, else its id."""
    return f"{_UNFIT.sub('-', _title(session)).strip('-')[:_NAME_LENGTH] or session.id}.{kind}"


async def picked_model(owner: Lists, wanted: str) -> str:
    """Return the model that is meant, as `one_of` does; a "provider/model/variant" must have its full names."""
    ids = [str(model["id"]) for model in await owner.models_detail()]
    if not ids:  # none is set up, or an agent does not tell
        return str((await owner.model_choice(wanted)).full_name)
    names = {*ids, *(name.partition("/")[2] for name in ids)}
    if wanted not in names and any(name in names for name, _variant in splits(wanted)):
        return str((await owner.model_choice(wanted)).full_name)
    return one_of(wanted, ids, "model")


def variants_of(model: str, listed: Iterable[Json]) -> list[str]:
    """Return the names of a model's variants. Raises OpencodeError if it has none."""
    names = next((list(one["variants"]) for one in listed if one["id"] == model), [])
    if not names:
        raise OpencodeError(f"{model} has no variants: there is no effort to choose.")
    return names


def one_of(wanted: str, names: Sequence[str], kind: str) -> str:
    """Return the name that is meant: equal, the only one of this last part, or the only one with this text in it."""
    text = wanted.lower()
    tests = (
        [name for name in names if name == wanted],
        [name for name in names if name.lower().rpartition("/")[2] == text],
        [name for name in names if text in name.lower()],
    )
    found = next(filter(None, tests), [])
    if len(found) == 1:
        return found[0]
    if not found:
        raise OpencodeError(
            f"There is no {kind} {wanted}.{did_you_mean(wanted, names)} Available {kind}s: {_some(names)}."
        )
    raise OpencodeError(f"{len(found)} {kind}s match {wanted}: {_some(found)}. Write more of the name.")


def _some(names: Sequence[str]) -> str:
    return ", ".join([*names[:9], *(["…"] if len(names) > 9 else [])])


async def _model(session: Subject) -> str:
    """Return the session's own model for the next prompt, "" if it has none."""
    if session.model:
        return str((await session.owner.model_choice(session.model)).model)  # it may lack its provider
    return usage.session_model(session.transcript.info)


async def _next_model(session: Subject) -> str:
    """Return the model that the next prompt goes to. Raises ModelError if there is none."""
    return await _model(session) or str((await session.owner.model_choice(None, session.agent)).model)


def _title(session: Any) -> str:
    """Return the title; "" for a session without one of its own."""
    return "" if _UNNAMED.match(session.title) else str(session.title)


def _named(session: Any) -> str:
    return _title(session) or str(session.id)
