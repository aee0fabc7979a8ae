"""What the model is told of the result that it is to give: the tool, the instructions, and what was wrong. Pure."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from opencode_nb.results.schema import Schema
from opencode_nb.tools.names import RESULT
from opencode_nb.tools.privacy import Level, Outgoing, Piece
from opencode_nb.tools.tool import Call, Result, Tool

_DESCRIPTION = (
    "Give the final answer to the user's request. Call it once, after all other work: its arguments are the answer, "
    "and a valid call ends the turn."
)
_BY_TOOL = (
    "A program reads the answer to this prompt. When all other work is done, call the tool `{name}` once, with the "
    "answer as its arguments: a valid call ends the turn, and nothing needs to be written before or after it. If the "
    "call is refused, correct the arguments and call it again. Without this tool, write only the JSON that it takes."
)
_BY_TEXT = (
    "A program reads the answer to this prompt. When all other work is done, write only JSON that matches this JSON "
    "schema, without any other text: {schema}"
)
_WRONG = "The program cannot use the answer: {why}. Correct it, and give the whole answer again: {how}."


def result_tool(schema: Schema, call: Callable[[Call], Awaitable[Result]]) -> Tool:
    """Return the tool by which the model gives a result of this schema."""
    return Tool(RESULT, _DESCRIPTION, schema.arguments, call)


def told(text: str, *, failed: bool = False) -> Result:
    """Return what a call answers the model. It may quote only the model's own words, and what has passed a gate."""
    return Result(Outgoing(RESULT, (Piece(text, Level.NONE),)), failed=failed)


def instructions(schema: Schema, tool: str) -> str:
    """Return how to answer: by the tool of this full name, or in the text if it is ""."""
    return _BY_TOOL.format(name=tool) if tool else _BY_TEXT.format(schema=json.dumps(schema.json, ensure_ascii=False))


def correction(why: str, tool: str) -> str:
    """Return the prompt that asks for the answer again. `why` it is wrong has passed a gate."""
    how = f"call the tool `{tool}`" if tool else "write only the JSON"
    return _WRONG.format(why=why.rstrip("."), how=how)
