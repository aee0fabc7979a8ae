"""Seeds of tests that try random input."""

from __future__ import annotations

from typing import Any

import pytest

QUICK = 4
"""How many of a test's seeds `make quick` runs."""


def seeds(count: int) -> list[Any]:
    """Return `range(count)` as parameters: `make quick` runs the first four, everything else runs them all."""
    return [seed if seed < QUICK else pytest.param(seed, marks=pytest.mark.not_quick) for seed in range(count)]
