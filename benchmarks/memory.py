"""Measure a checkpoint of the kernel's memory: 1,000 variables, frames and arrays that fit, and ones that do not.

    python -m benchmarks.memory

Prints the time of the checkpoint before the agent's code, of the comparison after it, and of the undo, in ms, and the
bytes copied. Exits with 1 if a goal is missed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from opencode_nb.diffs.memory import listed
from opencode_nb.kernel.memory.budget import Budget
from opencode_nb.kernel.memory.checkpoint import Checkpoint

ROUNDS = 5
GOAL_MANY = 300.0  # ms for the checkpoint of 1,000 variables
GOAL_BIG = 50.0  # ms for leaving out what is over the budget


def many() -> dict[str, Any]:
    """Return 1,000 variables of the kinds that notebooks have."""
    makers: tuple[Callable[[int], Any], ...] = (
        lambda number: number,
        lambda number: f"text {number}",
        lambda number: list(range(100)),
        lambda number: {str(key): [key] for key in range(20)},
        lambda number: np.arange(1_000.0),
        lambda number: pd.DataFrame({"x": range(100), "y": 1.5}),
    )
    return {f"v{number}": makers[number % len(makers)](number) for number in range(1_000)}


def big() -> dict[str, Any]:
    """Return a frame and an array over the budget."""
    rows = 1_200 * 1024 * 1024 // 8
    return {"frame": pd.DataFrame({"x": np.zeros(rows)}, copy=False), "array": np.zeros(rows // 4), "small": [1]}


def long() -> dict[str, Any]:
    """Return long lists: plain ones are copied at once, the objects in others are looked at."""
    return {"numbers": list(range(2_000_000)), "lists": [[number] for number in range(100_000)]}


def measured(make: Callable[[], dict[str, Any]]) -> tuple[float, float, float, int, tuple[str, ...]]:
    """Return the median ms of checkpoint, compare and restore, the bytes copied, and what was over the budget."""
    rows = []
    namespace = make()
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        checkpoint = Checkpoint(namespace, Budget())
        taken = time.perf_counter()
        namespace["new"] = 1
        changes = checkpoint.compare()
        compared = time.perf_counter()
        checkpoint.restore()
        rows.append((taken - begun, compared - taken, time.perf_counter() - compared))
    taken_ms, compared_ms, restored_ms = (1000 * statistics.median(column) for column in zip(*rows, strict=True))
    return taken_ms, compared_ms, restored_ms, checkpoint.size, changes.over_budget


def main() -> int:
    missed = 0
    goals = (("1,000 variables", many, GOAL_MANY), ("1.2 GB frame", big, GOAL_BIG), ("long lists", long, 2_000.0))
    for name, make, goal in goals:
        taken, compared, restored, size, over = measured(make)
        missed += taken > goal
        print(
            f"{name:16} checkpoint {taken:7.1f} ms (goal {goal:.0f})  compare {compared:7.1f}  undo {restored:7.1f}  ",
            end="",
        )
        print(f"copied {size / 1e6:.1f} MB  over budget: {listed(over) or 'nothing'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
