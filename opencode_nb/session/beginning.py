"""Beginning: what every turn that asks a model begins with: its model, its policy, its checks before it is sent."""

from __future__ import annotations

from typing import Any, Protocol

from opencode_nb.session.models import refuse_unasked, split_model
from opencode_nb.session.options import TurnOptions, check
from opencode_nb.session.owner import Owner
from opencode_nb.session.permissions.policy import Policy
from opencode_nb.transcript import ids
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Transcript


class Choices(Protocol):
    """The session: what its prompts use that name nothing else."""

    transcript: Transcript
    model: str | None
    agent: str | None
    variant: str | None


class Beginning:
    """The options of one turn, before it is sent. `policy`, `person` and `timeout` are those that count."""

    def __init__(self, session: Choices, owner: Owner, options: TurnOptions) -> None:
        check(options)
        self._owner, self._transcript = owner, session.transcript
        self._model = options.get("model") or session.model
        self._agent = options.get("agent") or session.agent
        self._variant = options.get("variant") or session.variant
        permission = options.get("permission")
        self.policy = Policy(permission) if permission is not None else owner.policy
        self.person = options.get("person")
        self.timeout = options.get("timeout") or owner.timeout

    async def body(self, *, acting: str | None = None, **fields: Any) -> Json:
        """The request's body with these fields; the server has been told of the policy. `acting`: a command's agent.

        Raises OpencodeError for a model, an agent, or a tool with a rule, that is not there.
        """
        await self._owner.start()
        await self._owner.check(self._model, self._agent)
        model = await self._named_model()
        await self._enforce(acting or self._agent)
        body: Json = {
            "messageID": ids.message_id(*self._transcript.last_ids),
            "model": dict(zip(("providerID", "modelID"), split_model(model), strict=True)) if model else None,
            "agent": self._agent,
            "variant": self._variant,
            **fields,
        }
        return {key: value for key, value in body.items() if value is not None}

    async def _enforce(self, agent: str | None) -> None:
        """Have the server ask what this turn's policy decides, where the session lets it pass unasked."""
        agent = agent or self._transcript.info.get("agent")
        standing = self._transcript.info.get("permission") or []
        rules: list[Any] = await self._owner.enforcement.rules(self.policy, agent, standing)
        if rules:
            info = await self._owner.client.session.update(self._transcript.id, permission=rules)
            self._owner.feed.apply({"type": "session.updated", "properties": {"info": dict(info)}})

    async def _named_model(self) -> str | None:
        """The model to name in a prompt; None where the server finds it by itself: the session's, or a configured."""
        if self._model or self._transcript.info.get("model"):
            return self._model
        choice = await self._owner.model_choice(agent=self._agent)
        refuse_unasked(choice)
        return choice.model if choice.chosen_by == "default" else None
