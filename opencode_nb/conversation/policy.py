"""Who answers when the agent asks for permission, or asks a question.

A `Policy` decides what it can; what it leaves to a person goes to a `Person` (a widget, `input()`); where there is
nobody, the answer is no, with the reason, so that a notebook run by a machine never waits for ever.
"""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from opencode_nb.conversation.state import Json

Reply = Literal["once", "always", "reject"]
Rule = str | Mapping[str, str]
PermissionOption = str | Mapping[str, Rule] | Callable[["PermissionRequest"], Any]

CAREFUL = ("edit", "bash", "python")
"""The permissions that ask first where the user's configuration has no rules: what changes things."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to a permission request; `by` says who gave it, `message` goes to the model with a rejection."""

    reply: Reply
    message: str = ""
    by: str = "you"


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """What the agent wants: `permission` (edit, bash, ...), the `patterns` it covers, the tool's `metadata`."""

    id: str
    session: str
    permission: str
    patterns: tuple[str, ...]
    always: tuple[str, ...]
    metadata: Json
    tool: Json | None

    @classmethod
    def of(cls, request: Json) -> PermissionRequest:
        """From the server's own shape."""
        return cls(
            id=request["id"],
            session=str(request.get("sessionID", "")),
            permission=str(request.get("permission", "")),
            patterns=tuple(request.get("patterns") or ()),
            always=tuple(request.get("always") or ()),
            metadata=dict(request.get("metadata") or {}),
            tool=request.get("tool"),
        )


class Person(Protocol):
    """Someone who can be asked. Both return None where nobody turned out to be there."""

    async def permission(self, request: Json) -> Answer | None:
        """Ask whether the agent may do this."""

    async def question(self, request: Json) -> list[list[str]] | Literal["reject"] | None:
        """Ask the agent's questions: for each the chosen labels or own words; "reject" to decline."""


class Policy:
    """The `permission=` option: "ask" | "allow" | "deny" | {tool: rule or {pattern: rule}} | a callable.

    In a mapping, deny beats ask beats allow over all patterns of a request; what no rule matches is asked.
    A callable takes a `PermissionRequest` and returns "once", "always", "reject", ("reject", message), or "ask".
    Raises ValueError for anything else.
    """

    def __init__(self, option: PermissionOption = "ask") -> None:
        if isinstance(option, str) and option not in _RULES:
            raise ValueError(f"permission={option!r}: use one of {', '.join(_RULES)}, a mapping or a callable.")
        if isinstance(option, Mapping):
            _check_rules(option)
        elif not isinstance(option, str) and not callable(option):
            raise ValueError(f"permission={option!r}: use one of {', '.join(_RULES)}, a mapping or a callable.")
        self.option = option

    def rules(self, configured: bool) -> list[Json]:
        """The rules that a session needs for the server to ask at all; `configured`: the user's configuration has some.

        The user's own rules stand, unless this policy was made to be stricter: what the server allows by itself is
        never asked, and then nothing here could deny it. The last rule that fits counts, but a subagent's session gets
        only those of them that deny: as nobody would be asked there, it may not do what is not allowed anyway.
        """
        if configured and self.option in ("ask", "allow"):
            return []
        extra = self.option if isinstance(self.option, Mapping) else ()
        names = list(dict.fromkeys((*CAREFUL, *extra)))
        denied = [{"permission": name, "pattern": "*", "action": "deny"} for name in names if not self._allows(name)]
        return [*denied, *({"permission": name, "pattern": "*", "action": "ask"} for name in names)]

    def _allows(self, permission: str) -> bool:
        """Whether the answer is known to be yes, whatever exactly is asked."""
        if isinstance(self.option, Mapping):
            return self.option.get(permission, self.option.get("*")) == "allow"
        return self.option == "allow"

    async def decide(self, request: Json) -> Answer | None:
        """The answer, or None where a person must be asked. A callable that raises denies, and says so."""
        if isinstance(self.option, str):
            return _by_rule(self.option)
        if isinstance(self.option, Mapping):
            return _by_rule(_match(self.option, request))
        try:
            result = self.option(PermissionRequest.of(request))
            return _by_callable(
                await result if isinstance(result, Awaitable) or inspect.isawaitable(result) else result
            )
        except Exception as error:  # the user's own code: whatever it raises, the agent must not be let through
            return Answer("reject", f"The permission callback failed: {type(error).__name__}: {error}", "policy")


_RULES = ("ask", "allow", "deny")
NOBODY = Answer("reject", "Nobody is there to be asked, so it was denied.", "policy")
"""The answer where a person would have to be asked and there is none (nbclient, papermill, CI)."""


def _check_rules(option: Mapping[str, Rule]) -> None:
    for tool, rule in option.items():
        for action in rule.values() if isinstance(rule, Mapping) else [rule]:
            if action not in _RULES:
                raise ValueError(f"permission={{{tool!r}: {rule!r}}}: a rule is one of {', '.join(_RULES)}.")


def _by_rule(rule: str) -> Answer | None:
    if rule == "allow":
        return Answer("once", by="policy")
    if rule == "deny":
        return Answer("reject", "The user's policy denies this.", "policy")
    return None


def _match(rules: Mapping[str, Rule], request: Json) -> str:
    rule = rules.get(str(request.get("permission")), rules.get("*", "ask"))
    if isinstance(rule, str):
        return rule
    patterns = [str(pattern) for pattern in request.get("patterns") or ["*"]]
    actions = {_pattern_rule(rule, pattern) for pattern in patterns}
    return next(action for action in ("deny", "ask", "allow") if action in actions)


def _pattern_rule(rules: Mapping[str, str], text: str) -> str:
    """Deny wins over allow; a more permissive pattern never hides a stricter one."""
    actions = {action for pattern, action in rules.items() if fnmatch.fnmatchcase(text, pattern)}
    return next((action for action in ("deny", "ask", "allow") if action in actions), "ask")


def _by_callable(result: Any) -> Answer | None:
    if result == "ask":
        return None
    reply, message = result if isinstance(result, tuple) and len(result) == 2 else (result, "")
    if reply not in ("once", "always", "reject"):
        raise ValueError(f'it returned {result!r}; expected "once", "always", "reject", ("reject", message) or "ask"')
    return Answer(reply, str(message), "policy")
