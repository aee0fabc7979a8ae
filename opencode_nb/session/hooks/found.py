"""Finds in a session's changes what hooks are called for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from opencode_nb.session.hooks.events import Event, FileEvent, PermissionEvent, QuestionEvent, ToolEvent
from opencode_nb.session.permissions.policy import PermissionRequest
from opencode_nb.session.turn import Turn
from opencode_nb.transcript import tool_calls
from opencode_nb.transcript.attribution import is_silent
from opencode_nb.transcript.state import BY_APPROVAL, Json, Message, TurnState
from opencode_nb.transcript.tool_call import ToolCall
from opencode_nb.transcript.transcript import Change

_TOOL_HOOKS = {"running": "before_tool", "completed": "after_tool", "error": "tool_failed"}
"""A call's status -> the hook that is called for it."""

Found = tuple[str, str, Event]
"""A hook's name, what tells events of one turn apart, and the event."""


def events(session: str, turn: Turn, change: Change) -> Iterator[Found]:
    """Yield what a change of a turn is told as; the same event again with later changes."""
    if change.kind == "part":
        yield from _of_part(session, turn, change.key)
    elif change.kind == "request":
        yield from _of_requests(session, turn)


def _of_part(session: str, turn: Turn, key: str) -> Iterator[Found]:
    step = next((step for step in reversed(turn.state.steps.values()) if key in step.parts), None)
    if step is None:
        return
    yield from _of_one_part(session, turn, step, step.parts[key])
    if step.parts[key].get("type") == "tool":
        for below in _last_steps(turn.state):
            for part in list(below.parts.values()):
                yield from _of_one_part(session, turn, below, part)


def _last_steps(state: TurnState) -> Iterator[Message]:
    """Yield each subagent's last step: each of its events shows only as a change of the task's part."""
    for child in (turn for turns in list(state.children.values()) for turn in turns):
        yield from list(child.steps.values())[-1:]
        yield from _last_steps(child)


def _of_one_part(session: str, turn: Turn, step: Message, part: Json) -> Iterator[Found]:
    if part.get("type") == "tool":
        yield from _of_call(session, turn, step, part)
    elif part.get("type") == "patch":
        for path in _unreported(step, part):
            yield "file_changed", f"{part.get('id')} {path}", FileEvent(session, turn, path)


def _of_call(session: str, turn: Turn, step: Message, part: Json) -> Iterator[Found]:
    call = ToolCall.of(part, ended=False)
    name, call_id = _TOOL_HOOKS.get(call.status), str(part.get("callID"))
    if name is None:
        return
    yield "before_tool", call_id, ToolEvent(session, turn, call)  # a call can be over with its first event
    if name != "before_tool":
        yield name, call_id, ToolEvent(session, turn, call)
    if name == "after_tool":
        for path in _files(step, part):
            yield "file_changed", f"{call_id} {path}", FileEvent(session, turn, path, call.tool)


def _files(step: Message, part: Json) -> list[Path]:
    """Return the files that a completed call reports as changed."""
    reported = [
        str(diff.get("movePath") or diff.get("filePath") or diff.get("file")) for diff in tool_calls.reported(part)
    ]
    return [_path(step, name, "cwd") for name in dict.fromkeys(reported or tool_calls.paths(part))]


def _unreported(step: Message, patch: Json) -> list[Path]:
    """Return the files of a step that no tool reports, if one ran that reports none: else somebody else did it."""
    calls = [part for part in list(step.parts.values()) if part.get("type") == "tool"]
    if not any(map(is_silent, calls)):
        return []
    reported = {os.path.realpath(path) for call in calls for path in _files(step, call)}
    found = [_path(step, str(name), "root") for name in patch.get("files") or ()]
    return [path for path in found if os.path.realpath(path) not in reported]


def _path(step: Message, name: str, base: str) -> Path:
    """Return the path of a file; a relative one starts at the step's "cwd" or "root"."""
    place = step.info.get("path")
    return Path(str(place.get(base) or "") if isinstance(place, dict) else "", name)


def _of_requests(session: str, turn: Turn) -> Iterator[Found]:
    state = turn.state
    for key, request in list(state.permissions.items()):
        yield "permission_asked", key, PermissionEvent(session, turn, PermissionRequest.of(request))
    for key, request in list(state.questions.items()):
        yield "question_asked", key, QuestionEvent(session, turn, tuple(request.get("questions") or ()))
    for made in state.decisions:
        if "questions" not in made.request:
            asked = PermissionRequest.of(made.request)
            yield (
                "permission_answered",
                asked.id,
                PermissionEvent(session, turn, asked, made.reply, made.by, made.message),
            )
    for covered in state.approved:
        granted = PermissionEvent(session, turn, PermissionRequest.of(covered), "once", BY_APPROVAL)
        yield "permission_answered", granted.request.id, granted
