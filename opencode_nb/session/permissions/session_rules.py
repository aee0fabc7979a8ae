"""What the server has to be told of a policy: the rules of a session. Pure.

The server takes the last rule that fits, the session's own after the agent's, and adds new ones behind the others. So
all that holds for a turn is written anew behind what holds no longer: what a policy decides is asked, what the agent's
own rules deny stays denied, what an earlier turn had asked is as the agent has it.

A subagent's session gets only those of them that deny: as nobody would be asked there, it may not do what is not
allowed anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from opencode_nb.session.permissions.policy import Policy
from opencode_nb.session.permissions.rules import UNASKED, matches
from opencode_nb.transcript.state import Json

MARK: Json = {"permission": "opencode_nb", "pattern": "rules", "action": "ask"}
"""Stands before the rules that are ours: those before the first one were given by somebody else, and stay."""


def session_rules(
    policy: Policy,
    *,
    configured: bool,
    agent: Sequence[Json] = (),
    standing: Sequence[Json] = (),
    own: Iterable[str] = (),
) -> list[Json]:
    """The rules to add to a session's `standing` ones for a turn of this policy; none where they end with them.

    `agent`: the agent's own rules. `own`: the user's own tools, which the server runs without asking.
    """
    theirs, ours = _parted(standing)
    base, names = [*agent, *theirs], policy.names(configured)
    stale = _outermost(name for name in _permissions(ours) if not _covered(name, names))
    rules = [
        *(rule for name in names for rule in _for_subagents(policy, name)),
        *(rule for name in stale for rule in _narrowed(base, name)),
        *(_rule(name, "*", "ask") for name in names),
        *(rule for name in names for rule in _still_denied(base, name)),
        *(_rule(name, "*", "deny") for name in _hidden(policy, names, own)),
    ]
    wanted = [MARK, *rules] if rules else []
    return [] if not wanted or list(standing[-len(wanted) :]) == wanted else wanted


def _parted(standing: Sequence[Json]) -> tuple[Sequence[Json], Sequence[Json]]:
    at = next((index for index, rule in enumerate(standing) if rule == MARK), len(standing))
    return standing[:at], [rule for rule in standing[at:] if rule != MARK]


def _rule(permission: str, pattern: str, action: str) -> Json:
    return {"permission": permission, "pattern": pattern, "action": action}


def _permissions(rules: Iterable[Json]) -> list[str]:
    return list(dict.fromkeys(str(rule["permission"]) for rule in rules))


def _covered(name: str, names: Iterable[str]) -> bool:
    return any(matches(name, pattern) for pattern in names)


def _outermost(names: Iterable[str]) -> list[str]:
    """Those that no other one covers."""
    known = list(names)
    return [name for name in known if not _covered(name, (other for other in known if other != name))]


def _for_subagents(policy: Policy, name: str) -> list[Json]:
    if policy.action(name) != "allow":
        return [_rule(name, "*", "deny")]
    return [_rule(name, text, "deny") for text in (policy.rules.singled_out(name) if policy.rules else ())]


def _narrowed(base: Sequence[Json], name: str) -> list[Json]:
    """The part of these rules that is about `name`."""
    if name == "*":
        return list(base)
    within = ((rule, matches(rule["permission"], name)) for rule in base)
    about = ((rule, inside) for rule, inside in within if inside or matches(name, rule["permission"]))
    return [rule if inside else {**rule, "permission": name} for rule, inside in about]


def _still_denied(base: Sequence[Json], name: str) -> list[Json]:
    """What of it is denied, whatever the policy says; its exceptions are asked about."""
    rules = _narrowed(base, name)
    first = next((index for index, rule in enumerate(rules) if rule["action"] == "deny"), len(rules))
    return [rule if rule["action"] == "deny" else {**rule, "action": "ask"} for rule in rules[first:]]


def _hidden(policy: Policy, names: Sequence[str], own: Iterable[str]) -> list[str]:
    """The tools that the model must not see: the server would not ask before it runs them."""
    hidden = [name for name in UNASKED if policy.denies_all(name)]
    hidden += [name for name in own if policy.action(name) != "allow"]
    return [name for name in hidden if _covered(name, names)]
