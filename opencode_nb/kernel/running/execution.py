"""One piece of the agent's code on the main thread: runs it through IPython, keeps its output, restores the shell."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from opencode_nb.interrupt import Job
from opencode_nb.kernel.printed import unrecorded
from opencode_nb.kernel.running import figures, images
from opencode_nb.kernel.running.capture import captured, traceback_text
from opencode_nb.kernel.running.changes import Names
from opencode_nb.kernel.running.history import History
from opencode_nb.kernel.running.main_thread import UserInterrupt
from opencode_nb.kernel.running.output import Json, Output
from opencode_nb.kernel.running.refusals import refused
from opencode_nb.session.permissions import agent_code
from opencode_nb.tools.privacy import Level, Outgoing, Piece

IPYTHONS = {"_", "__", "___", "_i", "_ii", "_iii", "In", "Out", "_ih", "_oh"}
"""Names that IPython keeps for the user. Code that binds them, as `_, axes = plt.subplots()`, must not take them."""

_NO_AWAIT = (
    "Top-level await is not possible here: a %%prompt cell is waiting, so the kernel's event loop stands still. "
    "Run the coroutine in a thread: concurrent.futures.ThreadPoolExecutor().submit(asyncio.run, coroutine).result()."
)
_DROPPED = "Nothing was run: the call was stopped before."


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a piece of code: blocks for the card, PNG files, and what the model is told.

    `interrupted_by_user`: the user stopped it, and so wants the turn to end. `ended`: it ran, well or not, to its end.
    """

    outgoing: Outgoing
    blocks: tuple[Json, ...] = ()
    failed: bool = False
    interrupted_by_user: bool = False
    ended: bool = True

    def with_note(self, text: str) -> Ran:
        """Return it with a further line for the model."""
        return replace(self, outgoing=self.outgoing.with_note(text))

    @property
    def images(self) -> tuple[bytes, ...]:
        """The figures and images, as PNG files."""
        return self.outgoing.images


def not_run(text: str) -> Ran:
    """Return what is told of code that did not run, or has not ended."""
    told, shown = Outgoing("python", (Piece(text, Level.NAMES),)), {"kind": "error", "text": text}
    return Ran(told, (shown,), failed=True, ended=False)


class Execution:
    """One piece of code, run inside of `around`. `reason` is set, from another thread, before it is interrupted."""

    def __init__(
        self,
        shell: InteractiveShell,
        history: History,
        job: Job,
        code: str,
        session: str,
        around: AbstractContextManager[None],
    ) -> None:
        self._shell, self._history, self._job, self._code = shell, history, job, code
        self._session, self._outside = session, around
        self._output = Output()
        self._changes: list[Piece] = []
        self._error: BaseException | None = None
        self.reason = ""

    def run(self) -> Ran:
        """Run it nested in the cell that waits. Raises UserInterrupt if the user interrupted it."""
        if not self._job.claim():
            return not_run(_DROPPED)
        if self._needs_await:
            return not_run(_NO_AWAIT)
        with self._around():
            self._run_here()
        return self._told()

    async def run_idle(self) -> Ran:
        """Run it in a request of its own, where it may await. Raises UserInterrupt if the user interrupted it."""
        if not self._job.claim():
            return not_run(_DROPPED)
        with self._around():
            if self._needs_await:
                await self._run_awaiting()
            else:
                self._run_here()
        return self._told()

    # -- running -------------------------------------------------------------------------------------------------------

    @property
    def _needs_await(self) -> bool:
        return bool(self._shell.should_run_async(self._code, transformed_cell=self._transformed))

    @property
    def _transformed(self) -> str:
        try:
            return str(self._shell.transform_cell(self._code))
        except Exception:  # a transformer of the user's, or a syntax error: IPython tells of it when it runs the code
            return self._code

    @contextlib.contextmanager
    def _around(self) -> Iterator[None]:
        """Hold everything that is the user's while the code runs, and note what changed."""
        shell: Any = self._shell
        names = self._names()
        own = {name: shell.user_ns[name] for name in IPYTHONS if name in shell.user_ns}
        last = shell.last_execution_succeeded, shell.last_execution_result
        with (
            self._outside,
            self._history.agent_code(self._code, self._output),
            agent_code.running(self._session),
            unrecorded(shell),
            captured(shell, self._output),
            refused(shell),
            figures.set_aside(),
            self._job.interruptible(),
        ):
            yield
        shell.last_execution_succeeded, shell.last_execution_result = last
        shell.user_ns.update(own)
        for name in IPYTHONS - own.keys():
            shell.user_ns.pop(name, None)
        self._changes = names.pieces(self._names())

    def _names(self) -> Names:
        return Names(self._shell.user_ns, self._shell.user_ns_hidden)

    def _run_here(self) -> None:
        try:
            self._note(self._shell.run_cell(self._code, store_history=False))
            self._show_figures()
        except KeyboardInterrupt as error:  # outside of the code itself: IPython keeps those
            self._error = error

    async def _run_awaiting(self) -> None:
        cell = self._shell.run_cell_async(self._code, store_history=False, transformed_cell=self._transformed)
        self._note(await self._job.awaited(cell))
        try:
            self._show_figures()
        except KeyboardInterrupt as error:
            self._error = error

    def _note(self, result: ExecutionResult | None) -> None:
        self._error = KeyboardInterrupt() if result is None else result.error_before_exec or result.error_in_exec

    def _show_figures(self) -> None:
        for figure in figures.left_open():
            try:
                self._output.bundle({"image/png": images.of_figure(figure)})
            except Exception as error:  # drawing runs code of the user's
                self._output.error(traceback_text(error))

    # -- telling -------------------------------------------------------------------------------------------------------

    def _told(self) -> Ran:
        ran = Ran(
            Outgoing("python", tuple(self._pieces()), tuple(self._output.images)),
            (*self._output.blocks, *self._changes_block()),
            failed=self._error is not None,
            interrupted_by_user=self._job.by_user,
        )
        if self._job.by_user:
            raise UserInterrupt(ran)
        return ran

    def _pieces(self) -> Iterator[Piece]:
        text = self._output.text
        if text:
            yield Piece(text + "\n")
        yield Piece(f"{self._status(bool(text))}\n", Level.NAMES)
        if self._changes:
            yield from (Piece("Changed: ", Level.NAMES), *self._changes)

    def _status(self, has_output: bool) -> str:
        interrupted = isinstance(self._error, (KeyboardInterrupt, asyncio.CancelledError))
        stopped = "the user interrupted it" if self._job.by_user else self.reason
        if stopped:
            return f"Stopped, as {stopped}." if interrupted else f"Ran on when interrupted, as {stopped}; it has ended."
        if self._error is not None:
            return f"Failed: {type(self._error).__name__}."
        return "Done." if has_output else "Done, without output."

    def _changes_block(self) -> list[Json]:
        text = "".join(piece.text for piece in self._changes)
        return [{"kind": "changes", "text": text}] if text else []
