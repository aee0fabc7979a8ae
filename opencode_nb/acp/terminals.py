"""Terminals: the commands that an agent runs through this process, with what they print. asyncio only.

Each is run by a keeper of its own (server/stdio_keeper.py), which ends it with all it started when it is killed or
released, and when this process ends, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shlex
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opencode_nb.acp.kept import start_kept
from opencode_nb.acp.wire import INVALID, RpcError
from opencode_nb.server import stdio_keeper
from opencode_nb.transcript.state import Json

OUTPUT_BYTES = 1 << 20
"""Bytes of output that are kept of a command, from its end, unless the agent wants fewer."""

SHOW_SECONDS = 0.1
"""Seconds between two updates of what a command prints."""

END_SECONDS = stdio_keeper.INPUT_SECONDS + stdio_keeper.TERM_SECONDS + 5.0
"""Seconds in which a command that is killed has ended, with all it started."""

_READ = 1 << 16
_SIGNALS = 64
_SHELLS = ("sh", "bash", "zsh", "dash")


def command_of(params: Json) -> list[str]:
    """Return the program and arguments to run: a whole command line, which some agents send, goes to a shell."""
    command, args = params.get("command"), params.get("args") or []
    if not isinstance(command, str) or not command or not isinstance(args, list):
        raise RpcError("There is no command to run.", INVALID)
    words = [command, *map(str, args)]
    if any("\0" in word for word in words):
        raise RpcError("A command cannot contain NUL.", INVALID)
    return ["/bin/sh", "-c", command] if not args and shutil.which(command) is None else words


def line_of(params: Json) -> str:
    """Return a command as a person would write it: what a shell is told by `-c` rather than the shell."""
    command, args = str(params.get("command")), [str(one) for one in params.get("args") or ()]
    if Path(command).name in _SHELLS and len(args) == 2 and args[0] in ("-c", "-lc"):
        return args[1]
    return shlex.join([command, *args]) if args else command


def variables_of(params: Json) -> str:
    """Return the variables that a command gets beside the agent's, as a shell takes them: `A=1 B='2 3'`."""
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in _variables(params).items())


def _variables(params: Json) -> dict[str, str]:
    named = [one for one in params.get("env") or () if isinstance(one, dict)]
    return {str(one.get("name")): str(one.get("value")) for one in named}


class Terminal:
    """A command and the end of its output, `text`. Calls `shown` with itself now and then, and when it has ended."""

    def __init__(self, process: Process, lifeline: int, most: int, shown: Callable[[Terminal], None]) -> None:
        self.truncated = False
        self._process, self._lifeline, self._most, self._shown = process, lifeline, most, shown
        self._output = bytearray()
        self._showing: asyncio.TimerHandle | None = None
        self._reading = asyncio.create_task(self._read(), name="opencode_nb terminal")

    @classmethod
    async def start(
        cls, command: Sequence[str], env: Mapping[str, str], cwd: Path, most: int, shown: Callable[[Terminal], None]
    ) -> Terminal:
        """Run a command. Raises RpcError if it cannot be run."""
        try:
            process, lifeline = await start_kept(command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=env, cwd=cwd)
        except OSError as error:
            raise RpcError(f"{shlex.join(command)} could not be started: {error}", INVALID) from error
        return cls(process, lifeline, most, shown)

    @property
    def text(self) -> str:
        """The end of what it printed."""
        return self._output.decode(errors="replace")

    @property
    def status(self) -> Json | None:
        """How it ended: `exitCode` or `signal`; None while it runs."""
        code = self._process.returncode
        if code is None:
            return None
        if code < 256 - _SIGNALS:
            return {"exitCode": code, "signal": None}
        return {"exitCode": None, "signal": _name(256 - code)}

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(_READ):
            self._keep(data)
            if self._showing is None:
                self._showing = asyncio.get_running_loop().call_later(SHOW_SECONDS, self._show)
        await self._process.wait()
        if self._showing is not None:
            self._showing.cancel()
        self._show()

    def _keep(self, data: bytes) -> None:
        self._output += data
        over = len(self._output) - self._most
        if over > 0:
            while over < len(self._output) and self._output[over] & 0xC0 == 0x80:  # inside of a character
                over += 1
            del self._output[:over]
            self.truncated = True

    def _show(self) -> None:
        self._showing = None
        self._shown(self)

    async def ended(self) -> Json:
        """Wait until it has ended, and all it printed is here; return its status."""
        await asyncio.shield(self._reading)
        return self.status or {}

    async def kill(self) -> None:
        """End it with all it started; return when that is done."""
        if self._lifeline < 0:
            return
        os.close(self._lifeline)
        self._lifeline = -1
        self._signal(signal.SIGTERM)
        _done, going_on = await asyncio.wait([self._reading], timeout=END_SECONDS)
        if going_on:
            self._signal(signal.SIGKILL)
            self._reading.cancel()

    def _signal(self, signum: int) -> None:
        """Signal the command's process group, which is its keeper's."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signum)


class Terminals:
    """The commands of an agent's sessions. `env` are the variables of the agent."""

    def __init__(self, cwd: Path, env: Mapping[str, str]) -> None:
        self._cwd, self._env = cwd, env
        self._all: dict[tuple[str, str], Terminal] = {}
        self._numbers = itertools.count(1)

    async def create(self, session_id: str, params: Json, shown: Callable[[str, Terminal], None]) -> Json:
        """Run a command; call `shown` with the terminal's id and itself as it does. Raises RpcError."""
        terminal_id = f"term_{next(self._numbers)}"
        limit = params.get("outputByteLimit")
        most = min(limit, OUTPUT_BYTES) if isinstance(limit, int) else OUTPUT_BYTES
        env = {**self._env, **_variables(params)}
        self._all[session_id, terminal_id] = await Terminal.start(
            command_of(params), env, self._directory(params), most, lambda terminal: shown(terminal_id, terminal)
        )
        return {"terminalId": terminal_id}

    def elsewhere(self, params: Json) -> str:
        """Return the directory that a command is to be run in; "" if that is the session's."""
        path = self._directory(params)
        return "" if path == self._cwd else str(path)

    def _directory(self, params: Json) -> Path:
        named: Any = params.get("cwd")
        path = self._cwd if named is None else Path(str(named))
        if not path.is_absolute() or not path.is_dir():
            raise RpcError(f"There is no directory {named}: give an absolute path.", INVALID)
        return path

    def _of(self, session_id: str, params: Json) -> Terminal:
        found = self._all.get((session_id, str(params.get("terminalId"))))
        if found is None:
            raise RpcError(f"There is no terminal {params.get('terminalId')!r} in this session.", INVALID)
        return found

    def output(self, session_id: str, params: Json) -> Json:
        """Return what a command has printed, and how it ended if it has."""
        terminal = self._of(session_id, params)
        status = {} if terminal.status is None else {"exitStatus": terminal.status}
        return {"output": terminal.text, "truncated": terminal.truncated, **status}

    async def ended(self, session_id: str, params: Json) -> Json:
        """Wait for a command to end; return how it did."""
        return await self._of(session_id, params).ended()

    async def kill(self, session_id: str, params: Json) -> Json:
        """End a command; its output can still be read."""
        await self._of(session_id, params).kill()
        return {}

    async def release(self, session_id: str, params: Json) -> Json:
        """End a command, and forget it."""
        await self._of(session_id, params).kill()
        self._all.pop((session_id, str(params.get("terminalId"))), None)
        return {}

    async def stop(self, session_id: str) -> None:
        """End the commands of a session; their output can still be read."""
        await asyncio.gather(*(terminal.kill() for key, terminal in self._all.items() if key[0] == session_id))

    async def end(self, session_id: str | None = None) -> None:
        """End the commands of a session, by default of all, and forget them."""
        keys = [key for key in self._all if session_id in (None, key[0])]
        await asyncio.gather(*(self._all.pop(key).kill() for key in keys))


def _name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
