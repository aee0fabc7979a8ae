"""Serving: answers what an agent asks of this process: permissions, and its reading and writing of files."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from opencode_nb.acp import calls, files
from opencode_nb.acp.files import Write
from opencode_nb.acp.talk import Talk
from opencode_nb.acp.wire import INVALID, RpcError, refusal
from opencode_nb.errors import NotFoundError
from opencode_nb.tools.names import own_tool
from opencode_nb.transcript.attribution import located
from opencode_nb.transcript.state import Json

BEGIN_SECONDS = 5.0
"""Seconds for a call to begin that is asked about; after that, it is asked about as it is."""

CANCELLED: Json = {"outcome": {"outcome": "cancelled"}}
_KINDS = {"once": ("allow_once", "allow_always"), "reject": ("reject_once", "reject_always")}
"""The options of a permission request that stand for a reply, the fitting one first."""


class Serving:
    """Answers the requests of an agent, and tells `apply` what follows from them.

    It works in the first of `roots`, and may use the others.

    `decided` is set before it is used: it returns the answer to a request in a mode of the agent if nobody is to be
    asked, "once" or "reject", else "".
    """

    decided: Callable[[str, Json], Literal["once", "reject", ""]]

    def __init__(
        self, roots: Sequence[Path], talk_of: Callable[[str], Talk], apply: Callable[[Iterable[Json]], None]
    ) -> None:
        self._roots, self._talk_of, self._apply = roots, talk_of, apply
        self._numbers = itertools.count(1)
        self._answers: dict[str, Callable[[Talk, Json], Awaitable[Any]]] = {
            "session/update": self._update,
            "session/request_permission": self._ask,
            "fs/read_text_file": self._read,
            "fs/write_text_file": self._write,
        }

    async def serve(self, method: str, params: Json) -> Any:
        """Take a notification of the agent, or answer its request. Raises RpcError for those not known here."""
        answer = self._answers.get(method)
        if answer is None:
            raise refusal(method)
        return await answer(self._talk_of(str(params.get("sessionId"))), params)

    async def _update(self, talk: Talk, params: Json) -> None:
        update = params.get("update")
        if isinstance(update, dict) and not talk.reopening:
            self._apply(talk.events.update(update))
            talk.news.set()

    # -- permissions -----------------------------------------------------------------------------------------------

    async def _ask(self, talk: Talk, params: Json) -> Json:
        """Put a request for permission to whoever answers in the session's turn; return the chosen option."""
        call, options = params.get("toolCall"), params.get("options")
        if talk.prompting is None or not isinstance(call, dict):
            return CANCELLED
        if own_tool(calls.tool_of(call)):
            await self._begun(talk, str(call.get("toolCallId")))
        reply = await self._replied(talk, call)
        offered = [option for option in options or () if isinstance(option, dict)]
        return CANCELLED if reply is None else _chosen(offered, reply)

    async def _begun(self, talk: Talk, call_id: str) -> None:
        """Wait for a call of a tool of this process to begin, soon after OpenCode asks about it: with its input."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEGIN_SECONDS):
                while talk.events.is_pending(call_id):
                    talk.news.clear()
                    await talk.news.wait()

    async def _replied(self, talk: Talk, call: Json) -> str | None:
        """Ask about a call; return "once" or "reject", None if nobody answers any more."""
        request_id = f"per_acp{next(self._numbers)}"
        *before, asking = talk.events.asked(request_id, call)
        self._apply(before)
        if answer := self.decided(talk.events.mode, asking["properties"]):
            return answer
        reply: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        talk.asked[request_id] = reply
        self._apply([asking])
        try:
            replied = await reply
        except asyncio.CancelledError:
            return None
        finally:
            talk.asked.pop(request_id, None)
        if replied != "reject":
            talk.granted.add(str(call.get("toolCallId")))
        return replied

    @staticmethod
    def reply(talks: Iterable[Talk], request_id: str, reply: str) -> bool:
        """Pass on the answer to a request. Raises NotFoundError if nobody waits for it."""
        for talk in talks:
            waiting = talk.asked.get(request_id)
            if waiting is not None and not waiting.done():
                waiting.set_result(reply)
                return True
        raise NotFoundError("The agent no longer waits for this answer.")

    # -- files -----------------------------------------------------------------------------------------------------

    async def _read(self, _talk: Talk, params: Json) -> Json:
        return await asyncio.to_thread(files.read, self._roots, params)

    async def _write(self, talk: Talk, params: Json) -> Json:
        """Write a file. What no granted call of the turn is about is asked about first, as an edit."""
        if talk.prompting is None:
            raise RpcError("No turn is running: files are written in turns only.", INVALID)
        path = files.inside(self._roots, params)
        call = next((one for one in talk.events.changing() if path in self._files(one)), None)
        is_granted = call is not None and call["toolCallId"] in talk.granted
        async with talk.writing:
            write = await asyncio.to_thread(Write.of, path, params)
            if is_granted:
                await asyncio.to_thread(write.carry_out)
            elif call is not None:
                await self._allowed(talk, {"toolCallId": call["toolCallId"], "kind": "edit", "content": [write.diff]})
                await asyncio.to_thread(write.carry_out)
            else:
                await self._write_untold(talk, write)
        return {}

    async def _write_untold(self, talk: Talk, write: Write) -> None:
        """Write what the agent has told no call about: it is shown as one, and so can be taken back."""
        call = calls.of_write(f"fs{next(self._numbers)}", write.diff)
        told = {"sessionUpdate": "tool_call_update", "toolCallId": call["toolCallId"]}
        try:
            await self._allowed(talk, call)
            await asyncio.to_thread(write.carry_out)
        except RpcError as error:
            self._apply(talk.events.update({**told, "status": "failed", "rawOutput": str(error)}))
            raise
        self._apply(talk.events.update({**told, "status": "completed"}))

    async def _allowed(self, talk: Talk, call: Json) -> None:
        """Raise RpcError unless a call is allowed."""
        if await self._replied(talk, call) in (None, "reject"):
            raise RpcError("The user does not allow this edit.", INVALID)

    def _files(self, call: Json) -> set[Path]:
        return {located(name, self._roots[0]) for name in calls.files_of(call)}


def _chosen(options: list[Json], reply: str) -> Json:
    """Return the option for a reply; "cancelled" if the agent offers none."""
    for kind in _KINDS[reply]:
        for option in options:
            if option.get("kind") == kind:
                return {"outcome": {"outcome": "selected", "optionId": option.get("optionId")}}
    return CANCELLED
