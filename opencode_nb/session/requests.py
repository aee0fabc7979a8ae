"""OpenRequests: the part of a session that answers what the agent asks, whichever client sent the turn."""

from __future__ import annotations

from typing import Any, get_args

from opencode_nb.errors import NotFoundError, OpencodeError
from opencode_nb.session.owner import Owner
from opencode_nb.session.permissions import questions
from opencode_nb.session.permissions.approvals import APPLIES_TO, Reply, as_sent
from opencode_nb.tools.names import own_tool
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.transcript.transcript import Transcript


class OpenRequests:
    """The open requests of one session."""

    def __init__(self, owner: Owner, transcript: Transcript) -> None:
        self.owner = owner
        self.transcript = transcript

    @property
    def id(self) -> str:
        """The session's id on the server, `ses_...`."""
        return self.transcript.id

    @property
    def requests(self) -> list[Json]:
        """Open permission requests, then open questions (they have `questions`), whichever client sent the turn."""
        turns = list(self.transcript.turns.values())
        return [request for table in ("permissions", "questions") for turn in turns for request in _open(turn, table)]

    async def reply(self, request_id: str, reply: Reply, message: str = "") -> bool:
        """Reply to a permission request; return whether it was still open. The first reply from any client wins.

        "once" and "reject" answer this request. A rejection with a message lets the agent continue, guided by the
        message. "always" applies to all sessions of this `Opencode` until it is closed; deny rules take precedence.
        For changes to the notebook's cells, "turn" allows all of them until the turn ends, and "edited" allows this one
        with the message as the cell's source: the agent is told. Raises ValueError for any other.
        """
        if reply not in get_args(Reply):
            raise ValueError(f"reply={reply!r}: use one of {', '.join(get_args(Reply))}.")
        found = self._find(request_id, "permissions")
        if found is None:
            return False
        turn, request = found
        tools = APPLIES_TO.get(reply)
        if tools and own_tool(str(request.get("permission"))) not in tools:
            raise ValueError(f"reply={reply!r} is for requests of {', '.join(tools)} only.")
        self.owner.approvals.remember(reply, request, turn.id)
        sending = self.owner.client.permission.reply(request_id, **as_sent(reply, message))
        return await self._answered(request, reply, message, sending)

    async def answer(self, request_id: str, answers: list[list[str]] | None) -> bool:
        """Answer a question request: for each question, the chosen labels or free text; None declines.

        Returns whether the request was still open.
        """
        found = self._find(request_id, "questions")
        if found is None:
            return False
        _turn, request = found
        given: questions.Answers = "reject" if answers is None else answers
        sending = questions.send(self.owner.client, request, given)
        if answers is None:
            return await self._answered(request, "reject", "", sending)
        return await self._answered(request, "answered", "; ".join(map(", ".join, answers)), sending)

    def _find(self, request_id: str, table: str) -> tuple[TurnState, Json] | None:
        """Return an open request and the turn that asks."""
        every = ((turn, one) for turn in list(self.transcript.turns.values()) for one in _open(turn, table))
        return next(((turn, one) for turn, one in every if one["id"] == request_id), None)

    async def _answered(self, request: Json, reply: str, message: str, sending: Any) -> bool:
        """Send a reply, recorded first as its echo may overtake the response; reopen the request if sending fails."""
        feed = self.owner.feed
        feed.tell(self.id, "decided", request=request, reply=reply, by="you", message=message)
        try:
            await sending
        except NotFoundError:  # another client was quicker, or the turn has ended
            return False
        except OpencodeError:
            kind = "question.asked" if "questions" in request else "permission.asked"
            feed.apply({"type": kind, "properties": request})
            raise
        return True


def _open(turn: TurnState, table: str) -> list[Json]:
    requests: dict[str, Json] = getattr(turn, table)
    return list(requests.values())
