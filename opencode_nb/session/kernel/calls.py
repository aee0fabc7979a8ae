"""Calls: tells which call of the transcript an MCP request is, and whether this process allowed it.

An MCP request names neither its session nor its call. It is admitted if the transcript has a running call of the same
tool with the same arguments, once for each. Code runs only on an answer that came from this process (the policy, or a
person here): agents' tools inherit the server's password, so that an allowed shell command could post an approval.
"""

from __future__ import annotations

import asyncio

from opencode_nb.tools.offer import RefusedError
from opencode_nb.tools.tool import Json
from opencode_nb.transcript.state import ELSEWHERE, TurnState, call_id
from opencode_nb.transcript.transcript import Transcript

APPEAR_SECONDS = 20.0
"""Seconds for a call to appear in the transcript: events are up to 0.1 s behind the call, more on a busy machine."""


class Found:
    """A running call: its id, and whether it still runs."""

    def __init__(self, turn: TurnState, part: Json) -> None:
        self.turn, self.id = turn, str(part["callID"])
        self._message, self._part = str(part["messageID"]), str(part["id"])

    @property
    def runs(self) -> bool:
        """Whether the agent still waits for it: an abort ends the call here, but sends nothing to the tool."""
        step = self.turn.steps.get(self._message)
        part = step.parts.get(self._part) if step else None
        return not self.turn.ended and part is not None and _status(part) == "running"


class Calls:
    """The calls of one session's tools, whose full names begin with `prefix`."""

    def __init__(self, transcript: Transcript, prefix: str) -> None:
        self._transcript, self._prefix = transcript, prefix
        self._taken: set[str] = set()
        self._news = asyncio.Event()

    def changed(self) -> None:
        """Look again, after a change in the transcript."""
        self._news.set()

    async def find(self, tool: str, arguments: Json) -> Found:
        """Return the running call with these arguments; each is found once. Raises RefusedError if there is none."""
        try:
            async with asyncio.timeout(APPEAR_SECONDS):
                while (found := self._open(tool, arguments)) is None:
                    await self._change()
        except TimeoutError:
            raise RefusedError(NOT_HERE) from None
        self._taken.add(found.id)
        return found

    async def over(self, call: Found) -> None:
        """Wait until the agent no longer waits for a call."""
        while call.runs:
            await self._change()

    async def _change(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _open(self, tool: str, arguments: Json) -> Found | None:
        for turn in reversed(self._transcript.turns.values()):
            for part in () if turn.ended else turn.parts:
                if self._is_call(part, tool) and (part.get("state") or {}).get("input") == arguments:
                    return Found(turn, part)
        return None

    def _is_call(self, part: Json, tool: str) -> bool:
        named = part.get("type") == "tool" and part.get("tool") == f"{self._prefix}_{tool}"
        return named and _status(part) == "running" and part.get("callID") not in self._taken


def allowed(call: Found, arguments: Json) -> Json:
    """Return the arguments to run a call with: a person may have edited its source.

    Raises RefusedError unless this process allowed exactly this call.
    """
    answers = [made for made in call.turn.decisions if made.call == call.id and made.by != ELSEWHERE]
    for made in answers:
        if made.reply != "reject" and _shows(made.request, arguments):
            return {**arguments, "source": made.message} if made.reply == "edited" else arguments
    if any(_shows(request, arguments) for request in call.turn.approved if call_id(request) == call.id):
        return arguments
    raise RefusedError(NOT_ALLOWED)


def _shows(request: Json, arguments: Json) -> bool:
    """Whether these arguments were what was allowed."""
    return bool((request.get("call") or {}).get("input") == arguments)


def _status(part: Json) -> str:
    return str((part.get("state") or {}).get("status"))


NOT_HERE = "Not run: the kernel does not see this call in its session. Try again; if it fails again, tell the user."
NOT_ALLOWED = (
    "Not run: this was not allowed in the notebook of this kernel, and nothing else counts there. Ask the user to "
    "start the turn and answer the request in the notebook, then call the tool again."
)
