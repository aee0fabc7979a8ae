"""A fresh kernel that runs the cells of a notebook's copy, each for a bounded time. Needs nbclient, imported when used.

Nobody is asked anything there: `input()` raises. What a cell leaves running ends with the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any, Self

from opencode_nb.api.verifying import VERIFYING
from opencode_nb.errors import OpencodeError

if TYPE_CHECKING:
    from nbformat import NotebookNode

START_TIMEOUT = 60
"""Seconds that the kernel may take to start."""
GRACE = 10.0
"""Seconds after an interrupt until the kernel is ended. nbclient itself waits 4 for the rest of the outputs."""
END_TIMEOUT = 10.0
"""Seconds that the kernel may take to end."""
LOOK = 0.5
"""Seconds between looks at how much a cell has shown."""
LARGEST = 50_000_000
"""Characters that a cell may show: an endless one would fill this process's memory."""

_log = logging.getLogger("opencode_nb.verify")
_log.addHandler(logging.NullHandler())  # nbclient's own messages: the report says what they say
_log.propagate = False


class KernelEndedError(Exception):  # internal to this package
    """The kernel is gone, for the reason that the text gives."""


@dataclass(frozen=True, slots=True)
class Raised:
    """An error as the kernel reports it; the traceback is for a terminal."""

    name: str
    text: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a cell did: its outputs in the notebook's format, its error, and why it was stopped, "" if it was not."""

    outputs: list[dict[str, Any]] = field(default_factory=list)
    error: Raised | None = None
    stopped: str = ""


def require_nbclient() -> None:
    """Raise OpencodeError if what runs notebooks is not installed."""
    missing = [name for name in ("nbclient", "nbformat", "ipykernel") if importlib.util.find_spec(name) is None]
    if missing:
        raise OpencodeError(f"This needs {', '.join(missing)}: run `pip install 'opencode_nb[lab]'`.")


class FreshKernel:
    """The kernel that a notebook names, in the notebook's directory, for the duration of the `async with` block."""

    def __init__(self, notebook: NotebookNode, path: Path) -> None:
        from nbclient import NotebookClient

        self._notebook, self._path = notebook, path
        self._client: Any = NotebookClient(
            notebook, timeout=None, startup_timeout=START_TIMEOUT, allow_errors=True, record_timing=False, log=_log
        )
        self._client.on_cell_executed = lambda execute_reply, **_: self._replied(execute_reply)
        self._reply: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The kernel's name."""
        return str(self._client.kernel_name or "the default kernel")

    async def __aenter__(self) -> Self:
        from jupyter_client.kernelspec import NoSuchKernel

        environment = {**os.environ, "JPY_SESSION_NAME": str(self._path), VERIFYING: "1"}
        try:
            self._client.create_kernel_manager()
            await self._client.async_start_new_kernel(
                cwd=str(self._path.parent), env=environment, stdout=DEVNULL, stderr=DEVNULL
            )  # what the kernel itself logs is no output of a cell
            await self._client.async_start_new_kernel_client()
        except NoSuchKernel as error:
            raise OpencodeError(
                f"The kernel {error.name} of {self._path.name} is not installed here: `jupyter kernelspec list` shows "
                "those that are. Choose one of them in the notebook, and save it."
            ) from error
        except BaseException as error:
            await self._end()
            if isinstance(error, (RuntimeError, OSError)):
                raise OpencodeError(f"The kernel {self.name} did not start: {error}.") from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _end(self) -> None:
        """End the kernel and close its channels; whatever state it is in, nothing of it is left."""
        manager, client = self._client.km, self._client.kc
        if manager is None:  # nbclient has cleaned up
            return
        with contextlib.suppress(RuntimeError, TimeoutError):  # it has no process
            if await manager.is_alive():
                await asyncio.wait_for(manager.shutdown_kernel(now=False), END_TIMEOUT)
        await manager.cleanup_resources()
        if client is not None:
            client.stop_channels()

    # -- cells ---------------------------------------------------------------------------------------------------------

    def _replied(self, reply: dict[str, Any]) -> None:
        self._reply = reply.get("content") or {}

    async def run(self, index: int, source: str, timeout: float) -> Ran:
        """Run a cell of the notebook with this source. Raises KernelEndedError if the kernel did not survive it."""
        from nbclient.exceptions import DeadKernelError

        cell = self._notebook.cells[index]
        cell.source, cell.outputs, self._reply = source, [], {}
        running = asyncio.ensure_future(self._client.async_execute_cell(cell, index))
        try:
            stopped = await self._watched(running, cell, timeout)
            await running
        except DeadKernelError:
            raise KernelEndedError("The kernel died.") from None
        except BaseException:
            await self._kill(running)
            raise
        return Ran([dict(output) for output in cell.outputs], self._error(), stopped)

    async def _watched(self, running: asyncio.Future[Any], cell: Any, timeout: float) -> str:
        """Wait for the cell, and interrupt it at a limit; return which one. Raises KernelEndedError if it goes on."""
        end = time.monotonic() + timeout
        while not running.done():
            await asyncio.wait({running}, timeout=max(0.0, min(LOOK, end - time.monotonic())))
            reason = _excess(cell, timeout, end)
            if running.done() or not reason:
                continue
            await self._client.km.interrupt_kernel()
            await asyncio.wait({running}, timeout=GRACE)
            if not running.done():
                raise KernelEndedError(f"{reason} It did not stop when it was interrupted, so its kernel was ended.")
            return reason
        return ""

    async def _kill(self, running: asyncio.Future[Any]) -> None:
        """End the kernel at once: then nbclient's wait for the cell ends by itself."""
        await self._client.km.shutdown_kernel(now=True)
        await asyncio.wait({running}, timeout=END_TIMEOUT)
        if running.done() and not running.cancelled():
            running.exception()  # a task's error that nobody takes is printed

    def _error(self) -> Raised | None:
        reply = self._reply
        if reply.get("status") != "error":
            return None
        traceback = "\n".join(map(str, reply.get("traceback") or []))
        return Raised(str(reply.get("ename") or "Error"), str(reply.get("evalue") or ""), traceback)


def _excess(cell: Any, timeout: float, end: float) -> str:
    """Return which limit a running cell has passed, in words; "" if none."""
    if time.monotonic() >= end:
        return f"It took longer than {timeout:g} s."
    shown = sum(len(str(output.get("text") or output.get("data") or "")) for output in cell.outputs)
    return f"It showed more than {LARGEST // 1_000_000} MB." if shown > LARGEST else ""
