"""Beginning: what every turn that asks a model begins with: its model, its policy, its checks before it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opencode_nb.session.models import split_model
from opencode_nb.session.options import TurnOptions, check
from opencode_nb.session.permissions.policy import Policy
from opencode_nb.session.run import Run
from opencode_nb.transcript import ids
from opencode_nb.transcript.state import Json

if TYPE_CHECKING:
    from opencode_nb.session.session import AsyncSession


class Beginning:
    """The options of one turn, before it is sent."""

    def __init__(self, session: AsyncSession, options: TurnOptions) -> None:
        check(options)
        self._session = session
        self._model, self._agent, self._variant = options.get("model"), options.get("agent"), options.get("variant")
        self._person, self._timeout = options.get("person"), options.get("timeout")
        permission = options.get("permission")
        self._policy = Policy(permission) if permission is not None else session.owner.policy

    async def body(self, *, acting: str | None = None, **fields: Any) -> Json:
        """The request's body with these fields; the server has been told of the policy. `acting`: a command's agent.

        Raises OpencodeError for a model, an agent, or a tool with a rule, that is not there.
        """
        session, owner = self._session, self._session.owner
        await owner.start()
        await owner.check(self._model or session.model, self._agent or session.agent)
        model = await session._model(self._model, self._agent)
        await session._enforce(self._policy, acting or self._agent)
        body: Json = {
            "messageID": ids.message_id(*session.transcript.last_ids),
            "model": dict(zip(("providerID", "modelID"), split_model(model), strict=True)) if model else None,
            "agent": self._agent or session.agent,
            "variant": self._variant or session.variant,
            **fields,
        }
        return {key: value for key, value in body.items() if value is not None}

    def run(self, message_id: str) -> Run:
        """The turn with this id, about to be sent."""
        timeout = self._timeout or self._session.owner.timeout
        return self._session._begin(message_id, self._policy, self._person, timeout)
