"""Serving: answers what an agent asks of this process: permissions, files to read and write, and commands to run."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import Any, Literal

from opencode_nb.acp import calls, elicitation, files
from opencode_nb.acp.elicitation import WrongAnswerError
from opencode_nb.acp.files import Write
from opencode_nb.acp.talk import Talk, Talks
from opencode_nb.acp.terminals import Terminal, Terminals, line_of, variables_of
from opencode_nb.acp.wire import INVALID, RpcError, refusal
from opencode_nb.errors import NotFoundError
from opencode_nb.tools.names import own_tool
from opencode_nb.transcript.attribution import located
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.tool_calls import CHANGING

BEGIN_SECONDS = 5.0
"""Seconds for a call to begin that is asked about; after that, it is asked about as it is."""

CANCELLED: Json = {"outcome": {"outcome": "cancelled"}}
ASK_TIMES = 3
"""How often a form is asked for whose answers do not fit it."""

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
        self,
        roots: Sequence[Path],
        terminals: Terminals,
        talks: Talks,
        apply: Callable[[Iterable[Json]], None],
    ) -> None:
        self._roots, self._terminals, self._talks, self._apply = roots, terminals, talks, apply
        self._numbers = itertools.count(1)
        self._answers: dict[str, Callable[[Talk, Json], Awaitable[Any]]] = {
            "session/update": self._update,
            "session/request_permission": self._ask,
            "fs/read_text_file": self._read,
            "fs/write_text_file": self._write,
            "elicitation/create": self._elicit,
            "elicitation/complete": self._visited,
            "terminal/create": self._run,
            "terminal/output": self._terminal(terminals.output),
            "terminal/wait_for_exit": self._terminal(terminals.ended),
            "terminal/kill": self._terminal(terminals.kill),
            "terminal/release": self._terminal(terminals.release),
        }

    async def serve(self, method: str, params: Json) -> Any:
        """Take a notification of the agent, or answer its request. Raises RpcError for those not known here."""
        answer = self._answers.get(method)
        if answer is None:
            raise refusal(method)
        return await answer(self._talks.of(str(params.get("sessionId"))), params)

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
        replied: str | None = await self._waited(talk, request_id, asking)
        if replied in ("once", "always"):
            talk.granted.add(str(call.get("toolCallId")))
        return replied

    async def _waited(self, talk: Talk, request_id: str, asking: Json) -> Any:
        """Tell that something is asked; return the reply to it, None if nobody answers any more."""
        talk.asked[request_id] = asyncio.get_running_loop().create_future()
        self._apply([asking])
        try:
            return await talk.asked[request_id]
        except asyncio.CancelledError:
            return None
        finally:
            talk.asked.pop(request_id, None)

    def reply(self, request_id: str, reply: Any) -> bool:
        """Pass on the answer to a request. Raises NotFoundError if nobody waits for it."""
        for talk in self._talks.values():
            waiting = talk.asked.get(request_id)
            if waiting is not None and not waiting.done():
                waiting.set_result(reply)
                return True
        raise NotFoundError("The agent no longer waits for this answer.")

    # -- questions -------------------------------------------------------------------------------------------------

    async def _elicit(self, talk: Talk, params: Json) -> Json:
        """Put an elicitation as questions to whoever answers in the session's turn."""
        asked, wrong = elicitation.questions(params), ""
        if talk.prompting is None or asked is None:
            return {"action": "cancel"}
        for _again in range(ASK_TIMES):
            answers = await self._answered(talk, params, elicitation.marked(asked, wrong))
            if not isinstance(answers, list):
                return {"action": "cancel" if answers is None else "decline"}
            if params["mode"] == "url":
                return {"action": "accept"}
            try:
                return {"action": "accept", "content": elicitation.content(params, answers)}
            except WrongAnswerError as error:
                wrong = str(error)
        return {"action": "cancel"}

    async def _answered(self, talk: Talk, params: Json, asked: list[Json]) -> Any:
        request_id, page = f"que_acp{next(self._numbers)}", str(params.get("elicitationId") or "")
        talk.pages[page] = request_id
        try:
            asking = talk.events.questioned(request_id, asked, str(params.get("toolCallId") or ""))
            return await self._waited(talk, request_id, asking)
        finally:
            del talk.pages[page]

    async def _visited(self, _talk: Talk, params: Json) -> None:
        """Take that a page was visited: its question need not be answered any more."""
        page = str(params.get("elicitationId"))
        for talk in self._talks.values():
            if (request_id := talk.pages.get(page)) is not None:
                self._apply(talk.events.answered(request_id, [[elicitation.VISITED]]))
                self.reply(request_id, [[elicitation.VISITED]])

    # -- files -----------------------------------------------------------------------------------------------------

    async def _read(self, _talk: Talk, params: Json) -> Json:
        return await asyncio.to_thread(files.read, self._roots, params)

    async def _write(self, talk: Talk, params: Json) -> Json:
        """Write a file. What no granted call of the turn is about is asked about first, as an edit."""
        if talk.prompting is None:
            raise RpcError("No turn is running: files are written in turns only.", INVALID)
        path = files.inside(self._roots, params)
        call = next((one for one in talk.events.open_calls(CHANGING) if path in self._files(one)), None)
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
        try:
            await self._allowed(talk, call)
            await asyncio.to_thread(write.carry_out)
        except RpcError as error:
            self._tell(talk, call["toolCallId"], status="failed", rawOutput=str(error))
            raise
        self._tell(talk, call["toolCallId"], status="completed")

    async def _allowed(self, talk: Talk, call: Json) -> None:
        """Raise RpcError unless a call is allowed."""
        if await self._replied(talk, call) in (None, "reject"):
            raise RpcError("The user does not allow this.", INVALID)

    # -- commands --------------------------------------------------------------------------------------------------

    @staticmethod
    def _terminal(answer: Callable[[str, Json], Any]) -> Callable[[Talk, Json], Awaitable[Any]]:
        async def answered(talk: Talk, params: Json) -> Any:
            result = answer(talk.events.info["id"], params)
            return await result if isawaitable(result) else result

        return answered

    async def _run(self, talk: Talk, params: Json) -> Json:
        """Run a command. What no granted call of the turn is about is asked about first, as a shell command."""
        if talk.prompting is None:
            raise RpcError("No turn is running: commands are run in turns only.", INVALID)
        line, workdir = line_of(params), self._terminals.elsewhere(params)
        told = next((one for one in talk.events.open_calls(["bash"]) if calls.is_about(one, line, workdir)), None)
        call = told or calls.of_command(f"run{next(self._numbers)}", line, workdir, variables_of(params))
        try:
            if call["toolCallId"] not in talk.granted:
                await self._allowed(talk, call)
            shown = partial(self._shown, talk, "" if told else call["toolCallId"])
            created = await self._terminals.create(talk.events.info["id"], params, shown)
        except RpcError as error:
            if not told:
                self._tell(talk, call["toolCallId"], status="failed", rawOutput=str(error))
            raise
        if not told:
            self._tell(talk, call["toolCallId"], content=[{"type": "terminal", **created}])
        return created

    def _shown(self, talk: Talk, call_id: str, terminal_id: str, terminal: Terminal) -> None:
        """Show what a command has printed; end the call, if it is one that stands for the command."""
        self._apply(talk.events.printed(terminal_id, terminal.text))
        if call_id and terminal.status is not None:
            self._tell(talk, call_id, status="completed", rawOutput={"metadata": {"exit": terminal.status["exitCode"]}})

    def _tell(self, talk: Talk, call_id: str, **told: Any) -> None:
        self._apply(talk.events.update({"sessionUpdate": "tool_call_update", "toolCallId": call_id, **told}))

    def _files(self, call: Json) -> set[Path]:
        return {located(name, self._roots[0]) for name in calls.files_of(call)}


def _chosen(options: list[Json], reply: str) -> Json:
    """Return the option for a reply; "cancelled" if the agent offers none."""
    for kind in _KINDS[reply]:
        for option in options:
            if option.get("kind") == kind:
                return {"outcome": {"outcome": "selected", "optionId": option.get("optionId")}}
    return CANCELLED
