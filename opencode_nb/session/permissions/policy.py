"""Who answers the agent's permission requests and questions.

A `Policy` answers what it can and leaves the rest to a `Person` (a widget, `input()`). With no person available, the
request is rejected with a reason, so that an unattended notebook never hangs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from opencode_nb import callbacks
from opencode_nb.session.permissions.approvals import Approvals, Reply
from opencode_nb.session.permissions.boundary import UNHELD, Boundary
from opencode_nb.session.permissions.rules import ACTIONS, MODES, Rules, strictest
from opencode_nb.session.permissions.subjects import Place, subjects
from opencode_nb.tools.names import CELL_CHANGES, RESULT, own_tool
from opencode_nb.transcript.state import BY_APPROVAL, Json

Rule = str | Mapping[str, str]
PermissionOption = str | Mapping[str, Rule] | Callable[["PermissionRequest"], Any]

CAREFUL = ("edit", "bash", "python")
"""Permissions to ask about if the user's configuration has no rules: those that can change things."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to a permission request; `by` says who gave it.

    `message` is sent to the model with a rejection; with "edited" it is the source to write.
    """

    reply: Reply
    message: str = ""
    by: str = "you"


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """What the agent asks for: `permission` (edit, bash, python, ...), the `patterns` it covers, the tool's `metadata`.

    `input` is what the tool was called with: for `python`, `{"code": ...}`. For `run_cell` it also has the `source`.
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
            input=_input(request.get("call") or {}),
        )


def _input(call: Json) -> Json:
    shown = [block for block in call.get("shown") or [] if block.get("kind") == "cell"]
    source = {"source": shown[0].get("before")} if shown and own_tool(str(call.get("tool"))) == "run_cell" else {}
    return {**(call.get("input") or {}), **source}


class Person(Protocol):
    """Someone who can answer. Both methods return None if no one is there after all."""

    async def permission(self, request: Json) -> Answer | None:
        """Ask whether to allow a request."""

    async def question(self, request: Json) -> list[list[str]] | Literal["reject"] | None:
        """Ask the agent's questions. Return the chosen labels or free text for each, or "reject" to decline."""


PLAN = "plan"
"""The mode of the agent of the same name, which changes nothing: everything else is as in "ask"."""

_EDITS = dict.fromkeys(("edit", *CELL_CHANGES), "allow")


class Policy:
    """The `permission=` option: one of MODES, {name: rule or {pattern: rule}}, or a callable.

    "ask" asks a person, "edits" allows edits and asks about the rest, "plan" has the agent `plan` answer, which changes
    nothing, "allow" and "deny" answer all requests.

    A name is a permission (edit, bash, ...), a tool (write, apply_patch, an MCP server's, your own), or a pattern of
    these. See `rules` for precedence. Requests that match no rule go to a person.
    A callable takes a `PermissionRequest` and returns "once", "always", "reject", ("reject", message), or "ask". One
    that is not async may block: it runs on a thread of its own, one call at a time in each turn.
    Raises ValueError for anything else, and for a misspelt name.
    """

    def __init__(self, option: PermissionOption = "ask", boundary: Boundary | None = None) -> None:
        by_name = isinstance(option, Mapping)
        if not (by_name or callable(option) or option in MODES):
            raise ValueError(f"permission={option!r}: use one of {', '.join(MODES)}, a mapping or a callable.")
        self.option = option
        self.rules = Rules(option) if isinstance(option, Mapping) else Rules(_EDITS) if option == "edits" else None
        self._boundary = boundary
        self._approved = Approvals()

    @property
    def agent(self) -> str | None:
        """The agent that the mode needs, or None."""
        return PLAN if self.option == PLAN else None

    @property
    def function(self) -> Callable[[PermissionRequest], Any] | None:
        """The function that answers; None if the option is a mode or rules."""
        return self.option if callable(self.option) else None

    @property
    def tells_paths_apart(self) -> bool:
        """Whether the answer depends on the paths in a request."""
        return self._boundary is not None or (self.rules is not None and self.rules.tells_paths_apart)

    def names(self, configured: bool) -> list[str]:
        """Return the permissions that the server must ask about; `configured`: the user's configuration has rules.

        Configured rules apply as they are under "ask" and "allow". Any other policy may be stricter, so the server must
        ask: it never asks about what it allows itself, and then nothing here could deny it.
        """
        if configured and self._boundary is None and self.option in ("ask", "allow"):
            return []
        return list(dict.fromkeys((*CAREFUL, *(self.rules.names if self.rules else ()))))

    def action(self, permission: str) -> str:
        """Return the action for a permission, apart from rules for specific patterns; "ask" if unknown."""
        said = self.rules.action(permission) if self.rules else self.option if self.option in ACTIONS else "ask"
        held = self._boundary is not None and permission in (*UNHELD, "edit") and said == "allow"
        return "ask" if held else str(said or "ask")

    def offered(self, name: str, *, asks: bool) -> str:
        """Return the action for a tool of the kernel, by its full name; `asks`: its own default is to ask.

        A tool that asks is not just allowed: the server has to ask this process, which runs only what it allowed. The
        one that gives a result changes nothing, so that no rule is about it.
        """
        if own_tool(name) == RESULT and not asks:
            return "allow"
        said = self.rules.action(name) if self.rules else "deny" if asks and self.option == "deny" else None
        return "ask" if asks and said != "deny" else said or "allow"

    def denies_all(self, permission: str) -> bool:
        """Whether every request for this permission is denied."""
        return self.rules.denies_all(permission) if self.rules else self.option == "deny"

    async def decide(self, request: Json, place: Place | None = None) -> Answer | None:
        """Return the answer, or None if a person must be asked. If a callable raises, deny and say why.

        `place` resolves the paths of the request.
        """
        if self._boundary is not None and (refusal := self._boundary.refusal(request, place)):
            return Answer("reject", refusal, "policy")
        if callable(self.option):
            return APPROVED if self._approved.cover(request) else await self._ask_callable(request)
        answer = self._by_rules(request, place)
        asks = self._boundary is not None and PermissionRequest.of(request).permission in UNHELD
        return None if asks and answer and answer.reply != "reject" else answer

    def _by_rules(self, request: Json, place: Place | None) -> Answer | None:
        if self.rules is None:
            return _by_rule(str(self.option))
        name = str(request.get("permission"))
        said = [self.rules.action(name, spellings) or "ask" for spellings in subjects(request, place)]
        return _by_rule(str(strictest(said)))

    async def _ask_callable(self, request: Json) -> Answer | None:
        decide: Any = self.option
        try:
            answer = _by_callable(await callbacks.call(decide, PermissionRequest.of(request)))
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
