"""The state of a conversation: `Transcript.apply` writes it, everyone else only reads.

Messages and parts stay the server's own JSON (see the server's OpenAPI document, `Message` and `Part`), so that nothing
a newer server sends is lost. Only what this package adds has names of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
"""A JSON object exactly as the server sent it."""

TurnStatus = Literal["queued", "running", "completed", "aborted", "error"]

STOPPED = ("MessageAbortedError", "TurnTimeout", "BudgetExceeded")
"""The errors of turns stopped by a person, a time limit or a budget."""


BY_APPROVAL = "always"
"""Who answered, if an earlier "always" did: it is not a decision of its own."""

ELSEWHERE = "another client"
"""Who answered, if this process did not."""

OWN_QUESTION = "own_"
"""How the ids of questions begin that a function of this process asks: the server does not know them."""

Span = tuple[float, float]
"""Begin and end, in ms of a clock that wraps around (`ids.made_at`)."""


@dataclass(slots=True, eq=False)
class Message:
    """One message: the server's `info`, and its parts by id in the server's order.

    `at` is its position in the session: the time, in ms, by which the server sorts it.
    """

    info: Json
    parts: dict[str, Json] = field(default_factory=dict)
    at: float = 0.0

    @property
    def id(self) -> str:
        """The server's id, `msg_...`."""
        return str(self.info["id"])

    @property
    def text(self) -> str:
        """Its texts, joined by a blank line; without those that the server added for the model alone."""
        shown = (part for part in list(self.parts.values()) if part.get("type") == "text" and part.get("text"))
        return "\n\n".join(str(part["text"]) for part in shown if not part.get("synthetic") and not part.get("ignored"))


@dataclass(slots=True, frozen=True)
class Decision:
    """How a permission request or question was answered: `reply` is once, always, turn, edited, reject or answered.

    `by` says who. `message` is the reason of a rejection, the answers, or the source that a person wrote ("edited").
    `request` has the `call` that was known when this process answered, see `TurnState.call_of`.
    """

    request: Json
    reply: str
    by: str
    message: str = ""

    @property
    def call(self) -> str:
        """The tool call that sent the request; "" if none did."""
        return call_id(self.request)


def call_id(request: Json) -> str:
    """Return the tool call that sent a request; "" if none did."""
    sent_by = request.get("tool")
    return str(sent_by.get("callID") or "") if isinstance(sent_by, dict) else ""


@dataclass(slots=True, eq=False)
class TurnState:
    """One prompt and everything that answered it.

    `id` is the user message's id; every step of the model is an assistant message with it as `parentID`. `error` is the
    server's `{name, data}`; `retry` is its `{attempt, message, next}` (`next` in ms since the epoch) while it waits to
    call the model again. `permissions` and `questions` are open requests of this session and its sub-sessions, by
    request id. `decisions` are the answers to earlier ones; `approved` are requests that an earlier "always" covered.
    `waits` is when each request was open, with the call that sent it, by request id. `children` are the turns of
    sub-sessions, by the session that the task tool opened. `shown` is what calls of the kernel's tools show on their
    cards, by call: blocks, see docs/kernel.md. `sent` is what left the kernel with the turn,
    `[{about, level, tokens, images}]`. `kernel` is what the turn's code changed in the kernel, as
    `KernelChanges.as_json` has it; `warnings` are those of its budgets, and of the open notebook. The server keeps none
    of these four. `replay` says, in lines, that the turn is played from a recording, and what was not repeated; [] for
    one that ran.
    """

    id: str
    session_id: str
    prompt: Message | None = None
    steps: dict[str, Message] = field(default_factory=dict)
    status: TurnStatus = "queued"
    error: Json | None = None
    retry: Json | None = None
    permissions: dict[str, Json] = field(default_factory=dict)
    questions: dict[str, Json] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    approved: list[Json] = field(default_factory=list)
    waits: dict[str, tuple[str, Span]] = field(default_factory=dict)
    todos: list[Json] = field(default_factory=list)
    kernel: Json = field(default_factory=dict)
    children: dict[str, list[TurnState]] = field(default_factory=dict)
    shown: dict[str, list[Json]] = field(default_factory=dict)
    sent: list[Json] = field(default_factory=list)
    replay: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether nothing but late bookkeeping is expected."""
        return self.status in ("completed", "aborted", "error")

    @property
    def parts(self) -> list[Json]:
        """Every part of every step, in order."""
        return [part for step in list(self.steps.values()) for part in list(step.parts.values())]

    @property
    def directory(self) -> str:
        """The turn's working directory; "" until an answer names it."""
        paths = (step.info.get("path") for step in reversed(list(self.steps.values())))
        return next((str(path["cwd"]) for path in paths if isinstance(path, dict) and path.get("cwd")), "")

    @property
    def family(self) -> Iterator[TurnState]:
        """This turn, and those of all sub-sessions below it."""
        yield self
        for turns in list(self.children.values()):
            for turn in turns:
                yield from turn.family

    def call_of(self, request: Json) -> Json:
        """Return the `{tool, input}` of a request; {} until the server sends it, right after the request.

        With `shown` if a tool of the kernel shows something before it runs.
        """
        wanted = call_id(request)
        for part in self._parts_below():
            if wanted and part.get("callID") == wanted and (part.get("state") or {}).get("status") != "pending":
                shown = {"shown": self.shown[wanted]} if wanted in self.shown else {}
                return {"tool": part.get("tool"), "input": (part.get("state") or {}).get("input") or {}, **shown}
        return {}

    def asker_of(self, request: Json) -> Json | None:
        """Return who sent a request: None for the turn's own session, else the input of the subagent's task.

        {} is any other session.
        """
        session = request.get("sessionID")
        if session in (None, self.session_id):
            return None
        for part in self._parts_below():
            state = part.get("state") or {}
            if part.get("type") == "tool" and (state.get("metadata") or {}).get("sessionId") == session:
                return state.get("input") or {}
        return {}

    @property
    def requests(self) -> dict[str, Json]:
        """The open requests by id, permissions first: each with its `call` and `asker`, see `call_of`, `asker_of`."""
        permissions = {key: {**asked, "call": self.call_of(asked)} for key, asked in list(self.permissions.items())}
        every = {**permissions, **self.questions}
        return {key: {**asked, "asker": self.asker_of(asked)} for key, asked in every.items()}

    def _parts_below(self) -> Iterator[Json]:
        return (part for turn in self.family for part in turn.parts)

    @property
    def diffs(self) -> list[Json]:
        """What changed on disk, `[{file, patch, additions, deletions, status}]`, once the server has computed it.

        A file that changed in several stretches has one diff for each.
        """
        return [diff for diffs, _parts in self._stretches for diff in diffs]

    @property
    def awaits_diffs(self) -> bool:
        """Whether the server has yet to compute a stretch's diffs. It notes only files that it can diff."""
        return any(not diffs and any(map(_changed_files, parts)) for diffs, parts in self._stretches)

    @property
    def _stretches(self) -> list[tuple[list[Json], list[Json]]]:
        """The server's diffs and the parts of each stretch of the turn, in order.

        A turn has one stretch, plus one for each message that the server inserted to continue after a compaction.
        """
        found: list[tuple[list[Json], list[Json]]] = []
        for message in (self.prompt, *self.steps.values()):
            if message and _is_asked(message):
                found.append((_diffs(message), []))
            elif message and found:
                found[-1][1].extend(message.parts.values())
        return found


def _changed_files(part: Json) -> bool:
    return part.get("type") == "patch" and bool(part.get("files"))


def _is_asked(message: Message) -> bool:
    return message.info.get("role") == "user"


def _diffs(message: Message) -> list[Json]:
    summary = message.info.get("summary")
    return list(summary.get("diffs") or []) if isinstance(summary, dict) else []


def is_archived(info: Json) -> bool:
    """Whether a session, as `sessions` lists it, is archived."""
    return bool((info.get("time") or {}).get("archived"))
