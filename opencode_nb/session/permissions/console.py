"""ConsolePerson: asks with `input()` on the thread that waits for the turn."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal, TypeVar

from opencode_nb.session.permissions.interruptible_input import Question
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.session.permissions.policy import Answer
from opencode_nb.transcript.state import Json

if TYPE_CHECKING:
    from opencode_nb.render.turn.request_model import Asked

T = TypeVar("T")
Ask = Callable[[str], str | None]

_KEYS: dict[str, Answer] = {
    "y": Answer("once"),
    "yes": Answer("once"),
    "a": Answer("always"),
    "always": Answer("always"),
    "n": Answer("reject"),
    "no": Answer("reject"),
}
_TURN_KEYS = {"t": Answer("turn"), "turn": Answer("turn")}


class ConsolePerson:
    """A `Person` who answers with `input()`. Returns None where input is not available (nbclient, a pipe).

    Each question runs on the waiting thread inside `aside()`, which can pause other output until it is answered.
    """

    def __init__(self, jobs: Jobs, aside: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._jobs = jobs
        self._aside = aside
        self._question = Question()

    async def permission(self, request: Json) -> Answer | None:
        """Show the request and wait for y, a, n, t for changes to cells, or a reason for rejecting it."""
        return await self._run(_ask_permission, request)

    async def question(self, request: Json) -> list[list[str]] | Literal["reject"] | None:
        """Ask each question: numbers choose options, other text is a free answer, an empty reply declines."""
        return await self._run(_ask_questions, request)

    async def _run(self, ask: Callable[[Json, Ask], T], request: Json) -> T:
        try:
            return await self._jobs.run(lambda: self._alone(ask, request))
        except asyncio.CancelledError:  # answered elsewhere, or the turn has ended
            self._question.end()
            raise

    def _alone(self, ask: Callable[[Json, Ask], T], request: Json) -> T:
        with self._aside():
            answer = ask(request, self._question.ask)
            if self._question.ended:
                _tell("\n(Answered elsewhere.)")
            return answer


def describe(request: Json) -> str:
    """Return a permission request as plain text, with the same details as its card in the notebook."""
    from opencode_nb.render.turn.request_text import request_text

    return request_text(_read(request))


def _read(request: Json) -> Asked:
    from opencode_nb.render.turn.request_model import asked

    return asked(request, str(request.get("directory") or ""))


def _ask_permission(request: Json, ask: Ask) -> Answer | None:
    if not _can_ask():
        return None
    _tell(describe(request))
    turn, keys = ("", _KEYS) if not _read(request).turn else (" / all in this [t]urn", _KEYS | _TURN_KEYS)
    always = _always(request)
    prompt = f"Allow? [y]es, once{turn}{always} / [n]o, or say why not: "
    while True:
        reply = ask(prompt)
        if reply is None:
            return None
        if reply:
            return keys.get(reply.lower()) or Answer("reject", reply)
        prompt = f"Please answer y,{' t,' if turn else ''}{' a,' if always else ''} n, or say why not: "


def _always(request: Json) -> str:
    from opencode_nb.render.markup.escape import reveal_line

    always = _read(request).always
    return f" / [a]lways ({reveal_line(always)})" if always else ""


def _ask_questions(request: Json, ask: Ask) -> list[list[str]] | Literal["reject"] | None:
    answers: list[list[str]] = []
    if not _can_ask():
        return None
    if asker := _asker(request):
        _tell(f"{asker} asks:")
    for question in request.get("questions") or []:
        _tell(_question_text(question))
        while not (chosen := _chosen(reply := ask(_how(question)), question)):
            if reply is None:
                return None
            if not reply:
                return "reject"
        answers.append(chosen)
    return answers


def _asker(request: Json) -> str:
    """Return who asks if it is not the session itself."""
    from opencode_nb.render.turn.request_model import asker
    from opencode_nb.render.turn.request_text import asker_text

    who = asker(request)
    return asker_text(who) if who else ""


def _question_text(question: Json) -> str:
    from opencode_nb.render.markup.escape import reveal_words

    options = [
        f"  {number}. {option.get('label')}: {option.get('description', '')}".rstrip(": ")
        for number, option in enumerate(question.get("options") or [], 1)
    ]
    return reveal_words("\n".join([str(question.get("question", "")), *options]))


def _how(question: Json) -> str:
    how = "numbers, separated by commas" if question.get("multiple") else "a number"
    if not question.get("options"):
        return "Answer (empty declines): "
    own = "" if question.get("custom") is False else ", or answer in your own words"
    return f"Choose {how}{own} (empty declines): "


def _chosen(reply: str | None, question: Json) -> list[str]:
    """Return the labels that a reply chooses, or the reply itself; [] if it is none, or none of the only options."""
    if not reply:
        return []
    labels = [str(option.get("label")) for option in question.get("options") or []]
    picks = [pick.strip() for pick in reply.split(",")]
    if all(pick.isdigit() and 1 <= int(pick) <= len(labels) for pick in picks):
        return [labels[int(pick) - 1] for pick in picks][: None if question.get("multiple") else 1]
    begun = [label for label in labels if label.casefold().startswith(reply.casefold())]
    if question.get("custom") is False:
        return begun if len(begun) == 1 else []
    return [reply]


def _can_ask() -> bool:
    """Whether `input()` can get an answer: a kernel's replacement knows, the builtin needs a terminal."""
    if isinstance(input, types.BuiltinFunctionType):
        return sys.stdin is not None and sys.stdin.isatty()
    return bool(getattr(getattr(input, "__self__", None), "_allow_stdin", True))


def _tell(text: str) -> None:
    print(text)  # noqa: T201  # shows a question, as input() shows its prompt
