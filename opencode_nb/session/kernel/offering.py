"""Offering: the tools of this process that one session has. Serves them, registers them, and admits their calls.

The opencode server knows them under a name of the session's own, hidden from all other sessions. They are registered
for its directory with the first prompt, and again when the server has lost them or another process took the session.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opencode_nb.errors import OpencodeError
from opencode_nb.session.kernel.calls import Calls, allowed
from opencode_nb.session.kernel.functions import Hosting
from opencode_nb.session.owner import Owner
from opencode_nb.session.permissions.policy import Policy
from opencode_nb.session.permissions.rules import names
from opencode_nb.session.permissions.session_rules import EDIT, Kept, covered, offered_rules, taken_by
from opencode_nb.session.permissions.subjects import Place, subjects
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.names import HIDDEN, server_name
from opencode_nb.tools.offer import FUNCTIONS, KERNEL, Admitted, Offer
from opencode_nb.tools.privacy import Gate, Level
from opencode_nb.tools.server import Endpoint, here
from opencode_nb.tools.tool import Call, Guard, Json, Tool
from opencode_nb.transcript.state import TurnState, call_id
from opencode_nb.transcript.transcript import Transcript

if TYPE_CHECKING:
    from opencode_nb.functions.tool import FunctionTool

log = logging.getLogger("opencode_nb")

CALL_MS = 24 * 60 * 60 * 1000
"""Milliseconds that the server waits for a call: code waits for a busy kernel, and may run for hours."""

REGISTER_SECONDS = 15.0
"""Seconds for the server to connect to the tools: it may run where something else answers at their address."""

WITHDRAW_SECONDS = 5.0
"""Seconds for the server to disconnect."""

NOT_HIDDEN = (
    "The agent gets no tools of this kernel: the server at {url} would show them to all its sessions. Add this to its "
    f'configuration, and restart it: "permission": {{{{"{HIDDEN}": "deny"}}}}'
)
NOT_REACHED = "The agent gets no tools of this kernel: the server at {url} cannot use them: {why}"


class Offering:
    """What one session offers. `problem` says why its agent does not get the tools, else ""; `stop` stops its turn."""

    def __init__(self, owner: Owner, transcript: Transcript, stop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.problem = ""
        self._stop, self._stopping = stop, set[asyncio.Task[None]]()
        self._owner, self._transcript = owner, transcript
        self._name = server_name(transcript.id)
        self._calls = Calls(transcript, self._name)
        self._offer = Offer(self._admit, lambda: self.gate)
        self._hosting = Hosting(owner, transcript)
        self.gate = Gate(Level.FULL, Ledger(transcript.id))
        """What passes data of this process on to the agent: the kernel's gate, once it has offered its tools."""
        self._endpoint: Endpoint | None = None
        self._mine = f"kernel {secrets.token_hex(4)}"  # names this process in the session's rules
        self._asked: set[str] = set()  # full names of the tools that the server asks about
        self._watched: set[str] = set()  # those of which it asks only for the sake of hooks
        self._registered: object = None  # what was registered, and with which stream of which server

    def set(self, tools: Iterable[Tool], gate: Gate | None, *, by: str) -> None:
        """Offer these tools from the next prompt on, in place of those given `by` the same. From any thread.

        Without a gate, their results pass the session's. Raises ValueError if two would have the same name.
        """
        self._offer.set(tools, gate, by=by)
        if by == KERNEL and gate is not None:
            self.gate = gate

    def _offer_functions(self) -> None:
        """Offer the functions that are tools now, at the privacy level of now; nothing at the level none."""
        self.gate.settle()
        functions = self._owner.tools if self.gate.open else ()
        self._offer.set(self._tools_of([*functions]), None, by=FUNCTIONS)

    def _tools_of(self, functions: list[FunctionTool]) -> tuple[Tool, ...]:
        """Return functions as tools. What calls them is loaded with the first."""
        if not functions:
            return ()
        from opencode_nb.functions.calls import offered

        return offered(functions, self._hosting)

    def offers(self, name: str) -> bool:
        """Whether there is a tool of this name, from anyone."""
        return any(tool.name == name for tool in self._offer.tools)

    def full_name(self, name: str) -> str:
        """Return a tool's name as the agent has it; "" if it does not get the tools."""
        return "" if self.problem else f"{self._name}_{name}"

    def changed(self) -> None:
        """Look again at the calls, after a change in the transcript; once the agent is at work, prepare for them."""
        self._calls.changed()
        if self._endpoint is not None and self._transcript.busy:
            here().prepare()
        for turn in reversed(self._transcript.turns.values()):
            if turn.ended:
                break
            for request in list(turn.permissions.values()):
                self._preview(turn, request)

    def _preview(self, turn: TurnState, request: Json) -> None:
        """Show what a tool of ours is going to do, once for each request, when its call is there."""
        call = turn.call_of(request)
        name = str(call.get("tool") or "").removeprefix(f"{self._name}_")
        tool = next((tool for tool in self._offer.tools if tool.name == name and tool.preview), None)
        if tool is None or tool.preview is None or "shown" in call:
            return
        try:
            blocks = tool.preview(Call(self._transcript.id, dict(call["input"]), call_id(request), turn.id))
        except Exception:  # arguments are the model's: whatever they do to a preview, the request must be seen
            log.exception("The preview of %s failed", name)
            blocks = ()
        self._owner.feed.tell(self._transcript.id, "shown", callID=call_id(request), blocks=list(blocks))

    async def ready(self, policy: Policy, guarded: Iterable[str] = ()) -> list[Json]:
        """Have the tools served and registered; return the rules that show them to this session, [] if it gets none.

        `guarded`: tools that hooks may refuse, so that the server asks about them too.
        """
        self._offer_functions()
        if not self._offer.tools:
            await self.withdraw()
            return []
        self.problem = await self._register_if_needed()
        if self.problem:
            return []
        guarded = list(guarded)
        watched = {tool.name for tool in self._offer.tools if any(covered(one, guarded) for one in names(tool.name))}
        asks = {f"{self._name}_{tool.name}": tool.asks or tool.name in watched for tool in self._offer.tools}
        rules = offered_rules(policy, asks, self._mine)
        full = {f"{self._name}_{tool.name}" for tool in self._offer.tools if tool.name in watched and not tool.asks}
        self._watched = {name for name in full if policy.offered(name, asks=False) == "allow"}
        self._asked = {str(rule["permission"]) for rule in rules if rule["action"] == "ask"}
        return rules

    def allows_unasked(self, name: str) -> bool:
        """Whether only hooks have the server ask about this tool, by its full name."""
        return name in self._watched

    @property
    def _guards(self) -> list[Guard]:
        return [tool.guard for tool in self._offer.tools if tool.guard is not None]

    @property
    def kept(self) -> Kept:
        """The files that the agent's file tools are kept off, if it gets the tools that are for them."""
        guards = [] if self.problem else self._guards
        closed = (text for guard in guards for text in guard.closed(self._transcript.id))
        return Kept(tuple(guard.pattern for guard in guards), tuple(closed))

    async def guarded(self, request: Json) -> str:
        """Return why one of the tools has to be used instead of the edit that is asked for; "" if there is none."""
        guards = self._guards
        if request.get("permission") != EDIT or not guards:
            return ""
        mine = Path(self._directory)  # the place is known only if a rule needs it; the call's own paths do not
        paths = _paths(request, self._owner.enforcement.place or Place(mine, mine))
        refusals = [await guard.refusal(self._transcript.id, path) for guard in guards for path in paths]
        return next(filter(None, refusals), "")

    async def withdraw(self) -> None:
        """Refuse further calls, and take the tools from the server, if it has them from here."""
        if self._endpoint is not None:
            here().withdraw(self._name, self._offer)
            self._endpoint = None
        if self._registered is not None:
            self._registered = None
            self._note(registered=False)
            if self._is_last:
                await self._disconnect()

    async def _disconnect(self) -> None:
        client = self._owner.client
        with contextlib.suppress(OpencodeError):  # the server is gone, or has lost them already
            await client.mcp.disconnect(self._name, directory=self._directory, timeout=WITHDRAW_SECONDS)

    # -- registering -----------------------------------------------------------------------------------------------

    async def _register_if_needed(self) -> str:
        """Return what went wrong, or ""."""
        wanted = (self._owner.enforcement.read_from, self._owner.connection.failures, self._offer.described)
        if wanted == self._registered and self._is_last:
            return ""
        self._registered = None
        problem = await self._register()
        if not problem:
            self._registered = wanted
            self._note(registered=True)
        elif problem != self.problem:
            log.warning("%s", problem)
        return problem

    def _note(self, *, registered: bool) -> None:
        """Tell the server's keeper, which disconnects the tools of a kernel that was killed."""
        if self._owner.managed is not None:
            self._owner.managed.note_tools(self._name, self._directory, registered=registered)

    @property
    def _is_last(self) -> bool:
        """Whether no other process took the session since: each leaves its name in the session's rules."""
        return taken_by(self._transcript.info.get("permission") or []) in ("", self._mine)

    @property
    def _directory(self) -> str:
        return str(self._transcript.info.get("directory") or self._owner.directory)

    async def _register(self) -> str:
        url = self._owner.client.base_url
        if not await self._owner.enforcement.hides_tools():
            return NOT_HIDDEN.format(url=url)
        try:
            status = await self._added()
        except (OpencodeError, OSError) as error:
            return NOT_REACHED.format(url=url, why=error)
        connected = status.get("status") == "connected"
        return "" if connected else NOT_REACHED.format(url=url, why=status.get("error") or status.get("status"))

    async def _added(self) -> Json:
        self._endpoint = await here().serve(self._name, self._offer)
        config: Any = {
            "type": "remote",
            "url": self._endpoint.url,
            "headers": {"Authorization": f"Bearer {self._endpoint.token}"},
            "oauth": False,
            "timeout": CALL_MS,
        }
        every: Any = await self._owner.client.mcp.add(
            name=self._name, config=config, directory=self._directory, timeout=REGISTER_SECONDS
        )
        return dict(every.get(self._name) or {})

    # -- calls -----------------------------------------------------------------------------------------------------

    async def _admit(self, tool: Tool, arguments: Json) -> Admitted:
        """Raises RefusedError unless the call is this session's, and was allowed here if it asks."""
        call = await self._calls.find(tool.name, arguments)
        asks = tool.asks or f"{self._name}_{tool.name}" in self._asked
        accepted = allowed(call, arguments) if asks else arguments
        session = self._transcript.id

        def shown(blocks: tuple[Json, ...]) -> None:
            self._owner.feed.tell(session, "shown", callID=call.id, blocks=list(blocks))

        over = partial(self._calls.over, call)
        made = Call(session, accepted, call.id, call.turn.id, edited=accepted != arguments)
        return Admitted(made, shown, over, self._stop_turn)

    def _stop_turn(self) -> None:
        """Stop the turn, as the user has stopped a call of it."""
        task = asyncio.create_task(self._stop(), name="opencode_nb stop of a call")
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)


def _paths(request: Json, place: Place) -> list[Path]:
    """Return the files that a request for an edit is about, with links resolved."""
    spelled = [Path(text) for spellings in subjects(request, place) for text in spellings]
    return sorted({Path(os.path.realpath(path)) for path in spelled if path.is_absolute()})
