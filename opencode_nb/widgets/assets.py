"""Bundle the JavaScript and the style sheets of a widget into one text each, for anywidget.

anywidget imports a module from a blob URL, where relative imports fail. So the files that a module imports are put in
front of it, each once, and all share one scope: every top-level name must be unique (a test loads each bundle in a
browser). JSDoc comments are removed: they are a third of the text that each widget sends to its page.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

STATIC = Path(__file__).parent.parent / "static"

_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[a-z_/]+\.js)";\n', re.MULTILINE)
_JSDOC = re.compile(r"^ */\*\*(?:(?!\*/).)*\*/\n", re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def script(name: str) -> str:
    """Return the module static/`name` ("chat/chat.js") with everything it imports."""
    return "\n".join(map(_body, _in_order(name)))


def styles(*names: str) -> str:
    """Return the style sheets static/`names`, one after the other."""
    return "\n".join(map(_read, names))


def _body(name: str) -> str:
    """Return a module's text for a bundle: without imports, exports and JSDoc."""
    return _EXPORT.sub("", _JSDOC.sub("", _IMPORT.sub("", _read(name))))


def _in_order(name: str, before: tuple[str, ...] = ()) -> tuple[str, ...]:
    """List the files that `name` needs, and itself, each after its imports; skips those in `before`."""
    order = before
    for path in _IMPORT.findall(_read(name)):
        needed = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        order = order if needed in order else _in_order(needed, order)
    return (*order, name)


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
