"""The facts of a turn as a whole: who answered, how long it took, what it cost, what went wrong. Pure.

The counterpart of tools.py for turns: every medium shows these facts, none computes them itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opencode_nb.failures import Failure, describe
from opencode_nb.render.diff.box import stats
from opencode_nb.render.diff.patched_notebook import is_notebook
from opencode_nb.render.turn.card_model import Json
from opencode_nb.render.turn.phrases import duration
from opencode_nb.render.turn.tools import elapsed
from opencode_nb.transcript.attribution import own_diffs
from opencode_nb.transcript.messages import is_own_shell
from opencode_nb.transcript.results import accepted
from opencode_nb.transcript.tool_calls import CHANGING

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState

SENT = "Sent from the kernel"

_NEVER_SHOWN = frozenset({"step-start", "step-finish", "snapshot", "patch"})


@dataclass(slots=True, frozen=True)
class Usage:
    """Tokens and cost (USD) of all steps."""

    input: int
    output: int
    reasoning: int
    cached: int
    cost: float


def failure(turn: TurnState) -> Failure | None:
    """Return what ended the turn early: its error, or its last step's. A running turn may still recover."""
    error = (turn.error or (_last_error(turn) if accepted(turn) is None else None)) if turn.ended else None
    return describe(error) if error else None


def _last_error(turn: TurnState) -> Json:
    errors = [_object(step.info.get("error")) for step in list(turn.steps.values())]
    return errors[-1] if errors else {}


def was_stopped(turn: TurnState) -> bool:
    """Return whether someone stopped the turn, rather than something failing."""
    problem = failure(turn)
    return turn.status == "aborted" and (problem is None or problem.name == "MessageAbortedError")


def model(turn: TurnState) -> str:
    """Return `provider/model` of the last step, or as requested."""
    for info in _infos(turn):
        if info.get("modelID"):
            return f"{info.get('providerID') or ''}/{info['modelID']}".lstrip("/")
        if chosen := _object(info.get("model")):
            return f"{chosen.get('providerID') or ''}/{chosen.get('modelID') or chosen.get('id') or ''}".strip("/")
    return ""


def agent(turn: TurnState) -> str:
    """Return the agent's name."""
    return next(
        (str(info.get("agent") or info.get("mode")) for info in _infos(turn) if info.get("agent") or info.get("mode")),
        "",
    )


def _infos(turn: TurnState) -> list[Json]:
    """Return the infos of the turn's messages, latest first."""
    steps = [step.info for step in reversed(list(turn.steps.values()))]
    return [*steps, turn.prompt.info] if turn.prompt else steps


def directory(turn: TurnState) -> str:
    """Return the turn's working directory; paths are shown relative to it."""
    return turn.directory


def started(turn: TurnState) -> float | None:
    """Return when the turn began, in ms since the epoch."""
    infos = list(reversed(_infos(turn)))
    created = [_object(info.get("time")).get("created") for info in infos]
    return next((time for time in created if isinstance(time, int | float)), None)


def seconds(turn: TurnState) -> float | None:
    """Return how long the turn took."""
    ends = [_object(info.get("time")).get("completed") for info in _infos(turn)]
    end = max((time for time in ends if isinstance(time, int | float)), default=None)
    return elapsed({"start": started(turn), "end": end})


def usage(turn: TurnState) -> Usage:
    """Return what the turn's steps used."""
    tokens = [_object(step.info.get("tokens")) for step in list(turn.steps.values())]
    caches = [_object(item.get("cache")) for item in tokens]
    return Usage(
        input=_sum(tokens, "input"),
        output=_sum(tokens, "output"),
        reasoning=_sum(tokens, "reasoning"),
        cached=_sum(caches, "read"),
        cost=sum(_number(step.info.get("cost")) for step in list(turn.steps.values())),
    )


def _sum(items: Iterable[Json], name: str) -> int:
    return int(sum(_number(item.get(name)) for item in items))


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else 0


def bill(turn: TurnState) -> list[str]:
    """Return short phrases: agent, model, duration, tokens, cost, and whether the turn was interrupted."""
    used = usage(turn)
    tokens = f"{_count(used.input + used.cached)} tokens in, {_count(used.output + used.reasoning)} out"
    cached = f" ({_count(used.cached)} cached)" if used.cached else ""
    phrases = [
        agent(turn),
        model(turn),
        duration(seconds(turn)),
        f"{tokens}{cached}" if used.input or used.output or used.cached else "",
        f"${used.cost:.4f}" if used.cost else "",
        "interrupted" if turn.status == "aborted" else "",
    ]
    return [phrase for phrase in phrases if phrase]


def _count(number: int) -> str:
    if number < 1000:
        return str(number)
    return f"{number / 1000:.1f}k" if number < 100_000 else f"{number / 1000:.0f}k"


def sent(turn: TurnState) -> list[str]:
    """Return what left the kernel with the turn, once for each subject and level: `df (schema, 412 tokens)`."""
    kinds: dict[tuple[str, str], list[Json]] = {}
    for entry in turn.sent:
        kinds.setdefault((str(entry.get("about") or ""), str(entry.get("level") or "")), []).append(entry)
    return [f"{about} ({level}, {_amount(entries)})" for (about, level), entries in kinds.items()]


def _amount(entries: list[Json]) -> str:
    tokens, images = _sum(entries, "tokens"), _sum(entries, "images")
    pictures = f", {images} image{'' if images == 1 else 's'}" if images else ""
    return f"{_count(tokens)} tokens{pictures}"


def changed(diffs: Sequence[Json]) -> str:
    """Return a phrase such as `Changed 2 files`."""
    return f"Changed {len(diffs)} file{'' if len(diffs) == 1 else 's'}"


def total(diffs: Iterable[Json]) -> tuple[int, int]:
    """Return the lines added and removed in all files."""
    counted = [stats(diff) for diff in diffs]
    return sum(added for added, _ in counted), sum(removed for _, removed in counted)


def unshown_diffs(turn: TurnState) -> list[Json]:
    """Return the turn's changes, unless its only editing call already shows them (for a notebook, not as cells)."""
    edits = [part for part in turn.parts if part.get("type") == "tool" and part.get("tool") in CHANGING]
    diffs = own_diffs(turn)
    if turn.children or len(edits) != 1 or len(diffs) != 1:
        return diffs
    state = _object(edits[0].get("state"))
    shows = edits[0].get("tool") not in ("write",) and state.get("status") == "completed"
    return [] if shows and not is_notebook(str(diffs[0].get("file") or "")) else diffs


def is_typed_command(turn: TurnState) -> bool:
    """Return whether the turn is a shell command of the user's own."""
    return turn.prompt is not None and is_own_shell(turn.prompt)


def can_be_sent_again(turn: TurnState) -> bool:
    """Return whether the turn has a prompt of the user's own that reached the server."""
    parts = turn.prompt.parts.values() if turn.prompt else ()
    return any(not part.get("synthetic") and part.get("type") in ("text", "file", "agent", "subtask") for part in parts)


def is_shown(part: Json) -> bool:
    """Return whether a part is meant for people, unlike bookkeeping, hidden texts and empty ones."""
    kind = part.get("type")
    if kind in _NEVER_SHOWN or part.get("synthetic") or part.get("ignored"):
        return False
    return bool(str(part.get("text") or "").strip()) if kind in ("text", "reasoning") else True


def variable(part: Json) -> tuple[str, str] | None:
    """Return the name and type of the kernel variable that a prompt's hidden text describes."""
    metadata = part.get("metadata")
    own = metadata.get("opencode_nb") if isinstance(metadata, dict) else None
    return (str(own.get("variable")), str(own.get("kind"))) if isinstance(own, dict) and own.get("variable") else None


def notice(part: Json) -> str:
    """Describe a part that is one line: an agent's mention, a subtask, a compaction, a retry; "" for others."""
    kind = part.get("type")
    if kind == "agent":
        return f"Agent {part.get('name') or ''}".rstrip()
    if kind == "subtask":
        return f"Subtask for {part.get('agent') or 'an agent'}: {part.get('description') or part.get('prompt') or ''}"
    if kind == "compaction":
        return "The conversation was compacted" + (" to make room." if part.get("auto") else ".")
    if kind == "retry":
        error = _object(part.get("error"))
        reason = _object(error.get("data")).get("message") or error.get("message") or "the provider failed"
        return f"Attempt {part.get('attempt') or '?'} failed: {reason}"
    return ""


def thought(part: Json) -> str:
    """Return a phrase such as `Thought for 3 s`."""
    time = duration(elapsed(part.get("time")))
    return f"Thought for {time}" if time and time != "0.0 s" else "Thought"


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
