"""What `opencode acp` is configured with so that it asks before it acts: the protocol has no rules. Pure.

Configuration given to the program comes over the user's, whose rules it replaces. Those that deny are kept in this
process instead, see `denies`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from opencode_nb.session.permissions.rules import matches
from opencode_nb.session.permissions.session_rules import base_action
from opencode_nb.transcript.state import Json

SUBAGENTS = ("general", "explore")
"""OpenCode's own subagents."""

ASKED = ("doom_loop", "external_directory")
"""Permissions that OpenCode's agents ask about unless configured."""


def asking(config: Mapping[str, Any], names: Collection[str], allowed: Collection[str]) -> Json:
    """Return the configuration with which agents ask about these permissions.

    `config` is the resolved one. What it denies altogether stays denied. Subagents are denied what they would ask
    about, and these permissions but for those `allowed`: `opencode acp` tells nobody that they ask, and waits for ever.
    """
    agents = {name: agent for name, agent in _object(config.get("agent")).items() if isinstance(agent, dict)}
    below = {*SUBAGENTS, *(name for name, agent in agents.items() if agent.get("mode") == "subagent")}
    of_agents = {
        name: _asking([config.get("permission"), agent.get("permission")], names)
        for name, agent in agents.items()
        if names and agent.get("permission") and name not in below
    }
    denied = [name for name in names if name not in allowed]
    of_agents |= {name: _unasked(rules_of(config, name), denied) for name in sorted(below)}
    told = {name: {"permission": rules} for name, rules in of_agents.items()}
    own = {"permission": _asking([config.get("permission")], names)} if names else {}
    return {**own, "agent": told}


def _unasked(rules: Sequence[Json], denied: Iterable[str]) -> Json:
    """Return the rules of a subagent that replace its "ask" by "deny", and deny these permissions."""
    found: dict[str, Json] = {}
    for rule in rules:
        if rule["action"] == "ask":
            found.setdefault(rule["permission"], {})[rule["pattern"]] = "deny"
    unsaid = [name for name in ASKED if not any(matches(name, rule["permission"]) for rule in rules)]
    return {**found, **dict.fromkeys([*unsaid, *denied], "deny")}


def _asking(given: Iterable[Any], names: Iterable[str]) -> Json:
    """Return "ask" for each permission, but "deny" where all that is said of it denies."""
    rules = list(_listed(given))
    about = {name: [rule for rule in rules if matches(name, rule["permission"])] for name in names}
    return {name: "deny" if _all_denied(said) else "ask" for name, said in about.items()}


def _all_denied(rules: Sequence[Json]) -> bool:
    return {rule["action"] for rule in rules} == {"deny"} and any(rule["pattern"] == "*" for rule in rules)


def rules_of(config: Mapping[str, Any], agent: str) -> list[Json]:
    """Return the configured rules that an agent is under, `{permission, pattern, action}`: the last fitting counts."""
    of_agent = _object(_object(config.get("agent")).get(agent))
    return list(_listed([config.get("permission"), of_agent.get("permission")]))


def denies(rules: Sequence[Json], request: Json) -> bool:
    """Return whether configured rules deny what is asked for."""
    return bool(rules) and base_action(rules, (), request) == "deny"


def _listed(given: Iterable[Any]) -> Iterator[Json]:
    for rules in given:
        named = {"*": rules} if isinstance(rules, str) else _object(rules)
        for name, rule in named.items():
            patterns = {"*": rule} if isinstance(rule, str) else _object(rule)
            for pattern, action in patterns.items():
                yield {"permission": name, "pattern": pattern, "action": action}


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
