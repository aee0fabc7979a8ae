"""Look for words in what a page shows of a turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from opencode_nb.render.turn import facts, layout
from opencode_nb.render.turn.card_model import Json
from opencode_nb.render.turn.text import block_text
from opencode_nb.render.turn.tools import describe

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState


def occurrences(turn: TurnState, words: str) -> int:
    """Count how often the words are in a turn's texts, without regard to case."""
    wanted = words.lower()
    return sum(text.lower().count(wanted) for text in _texts(turn)) if wanted else 0


def _texts(turn: TurnState) -> Iterator[str]:
    """Yield all texts of a turn in the page's order."""
    yield turn.prompt.text if turn.prompt else ""
    for part in turn.parts:
        if facts.is_shown(part):
            yield from _of_part(turn, part)
    problem = facts.failure(turn)
    if problem and not facts.was_stopped(turn):
        yield from (problem.text, problem.next_step)


def _of_part(turn: TurnState, part: Json) -> Iterator[str]:
    context = layout.context(turn)
    if layout.kind(part, context) != "tool":
        yield str(part.get("text") or facts.notice(part))
        return
    card = describe(part, context)
    yield from (card.name, card.about, card.note, *(block_text(block) for block in card.blocks))
    for child in turn.children.get(card.child_session, []):
        yield from _texts(child)
