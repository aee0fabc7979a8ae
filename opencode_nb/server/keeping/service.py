"""The keeper: run one server for its holders, restart it after a crash, end it after the last holder."""

from __future__ import annotations

import json
import os
import signal
import socket
import time

from .holders import Door, Holder
from .loop import Loop
from .processes import KILL_SECONDS, TOOL_TERM_SECONDS, descendants, end_descendants, reap
from .program import END_SECONDS as PROGRAM_END_SECONDS
from .program import Program, free_port

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from typing import Any

PAUSES = (0.0, 0.25, 0.5, 1.0, 2.0)  # seconds before each restart after a crash; after the last one, give up
QUICK_SECONDS = 60.0  # a crash after a longer run counts as the first
AGAIN_SECONDS = 60.0  # to become ready again: a very busy machine takes 25
HEARD_SECONDS = 0.1  # lets holders learn the reason before they see turns aborted
END_SECONDS = HEARD_SECONDS + PROGRAM_END_SECONDS + TOOL_TERM_SECONDS + KILL_SECONDS


class Keeper:
    """Runs the job: one thread, one loop, so that starting the server by fork is safe."""

    def __init__(self, lifeline: int) -> None:
        self._loop = Loop()
        self._watch_signals()
        self._loop.watch(lifeline, lambda: self._on_guard_gone(lifeline))
        self._holders: list[Holder] = []
        self._tools: dict[tuple[str, str], Holder] = {}  # who registered an MCP server last, by name and directory
        self._door: Door | None = None
        self._job: dict[str, Any] = {}
        self._program = Program(self._loop, self._on_ready)
        self._phase = "starting"
        self._served = False  # the server has been ready at least once
        self._restarts = self._crashes = 0
        self._asked = False  # to restart
        self._told_to_end = self._unguarded = False
        self._reason = ""  # why it ends although held
        self._until = 0.0  # how long it runs without a holder

    def run(self) -> None:
        """Run the server, with all its restarts, to its end."""
        first = Holder(socket.socket(fileno=0))
        messages: list[dict[str, Any]] | None = []
        while messages == []:
            messages = first.receive()
        if messages:
            self._take_job(messages[0], first)
            while self._live():
                self._restarts += 1
            self._finish()

    def _take_job(self, job: dict[str, Any], first: Holder) -> None:
        self._job, self._restarts = job, job["restarts"]
        self._job["port"] = job["port"] or free_port()
        if job["socket"]:
            self._door = Door(socket.socket(fileno=1), job["socket"])
            self._loop.watch(self._door.fileno(), self._admit)
        first.pid, first.label = job["holder"]["pid"], job["holder"]["label"]
        self._take_in(first)

    # the server and its restarts

    def _live(self) -> bool:
        """Run the server once; return whether to start it again."""
        program = self._program = Program(self._loop, self._on_ready)
        self._tools.clear()  # a new server knows none
        program.start([*self._job["argv"], str(self._job["port"])], self._job["env"], self._job["cwd"])
        self._tell("starting")
        # The first start has no limit here: the holder that waits sets one.
        self._loop.wait(lambda: bool(program.url) or self._over, AGAIN_SECONDS if self._served else None)
        if program.url:
            self._loop.wait(lambda: self._over)
        pause = None if self._abandoned else self._pause()
        if pause is None:
            return False
        self._tell("down")
        self._end_program()
        self._loop.wait(lambda: self._abandoned, pause)
        return not self._abandoned

    @property
    def _over(self) -> bool:
        return self._program.ended or self._asked or self._abandoned

    def _pause(self) -> float | None:
        """Return the seconds until the restart, None for no restart."""
        if self._asked:
            self._asked = False
            return 0.0
        if not (self._served and self._job["revive"]):
            return None
        self._crashes = self._crashes + 1 if time.monotonic() - self._program.since < QUICK_SECONDS else 1
        return PAUSES[self._crashes - 1] if self._crashes <= len(PAUSES) else None

    def _end_program(self, word: str = "") -> None:
        """End the server, report phase `word`, and end what its tools left running."""
        known = descendants(os.getpid(), {})
        self._program.end(self._job["username"], self._job["password"])
        self._program.close()
        if word:
            self._tell(word)
        end_descendants(known)

    def _finish(self) -> None:
        if self._reason:  # before the server aborts its turns, which would look like a user's abort
            self._tell("ending")
            self._loop.wait(lambda: False, HEARD_SECONDS)
        if self._door:
            self._loop.unwatch(self._door.fileno())
            self._door.close()
        # Without a guard, do not report "ended": the closed connections make the holders start another keeper.
        self._end_program("" if self._unguarded else "ended")

    def _on_ready(self) -> None:
        self._served = True
        self._tell("ready")

    # holders

    @property
    def _abandoned(self) -> bool:
        """Whether the server has to end."""
        if self._told_to_end or self._unguarded:
            return True
        if self._door and not self._holders and time.monotonic() >= self._until:
            self._admit()  # a holder may be connecting right now
        return not self._holders and time.monotonic() >= self._until

    def _admit(self) -> None:
        while self._door and (connection := self._door.admit()):
            self._take_in(Holder(connection))

    def _take_in(self, holder: Holder) -> None:
        self._holders.append(holder)
        self._loop.watch(holder.connection.fileno(), lambda: self._hear(holder))

    def _hear(self, holder: Holder) -> None:
        messages = holder.receive()
        if messages is None:
            self._let_go(holder)
            self._tell(self._phase)
            return
        for message in messages:
            if message["op"] == "hold":
                holder.pid, holder.label = message["pid"], message["label"]
                self._tell(self._phase)
            elif message["op"] == "restart" and self._phase == "ready":
                self._asked = True
            elif message["op"] == "tools":
                self._note_tools(holder, (message["name"], message["directory"]), message["registered"])

    def _note_tools(self, holder: Holder, tools: tuple[str, str], registered: bool) -> None:
        if registered:
            self._tools[tools] = holder
        elif self._tools.get(tools) is holder:
            del self._tools[tools]

    def _disconnect_tools(self, holder: Holder) -> None:
        """Have the server forget the MCP servers of a holder that left, but for those that another one took over."""
        for tools in [key for key, last in self._tools.items() if last is holder]:
            del self._tools[tools]
            self._program.disconnect_tools(*tools, self._job["username"], self._job["password"])

    def _let_go(self, holder: Holder) -> None:
        self._loop.unwatch(holder.connection.fileno())
        self._holders.remove(holder)
        holder.connection.close()
        self._disconnect_tools(holder)
        if not self._holders:  # no grace for a server that was never ready
            self._until = time.monotonic() + (self._job["grace"] if self._served else 0.0)
            self._loop.alarm = self._until

    def _tell(self, phase: str) -> None:
        """Send the whole state to every holder, so that latecomers know as much.

        Repeat without holders that turn out to be gone, until none is: the others must not count them.
        """
        self._phase = phase
        while gone := self._told_in_vain():
            for holder in gone:
                holder.cut()
                self._let_go(holder)

    def _told_in_vain(self) -> list[Holder]:
        line = json.dumps(self._state()).encode() + b"\n"
        return [holder for holder in self._holders if not holder.tell(line)]

    def _state(self) -> dict[str, Any]:
        program, job = self._program, self._job
        return {
            **{name: job[name] for name in ("username", "password", "log", "mark")},
            "phase": self._phase,
            "group": os.getpgrp(),
            "program": job["argv"][0],
            "pid": program.pid,
            "url": program.url,
            "code": program.exit_code,
            "reason": self._reason,
            "tail": program.tail.decode(errors="replace") if program.ended else "",
            "age": time.monotonic() - program.since,
            "restarts": self._restarts,
            "holders": [[holder.pid, holder.label] for holder in self._holders if holder.pid],
        }

    # signals

    def _watch_signals(self) -> None:
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        # Handlers that do nothing, not SIG_IGN: a program started from here must not inherit ignored signals.
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(signum, lambda *_: None)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        self._loop.watch(read_end, lambda: self._on_signals(os.read(read_end, 512)))

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers or signal.SIGHUP in numbers:
            self._told_to_end, self._reason = True, "its keeper was told to end"
        codes, _ = reap()
        if self._program.pid in codes:
            self._program.exited(codes[self._program.pid])

    def _on_guard_gone(self, lifeline: int) -> None:
        self._loop.unwatch(lifeline)
        self._unguarded, self._reason = True, "its guard was killed"
