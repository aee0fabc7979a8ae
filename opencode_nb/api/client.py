"""Client and AsyncClient: every operation of the server as a method, `client.session.create(title="...")`.

The methods are built from a table (operations.json, see spec.py), so they cost nothing until called, and a newer
server's operations work through its own document: `Client.live(base_url)`. operation.py turns arguments into a request;
transport.py sends it.

Imports what sends (transport, streams, the background loop, and with them asyncio and httpx) only with the first
request: many programs do little more than create a client when they start.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from opencode_nb.api.operation import Call, Defaults, bind, build, encode_json, request_call
from opencode_nb.api.record import Record, wrap
from opencode_nb.api.verifying import refuse_request
from opencode_nb.secret import Secret

if TYPE_CHECKING:
    import httpx

    from opencode_nb.api.pump import Connect
    from opencode_nb.api.spec import Row
    from opencode_nb.api.transport import Transport
    from opencode_nb.api.types.async_operations import AsyncOperations
    from opencode_nb.api.types.operations import Operations
    from opencode_nb.errors import OpencodeError
else:  # the methods are built from the table when a client is created
    AsyncOperations = Operations = object

__all__ = ["AsyncClient", "Client"]


DEFAULT_TIMEOUT = 60.0  # seconds for one whole answer
TABLE = Path(__file__).with_name("operations.json")


class _Face(ABC):
    """Shared by both clients: the settings, the table, and the methods built from it."""

    def __init__(
        self,
        base_url: str,
        *,
        password: str | None = None,
        username: str = "opencode",
        directory: str | os.PathLike[str] | None = None,
        workspace: str | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        max_retries: int = 2,
        headers: Mapping[str, str] | None = None,
        http_client: httpx.AsyncClient | None = None,
        operations: Sequence[Mapping[str, Any]] | None = None,
        ready: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._settings: dict[str, Any] = {
            "password": None if password is None else Secret(password),
            "username": username,
            "directory": directory,
            "workspace": workspace,
            "timeout": timeout,
            "max_retries": max_retries,
            "headers": headers,
            "http_client": http_client,
            "operations": operations,
            "ready": ready,
        }
        self._url = _checked(base_url)
        if http_client is not None and not hasattr(http_client, "aclose"):
            raise TypeError("http_client must be an httpx.AsyncClient: both clients send through an event loop")
        self._rows = cast("list[Row]", list(operations)) if operations is not None else _pinned()
        self._place = Defaults(os.fspath(directory) if directory is not None else None, workspace)
        build(self, self._rows, self._call)

    @cached_property
    def _transport(self) -> Transport:
        from opencode_nb.api.transport import Transport

        username, password = _credentials(self._url, self._settings["username"], self._settings["password"])
        names = ("timeout", "max_retries", "headers", "http_client", "ready")
        settings = {name: self._settings[name] for name in names}
        return Transport(self.base_url, username=username, password=password, **settings)

    @property
    def base_url(self) -> str:
        """The server's address, without credentials."""
        return _without_user(self._url).rstrip("/")

    @property
    def directory(self) -> str | None:
        """The default directory of requests; None for the server's own."""
        return self._place.directory

    @property
    def operations(self) -> list[Record]:
        """The table: one Record per operation with `id`, `name`, `method`, `path`, `kind`, `params`, `returns`..."""
        return cast("list[Record]", wrap(self._rows))

    def copy(self, **changes: Any) -> Self:
        """Return a new client with changed settings (also `base_url`): `client.copy(directory=..., timeout=...)`."""
        url = changes.pop("base_url", self._url)
        return type(self)(url, **{**self._settings, **changes})

    def __repr__(self) -> str:
        place = f" directory={self.directory!r}" if self.directory else ""
        return f"<{type(self).__name__} {self.base_url}{place}: {len(self._rows)} operations>"

    @abstractmethod
    def _call(self, row: Row, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operation."""

    def _bound(self, row: Row, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Return the request of an operation. Raises VerifyingError in a notebook that is being verified."""
        refuse_request(row["method"], row["name"], args[0] if args else "", typed=row["kind"] == "websocket")
        return bind(row, args, kwargs, self._place)

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str] | None,
        timeout: Any,
        raw: bool,
    ) -> Call:
        refuse_request(method.upper())
        content = None if body is None else encode_json(body)
        call = request_call(method, path, params, content, raw, self._place)
        return call._replace(headers={**call.headers, **(headers or {})}, timeout=timeout)

    def _connect(self, call: Call) -> Connect:
        return lambda timeout: self._transport.stream(call, timeout)


class AsyncClient(_Face, AsyncOperations):
    """The server's operations as coroutines: `await client.session.create(title="...")`.

    `base_url`: such as "http://127.0.0.1:4096"; `password`, `username`: Basic auth; `directory`, `workspace`: defaults
    for all requests; `timeout`: seconds for one whole answer, None for no limit (operations that wait for a model get
    an hour); `max_retries`: how often to retry a request where that is safe (never a prompt that was sent); `headers`:
    sent with every request; `http_client`: your own `httpx.AsyncClient`, for proxies, TLS settings or a test double,
    which you close yourself; `operations`: a table to use instead of the pinned one; `ready`: awaited before each
    request, for a server that may be restarting: a request that arrives after it binds its port and before it is ready
    is never answered.

    Results are Records (dicts with attribute access), lists of them, or None. Path arguments are positional; query and
    body fields are keywords with the server's names; `extra_query`, `extra_body`, `extra_headers`, `timeout` (seconds)
    and `raw` (return the `httpx.Response` itself, also an error's, which is then not raised) work everywhere. Raises
    the exceptions of `opencode_nb.errors`, and TypeError for arguments that an operation does not take. Streams: `async
    with client.event.subscribe() as events`; terminals: `async with client.pty.connect(pty_id) as terminal` (see
    opencode_nb.api.websocket; they do not use `http_client`).
    """

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: Any = ...,
        raw: bool = False,
    ) -> Any:
        """Call any endpoint by method and path; return the decoded answer, or any response with `raw=True`."""
        return await self._transport.send(self._request(method, path, params, json, headers, timeout, raw))

    @classmethod
    async def live(cls, base_url: str, **settings: Any) -> Self:
        """Create a client with the operations of the server's own document (`/doc`), whatever its version."""
        async with cls(base_url, **settings) as probe:
            document = await probe.request("GET", "/doc")
        return cls(base_url, **{**settings, "operations": _compile(document)})

    def lacks(self, _operation: str) -> OpencodeError | None:
        """Return the error that an operation would raise as nothing answers it; None for those of a server."""
        return None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def _call(self, row: Row, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = self._bound(row, args, kwargs)
        if row["kind"] == "sse":
            from opencode_nb.api.stream import AsyncEventStream

            return AsyncEventStream(self._connect(call), **_stream_options(row, kwargs))
        if row["kind"] == "websocket":
            from opencode_nb.api.websocket import AsyncTerminal

            return AsyncTerminal(self._transport.handshake(call))
        return self._transport.send(call)


class Client(_Face, Operations):
    """The server's operations as plain functions: `client.session.create(title="...")`. Same arguments as AsyncClient.

    Requests run on the process's background event loop; the client works from any thread, even one with a running event
    loop, as in a notebook. Event streams: `with client.event.subscribe() as events: for event in events`;
    terminals: `with client.pty.connect(pty_id) as terminal: terminal.send("ls\\n")`.
    """

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: Any = ...,
        raw: bool = False,
    ) -> Any:
        """Call any endpoint by method and path; return the decoded answer, or any response with `raw=True`."""
        return _run(self._transport.send, self._request(method, path, params, json, headers, timeout, raw))

    @classmethod
    def live(cls, base_url: str, **settings: Any) -> Self:
        """Create a client with the operations of the server's own document (`/doc`), whatever its version."""
        with cls(base_url, **settings) as probe:
            document = probe.request("GET", "/doc")
        return cls(base_url, **{**settings, "operations": _compile(document)})

    def close(self) -> None:
        """Close the connections."""
        if "_transport" in vars(self):
            _run(self._transport.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _call(self, row: Row, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = self._bound(row, args, kwargs)
        if row["kind"] == "sse":
            from opencode_nb.api.stream import EventStream

            return EventStream(self._connect(call), **_stream_options(row, kwargs))
        if row["kind"] == "websocket":
            from opencode_nb.api.websocket import Terminal

            return Terminal(self._transport.handshake(call))
        return _run(self._transport.send, call)


@cache
def _pinned() -> list[Row]:
    """Return the table of the version that this release was built for."""
    return cast("list[Row]", json.loads(TABLE.read_text(encoding="utf-8"))["operations"])


def _stream_options(row: Row, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: kwargs[name] for name in ("on_reconnect", "give_up_after", "gather") if name in kwargs}
    return {"settle": row.get("settle", 0.0), "silent": row.get("silent", False), **given}


def _run(function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    from opencode_nb import portal

    return portal.run(function, *args)


def _compile(document: Any) -> list[Row]:
    from opencode_nb.api.spec import compile_table

    return compile_table(document)


def _checked(url: str) -> str:
    """Return a valid URL. Raises ValueError, without repeating a password in the URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"base_url must look like http://127.0.0.1:4096, got {_without_user(url)!r}")
    return url


def _credentials(url: str, username: str, password: str | None) -> tuple[str, str | None]:
    """Return user name and password; those in the URL are used if no password is given."""
    parts = urlsplit(url)
    if password is None and parts.password is not None:
        return unquote(parts.username or username), unquote(parts.password)
    return username, password


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
