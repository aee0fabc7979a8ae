"""Make a cell fail with one clear line and the next step, never a traceback into this package."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from IPython.core.error import UsageError

from opencode_nb.errors import OpencodeError
from opencode_nb.session.models import CELL, NoModelError

F = TypeVar("F", bound=Callable[..., Any])


class CellError(Exception):
    """Fails the cell, so that Run All and papermill stop there; displays one line: `shown`, else its message."""

    def __init__(self, message: str, shown: str = "") -> None:
        super().__init__(message)
        self._shown = shown or message

    def _render_traceback_(self) -> list[str]:
        return [self._shown]


class Interrupted(CellError):
    """The cell was interrupted; its partial output is shown above."""


def one_line(function: F) -> F:
    """Convert this package's errors, and those that bad input raises, to CellError."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UsageError:
            raise
        except KeyboardInterrupt:
            raise Interrupted("Interrupted.") from None
        except NoModelError as error:
            raise CellError(error.told_in(CELL)) from error
        except (OpencodeError, OSError, ValueError) as error:
            raise CellError(f"{type(error).__name__}: {error}") from error

    return wrapper  # type: ignore[return-value]  # same signature
