"""Send requests and read answers: connection, deadline, retries, errors, logging. Nothing else imports httpx.

The password goes into one header and nowhere else: not into a log line, a repr or an error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from weakref import WeakKeyDictionary

from opencode_nb import portal
from opencode_nb.api.logs import show_log
from opencode_nb.api.record import wrap
from opencode_nb.api.refusal import explained, misformed_id
from opencode_nb.api.websocket import Handshake
from opencode_nb.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    InternalServerError,
    InvalidResponseError,
    NotSupportedError,
    OpencodeError,
    RateLimitError,
    ServerError,
    status_error,
)
from opencode_nb.retry import retry_after
from opencode_nb.secret import Secret

if TYPE_CHECKING:
    import httpx

    from opencode_nb.api.operation import Call

__all__ = ["Transport"]

log = logging.getLogger("opencode_nb")
show_log()

SLOW_TIMEOUT = 3600.0  # seconds, if the answer waits for a model, a person or a browser
CONNECT_TIMEOUT = 10.0  # seconds to open a connection
STALE_AFTER = 22.0  # seconds of silence after which an event stream counts as lost: two server heartbeats
RETRY_FIRST = 0.5  # seconds before the first retry; doubled each time
RETRY_MOST = 8.0  # seconds
RETRY_AFTER_MOST = 60.0  # seconds; if the server asks for more, the error is raised at once
BODY_SHOWN = 200  # characters of an unreadable answer quoted in an error
_JITTER = random.Random()  # noqa: S311  # of our own: the user's random state stays as it is

Ready = Callable[[], Awaitable[object]]


async def _at_once() -> None:
    """Wait for nothing."""


class Transport:
    """One server, one user, one policy. Holds one HTTP client per event loop that uses it."""

    def __init__(
        self,
        base_url: str,
        *,
        password: str | None,
        username: str,
        timeout: float | None,
        max_retries: int,
        headers: Mapping[str, str] | None,
        http_client: httpx.AsyncClient | None,
        ready: Ready | None,
    ) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self.max_retries = max_retries
        self._local = _is_loopback(urlsplit(base_url).hostname or "")
        self._headers = {**_authorization(username, password), **(headers or {})}
        self._given = http_client
        self._ready = ready or _at_once
        # Connections belong to the event loop that opened them, and a client may be used from several.
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()
        self._closed = 0  # how often: a request that closing cut off must not open another connection

    async def send(self, call: Call) -> Any:
        """Send the call, retrying where that is safe and can help, and decode the answer.

        A raw call returns the last response as it is, whatever its status.
        """
        try:
            response = await self._send(call)
        except InternalServerError as error:
            raise await explained(error, call, self.send) from error
        return response if call.raw else decode(call, response)

    async def _send(self, call: Call) -> httpx.Response:
        closed = self._closed
        for attempt in range(self.max_retries + 1):
            response = None
            try:
                response = await self._attempt(call)
                _raise_for_status(call, response)
                return response
            except OpencodeError as error:
                if attempt >= self.max_retries or not _may_repeat(call, error):
                    if call.raw and response is not None:
                        return response
                    raise
                delay = _delay(error, attempt)
                log.info("%s %s: %s; again in %.2f s", call.method, call.path, type(error).__name__, delay)
                await asyncio.sleep(delay)
                if self._closed != closed:
                    raise
        raise AssertionError("unreachable")  # the last attempt returns or raises

    async def _attempt(self, call: Call) -> httpx.Response:
        started = time.perf_counter()
        outcome = "failed"
        try:
            with self._errors(call):
                async with asyncio.timeout(self._timeout(call)):
                    await self._ready()
                    response = await self._client().send(self._request(call))
            outcome = str(response.status_code)
        finally:
            log.debug("%s %s: %s in %.1f ms", call.method, call.path, outcome, (time.perf_counter() - started) * 1000)
        return response

    @asynccontextmanager
    async def stream(self, call: Call, within: float | None) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an event stream `within` so many seconds, and yield an iterator of its bytes. Only the pump retries.

        Raises what `send` raises, and APITimeoutError after STALE_AFTER seconds of silence, unless the stream has no
        heartbeat.
        """
        read = None if call.silent else STALE_AFTER
        with self._errors(call):
            async with asyncio.timeout(within):
                await self._ready()
                response = await self._stream_client().send(self._request(call, read), stream=True)
            log.debug("%s %s: %s, a stream", call.method, call.path, response.status_code)
            try:
                if not _is_events(response):
                    async with asyncio.timeout(within):
                        await response.aread()
                    _raise_for_status(call, response)
                    raise _unreadable(call, response)
                yield response.aiter_bytes()
            finally:
                await response.aclose()

    def handshake(self, call: Call) -> Handshake:
        """Return the handshake for this call's websocket."""
        url = self.base_url.replace("http", "ws", 1) + call.path
        query = f"?{urlencode(call.query)}" if call.query else ""
        timeout = CONNECT_TIMEOUT if call.timeout is ... else call.timeout
        return Handshake(url + query, call.path, {**self._headers, **call.headers}, self._local, timeout, self._ready)

    async def aclose(self) -> None:
        """Close the connections of the running loop. Does not close an `http_client` that was passed in."""
        self._closed += 1
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _timeout(self, call: Call) -> float | None:
        if call.timeout is not ...:
            return None if call.timeout is None else float(call.timeout)
        if self.timeout is None:
            return None
        return max(self.timeout, SLOW_TIMEOUT) if call.slow else self.timeout

    def _client(self) -> httpx.AsyncClient:
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._new_client()
            portal.before_stop(self.aclose)
        return client

    def _stream_client(self) -> httpx.AsyncClient:
        if self._given is not None or not self._local or not self.base_url.startswith("http:"):
            return self._client()
        return self._loopback

    @cached_property
    def _loopback(self) -> httpx.AsyncClient:
        import httpx

        from opencode_nb.api.loopback import LoopbackTransport

        return httpx.AsyncClient(transport=LoopbackTransport())  # keeps no connections, so every event loop can use it

    def _new_client(self) -> httpx.AsyncClient:
        import httpx  # takes tens of milliseconds: imported with the first request

        return httpx.AsyncClient(
            trust_env=not self._local,  # a proxy from the environment cannot reach this machine's loopback
            verify=not (self._local and self.base_url.startswith("http:")),  # no TLS: skip loading the certificates
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),  # every stream keeps a connection
        )

    def _request(self, call: Call, read: float | None = None) -> httpx.Request:
        import httpx

        headers = {**self._headers, **call.headers}
        if call.content is not None:
            headers["content-type"] = "application/json"
        return self._client().build_request(
            call.method,
            self.base_url + call.path,
            params=tuple(call.query) or None,
            content=call.content,
            headers=headers,
            # We enforce the deadline of a whole answer: httpx's timeout restarts with every byte of a slow one.
            timeout=httpx.Timeout(read, connect=CONNECT_TIMEOUT),
        )

    @contextmanager
    def _errors(self, call: Call) -> Iterator[None]:
        """Convert all errors of the connection to this package's exceptions."""
        import httpx

        what = f"{call.method} {call.path}"
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            unreached = _connection_error(
                f"Cannot reach the OpenCode server at {self.base_url} ({_said(error)}). "
                "Is it running? `opencode serve` starts one.",
                sent=False,
            )
            unreached.refused = self._local and _is_refusal(error)
            raise unreached from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise APITimeoutError(
                f"{what}: no complete answer in time. The server may still be working on it; "
                "pass a longer timeout=, or look at its log."
            ) from error
        except httpx.RequestError as error:
            raise _connection_error(
                f"{what}: the connection broke ({_said(error)}). "
                "Check whether the server is still running, and try again if repeating is safe."
            ) from error


def decode(call: Call, response: httpx.Response) -> Any:
    """Decode the answer by the operation's kind, or by content type for a bare request; None if it is empty."""
    kind = response.headers.get("content-type", "")
    if kind.startswith("text/html"):
        raise _unreadable(call, response)
    if call.kind == "bytes":
        return response.content
    if call.kind == "text":
        return response.text
    if not response.content:
        return None
    if call.kind is None and kind.startswith("text/"):
        return response.text
    if call.kind is None and "json" not in kind:
        return response.content
    try:
        return wrap(json.loads(response.content))
    except (ValueError, RecursionError) as error:
        raise _unreadable(call, response) from error


def _raise_for_status(call: Call, response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        body = wrap(json.loads(response.content)) if response.content else None
    except (ValueError, RecursionError):
        body = response.text
    raise status_error(
        response.status_code, body, method=call.method, path=call.path, retry_after=retry_after(response.headers)
    )


def _unreadable(call: Call, response: httpx.Response) -> OpencodeError:
    """Return the error for a success that cannot be decoded."""
    kind = response.headers.get("content-type", "nothing")
    if kind.startswith("text/html"):
        return NotSupportedError(
            f"{call.method} {call.path}: the server answered with its web page, as it does for unknown operations: it "
            "is an older OpenCode, or OpenCode 2, which has none of them. Use the newest version of OpenCode 1, or see "
            "the server's own operations with Client.live(base_url).",
            method=call.method,
            path=call.path,
        )
    text = response.text
    where = f"{len(response.content)} bytes of {kind}"
    return InvalidResponseError(
        f"{call.method} {call.path}: the answer ({where}) is not what the operation returns: {text[:BODY_SHOWN]!r}. "
        "Check that base_url is an OpenCode server and not a proxy or another service.",
        body=text[:BODY_SHOWN],
    )


def _is_events(response: httpx.Response) -> bool:
    return response.is_success and response.headers.get("content-type", "").startswith("text/event-stream")


def _may_repeat(call: Call, error: OpencodeError) -> bool:
    """Return whether a retry can help and cannot do the same thing twice."""
    if not error.retryable or isinstance(error, ServerError):  # the wait for the server already failed
        return False
    if isinstance(error, APIConnectionError) and not error.sent:
        return True
    if isinstance(error, APIStatusError) and (error.retry_after or 0) > RETRY_AFTER_MOST:
        return False
    if isinstance(error, InternalServerError) and misformed_id(call):
        return False
    return call.repeat == "always" or (call.repeat == "refused" and isinstance(error, RateLimitError))


def _delay(error: OpencodeError, attempt: int) -> float:
    """Return the seconds to wait: what the server asks for, else doubling, with jitter to spread out clients."""
    if isinstance(error, APIStatusError) and error.retry_after is not None:
        return error.retry_after
    doubled: float = RETRY_FIRST * 2**attempt
    return min(doubled, RETRY_MOST) * _JITTER.uniform(0.75, 1.0)


def _connection_error(message: str, *, sent: bool = True) -> APIConnectionError:
    error = APIConnectionError(message)
    error.sent = sent
    return error


def _is_refusal(error: BaseException | None) -> bool:
    """Return whether a connection was refused, according to the error or any of its causes."""
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        group = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        if any(map(_is_refusal, group)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a host name
        return False


def _authorization(user: str, password: str | None) -> dict[str, str]:
    if password is None:
        return {}
    return {"authorization": Secret("Basic " + b64encode(f"{user}:{password}".encode()).decode())}
