"""What ran lately in the kernel, by the user and by the agent, and what runs now."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

from opencode_nb.kernel.printed import printed
from opencode_nb.kernel.running.capture import is_internal
from opencode_nb.kernel.running.clip import clipped, plain
from opencode_nb.kernel.running.output import Output
from opencode_nb.session.permissions import agent_code
from opencode_nb.tools.privacy import Level, Outgoing, Piece
from opencode_nb.tools.reasons import message_of

MOST = 200
"""Pieces of the agent's code, and errors of the user's cells, that are remembered."""

SOURCE = 1_500, 500
SHOWN = 800, 400
"""Characters kept of the head and the tail of a source, and of an output."""


@dataclass(slots=True)
class _Code:
    """Code of the agent's that ran after the user's cell of this number; `output` is "" while it runs."""

    after: int
    source: str
    output: str = ""


@dataclass(frozen=True, slots=True)
class _Running:
    """What runs now, and since when, by the monotonic clock."""

    what: str
    source: str
    since: float


class History:
    """Follows a shell from now on; IPython itself remembers the cells that ran before."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell: Any = shell
        self._agents: deque[_Code] = deque(maxlen=MOST)
        self._errors: dict[int, tuple[str, str]] = {}
        self._running: list[_Running] = []
        shell.events.register("pre_run_cell", self._begun)
        shell.events.register("post_run_cell", self._ended)

    def close(self) -> None:
        """Follow the shell no more."""
        self._shell.events.unregister("pre_run_cell", self._begun)
        self._shell.events.unregister("post_run_cell", self._ended)

    # -- following -----------------------------------------------------------------------------------------------------

    def _begun(self, info: ExecutionInfo) -> None:
        if not agent_code.is_running() and not info.silent:
            self._running = [_Running("A cell of the user's", str(info.raw_cell), time.monotonic())]

    def _ended(self, result: ExecutionResult) -> None:
        if agent_code.is_running():
            return
        self._running = []
        error = result.error_before_exec or result.error_in_exec
        if error is not None and result.execution_count is not None:
            self._errors[result.execution_count] = type(error).__name__, clipped(message_of(error), *SHOWN)
            self._errors = dict(list(self._errors.items())[-MOST:])

    @contextlib.contextmanager
    def agent_code(self, source: str, output: Output) -> Iterator[None]:
        """In the body, the agent's code runs; then keep it with its output."""
        entry = _Code(self._shell.execution_count - 1, clipped(source, *SOURCE))
        self._agents.append(entry)
        self._running.append(_Running("Code of the agent's", source, time.monotonic()))
        try:
            yield
        finally:
            self._running.pop()
            entry.output = clipped(output.text, *SHOWN)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, as far as this has followed the shell."""
        return not self._running

    # -- telling -------------------------------------------------------------------------------------------------------

    def recent(self, count: int) -> Outgoing:
        """Return what ran last, at most `count` cells and pieces of code, oldest first."""
        last = self._shell.execution_count - 1
        cells = [(number, 0, self._cell(number)) for number in range(max(1, last - count + 1), last + 1)]
        codes = [(code.after, 1, _agents_code(code)) for code in self._agents]
        entries = sorted([*cells, *codes], key=lambda entry: entry[:2])[-count:]
        pieces = [piece for _number, _rank, told in entries for piece in told]
        return Outgoing("history", tuple(pieces) or (Piece("Nothing has run yet.", Level.NAMES),))

    def _cell(self, number: int) -> list[Piece]:
        manager = self._shell.history_manager
        inputs = manager.input_hist_raw
        source = inputs[number] if number < len(inputs) else ""
        told = [Piece(f"In[{number}]:", Level.NAMES), Piece(f" {clipped(source.strip(), *SOURCE)}")]
        if output := plain(printed(self._shell, number) or "").strip():
            told.append(Piece(f"\nIn[{number}] printed:\n{clipped(output, *SHOWN)}"))
        shown = manager.output_hist_reprs.get(number)
        if shown:
            told.append(Piece(f"\nOut[{number}]: {clipped(plain(str(shown)), *SHOWN)}"))
        if number in self._errors:
            name, message = self._errors[number]
            told += [Piece(f"\nIn[{number}] failed: {name}", Level.NAMES), Piece(f": {message}")]
        return [*told, Piece("\n\n", Level.NAMES)]

    def progress(self) -> Outgoing:
        """Return what the main thread is doing now. Safe on any thread."""
        running = list(self._running)
        if not running:
            return Outgoing("progress", (Piece("The kernel is idle.", Level.NAMES),))
        pieces = [piece for one in running for piece in _doing(one)]
        stack = _stack()
        if stack:
            pieces.append(Piece(f"The main thread is at:\n{stack}"))
        return Outgoing("progress", tuple(pieces))


def _agents_code(code: _Code) -> list[Piece]:
    shown = f"\n{code.output}" if code.output else ""
    return [
        Piece("The agent's code:", Level.NAMES),
        Piece(f" {code.source.strip()}{shown}"),
        Piece("\n\n", Level.NAMES),
    ]


def _doing(running: _Running) -> Iterator[Piece]:
    seconds = time.monotonic() - running.since
    yield Piece(f"{running.what} has been running for {seconds:.1f} s.\n", Level.NAMES)
    yield Piece(f"{clipped(running.source.strip(), 600, 200)}\n")


def _stack() -> str:
    """Return the main thread's frames of user code, outermost first, without values."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    lines = traceback.extract_stack(frame) if frame is not None else []
    first = next((place for place, line in enumerate(lines) if _is_cell(line.filename)), len(lines))
    users = [line for line in lines[first:] if not is_internal(line.filename)]
    return "".join(traceback.format_list(users[-20:])).rstrip()


def _is_cell(filename: str) -> bool:
    return "ipykernel_" in filename or filename.startswith("<ipython-input")
