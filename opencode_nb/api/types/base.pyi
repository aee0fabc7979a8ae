"""What the generated types rest on."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Literal, Protocol, Self, TypeAlias, TypeVar, overload

from opencode_nb.api.record import Record

Newer: TypeAlias = Literal["<newer>"]
"""Stands for every tag that this release does not know: a newer server may send other values than the ones named.

It keeps unions open: after `if part.type == "text": ... elif part.type == "tool": ...` something is left for `else`. Never
compare with "<newer>": the value that comes is whatever the server sent.
"""

Query: TypeAlias = Mapping[str, Any] | None
"""Query parameters by name, sent beside an operation's own."""

Body: TypeAlias = Mapping[str, Any] | None
"""Fields of the body by name, sent beside an operation's own."""

Headers: TypeAlias = Mapping[str, str] | None

class Object(Record):
    """A Record whose fields are known.

    Fields that are always there are attributes. The others are read by `get`, as they are in the record or not:
    `session.get("parentID")` is `str | None`. Fields that this release does not know: `session.get("new")` or
    `session["new"]`, which are Any. Everything else is refused as a misspelling.
    """

    __getattr__: None  # type: ignore  # switches the Record's own off, for which every name is right

class ClientDisconnectedProperties(Object):
    error: str

class ClientDisconnected(Object):
    """From this client, not from the server: the connection is lost, and being made anew."""

    type: Literal["client.disconnected"]
    properties: ClientDisconnectedProperties
    @overload  # type: ignore[override]
    def get(self, key: Literal["payload"], default: None = None, /) -> None: ...
    @overload
    def get(self, key: str, default: Any = None, /) -> Any: ...

class ClientReconnected(Object):
    """From this client, not from the server: the connection is back. What happened meanwhile must be fetched."""

    type: Literal["client.reconnected"]
    properties: Object
    @overload  # type: ignore[override]
    def get(self, key: Literal["payload"], default: None = None, /) -> None: ...
    @overload
    def get(self, key: str, default: Any = None, /) -> Any: ...

_T_co = TypeVar("_T_co", covariant=True)

class Events(Protocol[_T_co]):
    """opencode_nb.api.stream.EventStream, by what it yields."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc_info: object) -> None: ...
    def __iter__(self) -> Iterator[_T_co]: ...
    def __next__(self) -> _T_co: ...
    def close(self) -> None:
        """Disconnect, from any thread; whoever iterates ends."""

class AsyncEvents(Protocol[_T_co]):
    """opencode_nb.api.stream.AsyncEventStream, by what it yields."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc_info: object) -> None: ...
    def __aiter__(self) -> AsyncIterator[_T_co]: ...
    async def __anext__(self) -> _T_co: ...
    async def aclose(self) -> None:
        """Disconnect; whoever iterates ends."""
