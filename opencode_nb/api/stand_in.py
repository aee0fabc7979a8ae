"""StandIn: answers some operations of the server in its place, where no server runs. Sends nothing over HTTP."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar

from opencode_nb.api.client import AsyncClient
from opencode_nb.api.record import wrap
from opencode_nb.errors import OpencodeError

if TYPE_CHECKING:
    from opencode_nb.api.spec import Row


class StandIn(AsyncClient):
    """A client whose operations are answered by `answers`: by name, a method or coroutine method of the subclass.

    `name` stands in its address, which nothing is sent to. Other operations raise what `refusal` returns.
    """

    answers: ClassVar[Mapping[str, Callable[..., Any]]]

    def __init__(self, name: str, directory: str) -> None:
        super().__init__(f"http://{name}.invalid", directory=directory)

    def _call(self, row: Row, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._answer(str(row["name"]), *args, **kwargs)

    async def _answer(self, operation: str, *args: Any, **fields: Any) -> Any:
        if (error := self.lacks(operation)) is not None:
            raise error
        result = self.answers[operation](self, *args, **fields)
        return wrap(await result if isawaitable(result) else result)

    def lacks(self, operation: str) -> OpencodeError | None:
        """Return the error of an operation that nothing answers here; None for the others."""
        return None if operation in self.answers else self.refusal(operation)

    @abstractmethod
    def refusal(self, operation: str) -> OpencodeError:
        """Return the error of an operation that nothing answers here."""

    async def request(self, method: str, path: str, **_options: Any) -> Any:
        """Raise OpencodeError."""
        raise self.refusal(f"{method} {path}")

    async def aclose(self) -> None:
        """Do nothing: there are no connections."""
