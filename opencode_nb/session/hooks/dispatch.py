"""Dispatcher: calls the hooks, one after another, and logs those that fail. On the loop's thread."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from opencode_nb.errors import PromptBlockedError
from opencode_nb.session.connection import call_soon
from opencode_nb.session.hooks.events import Event, PromptEvent, ToolEvent
from opencode_nb.session.hooks.hook import Hook, Hooks
from opencode_nb.transcript.state import Json

log = logging.getLogger("opencode_nb")

_in_hook: contextvars.ContextVar[bool] = contextvars.ContextVar("in_hook", default=False)
"""Whether this is code that a hook runs: it must not wait for the hooks."""


class Dispatcher:
    """Calls hooks in the order of their events."""

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks
        self._waiting: deque[tuple[str, Event, asyncio.Future[None]]] = deque()
        self._last: asyncio.Future[None] | None = None  # done when the latest event so far has been told
        self._calling: asyncio.Task[None] | None = None

    def tell(self, name: str, event: Event) -> None:
        """Call the hooks of this name with an event, after those of earlier events. Does not wait."""
        if not self.hooks.has(name):
            return
        self._last = asyncio.get_running_loop().create_future()
        self._waiting.append((name, event, self._last))
        if self._calling is None or self._calling.done():
            self._calling = asyncio.create_task(self._call_waiting(), name="opencode_nb hooks")

    async def _call_waiting(self) -> None:
        while self._waiting:
            name, event, told = self._waiting.popleft()
            for hook in self.hooks.observing(name):
                await called(name, hook, event)
            told.set_result(None)

    async def settled(self) -> None:
        """Wait until all hooks of earlier events have been called. Returns at once in code that a hook runs."""
        if self._last is not None and not _in_hook.get():
            await asyncio.shield(self._last)

    async def submitted(self, session: str, text: str, *, fixed: bool = False) -> str:
        """Return the text to send for a prompt. Raises PromptBlockedError if a hook blocks it.

        A `fixed` one, such as a command, cannot be replaced.
        """
        event = PromptEvent(session, text)
        for hook in self.hooks.observing("prompt_submitted"):
            answer, _error = await called("prompt_submitted", hook, event)
            if _blocks(answer):
                raise PromptBlockedError(_reason(answer))
            if isinstance(answer, str) and not fixed:
                event = replace(event, text=answer)
            elif answer is not None and answer is not True:
                log.warning("prompt_submitted returned %.80r, which is ignored: see help(Hooks).", answer)
        return event.text

    async def submitted_parts(self, session: str, parts: list[Json]) -> list[Json]:
        """Return a prompt's parts, with the text that the hooks give it. Raises as `submitted` does."""
        said = [part for part in parts if part.get("type") == "text" and not part.get("synthetic")]
        if not (said and self.hooks.has("prompt_submitted")):
            return parts
        text = "\n\n".join(str(part["text"]) for part in said)
        changed = await self.submitted(session, text)
        if changed == text:
            return parts
        first = parts.index(said[0])
        rest = [part for part in parts[first + 1 :] if part not in said]
        return [*parts[:first], {**said[0], "text": changed}, *rest]

    async def refusal(self, event: ToolEvent) -> str | None:
        """Return why a veto refuses a tool call; None if none does. A veto that fails refuses it."""
        for hook in self.hooks.vetoing:
            answer, error = await called("before_tool", hook, event)
            if error is not None:
                return f"A hook that may refuse this failed: {type(error).__name__}: {error}"
            if answer is not None and answer is not True:
                return _refused(answer)
        return None


def _refused(answer: Any) -> str:
    """Return the reason of a veto: whatever it returned but None and True refuses."""
    if isinstance(answer, tuple) and len(answer) == 2:
        answer = answer[1]
    return str(answer) if answer is not False and str(answer) else "A hook refused this."


def _blocks(answer: Any) -> bool:
    return answer is False or (isinstance(answer, tuple) and len(answer) == 2 and answer[0] == "block")


def _reason(answer: Any) -> str:
    reason = f": {answer[1]}" if isinstance(answer, tuple) else ""
    return f"A hook blocked this prompt{reason}. Nothing was sent."


async def called(name: str, hook: Hook[Any], event: Event) -> tuple[Any, Exception | None]:
    """Return what a hook returns, None if the event is not for it; or None and what it raised, which is logged."""
    task = asyncio.create_task(_taken(hook, event))
    try:
        await asyncio.wait({task}, timeout=hook.timeout)
    finally:
        task.cancel()
    failure = _failure(task, hook)
    if failure is not None:
        log.error("The hook %s of session %s failed", name, event.session, exc_info=failure)
        return None, failure
    return task.result(), None


def _failure(task: asyncio.Task[Any], hook: Hook[Any]) -> Exception | None:
    """Return why a hook failed: user code may raise anything, also as if it were cancelled."""
    if not task.done():
        return TimeoutError(f"it took longer than {hook.timeout:g} s")
    if task.cancelled():
        return RuntimeError("it was cancelled")
    error = task.exception()
    return error if isinstance(error, Exception) else None


async def _taken(hook: Hook[Any], event: Event) -> Any:
    try:
        return await _result(hook.function, event) if hook.takes(event) else None
    except (SystemExit, KeyboardInterrupt) as error:  # it must not end the loop
        raise RuntimeError(f"it raised {type(error).__name__}") from error


async def _result(function: Callable[[Any], Any], event: Event) -> Any:
    context = contextvars.copy_context()
    context.run(_in_hook.set, True)
    if _is_async(function):
        return await asyncio.create_task(function(event), context=context)
    result = await _on_thread(context, function, event)
    if inspect.isawaitable(result):
        return await asyncio.create_task(_awaited(result), context=context)
    return result


async def _awaited(result: Any) -> Any:
    return await result


def _is_async(function: Callable[[Any], Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


async def _on_thread(context: contextvars.Context, function: Callable[[Any], Any], event: Event) -> Any:
    """Call a function on a thread of its own: it may block, and one that hangs must not keep the process alive."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def finish(result: Any, error: BaseException | None) -> None:
        if not done.done():
            done.set_result((result, error))

    def work() -> None:
        try:
            call_soon(loop, finish, context.run(function, event), None)
        except BaseException as error:  # raised where the hook was called
            call_soon(loop, finish, None, error)

    threading.Thread(target=work, name="opencode_nb hook", daemon=True).start()
    result, error = await done
    if error is not None:
        raise error if isinstance(error, Exception) else RuntimeError(f"it raised {type(error).__name__}") from error
    return result
