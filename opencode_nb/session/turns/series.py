"""Turns one after another: the next try of a prompt that failed, and the items of a series. For both faces.

A prompt is sent again only if its turn failed before a tool started: after that, a second try could change files twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, Literal, TypeAlias

from opencode_nb.errors import AbortedError, BudgetExceededError, TurnError
from opencode_nb.retry import Retry, RetryDecision, evaluate_retry
from opencode_nb.session.prompt.parts import Prompt
from opencode_nb.session.turn import Turn, ending
from opencode_nb.transcript.results import is_result

log = logging.getLogger("opencode_nb")

SeriesItem: TypeAlias = Prompt | tuple[Prompt, Mapping[str, Any]]
"""A prompt of a series: what `prompt` takes, or that and options."""

OnError: TypeAlias = Literal["raise", "yield"]


def next_try(turn: Turn, attempt: int, retry: Retry | None) -> RetryDecision | None:
    """Decide whether to send an ended turn's prompt again, and tell so; return None if not."""
    error = turn.error
    if retry is None or error is None or turn.state.replay or _has_acted(turn):
        return None
    decision = evaluate_retry(error, attempt, retry)
    if not decision.retry:
        return None
    log.warning("The turn failed (%s) %s", error, decision.reason)
    if retry.on_retry is not None:
        retry.on_retry(decision, error)
    return decision


def _has_acted(turn: Turn) -> bool:
    """Whether a tool started, which may have changed something; a pending call has only been written, a result too."""
    tools = (part for part in turn.state.parts if part.get("type") == "tool" and not is_result(part))
    return any((part.get("state") or {}).get("status") != "pending" for part in tools)


async def retried(send: Callable[[], Awaitable[Turn]], retry: Retry | None, pauses: Pauses) -> Turn:
    """Send a turn and wait for it, again as long as `retry` says so; return the last one, or raise its error."""
    before: Turn | None = None
    for attempt in count(1):
        with after(before):
            before = turn = await send()
        await asyncio.shield(asyncio.wrap_future(ending(turn)))
        decision = next_try(turn, attempt, retry)
        if decision is None or not await pauses.wait(decision.delay):
            break
    return turn.raise_for_status()


@contextmanager
def after(failed: Turn | None) -> Iterator[None]:
    """Raise the error of the try before, None for the first one, if a budget refuses to send the next."""
    try:
        yield
    except BudgetExceededError as refusal:
        if failed is None or (error := failed.error) is None:
            raise
        error.add_note(f"The prompt was not sent again. {refusal}")
        raise error from refusal


class Pauses:
    """The waits before a prompt is sent again, which an abort of the session ends."""

    def __init__(self) -> None:
        self._ended: set[asyncio.Event] = set()

    async def wait(self, seconds: float) -> bool:
        """Wait; return whether to go on, False if the session was aborted meanwhile."""
        ended = asyncio.Event()
        self._ended.add(ended)
        try:
            async with asyncio.timeout(seconds):
                await ended.wait()
            return False
        except TimeoutError:
            return True
        finally:
            self._ended.discard(ended)

    def end(self) -> None:
        """End all waits."""
        for ended in self._ended:
            ended.set()


def read_item(item: SeriesItem, options: Mapping[str, Any]) -> tuple[Prompt, dict[str, Any]]:
    """Return an item's prompt, and the series' options overridden by its own. Raises ValueError for `wait`."""
    text, own = item if isinstance(item, tuple) else (item, {})
    merged = {**options, **own}
    if "wait" in merged:
        raise ValueError("A series waits for each turn: leave out wait=.")
    return text, merged


def check_on_error(on_error: str) -> None:
    """Raise ValueError unless it is "raise" or "yield"."""
    if on_error not in ("raise", "yield"):
        raise ValueError(f'on_error={on_error!r} is neither "raise" nor "yield".')


def failed(error: TurnError, on_error: OnError) -> Turn:
    """Return the failed turn to yield. Raises with "raise", and if somebody stopped the turn or none began."""
    if on_error == "raise" or isinstance(error, AbortedError) or error.turn is None:
        raise error
    turn: Turn = error.turn
    return turn


async def each(items: Iterable[SeriesItem] | AsyncIterable[SeriesItem]) -> AsyncIterator[SeriesItem]:
    """Yield the items of an iterable of either kind, each when it is asked for."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
