"""AgentProcess: the process of an agent, its pipes and its log. asyncio only.

A keeper of its own (server/stdio_keeper.py) runs the agent, and ends it with all it started when this process ends,
however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shlex
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path

from opencode_nb.acp.kept import start_kept
from opencode_nb.errors import BinaryNotFoundError, ServerStartError
from opencode_nb.server import logs, stdio_keeper
from opencode_nb.transcript.state import Json

log = logging.getLogger("opencode_nb")

BUFFER = 1 << 20
"""Bytes of a message to read at once. Longer ones are put together."""

LARGEST = 128 << 20
"""Bytes of a message at most: an agent whose message is longer is given up, as nothing says when it would end."""

END_SECONDS = stdio_keeper.INPUT_SECONDS + stdio_keeper.TERM_SECONDS + 5.0
"""Seconds in which an agent and all it started have ended; then its keeper is killed."""

TAIL_LINES = 20
"""Lines of the log in error messages."""

SHOWN = 200
"""Characters of a line that is no message, in error messages."""


class AgentProcess:
    """A running agent: `send` and `receive` messages, as JSON, one a line. Created by `start`.

    `strange` is the last line that it printed and that is no message, `fault` why it was given up. `log_path` is where
    its errors go.
    """

    def __init__(self, process: Process, lifeline: int, log_path: Path, command: Sequence[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.log_path: Path | None = log_path
        self.command: Sequence[str] = command
        self.strange = self.fault = ""
        self._process, self._lifeline, self._log = process, lifeline, log_path
        self._input, self._output = process.stdin, process.stdout
        self._silent = asyncio.Event()  # its output has ended

    @classmethod
    async def start(cls, command: Sequence[str], env: Mapping[str, str], directory: Path) -> AgentProcess:
        """Start a program. Raises BinaryNotFoundError, ServerStartError."""
        if sys.platform == "win32":
            raise ServerStartError("Agents of the Agent Client Protocol need Linux or macOS.")
        program = shutil.which(command[0], path=env.get("PATH"))
        if program is None:
            raise BinaryNotFoundError(f"There is no program {command[0]!r} on PATH. Install it, or give command=.")
        if not await asyncio.to_thread(directory.is_dir):
            raise ServerStartError(f"No directory at {directory}: create it, or give another one as cwd=.")
        errors, log_path = await asyncio.to_thread(logs.open_log)
        pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": errors, "limit": BUFFER}
        try:
            process, lifeline = await start_kept([program, *command[1:]], env=env, cwd=directory, **pipes)
        except OSError as error:
            raise ServerStartError(f"{shlex.join(command)} could not be started: {error}") from error
        finally:
            os.close(errors)
        return cls(process, lifeline, log_path, command)

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.returncode

    @property
    def tail(self) -> str:
        """The end of its log."""
        return logs.tail(self._log, TAIL_LINES)

    @property
    def told(self) -> str:
        """What it is, and its last output, for error messages."""
        strange = f" It printed {self.strange!r}, which is no message of the protocol." if self.strange else ""
        tail = self.tail
        return f"Command: {shlex.join(self.command)}.{strange}" + (f" Its last output:\n{tail}" if tail else "")

    # -- messages: a transport as the acp package's Connection takes it --------------------------------------------

    async def send(self, message: Json) -> None:
        """Send a message. Raises OSError if a request cannot be sent, as the agent has ended; an answer is lost."""
        self._input.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        with contextlib.suppress(*(() if "method" in message else (OSError,))):
            await self._input.drain()

    async def receive(self) -> Json | None:
        """Return the next message, None at the end. Skips what is none."""
        while line := await self._line():
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    return message
            if text := logs.plain(line.decode(errors="replace")).strip():
                self.strange = text[:SHOWN]
                log.warning("The agent printed a line that is no message: %s", self.strange)
        self._silent.set()
        return None

    async def _line(self) -> bytes:
        pieces: list[bytes] = []
        while not self.fault:
            try:
                return b"".join([*pieces, await self._output.readuntil(b"\n")])
            except asyncio.LimitOverrunError as error:
                pieces.append(await self._output.readexactly(error.consumed))
                if sum(map(len, pieces)) > LARGEST:
                    self.fault = f"sent a message of more than {LARGEST >> 20} MB, and was given up"
            except asyncio.IncompleteReadError as error:
                return b"".join([*pieces, error.partial])
        return b""

    async def close(self) -> None:
        """End it, with all it started; return when that is done. May be called again."""
        self._input.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        try:
            async with asyncio.timeout(END_SECONDS):
                while self.fault and await self._output.read(BUFFER):  # until the pipe is empty, it does not end
                    pass
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def silent(self) -> None:
        """Wait until its output has ended, as it does with the agent."""
        await self._silent.wait()

    async def ended(self) -> None:
        """Wait until it has ended."""
        await self._process.wait()
