"""Let the agent mend a notebook: tell it the report, run the notebook again, and so on, up to a limit. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opencode_nb.verify.report import Report

TASK = (
    "Mend the notebook {path}, {where}: it was run from the top in a fresh kernel, and the report says what is wrong. "
    "Change as little as you can, keep what each cell is for, and write no outputs: the notebook is run again "
    "after your turn. If something cannot be mended in it, such as a service that is down, say so and change nothing."
)
"""The prompt that the report goes with."""

IN_FILE, IN_PAGE = "in its file", "which is open, by the tools for its cells"
"""Where it is mended."""


def mend(
    check: Callable[[], Report], tell: Callable[[Report], object], rounds: int, state: Callable[[], object]
) -> Iterator[Report]:
    """Yield the report of each run; between two, `tell` the agent. Ends when it is sound, or the agent changed nothing.

    `check` runs the notebook, and `state` returns what tells whether it was changed. The last report that is yielded is
    what the notebook is like now.
    """
    report = check()
    yield report
    for _ in range(rounds):
        if report.ok:
            return
        before = state()
        tell(report)
        if state() == before:
            return
        report = check()
        yield report
