"""AcpClient: stands in for the server where an agent runs: sessions, prompts and permissions, over the protocol."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from opencode_nb.acp import auth
from opencode_nb.acp.auth import AuthMethod
from opencode_nb.acp.blocks import blocks
from opencode_nb.acp.events import Events
from opencode_nb.acp.serving import Serving
from opencode_nb.acp.talk import Talk, Talks
from opencode_nb.acp.terminals import Terminals
from opencode_nb.acp.wire import RpcError, Wire
from opencode_nb.api.features import words_of
from opencode_nb.api.stand_in import StandIn
from opencode_nb.api.verifying import refuse_request
from opencode_nb.closest import did_you_mean
from opencode_nb.errors import (
    ModelError,
    NotFoundError,
    NotSupportedError,
    OpencodeError,
    ServerExitedError,
)
from opencode_nb.tools.names import server_name
from opencode_nb.transcript.state import Json

if TYPE_CHECKING:
    from opencode_nb.api.spec import Row

BEFORE_SECONDS = 5.0
"""Seconds for the turn before to end, which may have been stopped, when the next prompt is to be sent."""

LISTED_PAGES = 100
"""Pages of sessions to ask for at most: an agent could go on for ever."""

_CAPABILITIES: Mapping[str, Sequence[tuple[str, ...]]] = {
    "mcp.add": [("mcpCapabilities", "http")],
    "session.list": [("sessionCapabilities", "list")],
    "session.fork": [("sessionCapabilities", "fork"), ("loadSession",)],
    "session.delete": [("sessionCapabilities", "delete")],
}
"""Operations that only agents with these capabilities answer."""


class AcpClient(StandIn):
    """Answers the operations of the server that prompts need, by asking an agent. Others raise OpencodeError.

    `name` is what people call the agent. `wire` is set before it is used, and so are `apply`, which takes events, and
    `may_use`, which returns whether a model may answer that nobody named. `serving` answers what the agent asks.
    """

    wire: Wire
    apply: Callable[[Json], None]
    may_use: Callable[[str], bool]

    def __init__(self, roots: Sequence[Path], env: Mapping[str, str], name: str) -> None:
        """`roots` are the directory to work in, then others that may be used; `env` are the agent's variables."""
        super().__init__("agent", str(roots[0]))
        self.name = name
        self.capabilities: Json = {}
        self.auth_methods: list[AuthMethod] = []
        self._here, self._others = roots[0], [str(root) for root in roots[1:]]
        self._closing = set[asyncio.Task[None]]()
        self._talks = Talks(roots[0])
        self._terminals = Terminals(roots[0], env)
        self.serving = Serving(roots, self._terminals, self._talks, self._take)

    def _call(self, row: Row, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        refuse_request(row["method"], row["name"], args[0] if args else "")
        return super()._call(row, args, kwargs)

    def lacks(self, operation: str) -> OpencodeError | None:
        """Return the error of what is not answered here, or what the agent told that it cannot do."""
        lacking = super().lacks(operation)
        can = all(self._can(*names) for names in _CAPABILITIES.get(operation, ()))
        return lacking if lacking or can else self.refusal(operation)

    def refusal(self, operation: str) -> OpencodeError:
        """Return the error of what agents cannot do."""
        return NotSupportedError(f"The agent {self.name} has no {words_of(operation)}.")

    def _take(self, events: Iterable[Json]) -> None:
        for event in events:
            self.apply(event)

    def _can(self, *names: str) -> bool:
        value: Any = self.capabilities
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value is not None and value is not False

    # -- sessions --------------------------------------------------------------------------------------------------

    async def _create(self, *, title: str | None = None, **_fields: Any) -> Json:
        try:
            answer = await self.wire.request("session/new", self._work_in())
        except RpcError as error:
            if error.code != auth.REQUIRED:
                raise
            raise OpencodeError(f"The agent begins no session: {error}. {auth.advice(self.auth_methods)}") from error
        events = self._begun(answer).events
        self._take(events.learned(title=title or events.info["title"]))
        return events.info

    def _begun(self, answer: Json) -> Talk:
        session_id = answer.get("sessionId")
        if not isinstance(session_id, str):
            raise OpencodeError("The agent created a session without an id.")
        talk = self._talks.of(session_id)
        talk.events.offered(answer)
        return talk

    async def _fork(self, session_id: str, *, messageID: str | None = None, **_fields: Any) -> Json:
        if messageID is not None:
            raise NotSupportedError("An agent of the Agent Client Protocol forks whole sessions only: leave out at=.")
        answer = await self.wire.request("session/fork", {"sessionId": session_id, **self._work_in()})
        return self._begun(answer).events.info

    async def _delete(self, session_id: str) -> bool:
        await self.wire.request("session/delete", {"sessionId": session_id})
        self._talks.pop(session_id, None)
        return True

    def release(self, session_id: str) -> None:
        """Free what is held for a session that is no longer open here, by the agent too if it can. Does not wait."""
        if self._talks.pop(session_id, None) is not None:
            self._spawn(self._close(session_id))

    async def _close(self, session_id: str) -> None:
        await self._terminals.end(session_id)
        if self._can("sessionCapabilities", "close"):
            with contextlib.suppress(OpencodeError):  # it is closed, or the agent has ended
                await self.wire.request("session/close", {"sessionId": session_id})

    def ended(self) -> None:
        """End what the agent left running here: it has ended. Does not wait."""
        self._spawn(self._terminals.end())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="opencode_nb agent's end")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _work_in(self, talk: Talk | None = None) -> Json:
        """Return where a session works, and with what. Raises NotSupportedError for directories without a use."""
        if self._others and not self._can("sessionCapabilities", "additionalDirectories"):
            raise self.refusal("directories beside cwd")
        more = {"additionalDirectories": self._others} if self._others else {}
        return {"cwd": str(self._here), "mcpServers": talk.servers if talk else [], **more}

    def _get(self, session_id: str) -> Json:
        return self._talks.of(session_id).events.info

    async def load(self, session_id: str) -> None:
        """Have the agent tell a session's history. Raises NotFoundError if it does not know the session."""
        if not self._can("loadSession"):
            raise self.refusal("way to open earlier sessions")
        events = self._talks.of(session_id).events
        events.load()
        await self._opened("session/load", session_id)
        self._take(events.loaded())

    async def resume(self, session_id: str, info: Json) -> None:
        """Have a new process of the agent go on with a session, of which all is known here: so it tells nothing new."""
        self._talks.of(session_id).events.info = dict(info)
        await self._reopen(session_id)

    async def _reopen(self, session_id: str) -> None:
        talk = self._talks.of(session_id)
        talk.reopening = True
        try:
            if self._can("sessionCapabilities", "resume"):
                await self._opened("session/resume", session_id)
            elif self._can("loadSession"):
                await self._opened("session/load", session_id)
            else:
                raise self.refusal("way to open earlier sessions")
        finally:
            talk.reopening = False

    async def _opened(self, method: str, session_id: str) -> None:
        talk = self._talks.of(session_id)
        try:
            answer = await self.wire.request(method, {"sessionId": session_id, **self._work_in(talk)})
        except RpcError as error:
            raise NotFoundError(f"The agent cannot open the session {session_id}: {error}") from error
        talk.events.offered(answer)

    async def _add_server(self, *, name: str, config: Json, **_fields: Any) -> Json:
        """Give a session the MCP server of this process, by opening it again: the protocol knows no other way."""
        headers = [{"name": header, "value": value} for header, value in config["headers"].items()]
        session_id = next(id for id in self._talks if server_name(id) == name)
        self._talks.of(session_id).servers = [{"type": "http", "name": name, "url": config["url"], "headers": headers}]
        await self._reopen(session_id)
        return {name: {"status": "connected"}}

    def _remove_server(self, name: str, **_fields: Any) -> bool:
        """Give it no more. The agent keeps it until the session is opened again; its calls are refused here."""
        for session_id, talk in self._talks.items():
            if server_name(session_id) == name:
                talk.servers = []
        return True

    async def _list(self, *, search: str | None = None, limit: int | None = None, **_fields: Any) -> list[Json]:
        found: list[Json] = []
        cursor: Json = {}
        for _page in range(LISTED_PAGES):
            page = await self.wire.request("session/list", {"cwd": str(self._here), **cursor})
            listed = [_info(one) for one in page.get("sessions") or () if isinstance(one, dict)]
            here = [info for info in listed if info["directory"] in ("", str(self._here))]  # some agents list all
            found += [info for info in here if (search or "").lower() in info["title"].lower()]
            if not page.get("nextCursor") or (limit and len(found) >= limit):
                break
            cursor = {"cursor": page["nextCursor"]}
        return found[:limit]

    def _status(self) -> Json:
        return {id: {"type": "busy"} for id, talk in self._talks.items() if talk.prompting is not None}

    def _agents(self) -> list[Json]:
        latest = next(reversed(self._talks.values()), None)
        modes = latest.events.option("mode") if latest else {}
        return [
            {"name": value, "mode": "primary", "description": str(option.get("description") or "")}
            for value, option in _values(modes)
        ]

    def _commands(self) -> list[Json]:
        latest = next(reversed(self._talks.values()), None)
        return list(latest.events.commands) if latest else []

    # -- prompts ---------------------------------------------------------------------------------------------------

    async def _prompt(
        self,
        session_id: str,
        *,
        messageID: str,
        parts: list[Json],
        model: Json | None = None,
        agent: str | None = None,
        system: str | None = None,
        **other: Any,
    ) -> None:
        """Send a prompt, after `system` if given; return when it is on its way. What follows is told as events."""
        if lacking := [name for name, value in other.items() if value]:
            raise self.refusal(f"{lacking[0]} for prompts")
        talk = self._talks.of(session_id)
        before = [{"type": "text", "text": system}] if system else []
        sent = blocks([*before, *parts], self.capabilities.get("promptCapabilities") or {})
        await self._rested(talk)
        if model:
            await self._set(session_id, talk.events, "model", f"{model['providerID']}/{model['modelID']}")
        elif not self.may_use(talk.events.model):
            raise ModelError(f"No model is set up, and {talk.events.model} is public. Log in, or name one: model=...")
        if agent:
            await self._set(session_id, talk.events, "mode", agent)
        self._take(talk.events.prompted(messageID, parts))
        talk.granted.clear()
        talk.prompting = asyncio.create_task(self._work(session_id, talk, sent), name=f"opencode_nb {session_id}")

    async def _command(
        self,
        session_id: str,
        *,
        command: str,
        arguments: str,
        model: str = "",
        parts: Sequence[Json] = (),
        **fields: Any,
    ) -> None:
        """Send a slash command, which is a prompt here; return when its turn has ended."""
        if model:
            fields["model"] = dict(zip(("providerID", "modelID"), model.split("/", 1), strict=True))
        text: Json = {"type": "text", "text": f"/{command} {arguments}".strip()}
        await self._prompt(session_id, parts=[text, *parts], **fields)
        if (prompting := self._talks.of(session_id).prompting) is not None:
            await asyncio.shield(prompting)

    async def _rested(self, talk: Talk) -> None:
        """Wait for the turn before. Raises OpencodeError if it goes on."""
        if talk.prompting is None:
            return
        _done, going_on = await asyncio.wait([talk.prompting], timeout=BEFORE_SECONDS)
        if going_on:
            raise OpencodeError("The agent still works on the turn before: wait for it, or abort it, and try again.")

    async def _work(self, session_id: str, talk: Talk, sent: list[Json]) -> None:
        try:
            params = {"sessionId": session_id, "prompt": sent}
            answer = await self.wire.request("session/prompt", params, timeout=None)
        except RpcError as error:
            self._take(talk.events.failed(error.code, str(error), error.data))
        except ServerExitedError:  # the feed has failed the turn
            return
        except OpencodeError as error:
            self._take(talk.events.failed(0, str(error), None))
        else:
            self._take(talk.events.ended(answer))
        finally:
            talk.prompting = None
            talk.withdraw()

    async def _set(self, session_id: str, events: Events, category: str, value: str) -> None:
        """Set the session's model or mode. Raises OpencodeError if the agent has none such."""
        option = events.option(category)
        known = [name for name, _option in _values(option)]
        if option.get("currentValue") == value:
            return
        if value not in known:
            meant = did_you_mean(value, known) if known else " It does not let one choose."
            raise OpencodeError(f"The agent has no {category} {value!r}.{meant}")
        params = {"sessionId": session_id, "configId": option.get("id"), "value": value}
        events.offered(await self.wire.request("session/set_config_option", params))

    async def _abort(self, session_id: str, **_options: Any) -> bool:
        talk = self._talks.of(session_id)
        if talk.prompting is not None:
            await self.wire.notify("session/cancel", {"sessionId": session_id})
            talk.withdraw()
            self._spawn(self._terminals.stop(session_id))
        return True

    def _reply(self, request_id: str, *, reply: str, **_fields: Any) -> bool:
        return self.serving.reply(request_id, reply)

    def _answer_questions(self, request_id: str, *, answers: list[list[str]], **_fields: Any) -> bool:
        return self.serving.reply(request_id, answers)

    def _reject_questions(self, request_id: str, **_fields: Any) -> bool:
        return self.serving.reply(request_id, "reject")

    answers: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "app.agents": _agents,
        "command.list": _commands,
        "mcp.add": _add_server,
        "mcp.disconnect": _remove_server,
        "session.create": _create,
        "session.delete": _delete,
        "session.fork": _fork,
        "session.get": _get,
        "session.list": _list,
        "session.abort": _abort,
        "session.status": _status,
        "session.prompt_async": _prompt,
        "session.command": _command,
        "permission.reply": _reply,
        "question.reply": _answer_questions,
        "question.reject": _reject_questions,
    }

    async def aclose(self) -> None:
        """End the agent."""
        for talk in self._talks.values():
            talk.withdraw()
        await self.wire.close()
        await self._terminals.end()
        await asyncio.gather(*self._closing)
        for talk in self._talks.values():
            if talk.prompting is not None:
                with contextlib.suppress(asyncio.CancelledError):
                    await talk.prompting


def _values(option: Json) -> Iterator[tuple[str, Json]]:
    """Yield the values of a setting, which may stand in groups."""
    for one in option.get("options") or ():
        if isinstance(one, dict) and isinstance(one.get("options"), list):
            yield from _values(one)
        elif isinstance(one, dict) and "value" in one:
            yield str(one["value"]), one


def _info(listed: Json) -> Json:
    """Return a listed session as the server lists it."""
    info: Json = {"id": str(listed.get("sessionId")), "title": str(listed.get("title") or "")}
    info["directory"] = str(listed.get("cwd") or "")
    with contextlib.suppress(ValueError):
        updated = datetime.fromisoformat(str(listed.get("updatedAt") or ""))
        info["time"] = {"updated": updated.timestamp() * 1000}
    return info
