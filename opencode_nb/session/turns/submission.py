"""Submission: a prompt on its way, which can be sent again and stays the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from opencode_nb.session.owner import Owner
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.session.prompt.parts import Mentions, Prompt
from opencode_nb.transcript.state import Json

if TYPE_CHECKING:
    from opencode_nb.session.recorded.recorder import Recorder


@dataclass
class Submission:
    """A prompt: `make` returns its parts. Once sent, `parts` are those that were sent, and `recorder` what records it.

    So what comes with it, and what hooks say to it, is settled by its first try.
    """

    make: Callable[[], Awaitable[list[Json]]]
    system: str | None = None
    no_reply: bool = False
    parts: list[Json] | None = field(default=None, init=False)
    recorder: Recorder | None = field(default=None, init=False)

    @classmethod
    def of(
        cls,
        owner: Owner,
        text: Prompt,
        files: Iterable[Any],
        images: Iterable[Any],
        mentions: bool | Mentions,
        **options: Any,
    ) -> Submission:
        """Create one as `AsyncSession.prompt` takes it."""
        return cls(partial(_parts, owner, text, files, images, mentions), **options)

    @classmethod
    def prepared(cls, parts: list[Json], **options: Any) -> Submission:
        """Create one of these parts."""

        async def make() -> list[Json]:
            return parts

        return cls(make, **options)


async def _parts(
    owner: Owner, text: Prompt, files: Iterable[Any], images: Iterable[Any], mentions: bool | Mentions
) -> list[Json]:
    parts = await prompt_parts.parts(text, files, images, owner.directory)
    if not mentions:
        return parts
    said = prompt_parts.text_of(text)
    described = await mentions(said) if callable(mentions) else []
    return parts + await owner.mentions(said, prompt_parts.variables(described)) + described
