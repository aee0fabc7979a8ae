"""Wire: requests to an agent and their answers, over the `agent-client-protocol` package."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from opencode_nb import portal
from opencode_nb.acp.transport import Line
from opencode_nb.errors import APITimeoutError, NotSupportedError, OpencodeError, ServerExitedError
from opencode_nb.transcript.state import Json

REQUEST_TIMEOUT = 60.0
"""Seconds for an answer; prompts have none, as they are answered when their turn has ended."""

ENDING = 2.0
"""Seconds for an agent that has closed its output to end, for its exit code."""

INVALID = -32602
"""The code of a request that cannot be answered as it is."""

_UNKNOWN_METHOD = -32601

NOT_INSTALLED = "Agents need the package agent-client-protocol: pip install 'opencode_nb[acp]'"

Serve = Callable[[str, Json], Awaitable[Any]]
"""Answers a request of the agent, or takes a notification: its method and parameters. Raises RpcError."""


class RpcError(OpencodeError):
    """A request was answered with an error: `code` is the protocol's, `data` what came with it."""

    def __init__(self, message: str, code: int, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.data = code, data


def require() -> None:
    """Raise OpencodeError if the package of the protocol is missing."""
    try:
        import acp.connection  # noqa: F401
    except ImportError as error:
        raise OpencodeError(NOT_INSTALLED) from error


class Wire:
    """Sends requests to an agent, and has `serve` answer its own. `lost` is called when it ends by itself."""

    def __init__(self, line: Line, serve: Serve, lost: Callable[[str], None]) -> None:
        from acp.connection import Connection

        self._line, self._serve, self._lost = line, serve, lost
        self._connection = Connection(self._handle, line)
        self._watching = asyncio.create_task(self._watch(), name="opencode_nb agent")
        portal.before_stop(self.close)

    async def request(self, method: str, params: Json, timeout: float | None = REQUEST_TIMEOUT) -> Json:
        """Send a request and return its result.

        Raises RpcError, NotSupportedError for a method that the agent does not know, APITimeoutError after
        `timeout` seconds, and ServerExitedError if the agent has ended.
        """
        from acp.exceptions import RequestError

        try:
            async with asyncio.timeout(timeout):
                result = await self._connection.send_request(method, params)
        except RequestError as error:
            raise _refused(method, error.code, str(error), error.data) from error
        except TimeoutError as error:
            raise APITimeoutError(f"The agent did not answer {method} within {timeout:g} s.") from error
        except OSError as error:  # a ConnectionError, or a broken pipe
            raise ServerExitedError(await self._why(), exit_code=self._line.exit_code, tail=self._line.tail) from error
        return result if isinstance(result, dict) else {}

    async def notify(self, method: str, params: Json) -> None:
        """Send a notification; do nothing if the agent has ended."""
        with contextlib.suppress(OSError):
            await self._connection.send_notification(method, params)

    async def _handle(self, method: str, params: Any, is_notification: bool) -> Any:
        from acp.exceptions import RequestError

        try:
            return await self._serve(method, params if isinstance(params, dict) else {})
        except RpcError as error:
            if is_notification:  # of an extension that is not known here
                return None
            raise RequestError(error.code, str(error), error.data) from error

    async def _watch(self) -> None:
        await self._line.silent()
        self._lost(await self._why())

    async def _why(self) -> str:
        if self._line.fault:
            return f"The agent {self._line.fault}. {self._line.told}"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING):
                await self._line.ended()
        code = self._line.exit_code
        how = "has closed its output" if code is None else f"ended (exit code {code})"
        return f"The agent {how}. {self._line.told}"

    async def close(self) -> None:
        """End the agent and everything it started."""
        self._closing = True
        self._watching.cancel()
        await self._connection.close()  # and with it the line


def refusal(method: str) -> RpcError:
    """Return the answer to a request that is not known here."""
    return RpcError(f"{method} is not supported.", _UNKNOWN_METHOD, {"method": method})


def _refused(method: str, code: int, message: str, data: Any) -> OpencodeError:
    details = data.get("details") or data.get("message") if isinstance(data, dict) else data
    said = f"{message}: {details}" if isinstance(details, str) and details not in message else message
    if code == _UNKNOWN_METHOD:
        return NotSupportedError(f"The agent does not support {method}.", method=method)
    return RpcError(said, code, data)
