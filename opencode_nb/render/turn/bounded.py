"""Limit what a notebook saves of a turn: cut texts, outputs, patches and tables, and say so. Pure.

Otherwise a line of 50 MB would be in the file three times, as HTML, Markdown and text.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from opencode_nb.render.markdown.convert import contained
from opencode_nb.render.turn.card_model import Json

if TYPE_CHECKING:
    from opencode_nb.transcript.state import Message, TurnState

LONGEST = 200_000
"""Maximum characters of one text."""
SAVED = 600_000
"""Maximum characters of all texts of a turn."""
MEDIA = 8_000_000
"""Maximum characters of all pictures and other media of a turn, which are data URLs."""
_EACH = 400
"""Cost of a part besides its texts: thousands of small ones add up, too."""
_CELL = 200
"""Cost of a table's cell besides its text: its tags."""

_ITEM = 20
"""Cost of a list or object item besides its text: quotes, indentation, a line."""
_RESERVE = 20_000
"""Allowance beyond the limit for short values of the part that reaches it."""
_SHORT = 200
"""Texts up to this many characters are always kept: ids, names and states, needed to make sense of the rest."""

_LEFT_OUT = "\u2026"
_LAST = frozenset({"output"})
"""Keep the end of these: it shows how a program ended."""
_PROSE = frozenset({"text", "reasoning"})


@dataclass(slots=True)
class _Budget:
    text: int = SAVED
    media: int = MEDIA
    cut: int = 0

    def has_room(self) -> bool:
        """Return whether one more value of the current part fits, however short."""
        if self.text > -_RESERVE:
            self.text -= _ITEM
            return True
        self.cut += 1
        return False

    def take(self, wanted: int) -> int:
        """Return how many characters of a text to keep."""
        kept = min(wanted, LONGEST, max(0, self.text))
        self.text -= kept
        self.cut += wanted - kept
        return kept


def bounded(turn: TurnState) -> TurnState:
    """Return the turn itself, or if it is too long a shortened copy that ends with where to find the rest."""
    budget = _Budget()
    shorter = _turn(turn, budget)
    if not budget.cut:
        return turn
    _add_note(shorter, budget.cut)
    return shorter


def _add_note(turn: TurnState, cut: int) -> None:
    for last in [step for step in list(turn.steps.values()) if step.info.get("role") == "assistant"][-1:]:
        text = (
            f"{_LEFT_OUT} {cut:,} characters are left out here. The full text is in `turn.text`, `turn.reasoning`, "
            "`turn.tools` and `turn.diff().patch`, or in a file written by `%opencode export md`."
        )
        last.parts["left-out"] = {"id": "left-out", "type": "text", "text": text, "messageID": last.id}


def _turn(turn: TurnState, budget: _Budget) -> TurnState:
    return replace(
        turn,
        steps={name: _message(step, budget, turn.shown) for name, step in list(turn.steps.items())},
        children={name: [_turn(child, budget) for child in children] for name, children in list(turn.children.items())},
        prompt=turn.prompt and replace(turn.prompt, info=_info(turn.prompt.info, budget)),
        error=_value(turn.error, budget),
        decisions=[replace(made, request=_value(made.request, budget)) for made in turn.decisions],
        shown={call: _blocks(blocks, budget) for call, blocks in list(turn.shown.items())},
    )


def _blocks(blocks: list[Json], budget: _Budget) -> list[Json]:
    """Cut what a call of the kernel's tools shows: of a table the last rows."""
    return [
        _object(_shorter_table(block, budget) if block.get("kind") == "table" else block, budget) for block in blocks
    ]


def _shorter_table(table: Json, budget: _Budget) -> Json:
    rows, columns = table.get("rows") or [], table.get("columns") or []
    cost = _CELL * (len(columns) + 1)
    kept = max(0, min(len(rows), budget.text // cost - 1))
    budget.text -= cost * (kept + 1)
    budget.cut += len(rows) - kept
    return {**table, "rows": rows[:kept]}


def _message(message: Message, budget: _Budget, shown: Collection[str]) -> Message:
    parts = {}
    for name, part in list(message.parts.items()):
        part = _without_output(part) if part.get("callID") in shown else part
        if budget.text <= 0:
            budget.cut += len(str(part.get("text") or "")) or 1
            continue
        budget.text -= _EACH
        parts[name] = _part(part, budget)
    return replace(message, info=_info(message.info, budget), parts=parts)


def _without_output(part: Json) -> Json:
    """Drop what nobody sees: a call that shows something to the user does not show what the model was told."""
    return {**part, "state": {**part["state"], "output": ""}} if isinstance(part.get("state"), dict) else part


def _info(info: Json, budget: _Budget) -> Json:
    """Cut a message's info with a separate budget: without it nothing is known of the turn."""
    own = _Budget()
    shorter = _object(info, own)
    budget.cut += own.cut
    return shorter


def _part(part: Json, budget: _Budget) -> Json:
    if part.get("type") not in _PROSE or len(str(part.get("text") or "")) <= min(LONGEST, budget.text):
        return _object(part, budget)
    text = str(part["text"])
    begun = contained(text[: budget.take(len(text))])  # closed, if the cut is inside a code block
    return {**part, "text": f"{begun}\n\n{_LEFT_OUT}"}


def _object(value: Json, budget: _Budget) -> Json:
    return {name: _value(item, budget, name) for name, item in value.items() if budget.has_room()}


def _value(value: Any, budget: _Budget, name: str = "") -> Any:
    if isinstance(value, str):
        return _text(value, budget, name)
    if isinstance(value, dict):
        return _object(value, budget)
    return [_value(item, budget) for item in value if budget.has_room()] if isinstance(value, list) else value


def _text(text: str, budget: _Budget, name: str) -> str:
    if name == "png" or (name == "url" and text.startswith("data:")):
        return _picture(text, budget)
    if len(text) <= _SHORT:
        budget.text -= len(text)
        return text
    kept = budget.take(len(text))
    if kept == len(text):
        return text
    return f"{_LEFT_OUT}\n{text[len(text) - kept :]}" if name in _LAST else f"{text[:kept]}\n{_LEFT_OUT}"


def _picture(data: str, budget: _Budget) -> str:
    """Keep a picture whole or not at all: then its name replaces it."""
    if len(data) > budget.media:
        budget.cut += len(data)
        return ""
    budget.media -= len(data)
    return data
