"""What a person writes: read it as a prompt or a slash command, and send it or carry it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from opencode_nb.errors import OpencodeError
from opencode_nb.session.owner import Owner
from opencode_nb.session.prompt import commands
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.session.prompt.command import Result, Subject
from opencode_nb.session.prompt.commands import Said
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json

_OF_PROMPTS = ("mentions", "system", "no_reply")
"""Options that commands do not take."""


class Recipient(Protocol):
    """A session, as the recipient of prompts and commands."""

    owner: Owner

    @property
    def prompt(self) -> Callable[..., Awaitable[Turn]]:
        """Send a prompt."""

    @property
    def command(self) -> Callable[..., Awaitable[Turn]]:
        """Run a slash command."""


async def read(owner: Owner, text: str) -> Said:
    """Return what a text means. Raises OpencodeError for a command that does not exist."""
    if not text.startswith("/"):
        return Said("prompt", text)
    return commands.meant(text, await owner.commands())


async def agent_names(owner: Owner) -> set[str]:
    """Return the names of all agents that a text can mention."""
    await owner.start()
    agents: list[Any] = await owner.client.app.agents()
    return {str(agent["name"]) for agent in agents}


def check_sendable(said: Said) -> None:
    """Raise OpencodeError for a command of ours: it acts at once, and is no message."""
    if said.kind == "own":
        raise OpencodeError(f"/{said.name} acts at once and cannot wait here: write it in the message field.")


async def act(session: Subject, said: Said) -> Result:
    """Carry out a command of ours. Raises OpencodeError."""
    command = commands.find(said.name)
    assert command is not None
    return await command.act(session, said.text)


async def send(session: Recipient, text: str, **options: Any) -> Turn:
    """Send a text as a prompt or as one of the server's commands; do not wait for the turn.

    Options are those of `AsyncSession.prompt`; a command ignores those that only prompts take. Raises OpencodeError for
    a command that is unknown, or ours: that is not a message.
    """
    said = await read(session.owner, text)
    check_sendable(said)
    if said.kind == "prompt":
        return await session.prompt(text, **options, wait=False)
    kept = {key: value for key, value in options.items() if key not in _OF_PROMPTS}
    if mentions := options.get("mentions"):
        described = await mentions(said.text) if callable(mentions) else []
        kept["files"] = [*kept.get("files", ()), *await for_command(session.owner, said, described)]
    return await session.command(said.name, said.text, **kept, wait=False)


async def for_command(owner: Owner, said: Said, described: list[Json]) -> list[Json]:
    """Return parts that describe what a command's text mentions, as a command takes them.

    The server attaches the files that it mentions. Raises FileNotFoundError for a mistyped one, OpencodeError for a
    value that a subagent's command mentions: it gets its text alone.
    """
    await owner.mentions(said.text, prompt_parts.variables(described))
    if not described or not await _runs_in_subagent(owner, await owner.command(said.name)):
        return prompt_parts.as_files(described)
    if names := prompt_parts.variables(part for part in described if not prompt_parts.is_note(part)):
        raise OpencodeError(_TEXT_ALONE.format(said.name, sorted(names)[0]))
    return []


async def _runs_in_subagent(owner: Owner, command: Json) -> bool:
    if command.get("subtask") is not None:
        return bool(command["subtask"])
    agents: list[Any] = await owner.client.app.agents()
    return any(agent["name"] == command.get("agent") and agent["mode"] == "subagent" for agent in agents)


_TEXT_ALONE = (
    "/{0} runs in a subagent, which gets its text alone: the server drops the value of @{1}. Write it into the text as "
    "{{{{{1}}}}} in a cell, or send a prompt without the command. Nothing was sent."
)
