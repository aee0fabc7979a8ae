"""Turn: the result of a prompt, while it runs and afterwards. Reads `TurnState`, never writes it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Generator
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from opencode_nb._version import __version__
from opencode_nb.errors import OpencodeError, TurnError
from opencode_nb.portal import result_of
from opencode_nb.session.turns.detached import Detached
from opencode_nb.tools.ledger import Entries, Entry
from opencode_nb.transcript import usage
from opencode_nb.transcript.results import is_late
from opencode_nb.transcript.state import Json, Message, TurnState
from opencode_nb.transcript.tool_call import ToolCall

if TYPE_CHECKING:
    from rich.console import RenderableType

    from opencode_nb.changes.diff import Diff, FileDiff
    from opencode_nb.diffs.memory import KernelChanges
    from opencode_nb.failures import StopReason
    from opencode_nb.results.schema import Schema


class Turn:
    """One prompt and its answer: `text`, `reasoning`, `tools`, `diffs`, `tokens`, `cost`, `status`, ...

    Updates itself while the turn is running; `wait()` (or `await turn`) returns it when it has ended.
    Displays as HTML, Markdown or text in a notebook, and through rich in a terminal.
    """

    def __init__(self, state: TurnState, session: Any, done: Future[None]) -> None:
        self.state = state
        self._session = session
        self._done = done
        self._schema: Schema | None = None
        self._data: list[Any] = []  # the value, once it was read

    @property
    def session(self) -> Any:
        """The turn's session. `map` lets go of sessions: theirs is opened again, which starts the server if need be.

        Of an `AsyncOpencode`, and where the session's worktree is gone, it stays a `Detached`, with the session's `id`.
        """
        if isinstance(self._session, Detached) and self._session.open is not None:
            self._session = self._session.open()
        return self._session

    @session.setter
    def session(self, session: Any) -> None:
        self._session = session

    # -- content ---------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The id of the user message."""
        return self.state.id

    @property
    def prompt(self) -> str:
        """The text of the prompt."""
        return self.state.prompt.text if self.state.prompt else ""

    @property
    def text(self) -> str:
        """The whole answer, steps joined by a blank line, without the summary of a compaction."""
        return "\n\n".join(text for step in self._answers if not step.info.get("summary") for text in _texts(step))

    @property
    def reasoning(self) -> str:
        """The model's reasoning, steps joined by a blank line."""
        return "\n\n".join(text for step in self._answers for text in _texts(step, "reasoning"))

    @property
    def data(self) -> Any:
        """The value that the answer gives for the prompt's `schema`: an instance of the type, or plain JSON.

        Raises the turn's error, StructuredOutputError if a replayed answer does not match, and OpencodeError while the
        turn runs, or if its prompt had no schema.
        """
        if self._schema is None:
            raise OpencodeError("This turn has no data: its prompt had no schema=. Its text is in `.text`.")
        if not self.state.ended:
            raise OpencodeError("This turn has no data yet: wait for its end with `wait()`.")
        self.raise_for_status()
        if not self._data:
            self._data.append(self._read(self._schema))
        return self._data[0]

    def _read(self, schema: Schema) -> Any:
        from opencode_nb.failures import turn_error
        from opencode_nb.results.answer import mismatch, read
        from opencode_nb.results.schema import MismatchError

        try:
            return read(schema, self.state)
        except MismatchError as error:
            raise turn_error(mismatch(error), self) from error

    @property
    def tools(self) -> list[ToolCall]:
        """The tool calls in order."""
        return [ToolCall.of(part, self.state.ended) for part in self.state.parts if part.get("type") == "tool"]

    def diff(self) -> Diff:
        """Return what the turn changed, to review or revert; `.source` says where it comes from and what it can miss.

        Reverting the whole diff of the last turn also undoes the turn on the server, as `session.revert` does, and
        hides its messages. With `AsyncSession` it does not: await its `revert` instead.
        Reads the server's snapshots and the files, which takes tens of milliseconds.
        """
        from opencode_nb.changes import sources
        from opencode_nb.changes.diff import Diff
        from opencode_nb.changes.turn_undo import TurnUndo
        from opencode_nb.session.kernel.memory import TurnCells

        if isinstance(self._session, Detached):
            return Diff(*self._session.changes(self.state), kernel=self.kernel)
        inner = getattr(self.session, "_async", None)
        cells = TurnCells.of((inner or self.session).memory, [self.state])
        if inner is None:
            return Diff(*sources.of_turns([self.state], self.session.place), kernel=self.kernel, cells=cells)
        place, revert = inner.place, partial(self.session.revert, self)
        undo = TurnUndo(self.state, inner.transcript, place, revert, self.session.unrevert)
        return Diff(*sources.of_turns([self.state], place), undo=undo, kernel=self.kernel, cells=cells)

    @property
    def kernel(self) -> KernelChanges | None:
        """What the turn's code changed in this kernel; None if it ran none here, or the kernel was restarted since."""
        from opencode_nb.diffs.memory import KernelChanges

        return KernelChanges.of(self.state.kernel) if self.state.kernel else None

    @property
    def ledger(self) -> Entries:
        """What left this kernel with the turn: what, how much and when, never the data itself. Shows as a table."""
        entry = partial(Entry.of, session=self.state.session_id, turn=self.id, model=self.model)
        return Entries(map(entry, list(self.state.sent)))

    @property
    def diffs(self) -> list[FileDiff]:
        """The files of `diff()`."""
        return list(self.diff().files)

    @property
    def messages(self) -> list[Message]:
        """The user message and the assistant messages, as the server stores them."""
        return [*([self.state.prompt] if self.state.prompt else []), *self.state.steps.values()]

    @property
    def _answers(self) -> list[Message]:
        return [step for step in list(self.state.steps.values()) if step.info.get("role") == "assistant"]

    # -- how it went -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """One of "queued", "running", "completed", "aborted" and "error"."""
        return self.state.status

    @property
    def done(self) -> bool:
        """Whether the turn has ended and its diffs are complete."""
        return self._done.done() and self.state.ended

    @property
    def error(self) -> TurnError | None:
        """What went wrong, as the exception that `wait` raises; None if nothing did."""
        from opencode_nb.failures import turn_error

        return turn_error(self.state.error, self) if self.state.error else None

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the turn ended; None while it runs.

        "end_turn": the answer is complete; "max_tokens": the model's output limit cut it off; "content_filter": the
        provider blocked it; "aborted": someone stopped it; "timeout", "budget": a limit of yours did; "error": `error`
        says what.
        """
        if not self.state.ended:
            return None
        from opencode_nb.failures import stop_reason

        return stop_reason(self.state.error, str(self._last.get("finish") or ""))

    @property
    def model(self) -> str:
        """The model that answered, as "provider/model"; "" if an agent does not say."""
        return "/".join(filter(None, (self._last.get("providerID"), self._last.get("modelID"))))

    @property
    def agent(self) -> str:
        """The agent that answered."""
        return str(self._last.get("agent") or self._last.get("mode") or "")

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens of all steps by kind: input, output, reasoning, cache_read, cache_write."""
        total = usage.flat(None)
        for step in self._answers:
            for kind, count in usage.flat(step.info.get("tokens")).items():
                total[kind] += count
        return total

    @property
    def cost(self) -> float:
        """Cost in USD, by the provider's price list as the server knows it."""
        return float(sum(step.info.get("cost") or 0 for step in self._answers))

    @property
    def duration(self) -> float | None:
        """Seconds from the prompt to the end of the last completed step; None before the first one ends."""
        start = ((self.state.prompt.info if self.state.prompt else {}).get("time") or {}).get("created")
        ends = [(step.info.get("time") or {}).get("completed") for step in self._answers]
        known = [end for end in ends if end is not None]
        return (max(known) - start) / 1000 if known and start is not None else None

    @property
    def _last(self) -> Json:
        return next((step.info for step in reversed(self._answers) if not is_late(self.state, step)), {})

    # -- waiting ---------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Turn:
        """Wait for the turn to end and return it.

        Raises the turn's error, or TimeoutError after `timeout` seconds (the turn goes on).
        """
        result_of(self._done, timeout)
        return self.raise_for_status()

    def __await__(self) -> Generator[Any, None, Turn]:
        # shielded: cancelling one waiter must not cancel the others
        yield from asyncio.shield(asyncio.wrap_future(self._done)).__await__()
        return self.raise_for_status()

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the turn has ended, on the thread that ends it; at once if it already has."""
        self._done.add_done_callback(lambda _future: callback())

    def raise_for_status(self) -> Turn:
        """Raise the turn's error if it has one, else return the turn."""
        if self.state.ended and self.error is not None:
            raise self.error
        return self

    # -- showing ---------------------------------------------------------------------------------------------------

    @property
    def provenance(self) -> Json:
        """The turn's origin, for the metadata of a saved notebook: ids, model, cost, versions; never a secret."""
        return {
            "session": self.state.session_id,
            "message": self.id,
            "status": self.status,
            "model": self.model,
            "agent": self.agent,
            "tokens": self.tokens,
            "cost": self.cost,
            "duration": self.duration,
            "prompt_sha256": hashlib.sha256(self.prompt.encode()).hexdigest(),
            "opencode": self._server_version,
            "opencode_nb": __version__,
            **({"replayed": True} if self.state.replay else {}),
        }

    @property
    def _server_version(self) -> str:
        return str(getattr(self._session, "server_version", ""))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[Json, Json]:
        data, metadata = _shown.forms(self)
        return dict(data), dict(metadata)

    def _rendered(self) -> tuple[Json, Json]:
        from opencode_nb.render.turn import bounded, page

        state = bounded.bounded(self.state)
        data = {
            "text/html": page.turn_html(state),
            "text/markdown": page.turn_markdown(state),
            "text/plain": page.turn_text(state),
        }
        return data, {"opencode_nb": self.provenance}

    def __rich__(self) -> RenderableType:
        from opencode_nb.render.turn import terminal

        return terminal.turn_terminal(self.state)

    def __repr__(self) -> str:
        text = self.text
        return f"<Turn {self.status} {self.model} {text[:60] + '…' if len(text) > 60 else text!r}>"

    def __str__(self) -> str:
        return self.text


def ending(turn: Turn) -> Future[None]:
    """Return the future that completes when the turn has ended."""
    return turn._done


def expect(turn: Turn, schema: Schema) -> None:
    """Set what the turn's answer must be."""
    turn._schema = schema


def finish(turn: Turn) -> None:
    """Wake everyone waiting for the turn."""
    if not turn._done.done():
        turn._done.set_result(None)


class _Shown:
    """Cache of the last displayed turn's forms: a notebook asks for them several times, rarely for older ones."""

    def __init__(self) -> None:
        self._latest: tuple[Turn, tuple[Json, Json]] | None = None

    def forms(self, turn: Turn) -> tuple[Json, Json]:
        """Return the turn's MIME bundle, rendered only once if the turn has ended."""
        latest = self._latest
        if latest is not None and latest[0] is turn and turn.done:
            return latest[1]
        self._latest = (turn, turn._rendered())
        return self._latest[1]


_shown = _Shown()


def _texts(message: Message | None, kind: str = "text") -> list[str]:
    shown = [part for part in list(message.parts.values()) if part.get("type") == kind] if message else []
    return [str(p["text"]) for p in shown if p.get("text") and not p.get("synthetic") and not p.get("ignored")]
