"""The options of a turn: declared once, shown in each signature, and resolved before the turn is sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar, cast

from opencode_nb.errors import ModelError, OpencodeError
from opencode_nb.retry import Retry
from opencode_nb.session.kernel.offering import Offering
from opencode_nb.session.models import ModelChoice, split_model
from opencode_nb.session.owner import Owner
from opencode_nb.session.permissions.policy import PermissionOption, Person, Policy
from opencode_nb.session.prompt import preflight
from opencode_nb.session.prompt.variants import Wish, checked_effort
from opencode_nb.session.recorded.opened import recording_in
from opencode_nb.session.turns.run import Limits
from opencode_nb.spending.budget import LIMITS, Budget
from opencode_nb.transcript import ids, usage
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Transcript

if TYPE_CHECKING:
    from opencode_nb.results.schema import Schema
    from opencode_nb.session.turns.expected import Expected

log = logging.getLogger("opencode_nb")

F = TypeVar("F", bound=Callable[..., Any])


class TurnOptions(TypedDict, total=False):
    """Options of one turn. Those left out or None default to the session's own.

    `model` is "provider/model" or "provider/model/variant". `effort` is "none", "low", "medium", "high" or "max": the
    model's variant of this name, or the nearest that it has; a `variant` beside it wins. With another model than the
    session's, the session's variant counts only if that model has it.
    `permission` overrides the policy, `person` answers the requests that the policy leaves open, `timeout` (seconds)
    aborts the turn. `max_cost` (USD), `max_tokens`, `max_steps` (of the model) and `max_tools` (steps that call tools)
    limit this turn, `budget` limits all that share it: see `Budget`. `retry` sends a failed prompt again: a number of
    times, or as a `Retry` says; 0 never. `schema` is what the answer must be, for `Turn.data`: a type (a pydantic
    model, dataclass, TypedDict, Enum, `list[int]`, ...) or a JSON schema. `record` is a file to add the turn to,
    `replay` one to play it from: then nothing is sent.
    """

    model: str | None
    agent: str | None
    variant: str | None
    effort: str | None
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
    retry: int | Retry | None
    schema: object


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


def retry_of(options: TurnOptions, default: Retry | None, *, waits: bool) -> Retry | None:
    """Take `retry` out of the options and return it, or else the default.

    Raises ValueError if it is given for a turn that nobody waits for: nothing would send it again.
    """
    given = options.pop("retry", None)
    if given is not None and not waits:
        raise ValueError(
            "retry= is for prompts that are waited for, not for streams, commands or wait=False: leave it out."
        )
    return Retry.of(given) if given is not None else default if waits else None


async def with_schema(options: TurnOptions) -> TurnOptions:
    """Return the options with their schema read. Raises TypeError or ValueError for one that is none."""
    given = options.get("schema")
    if given is None:
        return options
    from opencode_nb.results.schema import Schema

    return {**options, "schema": await asyncio.to_thread(Schema.of, given)}  # the first imports pydantic


class Choices(Protocol):
    """A session's defaults for its prompts."""

    transcript: Transcript
    model: str | None
    agent: str | None
    variant: str | None
    policy: Policy | None
    budget: Budget | None

    @property
    def effort(self) -> str | None:
        """The default effort."""


def _agent_of(policy: Policy, given: str | None, default: str | None) -> str | None:
    """Return the agent to prompt. Raises ValueError for one that the policy's mode does not go with."""
    if policy.agent and given not in (None, policy.agent):
        raise ValueError(f"permission={policy.option!r} is answered by the agent {policy.agent!r}: leave agent= out.")
    return policy.agent or given or default


def _expected(schema: Schema, session: Choices, offering: Offering) -> Expected:
    from opencode_nb.session.turns.expected import Expected

    return Expected(schema, session.transcript, offering, offering.gate)


class Beginning:
    """The options of one turn before it is sent, with `policy`, `person` and `limits` resolved; see `with_schema`.

    Raises BudgetExceededError if a budget leaves no further step.
    """

    def __init__(self, session: Choices, owner: Owner, options: TurnOptions, offering: Offering) -> None:
        check(options)
        self._offering = offering
        self._owner, self._transcript = owner, session.transcript
        permission = options.get("permission")
        self.policy = owner.policy_of(permission) if permission is not None else session.policy or owner.policy
        self._own_model = options.get("model")
        self._own = Wish(options.get("variant"), checked_effort(options.get("effort")))
        self._default = Wish(session.variant, session.effort, optional=bool(self._own_model))
        self._model = self._own_model or session.model
        self._agent = _agent_of(self.policy, options.get("agent"), session.agent)
        self.person = options.get("person")
        self.record, replay = options.get("record"), options.get("replay")
        self.replay = owner.recording if replay is None else recording_in(replay)
        self.schema = cast("Schema | None", options.get("schema"))
        self.expected = _expected(self.schema, session, offering) if self.schema else None
        self.limits = limits(owner, session.budget, options) if self.replay is None else Limits(None, ())

    async def body(self, *, acting: Mapping[str, Any] | None = None, **fields: Any) -> Json:
        """Send the policy's rules to the server; return the request body with these fields.

        `acting` is the slash command, whose own agent and model come first. Offers the result tool if there is a
        schema. Raises ModelError for an unknown model or variant, or a prompt that the model cannot take; OpencodeError
        for an unknown agent, a rule for an unknown tool, or a schema while another prompt's result is awaited.
        """
        if self.expected is None:
            return await self._body(acting or {}, fields)
        self.expected.offer()
        try:
            return await self._body(acting or {}, fields)
        except BaseException:
            self.expected.withdraw()
            raise

    async def _body(self, acting: Mapping[str, Any], fields: Json) -> Json:
        await self._owner.start()
        await self._owner.check(self._model, self._agent)
        named = await self._named()
        variant = await self._variant(named, acting, fields)
        of_command = acting.get("agent")
        if self.policy.agent and of_command not in (None, self.policy.agent):
            raise OpencodeError(
                f"This command has the agent {of_command!r}, which permission={self.policy.option!r} does not go with."
            )
        await self._enforce(of_command or self._agent)
        if self.expected and "system" in fields:
            fields["system"] = "\n\n".join(filter(None, (fields["system"], self.expected.instructions)))
        body: Json = {
            "messageID": ids.message_id(*self._transcript.last_ids),
            "model": dict(zip(("providerID", "modelID"), split_model(named.model), strict=True)) if named else None,
            "agent": self._agent,
            "variant": variant,
            **fields,
        }
        return {key: value for key, value in body.items() if value is not None}

    async def unmet_effort(self) -> str:
        """Say, once for each model, that it has no variant for the effort that is asked for; "" otherwise."""
        await self._owner.start()
        await self._owner.check(self._model, self._agent)
        named = await self._named()
        wish = self._wish(named)
        if not wish.effort:
            return ""
        return await self._unmet(wish, await self._answering(named, {}))

    # -- which model, and which of its variants ------------------------------------------------------------------------

    async def _variant(self, named: ModelChoice | None, command: Mapping[str, Any], fields: Json) -> str | None:
        """Return the variant to send. Raises ModelError if the model lacks it, or cannot take the prompt."""
        wish = self._wish(named)
        needs = preflight.needs([] if fields.get("noReply") else fields.get("parts") or [])
        if not (wish.variant or wish.effort or needs.any):
            return None
        model = await self._answering(named, command)
        if await self._problem(wish, needs, model):
            await self._owner.models_detail()  # the configuration may have changed
        if problem := await self._problem(wish, needs, model):
            raise ModelError(problem)
        if told := await self._unmet(wish, model):
            log.warning(told)
        known = (await self._owner.details()).get(model)
        return wish.of(known["variants"]) if known else wish.variant

    async def _problem(self, wish: Wish, needs: preflight.Needs, model: str) -> str:
        details = await self._owner.details()
        known = details.get(model)
        if known is None:  # the server says what is wrong
            return ""
        return preflight.problem(needs, known, details.values()) or wish.problem(model, known["variants"])

    async def _unmet(self, wish: Wish, model: str) -> str:
        told = wish.unmet(model, await self._variants(model))
        return told if told and self._owner.first_time(told) else ""

    async def _variants(self, model: str) -> list[str]:
        return list((await self._owner.details()).get(model, {}).get("variants") or [])

    def _wish(self, named: ModelChoice | None) -> Wish:
        """Return the variant to use: by the prompt's own options, else by the session's defaults."""
        of_name = (named.variant if named else "") or None
        own, default = self._own, self._default
        if self._own_model:
            own = own._replace(variant=own.variant or of_name)
        else:
            default = default._replace(variant=default.variant or of_name)
        if own.variant:
            return Wish(own.variant)
        return Wish(effort=own.effort) if own.effort else default

    async def _answering(self, named: ModelChoice | None, command: Mapping[str, Any]) -> str:
        """Return the model that the server will use, as "provider/model"."""
        if of_command := command.get("model"):
            return str(of_command)
        if command.get("agent") and (own := await self._owner.model_of_agent(command["agent"])):
            return own
        if named:
            return named.model
        own = await self._owner.model_of_agent(self._agent)
        return own or usage.session_model(self._transcript.info) or (await self._owner.model_choice()).model

    async def _enforce(self, agent: str | None) -> None:
        """Have the server ask about what this turn's policy decides, if the session would allow it unasked."""
        agent = agent or self._transcript.info.get("agent")
        guarded = self._owner.hooks.hooks.guarded
        offered = await self._offering.ready(self.policy, guarded)
        standing = self._transcript.info.get("permission") or []
        rules: list[Any] = await self._owner.enforcement.rules(
            self.policy, agent, standing, offered, guarded, self._offering.kept
        )
        if rules:
            await self._deny_below(self._transcript.id, [rule for rule in rules if rule["action"] == "deny"])
            info = await self._owner.client.session.update(self._transcript.id, permission=rules)
            self._owner.feed.apply({"type": "session.updated", "properties": {"info": dict(info)}})

    async def _deny_below(self, session_id: str, rules: list[Any]) -> None:
        """Deny the same to earlier subagents: the agent may resume one that began under laxer rules."""
        if not (rules and self._transcript.sub_sessions):
            return
        for child in await self._owner.client.session.children(session_id) or []:
            await self._owner.client.session.update(child["id"], permission=rules)
            await self._deny_below(child["id"], rules)

    async def _named(self) -> ModelChoice | None:
        """Return the model to name in the prompt, or None if the server finds it: the session's or a configured one."""
        if self._model:
            return await self._owner.model_choice(self._model)  # it may lack its provider
        if self._transcript.info.get("model"):
            return None
        choice = await self._owner.model_choice(agent=self._agent)
        return choice if choice.chosen_by == "default" else None
