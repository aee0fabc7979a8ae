"""What bounds a verification."""

from __future__ import annotations

from dataclasses import dataclass

CELL_TIMEOUT = 300.0
"""Seconds that one cell may take."""
TOTAL_TIMEOUT = 3600.0
"""Seconds that all cells may take together."""
ROUNDS = 3
"""How often the agent is told what is still wrong."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that one cell may take, and all of them together."""

    cell: float = CELL_TIMEOUT
    total: float = TOTAL_TIMEOUT
