"""Answering: puts together who answers the requests of one turn, with the hooks that may refuse a tool."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from opencode_nb.session.kernel.offering import Offering
from opencode_nb.session.owner import Owner
from opencode_nb.session.permissions.policy import Answer, Person, Policy
from opencode_nb.session.permissions.responder import Answerers
from opencode_nb.session.permissions.rules import names
from opencode_nb.session.permissions.session_rules import EDIT, covered
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.transcript.tool_call import ToolCall
from opencode_nb.transcript.transcript import Transcript


class Answering:
    """Makes the `Answerers` of a session's turns."""

    def __init__(
        self, owner: Owner, transcript: Transcript, offering: Offering, turn_for: Callable[[TurnState], Turn]
    ) -> None:
        self._owner, self._transcript = owner, transcript
        self._offering, self._turn_for = offering, turn_for

    def of(self, state: TurnState, policy: Policy, person: Person | None) -> Answerers:
        """Return who answers the requests of a turn."""
        owner = self._owner
        return Answerers(
            policy,
            person,
            owner.approvals,
            owner.enforcement.place,
            refusal=partial(self._refusal, state),
            unasked=partial(self._is_unasked, state, policy),
            on_question=owner.on_question,
            timeout=owner.answer_timeout,
        )

    async def _refusal(self, state: TurnState, request: Json) -> Answer | None:
        """Return the answer of what comes before the policy: a tool that guards a file, or a hook that refuses."""
        if led := await self._offering.guarded(request):
            return Answer("reject", led, "policy")
        refused = await self._by_hook(state, request)
        return None if refused is None else Answer("reject", refused, "a hook")

    async def _by_hook(self, state: TurnState, request: Json) -> str | None:
        """Return why a hook refuses the tool call of a request; None if none does."""
        from opencode_nb.session.hooks.events import ToolEvent

        name = str(request.get("permission"))
        is_guarded = self._is_guarded(name)
        if is_guarded and request.get("tool") and not request.get("call"):
            return "A hook may refuse this, and what the tool was called with is not known."
        event = ToolEvent(self._transcript.id, self._turn_for(state), ToolCall.asking(request))
        return await self._owner.hooks.refusal(event)

    def _is_guarded(self, permission: str) -> bool:
        """Whether a hook may refuse what needs this permission."""
        return any(covered(name, self._owner.hooks.hooks.guarded) for name in names(permission))

    def _is_unasked(self, state: TurnState, policy: Policy, request: Json) -> bool:
        """Return whether the server asks about this only because a hook, or the guard of a file, may refuse it."""
        name = str(request.get("permission"))
        if not (self._is_guarded(name) or (name == EDIT and self._offering.kept.asked)):
            return False
        if self._offering.allows_unasked(name):
            return True
        standing = self._transcript.info.get("permission") or []
        agent = next((step.info.get("agent") for step in reversed(state.steps.values())), None)
        return self._owner.enforcement.allows_unasked(policy, agent, standing, request)
