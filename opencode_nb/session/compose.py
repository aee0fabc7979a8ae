"""Send composer text as a prompt or a slash command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from opencode_nb.session.owner import Owner
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


async def send(session: Recipient, text: str, **options: Any) -> Turn:
    """Run the command whose `/name` the text starts with, else send the text as a prompt; do not wait for the turn.

    Options are those of `AsyncSession.prompt`; a command ignores those that only prompts take.
    """
    name, *arguments = text.split(maxsplit=1) or [""]
    if text.startswith("/") and name[1:] in [command["name"] for command in await session.owner.commands()]:
        kept = {key: value for key, value in options.items() if key not in _OF_PROMPTS}
        return await session.command(name, *arguments, **kept, wait=False)
    return await session.prompt(text, **options, wait=False)
