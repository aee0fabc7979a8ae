"""The options of a turn: declared once, shown in each signature, and resolved before the turn is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Protocol, TypedDict, TypeVar

from opencode_nb.recording.recording import recording_of
from opencode_nb.session.kernel.offering import Offering
from opencode_nb.session.models import split_model
from opencode_nb.session.owner import Owner
from opencode_nb.session.permissions.policy import PermissionOption, Person, Policy
from opencode_nb.session.run import Limits
from opencode_nb.spending.budget import LIMITS, Budget
from opencode_nb.transcript import ids
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Transcript

F = TypeVar("F", bound=Callable[..., Any])


class TurnOptions(TypedDict, total=False):
    """Options of one turn. Those left out or None default to the session's own.

    `permission` overrides the policy, `person` answers the requests that the policy leaves open, `timeout` (seconds)
    aborts the turn. `max_cost` (USD), `max_tokens`, `max_steps` (of the model) and `max_tools` (steps that call tools)
    limit this turn, `budget` limits all that share it: see `Budget`. `record` is a file to add the turn to, `replay`
    one to play it from: then nothing is sent.
    """

    model: str | None
    agent: str | None
    variant: str | None
    permission: PermissionOption | None
    person: Person | None
    timeout: float | None
    record: str | Path | None
    replay: str | Path | None
    budget: Budget | None
    max_cost: float | None
    max_tokens: int | None
    max_steps: int | None
    max_tools: int | None


def spelled_out(function: F, of: type = TurnOptions) -> F:
    """Replace `**options` in a function's displayed signature with each option that `of`, a TypedDict, declares."""
    shown = signature(function)
    own = [parameter for parameter in shown.parameters.values() if parameter.kind is not Parameter.VAR_KEYWORD]
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=getattr(kind, "__forward_arg__", kind))
        for name, kind in of.__annotations__.items()
    ]
    function.__signature__ = shown.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    return function


def limits(owner: Owner, of_session: Budget | None = None, options: TurnOptions | None = None) -> Limits:
    """Return the limits of a turn. Raises BudgetExceededError if a budget leaves no further step, ValueError."""
    given: Mapping[str, Any] = options or {}
    of_turn = {**owner.turn_limits, **{name: given[name] for name in LIMITS if given.get(name) is not None}}
    shared = {id(budget): budget for budget in (owner.budget, of_session, given.get("budget")) if budget is not None}
    for budget in shared.values():
        budget.check()
    own = [Budget(**of_turn)] if of_turn else []
    return Limits(given.get("timeout") or owner.timeout, (*own, *shared.values()))


def check(options: Mapping[str, object]) -> None:
    """Raise TypeError for an unknown option."""
    if unknown := [name for name in options if name not in TurnOptions.__annotations__]:
        raise TypeError(f"Unknown option {unknown[0]!r}. Use one of: {', '.join(TurnOptions.__annotations__)}.")


class Choices(Protocol):
    """A session's defaults for its prompts."""

    transcript: Transcript
    model: str | None
    agent: str | None
    variant: str | None
    policy: Policy | None
    budget: Budget | None


def _agent_of(policy: Policy, given: str | None, default: str | None) -> str | None:
    """Return the agent to prompt. Raises ValueError for one that the policy's mode does not go with."""
    if policy.agent and given not in (None, policy.agent):
        raise ValueError(f"permission={policy.option!r} is answered by the agent {policy.agent!r}: leave agent= out.")
    return policy.agent or given or default


class Beginning:
    """The options of one turn before it is sent, with `policy`, `person` and `limits` resolved.

    Raises BudgetExceededError if a budget leaves no further step.
    """

    def __init__(self, session: Choices, owner: Owner, options: TurnOptions, offering: Offering) -> None:
        check(options)
        self._offering = offering
        self._owner, self._transcript = owner, session.transcript
        permission = options.get("permission")
        self.policy = owner.policy_of(permission) if permission is not None else session.policy or owner.policy
        self._model = options.get("model") or session.model
        self._agent = _agent_of(self.policy, options.get("agent"), session.agent)
        self._variant = options.get("variant") or session.variant
        self.person = options.get("person")
        self.limits = limits(owner, session.budget, options)
        self.record, replay = options.get("record"), options.get("replay")
        self.replay = owner.recording if replay is None else recording_of(replay)

    async def body(self, *, acting: str | None = None, **fields: Any) -> Json:
        """Send the policy's rules to the server; return the request body with these fields.

        `acting` is the agent of a command. Raises OpencodeError for an unknown model or agent, or a rule for an unknown
        tool.
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
        """Have the server ask about what this turn's policy decides, if the session would allow it unasked."""
        agent = agent or self._transcript.info.get("agent")
        guarded = self._owner.hooks.hooks.guarded
        offered = await self._offering.ready(self.policy, guarded)
        standing = self._transcript.info.get("permission") or []
        rules: list[Any] = await self._owner.enforcement.rules(self.policy, agent, standing, offered, guarded)
        if rules:
            info = await self._owner.client.session.update(self._transcript.id, permission=rules)
            self._owner.feed.apply({"type": "session.updated", "properties": {"info": dict(info)}})

    async def _named_model(self) -> str | None:
        """Return the model to name in the prompt, or None if the server finds it: the session's or a configured one."""
        if self._model:
            return (await self._owner.model_choice(self._model)).model  # it may lack its provider
        if self._transcript.info.get("model"):
            return None
        choice = await self._owner.model_choice(agent=self._agent)
        return choice.model if choice.chosen_by == "default" else None
