"""What Tab and the panel offer after an `@`: the kernel's variables, cells, values and the last error."""

from __future__ import annotations

import re
from collections.abc import Iterator

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.kernel.context.cells import cells_of
from opencode_nb.kernel.values.namespace import own

MOST = 20
"""Cells offered, the latest first."""

_HISTORY = re.compile(r"@(?:in|out|i|o|ou)(?:\[\d*\]?)?$", re.IGNORECASE)


def names() -> list[str]:
    """Return the names of the user's own variables, in the order of their creation."""
    shell = get_ipython()
    return list(own(shell)) if shell is not None else []


def offered(text: str) -> dict[str, str]:
    """Return what the word at the end of a text may mention in the kernel, with a word on each."""
    shell = get_ipython()
    if shell is None:
        return {}
    found = dict.fromkeys(own(shell), "variable")
    special = {**dict(_special(shell)), **(dict(_history(shell)) if _HISTORY.search(text) else {})}
    return {**special, **found}


def outputs() -> list[str]:
    """Return the cells that ran, the latest first: by `Out[n]`, or by `In[n]` if they have no value."""
    shell = get_ipython()
    if shell is None:
        return []
    cells = cells_of(shell)
    latest = sorted(cells.sources, reverse=True)[:MOST]
    return [f"Out[{number}]" if number in cells.values else f"In[{number}]" for number in latest]


def _special(shell: InteractiveShell) -> Iterator[tuple[str, str]]:
    cells = cells_of(shell)
    if cells.error is not None:
        yield "err", f"the last error: {type(cells.error).__name__}"
    if cells.last is not None:
        yield "cell", f"the last cell: In[{cells.last.number}]"


def _history(shell: InteractiveShell) -> Iterator[tuple[str, str]]:
    cells = cells_of(shell)
    for name, kept, detail in (("Out", cells.values, "a cell's value"), ("In", cells.sources, "a cell's source")):
        for number in sorted(kept, reverse=True)[:MOST]:
            yield f"{name}[{number}]", detail
