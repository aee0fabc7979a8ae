"""Translate a policy to the session rules that the server applies. Pure.

On the server the last matching rule wins. Session rules come after the agent's, and new ones can only be appended. So
each turn appends a full set that overrides the stale ones: ask about what the policy decides, keep denying what the
agent's rules deny, and restore the agent's rules for what only an earlier turn asked about.

A subagent's session inherits only the rules that deny. Nobody would be asked there, so these deny whatever is not
plainly allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from opencode_nb.session.permissions.policy import Policy
from opencode_nb.session.permissions.rules import UNASKED, is_pattern, matches, strictest
from opencode_nb.transcript.state import Json

MARK: Json = {"permission": "opencode_nb", "pattern": "rules", "action": "ask"}
"""Marks the start of our rules. Rules before the first mark are someone else's and are kept."""


EXTERNAL = "external_directory"
"""The permission for what is outside the directory of the session."""

EDIT = "edit"
"""The permission for all tools that change files."""


class Kept(NamedTuple):
    """Patterns of the files that file tools are kept off: those to ask about, and those closed to subagents."""

    asked: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


NONE_KEPT = Kept()


def session_rules(
    policy: Policy,
    *,
    configured: bool,
    agent: Sequence[Json] = (),
    standing: Sequence[Json] = (),
    own: Iterable[str] = (),
    offered: Sequence[Json] = (),
    guarded: Sequence[str] = (),
    directories: Sequence[str] = (),
    kept: Kept = NONE_KEPT,
) -> list[Json]:
    """Return the rules to append to a session's `standing` rules for a turn with this policy; [] if already at the end.

    `agent`: the agent's rules. `own`: the user's own tools, which the server runs without asking. `offered`: the rules
    for the tools of this session's kernel, see `offered_rules`. `guarded`: what hooks may refuse, asked too.
    `directories`: others that the agent may use. `kept`: the files that a tool of the kernel stands for.
    """
    theirs, ours = _parted(standing)
    base, names = [*agent, *theirs], list(dict.fromkeys((*policy.names(configured), *guarded)))
    opened = [_rule(EXTERNAL, f"{path}/*", "allow") for path in directories if _may_open(policy)]
    set_anew = [*names, *_permissions([*offered, *opened])]
    asked = () if covered(EDIT, names) else kept.asked
    set_before = [*_permissions(ours), *([EDIT] if asked else [])]
    stale = _outermost(name for name in dict.fromkeys(set_before) if not covered(name, set_anew))
    rules = [
        *(rule for name in names for rule in _for_subagents(policy, name, guarded)),
        *(_rule(EDIT, text, "deny") for text in kept.closed),
        *(rule for name in stale for rule in _narrowed(base, name)),
        *(_rule(name, "*", "ask") for name in names),
        *(rule for name in names for rule in _still_denied(base, name)),
        *(_rule(name, "*", "deny") for name in _hidden(policy, names, own, guarded)),
        *offered,
        *opened,
        *(rule for name in _permissions(opened) for rule in _still_denied(base, name)),
        *(_asked_edits(base, asked) if asked else ()),
    ]
    wanted = [MARK, *rules] if rules else []
    return [] if not wanted or list(standing[-len(wanted) :]) == wanted else wanted


def extra_directories(directories: Iterable[str | Path]) -> tuple[str, ...]:
    """Return the paths of more directories, as given and without links. Raises TypeError, ValueError."""
    if isinstance(directories, str | Path):
        raise TypeError(f"directories={directories!r}: give a sequence, such as [{str(directories)!r}].")
    absolute = [Path(directory).expanduser().absolute() for directory in directories]
    if wrong := [path for path in absolute if is_pattern(str(path))]:
        raise ValueError(f"directories: {wrong[0]} has a wildcard, which the server would take as one. Rename it.")
    return tuple(dict.fromkeys(path.as_posix().rstrip("/") for one in absolute for path in (one, one.resolve())))


def _may_open(policy: Policy) -> bool:
    """Return whether the policy leaves open what more directories may be used: its own rules come first."""
    said = policy.rules.singled_out(EXTERNAL) if policy.rules else []
    return not said and policy.action(EXTERNAL) != "deny"


def offered_rules(policy: Policy, tools: Mapping[str, bool], kernel: str) -> list[Json]:
    """Return the rules that show a kernel's tools to one session: full name -> whether the user is asked first.

    What the policy denies stays hidden. The first rule names the `kernel`: the last one to take the session has it.
    """
    actions = ((name, policy.offered(name, asks=asks)) for name, asks in tools.items())
    return [_rule(MARK["permission"], kernel, "ask"), *(_rule(name, "*", action) for name, action in actions)]


def taken_by(standing: Sequence[Json]) -> str:
    """Return the kernel that last took the session, as `offered_rules` named it; "" if none did."""
    named = [rule["pattern"] for rule in standing if rule["permission"] == MARK["permission"] and rule != MARK]
    return str(named[-1]) if named else ""


def _parted(standing: Sequence[Json]) -> tuple[Sequence[Json], Sequence[Json]]:
    at = next((index for index, rule in enumerate(standing) if rule == MARK), len(standing))
    return standing[:at], [rule for rule in standing[at:] if rule["permission"] != MARK["permission"]]


def _rule(permission: str, pattern: str, action: str) -> Json:
    return {"permission": permission, "pattern": pattern, "action": action}


def _permissions(rules: Iterable[Json]) -> list[str]:
    return list(dict.fromkeys(str(rule["permission"]) for rule in rules))


def base_action(agent: Sequence[Json], standing: Sequence[Json], request: Json) -> str:
    """Return the strictest action for a request by the agent's rules and those of others: ours are left out."""
    base = [*agent, *_parted(standing)[0]]
    name, texts = str(request.get("permission")), [str(text) for text in request.get("patterns") or ["*"]]
    return str(strictest(_last_match(base, name, text) for text in texts))


def _last_match(rules: Sequence[Json], name: str, text: str) -> str:
    fitting = (r for r in reversed(rules) if matches(name, r["permission"]) and matches(text, r["pattern"]))
    return str(next((rule["action"] for rule in fitting), "ask"))


def covered(name: str, names: Iterable[str]) -> bool:
    """Whether one of these names or patterns applies to a name."""
    return any(matches(name, pattern) for pattern in names)


def _outermost(names: Iterable[str]) -> list[str]:
    """Return the names that no other name's pattern covers."""
    known = list(names)
    return [name for name in known if not covered(name, (other for other in known if other != name))]


def _for_subagents(policy: Policy, name: str, guarded: Sequence[str]) -> list[Json]:
    if policy.action(name) != "allow" or name in guarded:
        return [_rule(name, "*", "deny")]
    return [_rule(name, text, "deny") for text in (policy.rules.singled_out(name) if policy.rules else ())]


def _narrowed(base: Sequence[Json], name: str) -> list[Json]:
    """Return the rules that apply to `name`, restricted to it."""
    if name == "*":
        return list(base)
    within = ((rule, matches(rule["permission"], name)) for rule in base)
    about = ((rule, inside) for rule, inside in within if inside or matches(name, rule["permission"]))
    return [rule if inside else {**rule, "permission": name} for rule, inside in about]


def _still_denied(base: Sequence[Json], name: str) -> list[Json]:
    """Return the rules for `name` from the first "deny" on, which outrank the policy; later exceptions become "ask"."""
    rules = _narrowed(base, name)
    first = next((index for index, rule in enumerate(rules) if rule["action"] == "deny"), len(rules))
    return [rule if rule["action"] == "deny" else {**rule, "action": "ask"} for rule in rules[first:]]


def _asked_edits(base: Sequence[Json], asked: Sequence[str]) -> list[Json]:
    """Return the rules to ask about edits of these files, and those of the agent that still deny some of them."""
    rules = _narrowed(base, EDIT)
    opens = [index for index, rule in enumerate(rules) if rule["pattern"] == "*" and rule["action"] != "deny"]
    last = rules[opens[-1] + 1 :] if opens else rules
    first = next((index for index, rule in enumerate(last) if rule["action"] == "deny"), len(last))
    return [*(_rule(EDIT, text, "ask") for text in asked), *last[first:]]


def _hidden(policy: Policy, names: Sequence[str], own: Iterable[str], guarded: Sequence[str]) -> list[str]:
    """Return the tools to hide from the model, because the server would run them without asking."""
    hidden = [name for name in UNASKED if policy.denies_all(name)]
    hidden += [name for name in own if policy.action(name) != "allow" or covered(name, guarded)]
    return [name for name in hidden if covered(name, names)]
