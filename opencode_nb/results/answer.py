"""Read the result of a turn from its transcript: that of the result tool, else that of its text. Pure."""

from __future__ import annotations

from typing import Any

from opencode_nb.results import text
from opencode_nb.results.schema import MismatchError, Schema, told_of
from opencode_nb.transcript.results import accepted
from opencode_nb.transcript.state import Json, TurnState


def read(schema: Schema, turn: TurnState) -> Any:
    """Return the value that the turn answered. Raises MismatchError if its answer does not match the schema."""
    arguments = accepted(turn)
    return text.read(schema, last_text(turn)) if arguments is None else schema.read(arguments)


def mismatch(error: MismatchError) -> Json:
    """Return the error of a turn whose answer does not match."""
    message = f"The answer does not match the schema: {error}"
    return {"name": "StructuredOutputError", "data": {"message": message, "raw": error.raw}}


def unread(error: Exception, turn: TurnState) -> Json:
    """Return the error of a turn whose answer could not be read."""
    return mismatch(MismatchError(told_of(error), last_text(turn)))


def last_text(turn: TurnState) -> str:
    """Return the text of the last step that has one: earlier steps only say what the model does."""
    steps = [step for step in list(turn.steps.values()) if step.info.get("role") == "assistant"]
    return next((step.text for step in reversed(steps) if step.text.strip()), "")
