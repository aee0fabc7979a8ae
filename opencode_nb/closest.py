"""Find the known names closest to a mistyped one, to ask "Did you mean ...?". Pure."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable

MOST = 3
"""Maximum number of suggestions."""


def closest(wanted: str, known: Iterable[str]) -> list[str]:
    """Return the known names that `wanted` may stand for, best first, at most `MOST`. Ignores case.

    Names that contain it come before names that are spelt alike. A name also counts by its last path segment: `m` finds
    `bar/m`, and `maen.py` finds `src/mean.py`.
    """
    text, names = wanted.lower(), list(dict.fromkeys(known))
    if not text:
        return []
    whole, tails = {name: name.lower() for name in names}, {name: _tail(name.lower()) for name in names}
    found = _containing(text, names) or _spelt(text, whole) or _spelt(_tail(text), tails)
    return found[:MOST]


def did_you_mean(wanted: str, known: Iterable[str], form: str = "{}", most: int = MOST) -> str:
    """Return " Did you mean a or b?" with at most so many closest names, each in `form`; "" if none is close."""
    *others, last = [form.format(name) for name in closest(wanted, known)[:most]] or [""]
    return f" Did you mean {' or '.join(filter(None, (', '.join(others), last)))}?" if last else ""


def _containing(wanted: str, names: list[str]) -> list[str]:
    """Return the names that contain this: those that start with it first, then the shortest."""
    found = [name for name in names if wanted in name.lower()]
    return sorted(found, key=lambda name: (not _starts(name.lower(), wanted), len(name)))


def _starts(name: str, wanted: str) -> bool:
    return name.startswith(wanted) or _tail(name).startswith(wanted)


def _spelt(wanted: str, forms: dict[str, str]) -> list[str]:
    by_form = defaultdict(list)
    for name, form in forms.items():
        by_form[form].append(name)
    return [name for form in difflib.get_close_matches(wanted, by_form, MOST) for name in by_form[form]]


def _tail(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]
