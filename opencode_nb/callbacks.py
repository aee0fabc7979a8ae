"""Call the user's functions from an event loop without blocking it: one that is not async runs on its own thread."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a function, or an object that can be called, is async."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


async def call(function: Callable[..., Any], *args: Any, context: contextvars.Context | None = None) -> Any:
    """Call a function of the user's in a context, by default a copy of this one, and await what it returns.

    Raises what it raises; SystemExit and its like, which would end the loop, as RuntimeError.
    """
    context = contextvars.copy_context() if context is None else context
    result = function(*args) if is_async(function) else await _on_thread(context, function, *args)
    if inspect.isawaitable(result):
        return await asyncio.create_task(_awaited(result), context=context)
    return result


async def _awaited(result: Awaitable[Any]) -> Any:
    try:
        return await result
    except (SystemExit, KeyboardInterrupt) as error:
        raise _harmless(error) from error


async def _on_thread(context: contextvars.Context, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function on a thread of its own: it may block, and one that hangs must not keep the process alive."""
    outcome: Future[tuple[Any, BaseException | None]] = Future()
    outcome.set_running_or_notify_cancel()  # whoever stops waiting does not stop it

    def work() -> None:
        try:
            outcome.set_result((context.run(function, *args), None))
        except BaseException as error:  # raised where it was called
            outcome.set_result((None, error))

    threading.Thread(target=work, name="opencode_nb callback", daemon=True).start()
    result, error = await asyncio.wrap_future(outcome)
    if error is not None:
        raise error if isinstance(error, Exception) else _harmless(error) from error
    return result


def _harmless(error: BaseException) -> RuntimeError:
    return RuntimeError(f"it raised {type(error).__name__}")
