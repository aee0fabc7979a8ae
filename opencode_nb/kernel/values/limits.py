"""How much of a value is told: little in a mention, more where the agent asks for one value."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """`length` in characters of all sections together. `own_code`: whether the value's own code, as repr, may run."""

    length: int
    rows: int
    columns: int
    deep: bool = False
    own_code: bool = True

    def without_own_code(self) -> Limits:
        """Return the limits for a thread on which the user's code must not run."""
        return replace(self, own_code=False)


MENTION = Limits(length=2_000, rows=5, columns=20)
INSPECTION = Limits(length=8_000, rows=10, columns=100, deep=True)
