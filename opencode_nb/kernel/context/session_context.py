"""What one session is told of this kernel: mentions, values and notes, through the session's gate."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Collection, Iterable
from pathlib import Path

from IPython.core.getipython import get_ipython

from opencode_nb.errors import OpencodeError
from opencode_nb.kernel import notebook
from opencode_nb.kernel.context import note, subjects
from opencode_nb.kernel.context.cells import Cell, Cells, cells_of
from opencode_nb.kernel.context.subjects import Subject
from opencode_nb.kernel.values.bounds.looking import OnMain, look
from opencode_nb.kernel.values.namespace import own
from opencode_nb.kernel.values.secrets import known_secrets
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.names import NOTE_KIND
from opencode_nb.tools.privacy import Gate, Level, Outgoing
from opencode_nb.transcript.state import Json

MOST = 10
"""Maximum number of mentions described per text."""

NOTE = "what changed"
"""How the note is named on the page, where a mention has its own name."""

_TOO_LONG = (
    "Describing what is mentioned took too long: what computes it does not react to interrupts. Without the @, or in "
    "backticks, it is sent as text. Nothing was sent."
)

Agents = Callable[[], Awaitable[Collection[str]]]
"""Returns the names of the server's agents."""


class SessionContext:
    """The gate of one session, and what its agent last saw of the kernel. Use from any thread."""

    def __init__(self, session_id: str) -> None:
        self.gate = Gate(Level.FULL, Ledger(session_id), known_secrets_here)
        self._seen = note.Look()
        self._told: note.Look | None = None

    def settle(self, chosen: Level | None = None) -> Level:
        """Set the gate's level and return it: the one chosen now, else earlier for this session, else the default."""
        self.gate.chosen = self.gate.chosen if chosen is None else chosen
        return self.gate.settle()

    def preview(self) -> SessionContext:
        """Return a context that says the same, and records nothing here."""
        copy = SessionContext("")
        copy.gate.chosen, copy._seen = self.gate.chosen, self._seen
        return copy

    async def mentioned(self, text: str, agents: Agents, directory: Path, on_main: OnMain | None = None) -> list[Json]:
        """Return parts that describe what a text mentions of the kernel; raises what `find` raises.

        The values' own code runs for a bounded time: on the main thread, if that is soon free, else on another, where
        figures are not drawn. Raises OpencodeError if it takes too long.
        """
        found = await self.find(text, agents, directory)
        try:
            return await look(lambda draws: self.described(found, draws=draws), on_main) if found else []
        except TimeoutError:
            raise OpencodeError(_TOO_LONG) from None

    async def find(self, text: str, agents: Agents, directory: Path) -> list[Subject]:
        """Return what a text mentions of the kernel. Runs no code of the user's.

        Raises OpencodeError for a cell or an error that is not there, and for a name that is one edit away from a
        variable, unless it is that of an agent, or of a file in `directory`.
        """
        variables = _variables()
        found = subjects.subjects(text, variables, _cells())[:MOST]
        if wrong := subjects.mistyped(text, variables):
            known = {*await agents(), *(name for name in wrong if (directory / name).exists())}
            for name in wrong.keys() - known:
                raise subjects.mistyped_error(name, wrong[name])
        return found

    def described(self, found: Iterable[Subject], *, draws: bool = True) -> list[Json]:
        """Return parts for these subjects, through the gate. Runs the values' own code, for a bounded time."""
        return [part for one in found for part in self._parts(one.name, one.kind, one.outgoing(draws))]

    def _parts(self, name: str, kind: str, outgoing: Outgoing) -> list[Json]:
        let = self.gate.let(outgoing, by="mention")
        return [_text(name, kind, let.text), *(_image(name, data) for data in let.images)]

    def note(self) -> list[Json]:
        """Return a part that says what changed in the kernel since the agent last looked; [] if nothing did.

        It stands in a tag, as what is not the user's own words.
        """
        if not self.gate.open:
            return []
        cells = _cells()
        last = cells.last if cells else None
        self._told = now = _look(last)
        outgoing = note.changes(self._seen, now, last)
        if outgoing is None:
            return []
        let = self.gate.let(outgoing, by="context")
        return [_text(NOTE, NOTE_KIND, f"<kernel>\n{let.text}\n</kernel>")]

    def sent(self, turn: str, model: str) -> list[Json]:
        """Take the last note as read, and note the turn and the model ("provider/model") that took all along.

        Return the facts of what went along since this was called last, without its data.
        """
        self._seen, self._told = self._told or self._seen, None
        new = [entry.facts for entry in self.gate.ledger.entries if not entry.turn]
        if new:
            self.gate.ledger.stamp(turn=turn, model=model)
        return new

    def looked(self) -> None:
        """Take the kernel as it is now as seen: the agent looked at it itself."""
        cells = _cells()
        self._seen = _look(cells.last if cells else None)


def _look(last: Cell | None) -> note.Look:
    current = notebook.current()
    return note.look(_variables(), current.path.name if current else "", last)


def _variables() -> dict[str, object]:
    shell = get_ipython()
    return own(shell) if shell is not None else {}


def known_secrets_here() -> Iterable[str]:
    """Return the secrets of this kernel's variables."""
    shell = get_ipython()
    return known_secrets(shell)() if shell is not None else ()


def _cells() -> Cells | None:
    shell = get_ipython()
    return cells_of(shell) if shell is not None else None


def _text(name: str, kind: str, text: str) -> Json:
    shown = {"variable": name, "kind": kind}
    return {"type": "text", "synthetic": True, "text": text, "metadata": {"opencode_nb": shown}}


def _image(name: str, data: bytes) -> Json:
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return {"type": "file", "mime": "image/png", "filename": f"{name}.png", "url": url}


_contexts: dict[str, SessionContext] = {}


def context_of(session_id: str) -> SessionContext:
    """Return the context of a session in this kernel, created on first use."""
    return _contexts.setdefault(session_id, SessionContext(session_id))
