"""Feed: applies the event stream of one directory on a server to the transcripts of followed sessions.

Everything runs on one event loop, and only that loop's thread changes a transcript. The stream is drained even if
no one reads it (the server's queues are unbounded: opencode #31087). After a reconnect every followed session is
fetched again, because the server does not replay events.
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
from opencode_nb.session import storage
from opencode_nb.session.incoming import history
from opencode_nb.session.incoming.health import HealthRecord
from opencode_nb.session.permissions import answered
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change, Transcript

log = logging.getLogger("opencode_nb")

Listener = Callable[[Transcript, list[Change]], None]

CONNECT_TIMEOUT = 30.0
"""Timeout in seconds for the first event: the server loads a directory on the first request for it."""

GIVE_UP_AFTER = 60.0
"""Seconds without a connection before open turns fail: longer than any server restart."""

REFUSED_FOR = 10.0
"""The same while a local server refuses connections: it has exited or is restarting."""

GATHER = 0.05
"""Seconds over which to batch events: 20 updates a second look smooth, and each wait for an event costs CPU time."""

CHILDREN_AT_ONCE = 8
"""Maximum number of sub-sessions to fetch concurrently."""

_DELTA = "message.part.delta"
_SHOWING = ("message.part.updated", _DELTA)
"""Events that carry the output of tools and models."""

_FAILING = ("session.error", "message.updated")
"""Events that carry a turn's error."""


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """State of the event stream: connected, reconnecting (automatically), or lost (call `reconnect()` to retry).

    `error` says why it is not connected; `failures` counts lost connections.
    """

    state: Literal["connected", "reconnecting", "lost"]
    error: str = ""
    failures: int = 0


class Feed:
    """Follows sessions. Listeners run on the loop's thread with the changes that each event made.

    `secret`, the server's password, is masked in message parts: tools inherit the server's environment, so a plain
    `env` prints it. `data` is the server's data directory, if known. `record` gets the stream's failures.
    """

    def __init__(
        self,
        client: AsyncClient,
        secret: str | None = None,
        data: Path | None = None,
        record: HealthRecord | None = None,
    ) -> None:
        self.client = client
        self._record = record or HealthRecord()
        self._data = data
        self._secret = secret
        self.transcripts: dict[str, Transcript] = {}
        self.connection = ConnectionState("lost", "Not connected yet.")
        self._earlier = asyncio.Lock()
        self._listeners: list[Listener] = []
        self._task: asyncio.Task[None] | None = None
        self._resync: asyncio.Task[None] | None = None
        self._connected: asyncio.Future[None] | None = None
        self._said: Json | None = None  # joined deltas of one part, not applied yet

    async def start(self) -> None:
        """Open the stream and wait until it is live, so that no event of a later prompt is missed."""
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
        """Whether the stream has ended: only `restart` reopens it."""
        return self._task is None or self._task.done()

    async def restart(self) -> None:
        """Reconnect now and refetch every followed session. Raises OpencodeError if the connection fails."""
        await self._end_tasks()
        try:
            await self.start()
        except OpencodeError as error:
            self._set_connection("lost", str(error))
            raise
        await self.resync()

    async def suspend(self, error: str, *, for_good: bool) -> None:
        """Stop reconnecting until `restart`: the server is down, and another process may have taken its port."""
        await self._end_tasks()
        self._set_connection("lost" if for_good else "reconnecting", error)

    async def aclose(self) -> None:
        """Close the stream and remove all listeners."""
        self._listeners.clear()
        await self._end_tasks()

    async def _end_tasks(self) -> None:
        tasks = [task for task in (self._task, self._resync) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = self._resync = None

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener(transcript, changes)` after each event that changed something. Returns its remover."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def apply(self, event: Json) -> None:
        """Apply one event to the transcripts and notify the listeners."""
        for transcript in list(self.transcripts.values()):
            changes = transcript.apply(event)
            if changes:
                self._tell(transcript, changes)

    def tell(self, session_id: str, kind: str, **properties: Any) -> None:
        """Apply an event of this package's own, with the type "client.<kind>"."""
        self.apply({"type": f"client.{kind}", "properties": {"sessionID": session_id, **properties}})

    def _tell(self, transcript: Transcript, changes: list[Change]) -> None:
        for listener in list(self._listeners):
            try:
                listener(transcript, changes)
            except Exception:  # a failing listener must not stop the stream for the others
                log.exception("A listener of session %s failed", transcript.id)

    async def follow(self, session_id: str, *, fresh: bool = False) -> Transcript:
        """Return a session's transcript and keep it current; `fresh` skips fetching history for a new session."""
        transcript = self.transcripts.get(session_id)
        if transcript is None:
            transcript = self.transcripts[session_id] = Transcript(session_id)
            if not fresh:
                try:
                    await self._recall(transcript)
                    await self._load(transcript)
                except BaseException:
                    del self.transcripts[session_id]
                    raise
        return transcript

    async def follow_again(self, transcripts: Iterable[Transcript]) -> None:
        """Follow and refetch the transcripts of an earlier stream."""
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
        except Exception as error:  # open turns must learn that the stream ended, or they would wait forever
            log.exception("The event stream ended")
            self._lost(error)

    def _take(self, event: Json) -> None:
        event = dict(event)  # a plain dict: wrapping values in Records is too slow at 1000 reads a second
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
        elif not str(kind).startswith("client."):  # ours: who answered a request is not for others to say
            self.apply(self._masked(event) if kind in _SHOWING else event)

    def _join(self, delta: Json) -> None:
        """Join consecutive deltas that are already here: processing an event costs far more than joining two."""
        if self._said is None:
            asyncio.get_running_loop().call_soon(self._take_said)  # runs once all events received so far are joined
        elif _same_text(self._said["properties"], delta["properties"]):
            self._said["properties"]["delta"] += delta["properties"]["delta"]
            return
        self._take_said()
        self._said = delta

    def _take_said(self) -> None:
        """Apply the joined deltas. Called before any other event is applied, to keep the order."""
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
        if state == "connected":
            self._record.works()
        elif fell or state == "lost":
            self._record.failed(error)
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
        """Fail every open turn: no more events will arrive for it."""
        for session_id in list(self.transcripts):
            self.tell(session_id, "failed", error={"name": name, "data": {"message": message}})

    async def resync(self) -> None:
        """Refetch every followed session and merge it into its transcript."""
        for transcript in list(self.transcripts.values()):
            try:
                await self._load(transcript)
            except NotFoundError:
                self.apply({"type": "session.deleted", "properties": {"sessionID": transcript.id}})
            except OpencodeError as error:  # still fetch the others
                log.warning("Session %s could not be fetched again: %s", transcript.id, error)

    async def messages(self, session_id: str, limit: int | None, before: str | None) -> list[Json]:
        """Return stored messages of a session, see `history.messages`."""
        messages: Any = await history.messages(self.client, session_id, limit, before)
        return list(mask(messages, self._secret) if self._secret else messages)

    async def _recall(self, transcript: Transcript) -> None:
        """Read who answered the requests of earlier turns."""
        known = await asyncio.to_thread(answered.read, transcript.id)
        self._report(transcript, "recalled", turns=known)

    async def load_earlier(self, transcript: Transcript) -> None:
        """Fetch the page of messages before a transcript's first turn, if there are more."""
        async with self._earlier:
            if not transcript.cursor:
                return
            page = await history.before(self.client, transcript.id, transcript.cursor)
            before = transcript.sub_sessions
            self._report(transcript, "earlier", sessionID=transcript.id, **page._asdict())
        if new := transcript.sub_sessions - before:
            await self._load_children(transcript, transcript, new, await self._shared())

    async def let_go(self, transcript: Transcript, keep: int) -> None:
        """Drop all but the last `keep` turns from memory; `load_earlier` fetches them again."""
        async with self._earlier:
            page = await history.last_turns(self.client, transcript.id, keep)
            if page.cursor:
                first = page.messages[0]["info"]["id"]
                self.tell(transcript.id, "let_go", messageID=first, cursor=page.cursor)

    async def _load(self, transcript: Transcript) -> None:
        """Fetch a session and the sub-sessions that its turns opened."""
        await self._load_one(transcript, transcript.id, await self._shared())

    async def _shared(self) -> tuple[Json, list[Json], list[Json]]:
        """Fetch what covers all sessions at once: statuses, open permission requests, open questions."""
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
        """Apply fetched data to this transcript as an event of type "client.<kind>"."""
        event = self._masked({"type": f"client.{kind}", "properties": properties})
        self._tell(transcript, transcript.apply(event))


def _is_text(properties: Any) -> bool:
    return isinstance(properties, dict) and isinstance(properties.get("delta"), str)


def _same_text(one: Json, other: Json) -> bool:
    """Whether two deltas extend the same field of the same part."""
    return bool(one.get("partID") == other.get("partID") and one.get("field") == other.get("field"))


def mask(value: Any, secret: str) -> Any:
    """Mask `secret` in every string of a JSON value. Values without it are returned as they are, not copied."""
    if not _holds(value, secret):
        return value
    if isinstance(value, str):
        return value.replace(secret, MASK)
    if isinstance(value, dict):
        return {key: mask(item, secret) for key, item in value.items()}
    return [mask(item, secret) for item in value]


def _holds(value: Any, secret: str) -> bool:
    """Whether a JSON value contains the secret. Runs on every event and rarely finds it, so it copies nothing."""
    if isinstance(value, str):
        return secret in value
    if isinstance(value, dict | list):
        return any(_holds(item, secret) for item in (value.values() if isinstance(value, dict) else value))
    return False
