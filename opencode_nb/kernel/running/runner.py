"""Runs the agent's code, one piece at a time, and tells what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.interrupt import Job
from opencode_nb.kernel.running import main_thread
from opencode_nb.kernel.running.execution import Execution, Ran, not_run
from opencode_nb.kernel.running.history import History
from opencode_nb.session.permissions import agent_code
from opencode_nb.session.permissions.jobs import served_on_main

LIMIT = 120.0
"""Seconds that code may run, unless the call says otherwise. Waiting for a busy cell does not count."""

ATTEMPTS = 5
PATIENCE = 1.0
"""How often code that goes on is interrupted, and the seconds in between."""

_STILL_RUNS = (
    "The code still runs: it went on after {} interrupts. The kernel is busy until it ends by itself, "
    "or the user restarts the kernel."
)
_STUCK = "Nothing was run: code of an earlier call still runs, and went on when interrupted. Ask the user to restart."


Around = Callable[[str, str], AbstractContextManager[None]]


class Runner:
    """Runs code in a shell's namespace. Call its methods on the package's loop, but `stop` from any thread.

    `around` returns what is entered on the main thread around each piece of code, from the ids of session and turn.
    """

    def __init__(self, shell: InteractiveShell, around: Around = lambda _session, _turn: nullcontext()) -> None:
        self._shell, self._around = shell, around
        self._order = asyncio.Lock()
        self._jobs: dict[Job, str] = {}
        self._stuck: asyncio.Task[Ran] | None = None
        self.history = History(shell)

    @property
    def is_free(self) -> bool:
        """Whether the main thread would take a function at once: it waits for a turn, or idles."""
        return not agent_code.is_running() and (served_on_main() is not None or self.history.is_idle)

    async def run(self, code: str, *, timeout: float = LIMIT, session: str = "", turn: str = "") -> Ran:
        """Run code for a turn, after what was asked for before; interrupt it after `timeout` seconds of running.

        Cancelling this stops the code. Raises OpencodeError if the main thread cannot be reached.
        """
        job = Job()
        self._jobs[job] = session
        execution = Execution(self._shell, self.history, job, code, session, self._around(session, turn))
        running = asyncio.ensure_future(self._in_order(job, execution, timeout))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            job.ask("the call was cancelled")
            raise

    def stop(self, session: str, reason: str = "the turn was stopped") -> None:
        """Stop the code of a session: what waits is dropped, what runs is interrupted. Call from any thread."""
        for job, of in list(self._jobs.items()):
            if of == session:
                job.ask(reason)

    async def _in_order(self, job: Job, execution: Execution, timeout: float) -> Ran:
        try:
            async with self._order:
                if self._stuck is not None and not self._stuck.done():
                    return not_run(_STUCK)
                if job.asked.done():
                    return not_run(f"Nothing was run: {job.asked.result()}.")
                return await self._watched(job, execution, timeout)
        finally:
            del self._jobs[job]

    async def _watched(self, job: Job, execution: Execution, timeout: float) -> Ran:
        """Run the code; interrupt it when someone asks to, or when its time is over."""
        running = asyncio.ensure_future(main_thread.run(execution.run, idle=execution.run_idle))
        started, asked = asyncio.wrap_future(job.started), asyncio.wrap_future(job.asked)
        events: set[asyncio.Future[Any]] = {running, asked}
        await asyncio.wait({*events, started}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done() and job.drop():
            running.cancel()
            return not_run(f"Nothing was run: {asked.result()}.")
        await asyncio.wait(events, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            execution.reason = asked.result() if asked.done() else f"it took longer than {timeout:g} s"
            await _interrupted(job, running)
        if running.done():
            return running.result()
        self._stuck = running
        return not_run(f"Interrupted, as {execution.reason}. {_STILL_RUNS.format(ATTEMPTS)}")


async def _interrupted(job: Job, running: asyncio.Task[Ran]) -> None:
    for _attempt in range(ATTEMPTS):
        job.interrupt()
        await asyncio.wait({running}, timeout=PATIENCE)
        if running.done():
            return
