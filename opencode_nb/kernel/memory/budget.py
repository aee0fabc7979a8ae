"""The budget of a snapshot: how much may be copied, and how long that may take."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one snapshot; what does not fit is left out and named."""

    copied: int = 256 * 1024 * 1024
    """Bytes of copies."""
    shared: int = 1024 * 1024 * 1024
    """Bytes of frames that their library copies only when they are changed."""
    seconds: float = 0.5
    """Time to look at everything. One copy that has begun is finished: about 0.1 s for all bytes of `copied`."""
    objects: int = 200_000
    """Number of objects looked at: about 0.3 s."""


class Meter:
    """What a snapshot has used of its budget."""

    def __init__(self, budget: Budget) -> None:
        self._copied, self._shared, self._objects = budget.copied, budget.shared, budget.objects
        self.copied = 0
        """Bytes copied so far."""
        self._end = time.monotonic() + budget.seconds

    def takes(self, cost: int, *, shared: bool) -> bool:
        """Return whether one more object of `cost` bytes fits, and count it if so."""
        if self._objects <= 0 or cost > (self._shared if shared else self._copied) or time.monotonic() > self._end:
            return False
        self._objects -= 1
        if shared:
            self._shared -= cost
        else:
            self._copied -= cost
            self.copied += cost
        return True
