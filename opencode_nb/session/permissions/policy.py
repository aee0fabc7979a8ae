"""Who answers the agent's permission requests and questions.

A `Policy` answers what it can and leaves the rest to a `Person` (a widget, `input()`). With no person available, the
request is rejected with a reason, so that an unattended notebook never hangs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from opencode_nb.session.permissions.approvals import Approvals
from opencode_nb.session.permissions.rules import ACTIONS, Rules, strictest
from opencode_nb.session.permissions.subjects import Place, subjects
from opencode_nb.tools.names import own_tool
from opencode_nb.transcript.state import BY_APPROVAL, Json

Reply = Literal["once", "always", "reject"]
Rule = str | Mapping[str, str]
PermissionOption = str | Mapping[str, Rule] | Callable[["PermissionRequest"], Any]

CAREFUL = ("edit", "bash", "python")
"""Permissions to ask about if the user's configuration has no rules: those that can change things."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to a permission request; `by` says who gave it; `message` is sent to the model with a rejection."""

    reply: Reply
    message: str = ""
    by: str = "you"


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """What the agent asks for: `permission` (edit, bash, python, ...), the `patterns` it covers, the tool's `metadata`.

    `input` is what the tool was called with: for `python`, `{"code": ...}`.
    """

    id: str
    session: str
    permission: str
    patterns: tuple[str, ...]
    always: tuple[str, ...]
    metadata: Json
    tool: Json | None
    input: Json = field(default_factory=dict)

    @classmethod
    def of(cls, request: Json) -> PermissionRequest:
        """Convert from the server's JSON."""
        return cls(
            id=request["id"],
            session=str(request.get("sessionID", "")),
            permission=own_tool(str(request.get("permission"))) or str(request.get("permission", "")),
            patterns=tuple(request.get("patterns") or ()),
            always=tuple(request.get("always") or ()),
            metadata=dict(request.get("metadata") or {}),
            tool=request.get("tool"),
            input=dict((request.get("call") or {}).get("input") or {}),
        )


class Person(Protocol):
    """Someone who can answer. Both methods return None if no one is there after all."""

    async def permission(self, request: Json) -> Answer | None:
        """Ask whether to allow a request."""

    async def question(self, request: Json) -> list[list[str]] | Literal["reject"] | None:
        """Ask the agent's questions. Return the chosen labels or free text for each, or "reject" to decline."""


class Policy:
    """The `permission=` option: "ask" | "allow" | "deny" | {name: rule or {pattern: rule}} | a callable.

    A name is a permission (edit, bash, ...), a tool (write, apply_patch, an MCP server's, your own), or a pattern of
    these. See `rules` for precedence. Requests that match no rule go to a person.
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
        """Return the permissions that the server must ask about; `configured`: the user's configuration has rules.

        Configured rules apply as they are under "ask" and "allow". Any other policy may be stricter, so the server must
        ask: it never asks about what it allows itself, and then nothing here could deny it.
        """
        if configured and self.option in ("ask", "allow"):
            return []
        return list(dict.fromkeys((*CAREFUL, *(self.rules.names if self.rules else ()))))

    def action(self, permission: str) -> str:
        """Return the action for a permission, apart from rules for specific patterns; "ask" if unknown."""
        if self.rules:
            return self.rules.action(permission) or "ask"
        return self.option if isinstance(self.option, str) else "ask"

    def offered(self, name: str, *, asks: bool) -> str:
        """Return the action for a tool of the kernel, by its full name; `asks`: its own default is to ask.

        A tool that asks is not just allowed: the server has to ask this process, which runs only what it allowed.
        """
        said = self.rules.action(name) if self.rules else "deny" if asks and self.option == "deny" else None
        return "ask" if asks and said != "deny" else said or "allow"

    def denies_all(self, permission: str) -> bool:
        """Whether every request for this permission is denied."""
        return self.rules.denies_all(permission) if self.rules else self.option == "deny"

    async def decide(self, request: Json, place: Place | None = None) -> Answer | None:
        """Return the answer, or None if a person must be asked. If a callable raises, deny and say why.

        `place` resolves the paths of the request.
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
        except Exception as error:  # user code: whatever it raises, deny the request
            return Answer("reject", f"The permission callback failed: {type(error).__name__}: {error}", "policy")
        if answer and answer.reply == "always":
            self._approved.add(request)
        return answer


NOBODY = Answer("reject", "Nobody is available to answer, so it was denied.", "policy")
"""The answer when a person is needed but none is available (nbclient, papermill, CI)."""

APPROVED = Answer("once", by=BY_APPROVAL)
"""The answer to a request that an earlier "always" covers."""


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
