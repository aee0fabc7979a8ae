"""What a turn changed in the kernel's memory, and what an undo restored of it: names, types and sizes. Pure data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

How = Literal["new", "rebound", "changed in place", "deleted"]

BEYOND = "files that other processes wrote, modules, classes, threads, connections"
"""What is never restored."""

LISTED = 20
"""Names in one line; the number of the others follows."""


@dataclass(frozen=True, slots=True)
class VariableChange:
    """A variable that changed: `kind` is its type now, or was before it was deleted.

    `before` and `after` are its sizes, such as "891x12" or "length 3"; "" where it has none.
    """

    name: str
    how: How
    kind: str
    before: str = ""
    after: str = ""

    def then(self, later: VariableChange) -> VariableChange | None:
        """Return both changes as one; None if the variable was made and deleted."""
        if self.how == "new":
            return None if later.how == "deleted" else replace(later, how="new", before="")
        in_place = self.how == later.how == "changed in place"
        how = later.how if in_place or later.how == "deleted" else "rebound"
        return replace(later, how=how, before=self.before)

    def __str__(self) -> str:
        resized = self.how not in ("new", "deleted") and self.before != self.after
        return f"{self.name}: {f'{self.before} -> {self.after}' if resized else self.how}"


@dataclass(frozen=True, slots=True)
class KernelChanges:
    """What the agent's code of one turn changed in the kernel.

    `environment` names the rest: "working directory", "environment variable X", "random state", "rcParams dpi".
    `untracked` are variables that hold what cannot be copied, `over_budget` those that are too big or too many.
    """

    variables: tuple[VariableChange, ...] = ()
    environment: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    over_budget: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: dict[str, Any]) -> KernelChanges:
        """Return the changes from what `as_json` made of them."""
        rest = {key: tuple(data.get(key, ())) for key in ("environment", "untracked", "over_budget")}
        return cls(tuple(VariableChange(**row) for row in data.get("variables", ())), **rest)

    def as_json(self) -> dict[str, Any]:
        """Return plain data, for an event or a page."""
        return asdict(self)

    def named(self, how: How) -> tuple[str, ...]:
        """Return the names of the variables that changed in this way."""
        return tuple(change.name for change in self.variables if change.how == how)

    def __add__(self, later: KernelChanges) -> KernelChanges:
        """Join what changed in two spans of time."""
        changed = {change.name: change for change in self.variables}
        for change in later.variables:
            before = changed.pop(change.name, None)
            if (joined := before.then(change) if before else change) is not None:
                changed[change.name] = joined
        return KernelChanges(
            tuple(changed.values()),
            _joined(self.environment, later.environment),
            _joined(self.untracked, later.untracked),
            _joined(self.over_budget, later.over_budget),
        )

    def __bool__(self) -> bool:
        return bool(self.variables or self.environment)

    def __str__(self) -> str:
        """Return one line, such as "df: 891x12 -> 889x12; model: new"."""
        return "; ".join([*map(str, self.variables), *(f"{name}: changed" for name in self.environment)])


@dataclass(frozen=True, slots=True)
class Restored:
    """What an undo or redo did in the kernel: names, (name, reason) of those left alone, and what was not tracked."""

    restored: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    over_budget: tuple[str, ...] = ()
    not_tracked: tuple[str, ...] = ()
    note: str = ""
    """Why there was nothing to restore; "" if there was."""

    def __add__(self, later: Restored) -> Restored:
        """Join the reports of two acts: what the later one refused is not restored."""
        refused = {**dict(self.refused), **dict(later.refused)}
        restored = dict.fromkeys((*self.restored, *later.restored))
        return Restored(
            tuple(name for name in restored if name not in refused),
            tuple(refused.items()),
            tuple(dict.fromkeys((*self.over_budget, *later.over_budget))),
            tuple(dict.fromkeys((*self.not_tracked, *later.not_tracked))),
            "\n".join(dict.fromkeys(filter(None, (self.note, later.note)))),
        )

    def __str__(self) -> str:
        lines = [
            self.note,
            f"Restored in the kernel: {listed(self.restored)}." if self.restored else "",
            f"Not restored: {'; '.join(f'{name}: {reason}' for name, reason in self.refused)}." if self.refused else "",
            f"Too big to keep a copy: {listed(self.over_budget)}." if self.over_budget else "",
            f"Never restored: {listed(self.not_tracked)}{', ' if self.not_tracked else ''}{BEYOND}.",
        ]
        return "\n".join(filter(None, lines))


def _joined(names: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*names, *more)))


def listed(names: tuple[str, ...]) -> str:
    """Return the names in one line, cut."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
