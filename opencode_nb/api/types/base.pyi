"""The base of the generated types."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Literal, Protocol, Self, TypeAlias, TypeVar, overload

from opencode_nb.api.record import Record

Newer: TypeAlias = Literal["<newer>"]
"""Stands for every tag that this release does not know: a newer server may send values other than the listed ones.

It keeps unions open: after `if part.type == "text": ... elif part.type == "tool": ...`, `else` is still reachable. Never
compare with "<newer>": the actual value is whatever the server sent.
"""

Query: TypeAlias = Mapping[str, Any] | None
"""Query parameters by name, sent in addition to an operation's own."""

Body: TypeAlias = Mapping[str, Any] | None
"""Fields of the body by name, sent in addition to an operation's own."""

Headers: TypeAlias = Mapping[str, str] | None

class Object(Record):
    """A Record whose fields are known.

    Required fields are attributes. Read optional ones with `get`: `session.get("parentID")` is `str | None`. Fields that
    this release does not know: `session.get("new")` or `session["new"]`, which are Any. Any other attribute is rejected
    as a misspelling.
    """

    __getattr__: None  # type: ignore  # disables the Record's own, which accepts every name

class ClientDisconnectedProperties(Object):
    error: str

class ClientDisconnected(Object):
    """From this client, not from the server: the connection is lost; the client is reconnecting."""

    type: Literal["client.disconnected"]
    properties: ClientDisconnectedProperties
    @overload  # type: ignore[override]
    def get(self, key: Literal["payload"], default: None = None, /) -> None: ...
    @overload
    def get(self, key: str, default: Any = None, /) -> Any: ...

class ClientReconnected(Object):
    """From this client, not from the server: the connection is back. Refetch what happened in between."""

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
        """Disconnect and end the iteration; may be called from any thread."""

class AsyncEvents(Protocol[_T_co]):
    """opencode_nb.api.stream.AsyncEventStream, by what it yields."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc_info: object) -> None: ...
    def __aiter__(self) -> AsyncIterator[_T_co]: ...
    async def __anext__(self) -> _T_co: ...
    async def aclose(self) -> None:
        """Disconnect and end the iteration."""
