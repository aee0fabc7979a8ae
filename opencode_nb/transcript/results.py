"""Results: finds the answer that a turn gave by its result tool. Pure.

It is read from the calls as the server keeps them, so that it is the same after a reload, in a recording and elsewhere.
"""

from __future__ import annotations

from opencode_nb.tools.names import RESULT, own_tool
from opencode_nb.transcript.state import Json, Message, TurnState

ACCEPTED = "Accepted: the result is complete, and so is the turn."
"""How the tool answers a valid call."""


def is_result(part: Json) -> bool:
    """Whether a part is a call of the result tool."""
    return part.get("type") == "tool" and own_tool(str(part.get("tool") or "")) == RESULT


def is_accepted(part: Json) -> bool:
    """Whether a part is a valid call of the result tool."""
    state = part.get("state") or {}
    return is_result(part) and state.get("status") == "completed" and str(state.get("output")).startswith(ACCEPTED)


def is_late(turn: TurnState, step: Message) -> bool:
    """Whether a step came after the turn's result was accepted: the server may begin one before it is stopped."""
    steps = iter(list(turn.steps.values()))
    decided = any(is_accepted(part) for one in steps for part in list(one.parts.values()))
    return decided and any(one is step for one in steps)


def accepted(turn: TurnState) -> Json | None:
    """Return the arguments of the turn's valid call; None if there is none."""
    found = next(filter(is_accepted, turn.parts), None)
    return None if found is None else dict(found["state"].get("input") or {})
