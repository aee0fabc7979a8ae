"""A real kernel with a minimal front end, which records every message from the kernel."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

WAIT = 60
"""Seconds for the next message; a cold server and the first prompt take about 10 on a busy machine."""

NUDGE = 5
"""Seconds without a message after which another connection speaks: ipykernel 7.0 to 7.3 overlook a request that comes
just as they send a reply (docs/jupyter.md)."""

Message = dict[str, Any]


class Kernel:
    """One kernel; `messages` has everything it sent, in order, on all channels."""

    def __init__(
        self, directory: Path, env: Mapping[str, str], *, allow_stdin: bool = True, python: Path | None = None
    ) -> None:
        self.messages: list[Message] = []
        self.manager = KernelManager(kernel_name="python3")
        if python is not None and self.manager.kernel_spec is not None:
            self.manager.kernel_spec.argv[0] = str(python)
        self.manager.start_kernel(cwd=str(directory), env=dict(env))
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.client.allow_stdin = allow_stdin
        self.client.start_channels()
        self.client.wait_for_ready(timeout=WAIT)
        self._others: list[BlockingKernelClient] = []

    def restart(self) -> None:
        """Restart it, as a front end does: it keeps its id."""
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=WAIT)

    @property
    def pid(self) -> int:
        """Return the kernel's process."""
        provisioner: Any = self.manager.provisioner
        return int(provisioner.pid)

    def start(self, code: str) -> str:
        """Start a cell; return its id."""
        return str(self.client.execute(code, store_history=True))

    def finish(self, cell: str, answers: tuple[str, ...] = ()) -> list[Message]:
        """Wait until a cell has ended, giving `answers` to its `input()` calls; return its iopub messages."""
        waiting, began = list(answers), len(self.messages)
        deadline = time.monotonic() + WAIT
        nudge = time.monotonic() + NUDGE
        while time.monotonic() < deadline:
            message = self._next()
            if message is None:
                if len(self.messages) == began and time.monotonic() > nudge:
                    nudge += NUDGE
                    self._nudge()
                continue
            if message["msg_type"] == "input_request":
                self.client.input(waiting.pop(0))
            if is_idle(message, cell):
                self._shell()
                return [m for m in self.messages[began:] if m["parent_header"].get("msg_id") == cell]
        raise TimeoutError(f"The cell has not ended: {self.messages[began:]}")

    def run(self, code: str, answers: tuple[str, ...] = ()) -> list[Message]:
        """Run a cell to its end; return its iopub messages."""
        return self.finish(self.start(code), answers)

    def wait_for(self, kind: str) -> Message:
        """Return the next message of this kind."""
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            message = self._next()
            if message is not None and message["msg_type"] == kind:
                return message
        raise TimeoutError(f"No {kind} came")

    def _next(self) -> Message | None:
        """Return the next message of iopub or stdin, None if none arrives within 0.1 s."""
        for channel in (self.client.stdin_channel, self.client.iopub_channel):
            if channel is self.client.iopub_channel or channel.msg_ready():
                try:
                    self.messages.append(channel.get_msg(timeout=0.1))
                except Empty:
                    return None
                return self.messages[-1]
        return None

    def _nudge(self) -> None:
        """Send a message on a connection of its own."""
        other: BlockingKernelClient = self.manager.blocking_client()
        other.start_channels(iopub=False, stdin=False, hb=False, control=False)
        other.kernel_info()
        self._others.append(other)

    def _shell(self) -> None:
        self.messages.append(self.client.get_shell_msg(timeout=WAIT))

    def close(self) -> None:
        """Shut the kernel down, as a front end does."""
        for client in (self.client, *self._others):
            client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=False)


def is_idle(message: Message, cell: str) -> bool:
    """Return whether this message ends that cell."""
    ours = message["parent_header"].get("msg_id") == cell
    return ours and message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"


def printed(messages: list[Message]) -> str:
    """Return a cell's printed text, value and errors as plain text."""
    texts = []
    for message in messages:
        content = message["content"]
        match message["msg_type"]:
            case "stream":
                texts.append(content["text"])
            case "execute_result" | "display_data":
                texts.append(content["data"].get("text/plain", ""))
            case "error":
                texts.append("\n".join(content["traceback"]))
    return "\n".join(texts)
