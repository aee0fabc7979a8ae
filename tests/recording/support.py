"""A recording made without a server, of turns that a real one has sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from opencode_nb.diffs.change import Change
from opencode_nb.recording import turns as kept_turns
from opencode_nb.recording.asked import Asked, asked
from opencode_nb.recording.recording import Ran, Recording
from tests.render.turns import turns


def question(text: str, directory: Path = Path("/project")) -> Asked:
    """Return what a prompt of these words alone asks."""
    return asked([{"type": "text", "text": text}], directory)


def add(recording: Recording, text: str, *changes: Change, name: str = "markdown", secrets: Sequence[str] = ()) -> None:
    """Add a turn of a recorded log, as the answer to these words."""
    kept = kept_turns.as_json(turns(name)[0])
    ran = Ran(kept, changes, Path("/project"), Path("/project"), "A title", "1.18.33")
    recording.add(question(text), ran, secrets)
