"""The JavaScript and style sheets of the widgets, as anywidget takes them: one text each.

anywidget imports a module from a blob URL, where a relative import finds nothing. So what a module imports from its
siblings is put in front of it, each file once, and all of them share one scope: a name at a module's top must be its
own (a test has Node parse every result).
"""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).parent.parent / "static"

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([a-z_]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def script(name: str) -> str:
    """The module static/`name` with all that it imports from its siblings."""
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", _read(file))) for file in _in_order(name))


def styles(*names: str) -> str:
    """The style sheets static/`names`, one after the other."""
    return "\n".join(map(_read, names))


def _in_order(name: str, before: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The files that `name` needs and itself, each behind those that it imports, leaving out those of `before`."""
    order = before
    for needed in _IMPORT.findall(_read(name)):
        order = order if needed in order else _in_order(needed, order)
    return (*order, name)


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
