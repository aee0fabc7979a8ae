"""Ask the user from inside a tool: in the page, in the terminal, or whoever `on_question=` is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Any, Generic, TypeVar

from opencode_nb.errors import OpencodeError
from opencode_nb.functions.calling import Calling, current
from opencode_nb.tools.tool import Json

T = TypeVar("T")

YES, NO = "Yes", "No"


class Unawaited(Generic[T]):
    """What asking returns in an async tool: await it for the answer. It cannot be taken for one."""

    def __init__(self, answer: Callable[[], Awaitable[T]], name: str) -> None:
        self._answer, self._name = answer, name

    def __await__(self) -> Generator[Any, Any, T]:
        return self._answer().__await__()

    def __bool__(self) -> bool:
        raise TypeError(f"An async tool has to await it: `await {self._name}(...)`.")


def confirm(question: str) -> Any:
    """Ask the user a yes-no question from inside a tool; return whether it was "Yes".

    In an async tool: `await oc.confirm(...)`. Raises OpencodeError outside of a tool that the agent calls, if the user
    dismisses the question, and if nobody can answer.
    """
    return _asked("oc.confirm", _question(question, (YES, NO)), lambda answer: answer == YES)


def choose(question: str, options: Iterable[str]) -> Any:
    """Have the user choose one of some texts from inside a tool, and return it. Await it, and errors, as for `confirm`.

    Raises ValueError without options, or if one is there twice.
    """
    texts = tuple(map(str, options))
    if not texts or len(set(texts)) < len(texts) or not all(text.strip() for text in texts):
        raise ValueError("oc.choose: give one or more different options that are not empty.")
    return _asked("oc.choose", _question(question, texts), str)


def input(question: str) -> Any:  # as Python's own, for the user of the page
    """Ask the user for a text from inside a tool, and return it. Await it, and errors, as for `confirm`."""
    return _asked("oc.input", _question(question, ()), str)


def _question(text: str, options: tuple[str, ...]) -> Json:
    listed = [{"label": option, "description": ""} for option in options]
    return {"question": str(text), "header": "", "options": listed, "multiple": False, "custom": not options}


def _asked(name: str, question: Json, read: Callable[[str], T]) -> Any:
    calling = current(name)
    if calling.awaits:
        return Unawaited(lambda: _awaited(calling, question, read), name)
    return read(_answer(question, calling.waited(_ask(calling, question))))


async def _awaited(calling: Calling, question: Json, read: Callable[[str], T]) -> T:
    return read(_answer(question, await asyncio.wrap_future(calling.start(_ask(calling, question)))))


async def _ask(calling: Calling, question: Json) -> list[str]:
    return await calling.host.ask(calling.call, calling.function, question)


def _answer(question: Json, given: list[str]) -> str:
    """Return the answer. Raises OpencodeError if it is none of the options: `on_question=` may return anything."""
    answer, labels = "; ".join(given), [option["label"] for option in question["options"]]
    if not labels:
        return answer
    found = next((label for label in labels if label.casefold() == answer.strip().casefold()), None)
    if found is None:
        raise OpencodeError(f"{answer!r:.80} is none of the options: {', '.join(labels)}.")
    return str(found)
