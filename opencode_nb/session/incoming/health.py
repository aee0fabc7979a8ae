"""How the connection to the server has held since it was first opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from opencode_nb.errors import OpencodeError


@dataclass(frozen=True, slots=True)
class Health:
    """Failures of the connection: failed starts, a lost event stream, and failed attempts to open it again.

    `consecutive_failures` counts those since it last worked, so it is `degraded` if there are any. `last_error` and
    `last_failure` (UTC) tell the last one, also after it recovered; "" and None if there was none.
    """

    failures: int = 0
    consecutive_failures: int = 0
    last_error: str = ""
    last_failure: datetime | None = None

    @property
    def degraded(self) -> bool:
        """Whether the connection does not work, as far as is known."""
        return self.consecutive_failures > 0


class HealthRecord:
    """Counts failures over all event streams of a connection. `health` is how it stands."""

    def __init__(self) -> None:
        self.health = Health()

    def failed(self, error: str) -> None:
        """Record a failure."""
        before = self.health
        self.health = Health(before.failures + 1, before.consecutive_failures + 1, error, datetime.now(UTC))

    def works(self) -> None:
        """Record that the connection works."""
        before = self.health
        self.health = Health(before.failures, 0, before.last_error, before.last_failure)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Record an OpencodeError of the body as a failure, and raise it."""
        try:
            yield
        except OpencodeError as error:
            self.failed(str(error))
            raise
