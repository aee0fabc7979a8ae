"""Asks only what a file has no answer to, and adds the answers to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from opencode_nb.errors import TurnError
from opencode_nb.many.answers import Answered, Rebuild, to_json
from opencode_nb.many.here import Asker
from opencode_nb.many.items import Item
from opencode_nb.many.kept import Key
from opencode_nb.many.resume import ResumeFile

_NOT_USABLE = (KeyError, TypeError, ValueError, TurnError)
"""What a damaged line raises, or one whose value the schema refuses now: its prompt is asked again."""


class Remembering:
    """Asks what `file` has no answer to; `keys` has a key for each prompt. Failures are not kept, but asked again."""

    def __init__(self, asker: Asker, file: ResumeFile, keys: Sequence[Key], rebuild: Rebuild) -> None:
        self._asker, self._file, self._keys, self._rebuild = asker, file, keys, rebuild

    async def ask(self, item: Item) -> Any:
        """Return the prompt's turn, or its value, from the file if it is there."""
        key = self._keys[item.index]
        if (kept := self._file.answers.pop(key, None)) is not None:
            with contextlib.suppress(*_NOT_USABLE):
                return result_of(self._rebuild.of_json(kept, item.schema)[0], item)
        answer = await self._earlier(item, key) or await self._asker.ask(item, partial(self._sent, key))
        await asyncio.to_thread(self._file.answered, key, to_json(answer))
        return result_of(answer, item)

    async def _earlier(self, item: Item, key: Key) -> Answered | None:
        """Return the turn that a killed map has left running, or never saw the end of."""
        session = self._file.sessions.get(key)
        return None if session is None else await self._asker.found(item, session)

    async def _sent(self, key: Key, session: str) -> None:
        self._file.sent(key, session)


class Asking:
    """Asks each prompt."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def ask(self, item: Item) -> Any:
        """Return the prompt's turn, or its value."""
        return result_of(await self._asker.ask(item, _unnoted), item)


def result_of(answer: Answered, item: Item) -> Any:
    """Return what a prompt's place in the results gets."""
    return answer.turn if item.schema is None else answer.turn.data


async def _unnoted(_session: str) -> None:
    """Note nothing: there is no file."""
