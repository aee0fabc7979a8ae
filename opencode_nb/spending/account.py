"""Account: what one session spends, charged to budgets and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opencode_nb.spending import costs
from opencode_nb.spending.budget import Budget
from opencode_nb.spending.records import Entry
from opencode_nb.spending.steps import Spent, Steps
from opencode_nb.transcript.transcript import Change, Transcript


class Account:
    """Counts what a session and its sub-sessions spend from now on.

    `paying(turn_id, spent)` returns the budgets to charge.
    """

    def __init__(
        self, transcript: Transcript, directory: str, paying: Callable[[str, Spent], Iterable[Budget]]
    ) -> None:
        self._id, self._directory, self._paying = transcript.id, directory, paying
        self._steps = Steps(transcript)

    def count(self, changes: Iterable[Change], *, kept: bool) -> list[tuple[str, str]]:
        """Count what the changes spent, `kept` on disk or not; return new warnings, each with its turn's id."""
        found = self._steps.new(changes)
        if kept:
            costs.keep(Entry.of(spent, self._id, self._directory) for _turn, spent in found if spent.total)
        charged = [(turn, spent, budget) for turn, spent in found for budget in self._paying(turn, spent)]
        return [(turn, text) for turn, spent, budget in charged for text in budget.add(spent)]
