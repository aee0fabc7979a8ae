"""The `on_question=` callback: the agent's questions for it, and its answers for the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from opencode_nb import callbacks
from opencode_nb.transcript.state import Json

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


async def asked(callback: QuestionCallback, request: Json) -> list[list[str]] | Literal["reject"] | None:
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
