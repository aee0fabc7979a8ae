"""Dispatcher: calls the hooks, one after another, and logs those that fail. On the loop's thread."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opencode_nb import callbacks
from opencode_nb.errors import PromptBlockedError
from opencode_nb.session.hooks.hook import Hook, Hooks
from opencode_nb.transcript.state import Json

if TYPE_CHECKING:
    from opencode_nb.session.hooks.events import Event, PromptEvent, ToolEvent

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

    async def _submitted(self, event: PromptEvent, *, fixed: bool) -> str:
        for hook in self.hooks.observing("prompt_submitted"):
            answer, _error = await called("prompt_submitted", hook, event)
            if _blocks(answer):
                raise PromptBlockedError(_reason(answer))
            if isinstance(answer, str) and not fixed:
                event = replace(event, text=answer)
            elif answer is not None and answer is not True:
                log.warning("prompt_submitted returned %.80r, which is ignored: see help(Hooks).", answer)
        return event.text

    async def submitted_parts(self, session: str, parts: list[Json], *, fixed: bool = False) -> list[Json]:
        """Return a prompt's parts, with the text that the hooks give it. Raises PromptBlockedError if one blocks it.

        The text of a `fixed` one, such as a command, cannot be replaced.
        """
        if not self.hooks.has("prompt_submitted"):
            return parts
        from opencode_nb.session.hooks.events import PromptEvent

        said = [part for part in parts if part.get("type") == "text" and not part.get("synthetic")]
        text = "\n\n".join(str(part["text"]) for part in said)
        files = tuple(str(part.get("filename") or part.get("url")) for part in parts if part.get("type") == "file")
        changed = await self._submitted(PromptEvent(session, text, files), fixed=fixed)
        if changed == text:
            return parts
        first = parts.index(said[0]) if said else 0
        rest = [part for part in parts[first:] if part not in said]
        return [*parts[:first], {**(said[0] if said else {"type": "text"}), "text": changed}, *rest]

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
    context = contextvars.copy_context()
    context.run(_in_hook.set, True)
    may_block = callable(hook.match)
    taken = await callbacks.call(hook.takes, event, context=context) if may_block else hook.takes(event)
    return await callbacks.call(hook.function, event, context=context) if taken else None
