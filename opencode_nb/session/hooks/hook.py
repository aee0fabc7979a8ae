"""Hooks as the user gives them: which function is called for which events. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opencode_nb.session.permissions.rules import PERMISSION_OF, matches

if TYPE_CHECKING:
    from opencode_nb.session.hooks.events import (
        Event,
        FileEvent,
        PermissionEvent,
        PromptEvent,
        QuestionEvent,
        SessionEvent,
        ToolEvent,
        TurnEvent,
    )

E = TypeVar("E", bound="Event")

TIMEOUT = 60.0
"""Seconds that a hook may take by default."""

Match = str | re.Pattern[str] | Iterable[str] | Callable[[Any], bool] | None


@dataclass(eq=False)
class Hook(Generic[E]):
    """A function to call, or to await, with each event that it is for.

    `match` limits it to a name or pattern with `*` and `?` (or several), a compiled regular expression, or what a
    function of the event accepts: of tools and permissions the name, of files the path, of prompts the text. `timeout`
    is in seconds; `once` calls it for the first such event only.
    `veto`, for `before_tool`: it is called before the tool runs, and may refuse it by returning False or the reason;
    whatever it returns but None and True refuses. It has the server ask about these tools; in subagents, where nobody
    can be asked, they are denied. It cannot refuse what OpenCode does not ask about: a shell command that only
    redirects, assigns or evaluates.
    """

    function: Callable[[E], Any]
    match: Match = None
    timeout: float = TIMEOUT
    once: bool = False
    veto: bool = False
    _done: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"A hook must be a function, not {type(self.function).__name__}.")
        if not self.timeout > 0:
            raise ValueError(f"timeout={self.timeout!r}: give a number of seconds above 0.")
        if not (self.match is None or callable(self.match) or isinstance(self.match, str | re.Pattern)):
            self.match = tuple(self.match)
            if not all(isinstance(one, str) for one in self.match):
                raise TypeError("match: give names or patterns, one regular expression, or a function.")
        if self.veto:
            self._check_veto()

    def _check_veto(self) -> None:
        if self.once:
            raise ValueError("A veto that is asked once refuses only once: leave out once=.")
        unasked = [name for name in self._patterns if name in ("question", "plan_enter", "plan_exit")]
        if unasked:
            raise ValueError(f"A veto cannot refuse {unasked[0]}: OpenCode does not ask about it.")

    def takes(self, event: E) -> bool:
        """Return whether to call it with this event, and count it as called. A function of `match` may block."""
        if self._done or not self._fits(event):
            return False
        is_free, self._done = not self._done, self.once  # another event may have come meanwhile
        return is_free

    def _fits(self, event: E) -> bool:
        if self.match is None:
            return True
        if isinstance(self.match, re.Pattern):
            return any(self.match.search(text) for text in event.subjects)
        if callable(self.match):
            return bool(self.match(event))
        names = {name for pattern in self._patterns for name in (pattern, PERMISSION_OF.get(pattern, pattern))}
        return any(matches(text, name) for text in event.subjects for name in names)

    @property
    def _patterns(self) -> tuple[str, ...]:
        """The names or patterns of `match`; "*" for one that is no name."""
        if isinstance(self.match, str):
            return (self.match,)
        return (
            ("*",)
            if self.match is None or callable(self.match) or isinstance(self.match, re.Pattern)
            else tuple(map(str, self.match))
        )

    @property
    def guarded(self) -> tuple[str, ...]:
        """The permissions that the server must ask about for its veto; () without one."""
        if not self.veto:
            return ()
        stands_for = [need for tool, need in PERMISSION_OF.items() for name in self._patterns if matches(tool, name)]
        return tuple(dict.fromkeys((*self._patterns, *stands_for)))


Given = Callable[[E], Any] | Hook[E] | Iterable[Callable[[E], Any] | Hook[E]] | None


class Hooks:
    """Functions to call when something happens in any session of an `Opencode`: a function, a `Hook`, or several.

    `prompt_submitted` is called before a prompt is sent, and may return another text, or False or ("block", reason) to
    send nothing. `before_tool` is called when a tool starts (to refuse one, see `Hook.veto`), `after_tool` when it has
    succeeded, `tool_failed` when it has failed or was refused. `permission_asked`, `permission_answered`,
    `question_asked` and `file_changed` say what their names say; `turn_ended` comes after each turn, `turn_failed` too
    if it has an error. `session_started` and `session_ended`: a session was opened, or deleted or let go.

    Hooks are called one after another, in the order of the events; a waiting prompt returns after its last hook. A
    function that is not async runs on a thread of its own. One that raises, or takes too long, is logged and disturbs
    nothing, except that a veto that fails refuses the call.
    """

    def __init__(
        self,
        *,
        prompt_submitted: Given[PromptEvent] = None,
        before_tool: Given[ToolEvent] = None,
        after_tool: Given[ToolEvent] = None,
        tool_failed: Given[ToolEvent] = None,
        permission_asked: Given[PermissionEvent] = None,
        permission_answered: Given[PermissionEvent] = None,
        question_asked: Given[QuestionEvent] = None,
        file_changed: Given[FileEvent] = None,
        turn_ended: Given[TurnEvent] = None,
        turn_failed: Given[TurnEvent] = None,
        session_started: Given[SessionEvent] = None,
        session_ended: Given[SessionEvent] = None,
    ) -> None:
        self._hooks: dict[str, list[Hook[Any]]] = {
            "prompt_submitted": _hooks(prompt_submitted),
            "before_tool": _hooks(before_tool),
            "after_tool": _hooks(after_tool),
            "tool_failed": _hooks(tool_failed),
            "permission_asked": _hooks(permission_asked),
            "permission_answered": _hooks(permission_answered),
            "question_asked": _hooks(question_asked),
            "file_changed": _hooks(file_changed),
            "turn_ended": _hooks(turn_ended),
            "turn_failed": _hooks(turn_failed),
            "session_started": _hooks(session_started),
            "session_ended": _hooks(session_ended),
        }
        misplaced = [
            name for name, hooks in self._hooks.items() if name != "before_tool" and any(h.veto for h in hooks)
        ]
        if misplaced:
            raise ValueError(f"{misplaced[0]}: only a before_tool hook can have a veto.")

    def __bool__(self) -> bool:
        return any(self._hooks.values())

    def has(self, name: str) -> bool:
        """Return whether any hook of this name only observes."""
        return any(not hook.veto for hook in self._hooks[name])

    def observing(self, name: str) -> Iterator[Hook[Any]]:
        """Yield the hooks of this name, without those that have a veto."""
        return (hook for hook in self._hooks[name] if not hook.veto)

    @property
    def vetoing(self) -> Iterator[Hook[Any]]:
        """The hooks to ask whether a tool may run."""
        return (hook for hook in self._hooks["before_tool"] if hook.veto)

    @property
    def guarded(self) -> list[str]:
        """The permissions that the server must ask about, so that a veto can refuse."""
        return list(dict.fromkeys(name for hook in self._hooks["before_tool"] for name in hook.guarded))


def _hooks(given: Given[Any]) -> list[Hook[Any]]:
    if given is None:
        return []
    if isinstance(given, Hook):
        return [given]
    if callable(given):
        return [Hook(given)]
    return [one if isinstance(one, Hook) else Hook(one) for one in given]
