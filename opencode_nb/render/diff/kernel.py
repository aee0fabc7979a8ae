"""Render what a turn changed in the kernel: a section of its card and of its diff."""

from __future__ import annotations

from collections.abc import Iterator

from opencode_nb.diffs.memory import KernelChanges, VariableChange, listed
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join, visible

SHOWN = 50
"""Variables shown one by one; the number of the others follows."""

_MARKS = {"new": "A", "rebound": "M", "changed in place": "M", "deleted": "D"}
_ARROW = " \u2192 "


def title(changes: KernelChanges) -> str:
    """Return a headline such as "Kernel: 2 variables changed"."""
    count = len(changes.variables) + len(changes.environment)
    what = "variable" if changes.variables and not changes.environment else "value"
    return f"Kernel: {count} {what}{'' if count == 1 else 's'} changed" if count else "Kernel: nothing changed"


def kernel_html(changes: KernelChanges | None, fold: str = "") -> Html:
    """Render the section, folded if it is long; nothing if no code ran."""
    if not changes:
        return NOTHING
    heading = [element("span", escape("\u25c7"), style="glyph"), element("span", escape(title(changes)), style="name")]
    rows = [_row(change) for change in changes.variables[:SHOWN]]
    rows += [element("div", escape(line), style="wrap small muted") for line in _rest(changes)]
    return element(
        "details",
        join([element("summary", join(heading, Html(" ")), style="summary"), element("div", join(rows), style="body")]),
        style="card",
        data_part="kernel",
        data_fold=fold or None,
        open=len(changes.variables) <= SHOWN // 5,
    )


def _row(change: VariableChange) -> Html:
    pieces = [
        element("span", escape(visible(change.name)), style="value strong"),
        element("span", escape(visible(_about(change))), style="muted small"),
    ]
    return element("div", join(pieces, Html(" ")), style="wrap", data_variable=change.name)


def _about(change: VariableChange) -> str:
    """Return how it changed: "changed in place, pandas.DataFrame, 891x12 \u2192 889x12"."""
    sizes = dict.fromkeys(filter(None, (change.before, change.after)))
    return ", ".join(filter(None, (change.how, change.kind, _ARROW.join(sizes))))


def _rest(changes: KernelChanges) -> Iterator[str]:
    if len(changes.variables) > SHOWN:
        yield f"and {len(changes.variables) - SHOWN} more variables"
    if changes.environment:
        yield f"Also changed: {listed(changes.environment)}"
    if changes.over_budget:
        yield f"Too big to keep a copy, so undo cannot restore what changed inside: {listed(changes.over_budget)}"
    if changes.untracked:
        yield f"Not tracked: {listed(changes.untracked)}"


def kernel_lines(changes: KernelChanges | None) -> list[str]:
    """Return the section as lines of text; none if no code ran or changed anything."""
    if not changes:
        return []
    rows = [f"{_MARKS[change.how]} {change.name} ({_about(change)})" for change in changes.variables[:SHOWN]]
    return [visible(line) for line in (title(changes), *rows, *_rest(changes))]
