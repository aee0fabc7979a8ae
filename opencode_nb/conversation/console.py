"""ConsolePerson: asks through `input()`, on the thread that waits for the turn."""

from __future__ import annotations

import sys
import types
from typing import Literal

from opencode_nb.conversation.policy import Answer
from opencode_nb.conversation.state import Json
from opencode_nb.conversation.waiting import Jobs

_KEYS: dict[str, Answer] = {
    "y": Answer("once"),
    "yes": Answer("once"),
    "a": Answer("always"),
    "always": Answer("always"),
    "n": Answer("reject"),
    "no": Answer("reject"),
}
_CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class ConsolePerson:
    """A `Person` behind `input()`. Where there is no input (nbclient, a pipe), nobody is there."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def permission(self, request: Json) -> Answer | None:
        """Show what is asked, and wait for y, a, n, or a reason to say no."""
        return await self._jobs.run(lambda: _ask_permission(request))

    async def question(self, request: Json) -> list[list[str]] | Literal["reject"] | None:
        """Ask each question: numbers choose, other words are one's own answer, nothing at all declines."""
        return await self._jobs.run(lambda: _ask_questions(request))


def describe(request: Json) -> str:
    """What a permission request is about, as plain text: the command, or the diff, or its patterns."""
    metadata = request.get("metadata") or {}
    detail = metadata.get("command") or metadata.get("diff") or ", ".join(map(str, request.get("patterns") or []))
    lines = [f"The agent asks for permission: {request.get('permission')}", str(detail).rstrip()]
    return "\n".join(lines).translate(_CONTROL)


def _ask_permission(request: Json) -> Answer | None:
    prompt = f"{describe(request)}\nAllow? [y]es, once / [a]lways / [n]o, or say why not: "
    while True:
        reply = _input(prompt)
        if reply is None:
            return None
        if reply:
            return _KEYS.get(reply.lower()) or Answer("reject", reply)
        prompt = "Please answer y, a, n, or say why not: "


def _ask_questions(request: Json) -> list[list[str]] | Literal["reject"] | None:
    answers: list[list[str]] = []
    for question in request.get("questions") or []:
        reply = _input(_question_text(question))
        if reply is None:
            return None
        if not reply:
            return "reject"
        answers.append(_chosen(reply, question))
    return answers


def _question_text(question: Json) -> str:
    options = [
        f"  {number}. {option.get('label')}: {option.get('description', '')}".rstrip(": ")
        for number, option in enumerate(question.get("options") or [], 1)
    ]
    how = "numbers with commas between" if question.get("multiple") else "a number"
    lines = [
        str(question.get("question", "")),
        *options,
        f"Choose {how}, or answer in your own words (empty declines): ",
    ]
    return "\n".join(lines).translate(_CONTROL)


def _chosen(reply: str, question: Json) -> list[str]:
    labels = [str(option.get("label")) for option in question.get("options") or []]
    picks = [pick.strip() for pick in reply.split(",")]
    if all(pick.isdigit() and 1 <= int(pick) <= len(labels) for pick in picks):
        return [labels[int(pick) - 1] for pick in picks][: None if question.get("multiple") else 1]
    return [reply]


def _input(prompt: str) -> str | None:
    """`input()`, or None where nobody can answer. A kernel replaces the builtin; only the real one needs a terminal."""
    plain = isinstance(input, types.BuiltinFunctionType)
    if plain and (sys.stdin is None or not sys.stdin.isatty()):
        return None
    try:
        return input(prompt).strip()
    except (EOFError, NotImplementedError, OSError):  # NotImplementedError: the kernel's front-end takes no input
        return None
