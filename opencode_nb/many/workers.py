"""Asks prompts in an executor's workers, which have a server of their own. Both halves: what is sent, what runs there.

A worker's server ends with the worker, or when it has been idle for a while: the server's keeper sees the process end,
however it does.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from opencode_nb.errors import OpencodeError, TurnError
from opencode_nb.many.answers import Answered, Rebuild, to_json
from opencode_nb.many.here import Here, Sent, check_budget
from opencode_nb.many.items import Item
from opencode_nb.many.sessions import Fresh
from opencode_nb.portal import run
from opencode_nb.session.blocking import Opencode
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.tools.privacy import Level, at_most
from opencode_nb.transcript.state import Json

IDLE_SECONDS = 20.0
"""Seconds until a worker ends a server that nobody uses: a start takes about three."""

_HERE_ONLY = frozenset({"headers", "http_client", "hostname", "port", "on_stderr", "workspace", "shared", "budget"})
"""Options that have no meaning in another process. Budgets are kept to here."""

_OF_A_PERSON = frozenset({"budget", "person"})
"""Options of prompts that stay here."""

_NO_SERVER = "An executor's workers start servers of their own: give an ai= without {}=."


class _Cluster(Protocol):
    """A `dask.distributed` client, as far as it is used."""

    def get_executor(self, **options: Any) -> Executor:
        """Return an executor that runs on the cluster."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the workers of one map need to know. `privacy` is the level of sessions where the map was called."""

    id: str
    options: Mapping[str, Any]
    count: int
    privacy: Level

    @property
    def server(self) -> str:
        """What servers of the same options are known by."""
        return hashlib.sha256(pickle.dumps(sorted(self.options.items()))).hexdigest()


class Reply(NamedTuple):
    """What a worker answers: a turn as JSON, if there was one, and how it failed, if it did."""

    answer: Json | None
    error: Exception | None = None


# Here


class Remote:
    """Asks prompts in workers. Cancelling takes back those that have not begun; the others run to their end there."""

    def __init__(self, executor: Executor | _Cluster, job: Job, ai: AsyncOpencode, rebuild: Rebuild) -> None:
        self._executor = executor.get_executor(pure=False) if hasattr(executor, "get_executor") else executor
        self._job, self._ai, self._rebuild = job, ai, rebuild

    async def ask(self, item: Item, sent: Sent) -> Answered:
        """Ask a prompt in a worker. Raises what it raised there."""
        check_budget(self._ai, item)
        options = {name: value for name, value in item.options.items() if name not in _OF_A_PERSON}
        future: Future[Reply] = self._executor.submit(answered, self._job, replace(item, options=options, schema=None))
        try:
            reply = await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise OpencodeError("The executor cancelled the prompt.") from None
        return self._taken(reply, item)

    def _taken(self, reply: Reply, item: Item) -> Answered:
        if reply.answer is None:
            raise reply.error or OpencodeError("The worker answered nothing.")
        answer, spent = self._rebuild.of_json(reply.answer, item.schema)
        for budget in {id(one): one for one in (self._ai.budget, item.options.get("budget")) if one}.values():
            for one in spent:
                budget.add(one)
        if reply.error is not None:
            raise _with_turn(reply.error, answer)
        return answer

    async def found(self, item: Item, session_id: str) -> Answered | None:
        """Return None: a worker's turn ends with its server."""
        return None


def _with_turn(error: Exception, answer: Answered) -> Exception:
    if isinstance(error, TurnError):
        error.turn = answer.turn
    return error


def sent_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options for workers' agents. Raises ValueError for one that cannot be sent or means this process."""
    if used := next((name for name in ("base_url", "replay") if options.get(name) is not None), None):
        raise ValueError(_NO_SERVER.format(used))
    sent = {name: value for name, value in options.items() if name not in _HERE_ONLY and value is not None}
    for name, value in sent.items():
        _check_sendable(name, value)
    return {**sent, "shared": False}


def _check_sendable(name: str, value: Any) -> None:
    try:
        pickle.dumps(value)
    except Exception as error:  # whatever pickling a value of the user's raises
        raise ValueError(
            f"{name}= cannot be sent to an executor's workers: {error}. Use what can be pickled, such as a function "
            "of a module."
        ) from None


# In a worker


def answered(job: Job, item: Item) -> Reply:
    """Ask a prompt on this process's server for the job, and return what a process elsewhere can read."""
    with _lent(job) as server:
        asker = Here(server.ai._async, server.sessions(job), Rebuild(None, {}))
        try:
            answer = run(_asked, asker, item, job.privacy)
        except TurnError as error:
            turn, error.turn = error.turn, None
            found = None if turn is None else to_json(Answered(turn, turn.session.changes))
            return Reply(found, error=_sendable(error))
        except Exception as error:  # it belongs into its prompt's place, and must not make the executor try again
            return Reply(None, error=_sendable(error))
    return Reply(to_json(answer))


async def _asked(asker: Here, item: Item, privacy: Level) -> Answered:
    with at_most(privacy):
        return await asker.ask(item, _unnoted)


def _sendable(error: Exception) -> Exception:
    try:
        read = pickle.loads(pickle.dumps(error))  # noqa: S301  # what was made in this line
    except Exception:  # an error of any library
        return OpencodeError(f"{type(error).__name__}: {error}")
    return read if isinstance(read, Exception) else OpencodeError(str(error))


async def _unnoted(_session: str) -> None:
    """Note nothing: the file is with whoever called the map."""


class _Server:
    """An agent with a server of its own, for the jobs of the same options."""

    def __init__(self, job: Job) -> None:
        self.ai = Opencode(**job.options)
        self.users = 0
        self.idle: threading.Timer | None = None
        self._sessions: dict[str, Fresh] = {}

    def sessions(self, job: Job) -> Fresh:
        """Return the sessions of one job."""
        if job.id not in self._sessions:
            self._sessions[job.id] = Fresh(self.ai._async, job.count)
        return self._sessions[job.id]


_servers: dict[str, _Server] = {}
_lock = threading.Lock()


@contextmanager
def _lent(job: Job) -> Iterator[_Server]:
    """Yield the server for a job; it is idle again afterwards."""
    with _lock:
        server = _servers[job.server] = _servers.get(job.server) or _Server(job)
        server.users += 1
        if server.idle is not None:
            server.idle.cancel()
    try:
        yield server
    finally:
        with _lock:
            server.users -= 1
            if not server.users:
                server.idle = _later(lambda: _end(job.server))


def _later(function: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(IDLE_SECONDS, function)
    timer.daemon = True
    timer.start()
    return timer


def _end(name: str) -> None:
    """End a server, unless it is in use again."""
    with _lock:
        server = _servers.get(name)
        if server is None or server.users:
            return
        del _servers[name]
    server.ai.close()


def end_idle() -> None:
    """End this process's own idle servers: those that an executor of threads has used."""
    for name in list(_servers):
        _end(name)


def _forget() -> None:
    """Reset in a forked child, which has no server of its own yet."""
    global _lock
    _servers.clear()
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
