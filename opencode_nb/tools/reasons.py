"""Why a value does not validate, in pieces for the gate: validators of the user's may quote data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from opencode_nb.tools.privacy import Level, Piece

MOST_ERRORS = 10
"""Errors of one value that the model is told."""


def message_of(error: BaseException) -> str:
    """Return an exception's message; "" if its own code fails to make one."""
    try:
        return str(error)
    except Exception:  # the exception's own code: its type has to do
        return ""


class WrongValueError(ValueError):
    """A value that does not validate. The text says why; `told` says the same in pieces."""

    def __init__(self, told: Iterable[Piece]) -> None:
        self.told = tuple(told)
        super().__init__("".join(piece.text for piece in self.told))


_OF_VALIDATORS = {"value_error": "Value error", "assertion_error": "Assertion failed"}
"""The types of pydantic's errors that hold the message of an exception, and what pydantic says before it."""


def reason(error: Mapping[str, Any]) -> tuple[Piece, Piece]:
    """Return the message of one error of pydantic's, with its URL: what pydantic says, then what a validator says.

    Errors of types that the validator made up have no URL.
    """
    message = str(error["msg"])
    kind = error["type"] if "url" in error else ""
    ours = _OF_VALIDATORS.get(kind, message if kind else "")
    return Piece(ours, Level.NONE), Piece(message.removeprefix(ours))
