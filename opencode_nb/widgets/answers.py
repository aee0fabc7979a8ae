"""Read the page's messages with a user's answer or choice on a card."""

from __future__ import annotations

from typing import Literal

from opencode_nb.session.permissions.policy import Answer, Reply
from opencode_nb.transcript.state import Json

_REPLIES: dict[str, Reply] = {"once": "once", "always": "always", "reject": "reject"}


def permission_answer(intent: Json) -> Answer | None:
    """Return a button's {reply} or the deny form's {answers: [[reason]]}; None if it is neither."""
    if isinstance(intent.get("answers"), list):
        return Answer("reject", " ".join(" ".join(texts) for texts in _texts(intent["answers"])))
    reply = _REPLIES.get(str(intent.get("reply")))
    return Answer(reply, str(intent.get("message") or "")) if reply else None


def question_answer(intent: Json) -> list[list[str]] | Literal["reject"] | None:
    """Return the form's {answers} or the button's {reply: reject}; None for neither, or for an empty form."""
    if intent.get("reply") == "reject":
        return "reject"
    answers = _texts(intent["answers"]) if isinstance(intent.get("answers"), list) else []
    return answers if any(answers) else None


def chosen_columns(intent: Json) -> int:
    """Return the chosen number of columns for changes."""
    return 2 if intent.get("id") == "2" else 1


def _texts(answers: list[object]) -> list[list[str]]:
    return [[str(text) for text in answer] if isinstance(answer, list) else [str(answer)] for answer in answers]
