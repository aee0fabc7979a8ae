"""What the kernel offers to the agents of sessions: its tools, and who has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb import portal
from opencode_nb.diffs.memory import KernelChanges
from opencode_nb.errors import OpencodeError
from opencode_nb.kernel.cells.tools import CellTools
from opencode_nb.kernel.context.session_context import context_of
from opencode_nb.kernel.context.subjects import Subject
from opencode_nb.kernel.defaults import default_place, default_use
from opencode_nb.kernel.memory.turns import Turns
from opencode_nb.kernel.running import main_thread
from opencode_nb.kernel.running.runner import Runner
from opencode_nb.kernel.running.tools import running_tools
from opencode_nb.kernel.undo import Undo
from opencode_nb.kernel.values.tools import value_tools
from opencode_nb.tools.offer import KERNEL
from opencode_nb.tools.privacy import Gate
from opencode_nb.tools.tool import Call, Result, Tool


class Offerable(Protocol):
    """An async session, as far as tools are offered to it."""

    memory: Any  # a session.memory.Memory, as `Undo` is: sessions stand below the kernel

    @property
    def id(self) -> str:
        """The session's id."""

    @property
    def owner(self) -> Any:
        """The agent whose feed tells the session's views something."""

    def offer(self, tools: Iterable[Tool], gate: Gate | None = None, *, by: str = "") -> None:
        """Give the agent these tools from the next prompt on, in place of those given before `by` the same."""

    def note_kernel(self, turn_id: str, changes: KernelChanges) -> None:
        """Keep with a turn what its code has changed in the kernel so far."""


class KernelOffer:
    """The tools of one shell's kernel, and the choice which sessions have them. Use from any thread."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._chosen: dict[str, bool] = {}
        self._places: dict[str, str] = {}
        self._sessions: WeakValueDictionary[str, Offerable] = WeakValueDictionary()
        self._runner = Runner(shell, self._remembered)
        self._cells = CellTools(shell, self._runner, self._warn)
        running = running_tools(self._runner, self._cells.land)
        every = (*running, *value_tools(shell, main_thread.run), *self._cells.tools)
        self.tools = tuple(map(_noted, every))

    def uses(self, session: Offerable) -> bool:
        """Whether a session's agent has the tools, if it can: as chosen for it, else by default."""
        return self._chosen.get(session.id, default_use()) and not session.owner.lacks("kernel")

    def place(self, session: Offerable) -> str:
        """Return where the code of a session's agent is to stand (`cells.place`), as chosen for it, else by default."""
        return self._places.get(session.id, default_place())

    def choose(self, session: Offerable, *, tools: bool | None = None, place: str | None = None) -> None:
        """Give the tools to a session's agent, or take them away, and say where its code is to stand.

        Takes effect with the next prompt; None leaves a choice as it is.
        """
        if tools is not None:
            self._chosen[session.id] = tools
        if place is not None:
            self._places[session.id] = place
        self.offer(session)

    def offer(self, session: Offerable, *, without: bool = False, cell: str = "", place: str | None = None) -> None:
        """Offer a session's agent what it is to have with the next prompt; nothing at the privacy level none.

        `without`: not with this prompt, whatever was chosen. `cell` is the id of the cell that sends the prompt, ""
        without one; `place` is where this prompt's code is to stand, None for what was chosen.
        """
        self._sessions[session.id] = session
        if session.memory is None:
            session.memory = Undo(Turns(self._shell.user_ns, main_thread.undisturbed), self._cells.of(session.id))
        self._cells.of(session.id).sent(cell, place or self.place(session))
        gate = context_of(session.id).gate
        has = gate.open and not without and self.uses(session)
        session.offer(self.tools if has else (), gate, by=KERNEL)

    async def cells(self, session: Offerable, ids: Iterable[str]) -> Subject:
        """Return cells of the open notebook, as they are now. Raises OpencodeError if no page has them any more."""
        book = self._cells.of(session.id)
        found = await book.from_page({"ids": [*ids]})
        if found is None or not found[1]:
            raise OpencodeError("The selected cells cannot be read: they are gone, or their notebook was closed.")
        outgoing = book.told(*found)
        return Subject("cells", "selected in the notebook", lambda _draws: outgoing)

    @contextmanager
    def _remembered(self, session_id: str, turn: str) -> Iterator[None]:
        """Keep what the agent's code changes meanwhile, for undo and for the turn's diff. On the main thread."""
        session = self._sessions.get(session_id)
        if session is None or session.memory is None or not turn:
            yield
            return
        undo: Undo = session.memory
        undo.memory.before(turn)
        try:
            yield
        finally:
            portal.start(_note, session, turn, undo.memory.after(turn))

    def _warn(self, session_id: str, turn: str, text: str) -> None:
        """Tell people something with a turn. On the package's loop."""
        if (session := self._sessions.get(session_id)) is not None:
            session.owner.feed.tell(session_id, "warned", messageID=turn, text=text)

    def close(self) -> None:
        """Follow the shell no more."""
        self._runner.history.close()


async def _note(session: Offerable, turn: str, changes: KernelChanges) -> None:
    session.note_kernel(turn, changes)


def _noted(tool: Tool) -> Tool:
    """Return the tool so that the next prompt tells only what changed since its last call."""

    async def call(made: Call) -> Result:
        try:
            return await tool.call(made)
        finally:
            context_of(made.session).looked()

    return replace(tool, call=call)


_offers: WeakKeyDictionary[InteractiveShell, KernelOffer] = WeakKeyDictionary()


def kernel_offer() -> KernelOffer | None:
    """Return what this kernel offers; None without an IPython shell, as in a script.

    Made on first use, which must be on the main thread.
    """
    shell = get_ipython()
    if shell is None:
        return None
    if shell not in _offers:
        _offers[shell] = KernelOffer(shell)
    return _offers[shell]


def forget(shell: InteractiveShell) -> None:
    """Drop what a shell's kernel offers."""
    if offer := _offers.pop(shell, None):
        offer.close()
