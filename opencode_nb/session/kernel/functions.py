"""Hosting: what functions of the user's use of the session that calls them. On the session's loop."""

from __future__ import annotations

import secrets
from typing import Any

from opencode_nb.errors import OpencodeError
from opencode_nb.session.owner import Owner
from opencode_nb.session.permissions import questions
from opencode_nb.tools.tool import Call, Json
from opencode_nb.transcript.state import OWN_QUESTION
from opencode_nb.transcript.transcript import Transcript

OTHERS = {
    "Session": "This session is an AsyncOpencode's: annotate the parameter as oc.AsyncSession.",
    "AsyncSession": "This session is a blocking Opencode's: annotate the parameter as oc.Session.",
}


class Hosting:
    """A session for the functions that its agent calls: itself, questions to its user, and the cards of the calls."""

    def __init__(self, owner: Owner, transcript: Transcript) -> None:
        self._owner, self._transcript = owner, transcript

    def session(self, kind: str) -> Any:
        """Return the session as a "Session" or an "AsyncSession". Raises OpencodeError if it is the other one."""
        found = self._owner.face_of(self._transcript.id)
        if type(found).__name__ != kind:
            raise OpencodeError(OTHERS[kind])
        return found

    async def ask(self, call: Call, function: str, question: Json) -> list[str]:
        """Ask as the agent's own questions are asked; return the answer. Raises OpencodeError without one."""
        tool = {"messageID": self._message_of(call), "callID": call.id}
        request = {
            "id": f"{OWN_QUESTION}{secrets.token_hex(8)}",
            "sessionID": self._transcript.id,
            "questions": [question],
            "tool": tool,
            "function": function,
        }
        with questions.asked_here(request) as answer:
            self._owner.feed.apply({"type": "question.asked", "properties": request})
            if not self._is_open(request):
                raise OpencodeError("Nobody can be asked: the turn has ended.")
            try:
                return questions.of_one(await answer)
            finally:
                if self._is_open(request):  # the function was stopped
                    told = {"request": request, "reply": "reject", "by": "policy", "message": "Asked no longer."}
                    self._owner.feed.tell(self._transcript.id, "decided", **told)

    def show(self, call: Call, blocks: list[Json]) -> None:
        """Show blocks on the call's card."""
        self._owner.feed.tell(self._transcript.id, "shown", callID=call.id, blocks=blocks)

    def _is_open(self, request: Json) -> bool:
        return any(request["id"] in turn.questions for turn in list(self._transcript.turns.values()))

    def _message_of(self, call: Call) -> str:
        turn = self._transcript.turns.get(call.turn)
        parts = turn.parts if turn is not None else []
        return next((str(part["messageID"]) for part in parts if part.get("callID") == call.id), "")
