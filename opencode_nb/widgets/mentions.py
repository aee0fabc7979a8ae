"""What a message from the panel tells of the kernel: what it mentions, and the note of what changed."""

from __future__ import annotations

from opencode_nb.kernel.context.session_context import context_of
from opencode_nb.session.compose import agent_names
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript.state import Json


async def mentioned(session: AsyncSession, text: str) -> list[Json]:
    """Return the parts that go with a message's text. Raises OpencodeError for a mention of what is not there."""
    context, owner = context_of(session.id), session.owner
    context.settle()
    found = await context.mentioned(text, lambda: agent_names(owner), owner.directory)
    return [*found, *context.note()]
