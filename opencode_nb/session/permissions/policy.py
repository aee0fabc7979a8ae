"""Who answers when the agent asks for permission, or asks a question.

A `Policy` decides what it can; what it leaves to a person goes to a `Person` (a widget, `input()`); where there is
nobody, the answer is no, with the reason, so that a notebook run by a machine never waits for ever.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from opencode_nb.session.permissions.approvals import Approvals
from opencode_nb.session.permissions.rules import ACTIONS, Rules, strictest
from opencode_nb.session.permissions.subjects import Place, subjects
from opencode_nb.transcript.state import BY_APPROVAL, Json

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
    """The `permission=` option: "ask" | "allow" | "deny" | {name: rule or {pattern: rule}} | a callable.

    The names are those of permissions (edit, bash, ...), of tools (write, apply_patch, those of MCP servers, your own),
    or patterns of them; which of several rules counts is told in `rules`. What no rule matches is asked.
    A callable takes a `PermissionRequest` and returns "once", "always", "reject", ("reject", message), or "ask".
    Raises ValueError for anything else, and for a misspelt name.
    """

    def __init__(self, option: PermissionOption = "ask") -> None:
        by_name = isinstance(option, Mapping)
        if not (by_name or callable(option) or option in ACTIONS):
            raise ValueError(f"permission={option!r}: use one of {', '.join(ACTIONS)}, a mapping or a callable.")
        self.option = option
        self.rules = Rules(option) if isinstance(option, Mapping) else None
        self._approved = Approvals()

    def names(self, configured: bool) -> list[str]:
        """The permissions that the server has to ask about; `configured`: the user's configuration has rules.

        These stand, unless this policy was made to be stricter: what the server allows by itself is never asked, and
        then nothing here could deny it.
        """
        if configured and self.option in ("ask", "allow"):
            return []
        return list(dict.fromkeys((*CAREFUL, *(self.rules.names if self.rules else ()))))

    def action(self, permission: str) -> str:
        """The answer to all of this permission that no pattern singles out; "ask" where it is not known."""
        if self.rules:
            return self.rules.action(permission) or "ask"
        return self.option if isinstance(self.option, str) else "ask"

    def denies_all(self, permission: str) -> bool:
        """Whether the answer is known to be no, whatever exactly is asked."""
        return self.rules.denies_all(permission) if self.rules else self.option == "deny"

    async def decide(self, request: Json, place: Place | None = None) -> Answer | None:
        """The answer, or None where a person must be asked. A callable that raises denies, and says so.

        `place` says which files the paths of the request are.
        """
        if self.rules:
            name = str(request.get("permission"))
            said = [self.rules.action(name, spellings) or "ask" for spellings in subjects(request, place)]
            return _by_rule(str(strictest(said)))
        if isinstance(self.option, str):
            return _by_rule(self.option)
        if self._approved.cover(request):
            return APPROVED
        return await self._ask_callable(request)

    async def _ask_callable(self, request: Json) -> Answer | None:
        decide: Any = self.option
        try:
            result = decide(PermissionRequest.of(request))
            answer = _by_callable(await result if inspect.isawaitable(result) else result)
        except Exception as error:  # the user's own code: whatever it raises, the agent must not be let through
            return Answer("reject", f"The permission callback failed: {type(error).__name__}: {error}", "policy")
        if answer and answer.reply == "always":
            self._approved.add(request)
        return answer


NOBODY = Answer("reject", "Nobody is there to be asked, so it was denied.", "policy")
"""The answer where a person would have to be asked and there is none (nbclient, papermill, CI)."""

APPROVED = Answer("once", by=BY_APPROVAL)
"""The answer to what an earlier "always" covers."""


def _by_rule(rule: str) -> Answer | None:
    if rule == "allow":
        return Answer("once", by="policy")
    if rule == "deny":
        return Answer("reject", "The user's policy denies this.", "policy")
    return None


def _by_callable(result: Any) -> Answer | None:
    if result == "ask":
        return None
    reply, message = result if isinstance(result, tuple) and len(result) == 2 else (result, "")
    if reply not in ("once", "always", "reject"):
        raise ValueError(f'it returned {result!r}; expected "once", "always", "reject", ("reject", message) or "ask"')
    return Answer(reply, str(message), "policy")
