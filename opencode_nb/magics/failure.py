"""How a cell fails: one clear line with the next step, never a traceback into this package."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from IPython.core.error import UsageError

from opencode_nb.errors import OpencodeError

F = TypeVar("F", bound=Callable[..., Any])


class CellError(Exception):
    """Fails the cell (so that Run All and papermill stop there), and shows as its message alone."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Interrupted(CellError):
    """The cell was interrupted; what came is shown above."""


def one_line(function: F) -> F:
    """Turn this package's errors, and what bad input raises, into a CellError."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UsageError:
            raise
        except KeyboardInterrupt:
            raise Interrupted("Interrupted.") from None
        except (OpencodeError, OSError, ValueError) as error:
            raise CellError(f"{type(error).__name__}: {error}") from error

    return wrapper  # type: ignore[return-value]  # same signature
