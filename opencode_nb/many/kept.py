"""A turn from JSON again, and what a prompt is found by: for the file that a map is resumed from, and for workers."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from opencode_nb.many.items import Item
from opencode_nb.recording.asked import asked
from opencode_nb.recording.turns import events
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.spending.steps import Spent, Steps
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.transcript.transcript import Transcript

_ASKED = ("model", "agent", "variant", "effort")
"""The options by which a prompt is another one, beside its own text and what is attached."""


class Restored(NamedTuple):
    """A turn that was kept, and what it spent."""

    state: TurnState
    spent: list[Spent]


def restored(kept: Json) -> Restored:
    """Return the turn that `recording.turns.as_json` kept."""
    transcript = Transcript(str(kept["session"]))
    steps = Steps(transcript)
    changes = [change for event in events(kept, []) for change in transcript.apply(event)]
    return Restored(transcript.turns[kept["id"]], [found.spent for found in steps.new(changes)])


Key = tuple[str, int]
"""What a prompt asks, hashed, and how many before it in the same map ask the same."""


async def keys(items: Iterable[Item], directory: Path, defaults: Any) -> list[Key]:
    """Return what each prompt is found by again: its text, what is attached, its model and its schema.

    `defaults` has the options of `_ASKED` for prompts that have none of their own. Raises what `prompt` raises for a
    file that cannot be attached.
    """
    seen: Counter[str] = Counter()
    found = []
    for item in items:
        key = await _key(item, directory, defaults)
        found.append((key, seen[key]))
        seen[key] += 1
    return found


async def _key(item: Item, directory: Path, defaults: Any) -> str:
    options = item.options
    parts = await prompt_parts.parts(item.prompt, options.get("files", ()), options.get("images", ()), directory)
    chosen = [options.get(name) or getattr(defaults, name) for name in _ASKED]
    schema = item.schema and item.schema.json
    whole = json.dumps([asked(parts, directory).key, options.get("system"), chosen, schema], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()
