"""Write a turn of `opencode-nb ask` as plain text or as JSON lines.

Only the waiting thread writes to stdout, so that a slow reader blocks nothing else.
"""

from __future__ import annotations

import contextlib
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from opencode_nb.cli.ending import Unwritable, writing
from opencode_nb.errors import OpencodeError
from opencode_nb.render.diff.static import as_json
from opencode_nb.render.markup.escape import visible
from opencode_nb.render.turn import answers, facts, layout
from opencode_nb.render.turn.text import card_line
from opencode_nb.render.turn.tools import describe
from opencode_nb.session.blocking import Session
from opencode_nb.session.models import SHELL, told_in
from opencode_nb.session.permissions.console import ConsolePerson
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.session.permissions.policy import Person
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json, Message
from opencode_nb.transcript.transcript import Change

_ENDED = ("completed", "error")
_TERMINAL = Path("/dev/tty")


class View(Protocol):
    """Shows a turn between enter and exit. `person` can be asked."""

    person: Person | None

    def attach(self, turn: Turn) -> None:
        """Show this turn from now on."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@contextlib.contextmanager
def at_terminal() -> Iterator[None]:
    """Make `input()` ask on the controlling terminal, even if stdin or stdout is redirected.

    Without a terminal nothing changes, and the user cannot be asked.
    """
    try:
        with _TERMINAL.open(encoding="utf-8") as typed, _TERMINAL.open("w", encoding="utf-8") as shown:
            before, sys.stdin = sys.stdin, typed
            try:
                with contextlib.redirect_stdout(shown):
                    yield
            finally:
                sys.stdin = before
    except OSError:  # no terminal
        yield


class _Written(ABC):
    """A view that writes what is new, on the waiting thread, after each change."""

    def __init__(self, session: Session, jobs: Jobs) -> None:
        self.person: Person | None = ConsolePerson(jobs, at_terminal)
        self._session, self._jobs = session, jobs
        self._out = sys.stdout  # a question redirects sys.stdout to the terminal for a while
        self._posted = False
        self._turn: Turn | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    def attach(self, turn: Turn) -> None:
        """Show this turn from now on."""
        self._turn = turn
        self._begin(turn)
        self._unsubscribe = self._session.subscribe(self._changed)
        self._jobs.post(self._look)

    def _changed(self, change: Change) -> None:
        """Called on the loop's thread: post one look for all changes until it runs."""
        if self._turn is not None and change.turn == self._turn.id and not self._posted:
            self._posted = True
            self._jobs.post(self._look)

    def _look(self) -> None:
        self._posted = False
        if self._turn is not None:
            with writing():
                self._news(self._turn)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unsubscribe()
        turn, self._turn = self._turn, None
        if turn is not None and not isinstance(error, Unwritable):
            with writing():
                self._news(turn)
                self._end(turn)

    def _begin(self, turn: Turn) -> None:  # noqa: B027  # most views have nothing to write yet
        """Handle that the turn was sent."""

    @abstractmethod
    def _news(self, turn: Turn) -> None:
        """Write what is new."""

    @abstractmethod
    def _end(self, turn: Turn) -> None:
        """Write the end of the turn."""

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class PlainView(_Written):
    """Writes the answer's text to stdout, and a line to stderr for each tool call, refusal and error."""

    def __init__(self, session: Session, jobs: Jobs) -> None:
        super().__init__(session, jobs)
        self._text = _Texts("text", trimmed=True)
        self._tools, self._decisions, self._retries = _New(), _New(), _New()

    def _news(self, turn: Turn) -> None:
        for part_id, text, begins in self._text.news(turn):
            self._write(f"\n\n{text}" if begins and not self._text.first(part_id) else text)
        context = layout.context(turn.state)
        for part in self._tools.news(part for part in parts(turn, "tool") if _status(part) in _ENDED):
            card = describe(part, context)
            card.verdicts = ()  # told as soon as they were given, see below
            _tell(f"{card.glyph} {card_line(card)}")
        for made in self._decisions.news({"id": item.request["id"], "made": item} for item in turn.state.decisions):
            _tell(answers.decision(made["made"], facts.directory(turn.state)))
            if made["made"].by == "policy" and made["made"].reply == "reject":
                _tell("  --permission allow grants such requests.")
        for retry in self._retries.news(_retry(turn)):
            _tell(f"{retry.get('message') or 'The provider failed'}: retrying…")

    def _end(self, turn: Turn) -> None:
        if self._text.any:
            self._write("\n")
        if turn.error is not None:
            _tell(f"opencode-nb: {turn.error}")


class JsonView(_Written):
    """Writes one JSON object per line to stdout, the last of type "end"; `opencode-nb ask --help` lists them."""

    def __init__(self, session: Session, jobs: Jobs) -> None:
        super().__init__(session, jobs)
        self._texts = [_Texts("text"), _Texts("reasoning")]
        self._started, self._ended, self._decisions, self._retries = _New(), _New(), _New(), _New()

    def _begin(self, turn: Turn) -> None:
        owner = self._session.owner
        where = {"directory": str(owner.directory), "version": owner.version}
        with writing():
            self._line("start", session=self._session.id, message=turn.id, **where)

    def _news(self, turn: Turn) -> None:
        for texts in self._texts:
            for part_id, text, _ in texts.news(turn):
                self._line(texts.kind, part=part_id, delta=text)
        for part in self._started.news(part for part in parts(turn, "tool") if _status(part) == "running"):
            self._tool(part)
        for part in self._ended.news(part for part in parts(turn, "tool") if _status(part) in _ENDED):
            self._tool(part)
        for made in self._decisions.news({"id": item.request["id"], "made": item} for item in turn.state.decisions):
            self._decision(made["made"])
        for retry in self._retries.news(_retry(turn)):
            self._line("retry", attempt=retry.get("attempt"), message=retry.get("message"))

    def _tool(self, part: Json) -> None:
        state = part.get("state") or {}
        told = {key: state[key] for key in ("status", "title", "input", "output", "error") if key in state}
        self._line("tool", part=part["id"], tool=part.get("tool"), **told)

    def _decision(self, made: Any) -> None:
        what = {key: made.request[key] for key in ("permission", "patterns", "questions") if key in made.request}
        self._line("decision", **what, reply=made.reply, by=made.by, message=made.message)

    def _end(self, turn: Turn) -> None:
        known = ("session", "message", "model", "agent", "tokens", "cost", "duration")
        facts_of_turn = {key: value for key, value in turn.provenance.items() if key in known}
        self._line(
            "end",
            status=turn.status,
            text=turn.text,
            error=_error(turn.error) if turn.error else None,
            **facts_of_turn,
            diffs=[as_json(diff) for diff in turn.diffs],
        )
        if turn.error is not None:
            _tell(f"opencode-nb: {turn.error}")

    def _line(self, kind: str, **content: Any) -> None:
        self._write(_json_line(kind, **content))


def tell_unsent(error: OpencodeError) -> None:
    """Write the only JSON line of a prompt that could not be sent."""
    with writing():
        print(_json_line("end", status="error", text="", error=_error(error)), end="", flush=True)


def _json_line(kind: str, **content: Any) -> str:
    return json.dumps({"type": kind, **content}) + "\n"  # ASCII only: no text can control a terminal


# --- what is new ------------------------------------------------------------------------------------------------------


def parts(turn: Turn, kind: str) -> Iterator[Json]:
    """Yield the answer's parts of this kind, in order. Copies lists, as the loop's thread keeps adding to the turn."""
    for step in list(turn.state.steps.values()):
        if step.info.get("role") == "assistant" and not step.info.get("summary"):
            yield from (part for part in _listed(step) if part.get("type") == kind and not part.get("ignored"))


def _listed(step: Message) -> list[Json]:
    return list(step.parts.values())


def _status(part: Json) -> str:
    return str((part.get("state") or {}).get("status"))


def _retry(turn: Turn) -> list[Json]:
    retry = turn.state.retry
    return [{**retry, "id": str(retry.get("attempt"))}] if retry else []


def _error(error: BaseException) -> Json:
    return {"type": type(error).__name__, "message": told_in(error, SHELL)}


def _tell(line: str) -> None:
    with contextlib.suppress(OSError):  # stderr is closed: continue with the answer
        print(visible(line), file=sys.stderr, flush=True)


class _New:
    """Yields each item once, by its `id`."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def news(self, items: Iterable[Json]) -> Iterator[Json]:
        """Yield the items not yielded before."""
        for item in items:
            if item["id"] not in self._seen:
                self._seen.add(item["id"])
                yield item


class _Texts:
    """Yields text added to parts of one kind. `trimmed`: hold back trailing white space until more text follows."""

    def __init__(self, kind: str, *, trimmed: bool = False) -> None:
        self.kind, self._trimmed = kind, trimmed
        self._given: dict[str, int] = {}

    @property
    def any(self) -> bool:
        """Whether any text was yielded."""
        return bool(self._given)

    def first(self, part_id: str) -> bool:
        """Return whether this is the first part."""
        return next(iter(self._given), part_id) == part_id

    def news(self, turn: Turn) -> Iterator[tuple[str, str, bool]]:
        """Yield (part id, added text, whether it starts the part)."""
        for part in parts(turn, self.kind):
            if part.get("synthetic") or part.get("ignored"):
                continue
            text = str(part.get("text") or "")
            text = text.rstrip() if self._trimmed else text
            begin = self._given.get(part["id"], 0)
            if len(text) > begin:
                self._given[part["id"]] = len(text)
                yield part["id"], text[begin:], begin == 0
