"""Feed: the event stream of one directory of one server, folded into the transcripts that someone follows.

All of it runs on one event loop; only that loop's thread changes a transcript. The stream is drained whether or not
anyone reads (the server's queues are unbounded: opencode #31087); after a reconnect everything followed is fetched
again, because the server replays nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from opencode_nb.api.client import AsyncClient
from opencode_nb.errors import APITimeoutError, NotFoundError, OpencodeError
from opencode_nb.secret import MASK
from opencode_nb.session import history, storage
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change, Transcript

log = logging.getLogger("opencode_nb")

Listener = Callable[[Transcript, list[Change]], None]

CONNECT_TIMEOUT = 30.0
"""Seconds until the first event must have come: the first request of a directory makes the server load it."""

GIVE_UP_AFTER = 60.0
"""Seconds without a connection after which open turns are ended with an error: longer than any restart of a server."""

REFUSED_FOR = 10.0
"""The same where nobody listens at the server's address on this machine: it has ended, or is being started again."""

GATHER = 0.05
"""Seconds in which events come together: an eye sees 20 pictures a second, and each wait for an event has its price."""

CHILDREN_AT_ONCE = 8
"""Sub-sessions that are fetched at the same time."""

_DELTA = "message.part.delta"
_SHOWING = ("message.part.updated", _DELTA)
"""The events that carry what tools and models say."""

_FAILING = ("session.error", "message.updated")
"""The events that carry a turn's error."""


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """How the event stream is: connected, reconnecting (by itself), or lost (`reconnect()` tries again).

    `error` says why it is not connected, `failures` how often it was lost so far.
    """

    state: Literal["connected", "reconnecting", "lost"]
    error: str = ""
    failures: int = 0


class Feed:
    """Follows sessions. `listen` to be called, on the loop's thread, with what each event changed.

    `secret`, the server's password, is masked wherever a tool's part shows it: the tools inherit the server's
    environment, so that a plain `env` prints it. `data`: the directory of the server's data, where it is known.
    """

    def __init__(self, client: AsyncClient, secret: str | None = None, data: Path | None = None) -> None:
        self.client = client
        self._data = data
        self._secret = secret
        self.transcripts: dict[str, Transcript] = {}
        self.connection = ConnectionState("lost", "Not connected yet.")
        self._earlier = asyncio.Lock()
        self._listeners: list[Listener] = []
        self._task: asyncio.Task[None] | None = None
        self._resync: asyncio.Task[None] | None = None
        self._connected: asyncio.Future[None] | None = None
        self._said: Json | None = None  # deltas of one part that came together, as one event that is not folded in yet

    async def start(self) -> None:
        """Open the stream; returns once it is live, so that nothing of a prompt sent after it is missed."""
        if self._task is not None and not self._task.done():
            return
        self._connected = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._pump(), name="opencode_nb feed")
        try:
            await asyncio.wait_for(asyncio.shield(self._connected), CONNECT_TIMEOUT)
        except TimeoutError as error:
            text = f"The server's event stream did not open within {CONNECT_TIMEOUT:g} s. Its log may say why."
            raise APITimeoutError(text) from error

    @property
    def lost(self) -> bool:
        """Whether the stream has ended, and comes back by `restart` only."""
        return self._task is None or self._task.done()

    async def restart(self) -> None:
        """Connect anew at once, and fetch again everything followed. Raises OpencodeError where that fails."""
        await self._end_tasks()
        try:
            await self.start()
        except OpencodeError as error:
            self._set_connection("lost", str(error))
            raise
        await self.resync()

    async def suspend(self, error: str, *, for_good: bool) -> None:
        """Do not try to connect until `restart`: the server is known to be away, and who is at its port is not it."""
        await self._end_tasks()
        self._set_connection("lost" if for_good else "reconnecting", error)

    async def aclose(self) -> None:
        """End the stream and every listener."""
        self._listeners.clear()
        await self._end_tasks()

    async def _end_tasks(self) -> None:
        tasks = [task for task in (self._task, self._resync) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = self._resync = None

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener(transcript, changes)` after each event that changed something; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def apply(self, event: Json) -> None:
        """Fold one event in and tell the listeners."""
        for transcript in list(self.transcripts.values()):
            changes = transcript.apply(event)
            if changes:
                self._tell(transcript, changes)

    def tell(self, session_id: str, kind: str, **properties: Any) -> None:
        """Report what this package itself knows, as an event of type "client.<kind>"."""
        self.apply({"type": f"client.{kind}", "properties": {"sessionID": session_id, **properties}})

    def _tell(self, transcript: Transcript, changes: list[Change]) -> None:
        for listener in list(self._listeners):
            try:
                listener(transcript, changes)
            except Exception:  # a listener's fault must not stop the stream for everyone else
                log.exception("A listener of session %s failed", transcript.id)

    async def follow(self, session_id: str, *, fresh: bool = False) -> Transcript:
        """The transcript of a session, kept current from now on; `fresh` says that it has no history to fetch."""
        transcript = self.transcripts.get(session_id)
        if transcript is None:
            transcript = self.transcripts[session_id] = Transcript(session_id)
            if not fresh:
                try:
                    await self._load(transcript)
                except BaseException:
                    del self.transcripts[session_id]
                    raise
        return transcript

    async def follow_again(self, transcripts: Iterable[Transcript]) -> None:
        """Keep current what an earlier stream has followed."""
        self.transcripts.update((transcript.id, transcript) for transcript in transcripts)
        self._set_connection(self.connection.state, self.connection.error)
        await self.resync()

    def forget(self, session_id: str) -> None:
        """Stop following a session."""
        self.transcripts.pop(session_id, None)

    async def _pump(self) -> None:
        try:
            stream: Any = self.client.event.subscribe(give_up_after=GIVE_UP_AFTER, gather=GATHER)
            stream.give_up_refused_after(REFUSED_FOR)
            async with stream as events:
                async for event in events:
                    self._take(event)
        except OpencodeError as error:
            self._lost(error)
        except Exception as error:  # whatever ended the stream, open turns must hear of it or they would wait for ever
            log.exception("The event stream ended")
            self._lost(error)

    def _take(self, event: Json) -> None:
        event = dict(event)  # what is read in it a thousand times a second need not become Records
        kind = event.get("type")
        if kind == _DELTA and _is_text(event.get("properties")):
            self._join(event)
            return
        self._take_said()
        if kind == "server.connected":
            self._opened()
        elif kind == "client.disconnected":
            self._set_connection("reconnecting", str(event["properties"].get("error") or ""))
        elif kind == "client.reconnected":
            self._set_connection("connected")
            self._resync = asyncio.create_task(self.resync(), name="opencode_nb resync")
        elif kind in _FAILING:
            self.apply(storage.explained(event, self._data))
        else:
            self.apply(self._masked(event) if kind in _SHOWING else event)

    def _join(self, delta: Json) -> None:
        """Deltas at hand are folded in as one: what follows from each costs many times what it takes to join them."""
        if self._said is None:
            asyncio.get_running_loop().call_soon(self._take_said)  # when nothing more is at hand
        elif _same_text(self._said["properties"], delta["properties"]):
            self._said["properties"]["delta"] += delta["properties"]["delta"]
            return
        self._take_said()
        self._said = delta

    def _take_said(self) -> None:
        """Fold in what has been joined: before anything else is, so that all keeps its order."""
        said, self._said = self._said, None
        if said is not None:
            self.apply(self._masked(said))

    def _masked(self, event: Json) -> Json:
        masked: Json = mask(event, self._secret) if self._secret else event
        return masked

    def _opened(self) -> None:
        self._set_connection("connected")
        if self._connected is not None and not self._connected.done():
            self._connected.set_result(None)

    def _set_connection(self, state: Literal["connected", "reconnecting", "lost"], error: str = "") -> None:
        fell = self.connection.state == "connected" != state
        self.connection = ConnectionState(state, error, self.connection.failures + fell)
        for session_id in list(self.transcripts):
            self.tell(session_id, "connection", connected=state == "connected")

    def _lost(self, error: Exception) -> None:
        self._take_said()
        if self._connected is not None and not self._connected.done():
            self._connected.set_exception(error)
            return
        self._set_connection("lost", str(error))
        self.fail_all("ConnectionLost", str(error))

    def fail_all(self, name: str, message: str) -> None:
        """End every open turn with an error: the server can no longer tell how they go on."""
        for session_id in list(self.transcripts):
            self.tell(session_id, "failed", error={"name": name, "data": {"message": message}})

    async def resync(self) -> None:
        """Fetch again everything followed, and merge it."""
        for transcript in list(self.transcripts.values()):
            try:
                await self._load(transcript)
            except NotFoundError:
                self.apply({"type": "session.deleted", "properties": {"sessionID": transcript.id}})
            except OpencodeError as error:  # the others are fetched all the same
                log.warning("Session %s could not be fetched again: %s", transcript.id, error)

    async def all_messages(self, session_id: str) -> list[Json]:
        """All messages of a session as stored, oldest first."""
        messages: Any = await history.everything(self.client, session_id)
        return list(mask(messages, self._secret) if self._secret else messages)

    async def load_earlier(self, transcript: Transcript) -> None:
        """Fetch the page of messages before the first turn of a transcript, if there is one."""
        async with self._earlier:
            if not transcript.cursor:
                return
            page = await history.before(self.client, transcript.id, transcript.cursor)
            before = transcript.sub_sessions
            self._report(transcript, "earlier", sessionID=transcript.id, **page._asdict())
        if new := transcript.sub_sessions - before:
            await self._load_children(transcript, transcript, new, await self._shared())

    async def let_go(self, transcript: Transcript, keep: int) -> None:
        """Let go of the turns before the last `keep`: `load_earlier` fetches them again."""
        async with self._earlier:
            page = await history.last_turns(self.client, transcript.id, keep)
            if page.cursor:
                first = page.messages[0]["info"]["id"]
                self.tell(transcript.id, "let_go", messageID=first, cursor=page.cursor)

    async def _load(self, transcript: Transcript) -> None:
        """Fetch a session, and the sub-sessions that its turns opened."""
        await self._load_one(transcript, transcript.id, await self._shared())

    async def _shared(self) -> tuple[Json, list[Json], list[Json]]:
        """What the server tells of all sessions at once: their status, and the open requests."""
        client = self.client
        found: Any = await asyncio.gather(client.session.status(), client.permission.list(), client.question.list())
        return found[0] or {}, found[1] or [], found[2] or []

    async def _load_one(self, transcript: Transcript, wanted: str, shared: tuple[Json, list[Json], list[Json]]) -> None:
        client, (statuses, permissions, questions) = self.client, shared
        node = transcript.find(wanted)
        found: Any = await asyncio.gather(
            client.session.get(wanted),
            history.latest(client, wanted, node.newest.at if node and node.newest else None),
            client.session.todo(wanted),
        )
        info, page, todos = found
        self._report(
            transcript,
            "loaded",
            sessionID=wanted,
            info=info,
            **page._asdict(),
            status=statuses.get(wanted, {"type": "idle"}),
            permissions=[request for request in permissions if request["sessionID"] == wanted],
            questions=[request for request in questions if request["sessionID"] == wanted],
            todos=todos or [],
        )
        node = transcript.find(wanted)
        if node is not None and node.sub_sessions:
            await self._load_children(transcript, node, node.sub_sessions, shared)

    async def _load_children(
        self,
        transcript: Transcript,
        node: Transcript,
        wanted: set[str],
        shared: tuple[Json, list[Json], list[Json]],
    ) -> None:
        turnstile = asyncio.Semaphore(CHILDREN_AT_ONCE)

        async def load(child: Json) -> None:
            transcript.apply({"type": "session.created", "properties": {"info": child}})
            async with turnstile:
                await self._load_one(transcript, child["id"], shared)

        children: list[Any] = await self.client.session.children(node.id) or []
        await asyncio.gather(*(load(child) for child in children if child["id"] in wanted))

    def _report(self, transcript: Transcript, kind: str, **properties: Any) -> None:
        """What was fetched, as an event of type "client.<kind>" for this transcript."""
        event = self._masked({"type": f"client.{kind}", "properties": properties})
        self._tell(transcript, transcript.apply(event))


def _is_text(properties: Any) -> bool:
    return isinstance(properties, dict) and isinstance(properties.get("delta"), str)


def _same_text(one: Json, other: Json) -> bool:
    """Whether two deltas go on with the same text."""
    return bool(one.get("partID") == other.get("partID") and one.get("field") == other.get("field"))


def mask(value: Any, secret: str) -> Any:
    """The same JSON with `secret` masked in every string; what does not hold it is not copied."""
    if not _holds(value, secret):
        return value
    if isinstance(value, str):
        return value.replace(secret, MASK)
    if isinstance(value, dict):
        return {key: mask(item, secret) for key, item in value.items()}
    return [mask(item, secret) for item in value]


def _holds(value: Any, secret: str) -> bool:
    """Whether the secret is in there: looked for in every event, and found in hardly any."""
    if isinstance(value, str):
        return secret in value
    if isinstance(value, dict | list):
        return any(_holds(item, secret) for item in (value.values() if isinstance(value, dict) else value))
    return False
