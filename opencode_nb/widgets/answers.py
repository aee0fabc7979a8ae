"""Read the page's messages with a user's answer or choice on a card, and wait for them."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from opencode_nb.session.permissions.approvals import Reply
from opencode_nb.session.permissions.policy import Answer, Person
from opencode_nb.transcript.state import Json
from opencode_nb.widgets.live import LiveView, settle

_REPLIES: dict[str, Reply] = {"once": "once", "always": "always", "turn": "turn", "reject": "reject"}


def permission_answer(intent: Json) -> Answer | None:
    """Return a button's {reply} or a form's {answers: [[text]]}; None if it is neither.

    The text is the reason for a denial, or with {reply: edited} the source to write.
    """
    if isinstance(intent.get("answers"), list):
        text = " ".join(" ".join(texts) for texts in _texts(intent["answers"]))
        return Answer("edited" if intent.get("reply") == "edited" else "reject", text)
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


class PagePerson:
    """A `Person` who clicks. `fallback` is asked if no page can be heard (see `live.PONG_TIMEOUT`); None waits forever.

    On the package's loop thread.
    """

    def __init__(self, view: LiveView[Any], fallback: Person | None) -> None:
        self._view, self._fallback = view, fallback
        self._answers: dict[str, asyncio.Future[Any]] = {}

    def take(self, intent: Json) -> None:
        """Take a click on a card; any other intent is ignored."""
        kind, waiting = intent.get("kind"), self._answers.get(str(intent.get("id", "")))
        if kind == "permission" and (answer := permission_answer(intent)):
            settle(waiting, answer)
        elif kind == "question" and (answers := question_answer(intent)):
            settle(waiting, answers)

    async def permission(self, request: Json) -> Answer | None:
        """Wait for a click on the request's card; ask the fallback if the page cannot be heard."""
        answer: Answer | None = await self._answer_of_page(request["id"])
        if answer is None and self._fallback is not None:
            return await self._fallback.permission(request)
        return answer

    async def question(self, request: Json) -> list[list[str]] | Literal["reject"] | None:
        """Wait for the request's form; ask the fallback if the page cannot be heard."""
        answers: list[list[str]] | Literal["reject"] | None = await self._answer_of_page(request["id"])
        if answers is None and self._fallback is not None:
            return await self._fallback.question(request)
        return answers

    async def _answer_of_page(self, key: str) -> Any:
        """Return the user's answer on the page; None if the page cannot be heard and there is a fallback."""
        self._answers[key] = asyncio.get_running_loop().create_future()
        try:
            if self._fallback is None or await self._view.page_shows(key):
                return await self._answers[key]
            return None
        finally:
            del self._answers[key]
