"""Where functions run when the loop of the user's code stands still; no server is needed."""

from __future__ import annotations

import asyncio
import threading

import pytest

from opencode_nb import portal
from opencode_nb.functions import calls, running
from opencode_nb.functions.running import UserLoop, Where

SECONDS = 60.0


def test_an_async_function_does_not_wait_for_a_loop_that_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a thread is which takes the updates of this very turn's stream."""
    monkeypatch.setattr(running, "BEGIN_TIMEOUT", 0.2)
    begun, over = threading.Event(), threading.Event()
    loop = asyncio.new_event_loop()

    def block() -> None:
        begun.set()
        over.wait(SECONDS)
        loop.stop()

    loop.call_soon(block)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    assert begun.wait(SECONDS)
    assert thread.ident is not None

    async def work(_where: Where) -> str:
        return threading.current_thread().name

    try:
        ran_on = portal.start(running.run_async, work, UserLoop(loop, thread.ident)).result(SECONDS)
    finally:
        over.set()
        thread.join()
        loop.close()
    assert ran_on == "opencode_nb async functions"


async def later() -> int:
    return 1


def test_a_sync_function_that_returns_a_coroutine_is_told_to_await_it() -> None:
    with pytest.raises(TypeError, match="define the tool with `async def`"):
        calls._ready(later())
    assert calls._ready(3) == 3
