"""Questions: the `on_question=` callback, and whom an answer goes to: the server, or a function of this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from opencode_nb import callbacks
from opencode_nb.api.client import AsyncClient
from opencode_nb.errors import OpencodeError
from opencode_nb.transcript.state import OWN_QUESTION, Json

Answers = list[list[str]] | Literal["reject"] | None
"""The labels or texts for each question; "reject" if the user declines to answer, None if nobody is there."""

QuestionCallback = Callable[["QuestionRequest"], Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its text, a short `header`, the labels of its `options`, and whether several may be chosen."""

    question: str
    header: str
    options: tuple[str, ...]
    multiple: bool


@dataclass(frozen=True, slots=True)
class QuestionRequest:
    """Questions that the agent waits for, all to be answered at once."""

    id: str
    session: str
    questions: tuple[Question, ...]

    @classmethod
    def of(cls, request: Json) -> QuestionRequest:
        """Convert from the server's JSON."""
        asked = [
            Question(
                question=str(one.get("question") or ""),
                header=str(one.get("header") or ""),
                options=tuple(str(option.get("label")) for option in one.get("options") or ()),
                multiple=bool(one.get("multiple")),
            )
            for one in request.get("questions") or ()
        ]
        return cls(str(request["id"]), str(request.get("sessionID") or ""), tuple(asked))


async def asked(callback: QuestionCallback, request: Json) -> Answers:
    """Return the callback's answers; None leaves them to a person.

    It returns a text, or a list of texts, for a single question; a list with one of these for each of several; False
    declines; None leaves it to a person. One that is not async runs on a thread of its own. Raises ValueError for
    anything else.
    """
    questions = QuestionRequest.of(request)
    result = await callbacks.call(callback, questions)
    if result is None:
        return None
    return "reject" if result is False else _answers(result, questions.questions)


def _answers(result: Any, questions: Sequence[Question]) -> list[list[str]]:
    single = len(questions) == 1
    if single and (isinstance(result, str) or _is_texts(result)):
        return [_texts(result)]
    is_list = isinstance(result, Sequence) and not isinstance(result, str)
    if not (
        is_list and len(result) == len(questions) and all(isinstance(one, str) or _is_texts(one) for one in result)
    ):
        raise ValueError(
            f"on_question returned {result!r:.80}: return a text or a list of texts for each of the "
            f"{len(questions)} questions, False to decline, or None to let a person answer."
        )
    return [_texts(one) for one in result]


def _is_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)


def _texts(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


# -- whom an answer goes to --------------------------------------------------------------------------------------------

_asked_here: dict[str, asyncio.Future[Answers]] = {}
"""The questions of this process's own functions that wait, by request."""


@contextlib.contextmanager
def asked_here(request: Json) -> Iterator[asyncio.Future[Answers]]:
    """In the body, a request is this process's own: the future gets its answers."""
    answer: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
    _asked_here[str(request["id"])] = answer
    try:
        yield answer
    finally:
        del _asked_here[str(request["id"])]


async def send(client: AsyncClient, request: Json, answers: Answers) -> None:
    """Give whoever asked the answers. Raises what the server answers if that asked."""
    request_id = str(request["id"])
    if request_id.startswith(OWN_QUESTION):
        waiting = _asked_here.get(request_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answers)
    elif isinstance(answers, list):
        await client.question.reply(request_id, answers=answers)
    else:
        await client.question.reject(request_id)


def of_one(answers: Answers) -> list[str]:
    """Return the answer to a single question. Raises OpencodeError without one."""
    if answers is None:
        raise OpencodeError("Nobody is available to answer: pass on_question=, or run this where a person can.")
    if answers == "reject" or not answers[0]:
        raise OpencodeError("The user dismissed the question.")
    return answers[0]
