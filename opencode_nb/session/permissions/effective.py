"""What becomes of a tool's requests under the rules and the policy of a turn. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from opencode_nb.session.permissions.policy import Policy
from opencode_nb.session.permissions.rules import PERMISSION_OF, matches
from opencode_nb.transcript.state import Json


class ToolRule(NamedTuple):
    """A tool, the permission that it needs, and what becomes of its requests: "allow", "ask" or "deny".

    `exceptions` has the files, commands, ... for which it is another, with that.
    """

    tool: str
    permission: str
    action: str
    exceptions: tuple[tuple[str, str], ...] = ()


def tool_rules(tools: Iterable[str], rules: Sequence[Json], policy: Policy) -> list[ToolRule]:
    """Return the rule for each tool; `rules` are the server's, of which the last match wins."""
    return [_rule(tool, rules, policy) for tool in tools]


def own_rules(asks: Mapping[str, bool], policy: Policy) -> list[ToolRule]:
    """Return the rule for each tool of the user's own functions; `asks`: whether it asks by itself."""
    said = ((name, policy.offered(name, asks=does)) for name, does in asks.items())
    return [ToolRule(name, name, policy.action(name) if action == "ask" else action) for name, action in said]


def _rule(tool: str, rules: Sequence[Json], policy: Policy) -> ToolRule:
    permission = PERMISSION_OF.get(tool, tool)
    action, exceptions = "ask", dict[str, str]()
    for rule in rules:
        if matches(permission, rule["permission"]):
            if rule["pattern"] == "*":
                action = rule["action"]
                exceptions.clear()
            else:
                exceptions[rule["pattern"]] = rule["action"]
    if action == "ask" and policy.rules:
        exceptions |= policy.rules.patterns(permission)
    action = _answered(action, permission, policy)
    answered = ((pattern, _answered(said, permission, policy)) for pattern, said in exceptions.items())
    return ToolRule(tool, permission, action, tuple((pattern, said) for pattern, said in answered if said != action))


def _answered(action: str, permission: str, policy: Policy) -> str:
    """Return what the policy makes of a request that the server asks about."""
    return policy.action(permission) if action == "ask" else action
