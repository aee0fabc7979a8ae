"""What a person writes: read it as a prompt or a slash command, and send it or carry it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from opencode_nb.errors import OpencodeError
from opencode_nb.session.owner import Owner
from opencode_nb.session.prompt import commands
from opencode_nb.session.prompt.command import Result, Subject
from opencode_nb.session.prompt.commands import Said
from opencode_nb.session.turn import Turn

_OF_PROMPTS = ("mentions", "system", "no_reply")
"""Options that commands do not take: a command's template says what to attach."""


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
    return await session.command(said.name, said.text, **kept, wait=False)
