"""Measure what listing variables costs: `python benchmarks/variables.py`.

Lists a namespace of 1,000 variables (numbers, texts, containers, objects, arrays, frames of pandas and polars) in
pages, and lets the first through the gate, which finds secrets in the same namespace. Counts processor time, of the
fastest of several rounds: others were disturbed. Exits with 1 if all pages, or the gate, take longer than the goal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import pandas
import polars
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opencode_nb.kernel.values.namespace import own
from opencode_nb.kernel.values.secrets import known_secrets
from opencode_nb.kernel.values.variables import PAGE, variables
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.privacy import Gate, Level

COUNT = 1_000
ROUNDS = 9
GOAL = 50.0  # milliseconds

MAKERS: tuple[Callable[[int], object], ...] = (
    lambda at: at,
    lambda at: f"text {at}",
    lambda at: list(range(at)),
    lambda at: {f"key{n}": n for n in range(at)},
    lambda _: Config(),
    lambda at: numpy.zeros((at, 3)),
    lambda at: pandas.DataFrame(numpy.zeros((at, 12)), columns=[f"c{n}" for n in range(12)]),
    lambda at: pandas.Series(range(at)),
    lambda at: polars.DataFrame({f"c{n}": [at] for n in range(12)}),
    lambda at: type(f"Class{at}", (), {}),
)


def main() -> int:
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    shell.user_ns.update({f"name{at}": MAKERS[at % len(MAKERS)](at) for at in range(COUNT)})
    gate = Gate(Level.FULL, Ledger(), known_secrets(shell))
    page = fastest(lambda: gate.let(variables(own(shell)).outgoing, by="variables"))
    every = fastest(lambda: [variables(own(shell), "", offset) for offset in range(0, COUNT, PAGE)])
    secrets = fastest(known_secrets(shell))
    print(f"{COUNT:,} variables in pages of {PAGE}: {every:.1f} ms (goal: {GOAL:.0f})")
    print(f"the first page, through the gate: {page:.1f} ms, of which finding secrets takes {secrets:.1f} ms")
    return 0 if max(every, page) <= GOAL else 1


def fastest(run: Callable[[], object]) -> float:
    """Return the time of the fastest run, in milliseconds."""
    return min(timed(run) for _ in range(ROUNDS))


def timed(run: Callable[[], object]) -> float:
    start = time.thread_time()
    run()
    return (time.thread_time() - start) * 1000


if __name__ == "__main__":
    sys.exit(main())
