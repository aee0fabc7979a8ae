"""Composed: what a person writes where both messages and commands are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opencode_nb.session.turn import Turn

if TYPE_CHECKING:
    from opencode_nb.session.session import AsyncSession

_OF_PROMPTS = ("mentions", "system", "no_reply")
"""Options that a command does not take: its template says what goes along."""


async def send(session: AsyncSession, text: str, **options: Any) -> Turn:
    """Run the command whose `/name` the text begins with, else send it as a prompt; does not wait for the turn.

    Options are those of `AsyncSession.prompt`; what of them is only for prompts is left out for a command.
    """
    name, *arguments = text.split(maxsplit=1) or [""]
    if text.startswith("/") and name[1:] in [command["name"] for command in await session.owner.commands()]:
        kept = {key: value for key, value in options.items() if key not in _OF_PROMPTS}
        return await session.command(name, *arguments, **kept, wait=False)
    return await session.prompt(text, **options, wait=False)
