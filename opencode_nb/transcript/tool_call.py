"""ToolCall: one call of a tool, read from its part. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from opencode_nb.tools.names import own_tool
from opencode_nb.transcript.state import Json, call_id
from opencode_nb.transcript.tool_calls import CHANGING

ToolKind = Literal["read", "search", "edit", "execute", "fetch", "think", "delegate", "ask", "other"]

_KINDS: dict[str, ToolKind] = {
    **dict.fromkeys(("read", "list", "skill"), "read"),
    **dict.fromkeys(("variables", "inspect", "figure", "history", "progress", "cells"), "read"),
    **dict.fromkeys(("glob", "grep", "codesearch", "lsp"), "search"),
    **dict.fromkeys(CHANGING, "edit"),
    **dict.fromkeys(("edit_cell", "insert_cell", "delete_cell", "move_cell"), "edit"),
    **dict.fromkeys(("bash", "python", "run_cell"), "execute"),
    **dict.fromkeys(("webfetch", "websearch"), "fetch"),
    **dict.fromkeys(("todowrite", "todoread"), "think"),
    "task": "delegate",
    "question": "ask",
}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call: `status` is pending, running, completed, error or interrupted; `duration` is in seconds.

    `id` is the call's, as the server has it.
    """

    tool: str
    status: str
    title: str
    input: Json
    output: str
    error: str
    metadata: Json
    attachments: list[Json]
    duration: float | None
    id: str = ""

    @property
    def kind(self) -> ToolKind:
        """What kind of tool it is; "other" for an MCP server's and one's own."""
        return _KINDS.get(own_tool(self.tool) or self.tool, "other")

    @classmethod
    def asking(cls, request: Json) -> ToolCall:
        """Create it from a permission request with its `call`: the call waits for the answer."""
        call = request.get("call") or {}
        tool = str(call.get("tool") or request.get("permission") or "")
        given, metadata = call.get("input") or {}, request.get("metadata") or {}
        return cls(tool, "pending", "", given, "", "", metadata, [], None, call_id(request))

    @classmethod
    def of(cls, part: Json, ended: bool) -> ToolCall:
        """Create it from a tool part; one still running when its turn has ended was interrupted (server killed)."""
        state = part.get("state") or {}
        status = str(state.get("status", "pending"))
        time = state.get("time") or {}
        seconds = (time["end"] - time["start"]) / 1000 if "end" in time and "start" in time else None
        return cls(
            tool=str(part.get("tool", "")),
            status="interrupted" if ended and status in ("pending", "running") else status,
            title=str(state.get("title") or ""),
            input=state.get("input") or {},
            output=str(state.get("output") or ""),
            error=str(state.get("error") or ""),
            metadata=state.get("metadata") or {},
            attachments=state.get("attachments") or [],
            duration=seconds,
            id=str(part.get("callID") or ""),
        )
