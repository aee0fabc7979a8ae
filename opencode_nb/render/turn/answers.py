"""What people were asked during a turn, and how it was answered: in phrases, by call and as sentences. Pure.

A call's answers stand on its card (`consents`); those without a card of their own are told one by one (`unplaced`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from opencode_nb.render.markup.escape import reveal_line
from opencode_nb.render.turn.card_model import Consent, Json, Verdict
from opencode_nb.render.turn.request_model import covered, is_cell_change, subject
from opencode_nb.transcript.state import call_id

if TYPE_CHECKING:
    from opencode_nb.transcript.state import Decision, Span, TurnState

_DEEDS = {
    "once": "allowed once",
    "always": "allowed always",
    "turn": "accepted all changes to cells in this turn",
    "edited": "edited and accepted",
    "reject": "denied",
    "answered": "answered",
}
_APPROVED = Verdict("Allowed by your earlier \u201cAllow always\u201d")
_ACCEPTED = Verdict("Allowed by your \u201cAccept all in this turn\u201d")


def verdict(made: Decision) -> Verdict:
    """Describe an answer in a phrase: who gave it, with the reason of a denial or what "always" covers."""
    detail = _one_line(made.message) if made.reply == "reject" else ""
    if made.reply == "always":
        detail = reveal_line(covered(made.request))
    return Verdict(f"{_deed(made)}: {detail}" if detail else _deed(made), made.reply == "reject")


def decision(made: Decision, root: str = "") -> str:
    """Describe an answered request in a sentence without a full stop: who answered, what it was about, the reason."""
    if made.reply == "answered":
        return f"{_deed(made)}: {_one_line(made.message)}"
    about = _questions(made.request) if "questions" in made.request else reveal_line(subject(made.request, root))
    told = f"{_deed(made)}: {about}" if about else _deed(made)
    return f"{told} ({_one_line(made.message)})" if made.message and made.reply == "reject" else told


def unplaced(turn: TurnState) -> list[Decision]:
    """Return the answers to requests of no call that has a card in this turn."""
    calls = {part.get("callID") for one in turn.family for part in one.parts if part.get("type") == "tool"}
    return [made for made in turn.decisions if made.call not in calls]


def consents(turn: TurnState) -> dict[str, Consent]:
    """Return what people were asked about the turn's calls, by call; a subagent waits in its task's call."""
    open_now = {call_id(request) for request in _open(turn)}
    asked_again = {*turn.permissions, *turn.questions}  # their answers did not arrive
    verdicts: dict[str, list[Verdict]] = defaultdict(list)
    spans: dict[str, list[Span]] = defaultdict(list)
    is_accepted = any(made.reply == "turn" for made in turn.decisions)
    for made in turn.decisions:
        if made.request.get("id") not in asked_again:
            verdicts[made.call].append(verdict(made))
    for request in turn.approved:
        verdicts[call_id(request)].append(_ACCEPTED if is_accepted and is_cell_change(request) else _APPROVED)
    for call, span in list(turn.waits.values()):
        spans[call].append(span)
    for call, child in _tasks(turn):
        spans[call] += [span for _, span in list(child.waits.values())]
        open_now |= {call} if any(_open(child)) else set()
    calls = {*open_now, *verdicts, *spans} - {""}
    return {call: Consent(call in open_now, tuple(verdicts[call]), _seconds(spans[call])) for call in calls}


def _tasks(turn: TurnState) -> Iterable[tuple[str, TurnState]]:
    """Yield the calls that opened sub-sessions, each with every turn below it."""
    for part in turn.parts if turn.children else ():
        state = part.get("state")
        opened = _object(_object(state).get("metadata")).get("sessionId")
        for child in turn.children.get(str(opened), ()):
            yield from ((str(part.get("callID")), one) for one in child.family)


def _open(turn: TurnState) -> list[Json]:
    return [*turn.permissions.values(), *turn.questions.values()]


def _seconds(spans: Iterable[Span]) -> float:
    """Return how long at least one of these spans lasted."""
    total, until = 0.0, 0.0
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total / 1000


def _deed(made: Decision) -> str:
    deed = "dismissed" if made.reply == "reject" and "questions" in made.request else _DEEDS.get(made.reply, made.reply)
    if made.by == "you":
        return f"You {deed}"
    if made.by == "policy" and made.reply == "once":
        deed = "allowed"
    return reveal_line(f"{deed[:1].upper()}{deed[1:]} {'in' if made.by == 'another client' else 'by'} {made.by}")


def _questions(request: Json) -> str:
    asked = [item for item in request.get("questions") or [] if isinstance(item, dict)]
    return _one_line(" ".join(str(item.get("question") or "") for item in asked))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}
