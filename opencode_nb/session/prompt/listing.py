"""The text forms of what commands list, for a cell, a terminal or a notice: one item a line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from opencode_nb.transcript.state import Json
from opencode_nb.transcript.usage import Context

if TYPE_CHECKING:
    from opencode_nb.changes.diff import Diff
    from opencode_nb.changes.undo_result import Undone

LISTED = 30
"""Lines shown of a long list: about one screen."""


MODES = {
    "ask": "edits, shell commands and code ask you first",
    "edits": "edits are allowed, the rest asks you first",
    "plan": "the agent `plan` answers, which changes nothing",
    "allow": "everything is allowed without asking",
    "deny": "whatever would ask is denied",
}
"""The permission modes, and what they mean."""


class McpStatus(Protocol):
    """The state of an MCP server, whose text says it: a part of session/mcp/servers.py."""

    def login(self, name: str) -> str:
        """The command that logs in to a server of this name; "" if its state wants no login."""


def permission(option: object) -> str:
    """Return a `permission=` option: the mode with what it means, or the rules."""
    if isinstance(option, str):
        return f"{option} ({MODES[option]})"
    return "decided by a function of yours" if callable(option) else str(option)


def limits(budgets: Iterable[object], of_turn: Mapping[str, float | None]) -> str:
    """Return how far budgets are used, and what limits each turn; "none" without limits."""
    given = {str(budget): None for budget in budgets if budget is not None}
    each = ", ".join(f"{name}={value:g}" for name, value in of_turn.items() if value is not None)
    return "; ".join([*given, *([f"each turn {each}"] if each else [])]) or "none"


def modes(current: object) -> str:
    """Return the permission modes with what they mean, the current one marked; and rules, if these are current."""
    own = [] if isinstance(current, str) else [f"* {permission(current)}"]
    listed = _marked(((f"{mode:<5}", f"  {about}") for mode, about in MODES.items()), str(current))
    return "\n".join([*own, listed])


def models(listed: Iterable[Json], current: str = "") -> str:
    """Return the models as "provider/model", the current one marked."""
    return _marked(((str(model["id"]), "") for model in listed), current)


def agents(listed: Iterable[Json], current: str = "") -> str:
    """Return the agents with their descriptions, the current one marked."""
    return _marked(((f"{agent['name']:<12}", _line(agent)) for agent in listed), current)


def sessions(listed: Iterable[Json], current: str = "") -> str:
    """Return the sessions with their id, time and title, the current one marked."""
    return _marked(((str(info["id"]), f" {updated(info)}  {info.get('title') or ''}") for info in listed), current)


def updated(info: Json) -> str:
    """Return when a session changed last, in the local time."""
    return datetime.fromtimestamp(info["time"]["updated"] / 1000).strftime("%Y-%m-%d %H:%M")


def commands(listed: Iterable[Json]) -> str:
    """Return commands (`name`, `takes`, `description`) with what they take and do."""
    found = [(_usage(command), _line(command)) for command in listed]
    width = max((len(name) for name, _about in found), default=0)
    return "\n".join(f"{name:<{width}}  {about}".rstrip() for name, about in found)


def mcp_servers(listed: Mapping[str, McpStatus]) -> str:
    """Return the MCP servers as `mcp_server` does."""
    return "\n".join(mcp_server(name, status) for name, status in listed.items())


def mcp_server(name: str, status: McpStatus) -> str:
    """Return an MCP server with its state, and what logs in to it if it wants that."""
    login = status.login(name)
    return f"{name}: {status}" + (f". {login} logs in." if login else "")


def shortened(text: str) -> str:
    """Return the first lines of a long list, and how many more there are."""
    lines = text.splitlines()
    more = [f"… and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "\n".join(lines[:LISTED] + more)


def undone(result: Undone) -> str:
    """Return what an undo undid, and what became of the files."""
    first = next(iter(result.undone), "").splitlines()
    return f"Undone: {first[0] if first else 'the last message'}\n{result}"


def redone(result: Undone) -> str:
    """Return what a redo brought back, and what is still undone."""
    left = len(result.undone)
    messages = "1 message is" if left == 1 else f"{left} messages are"
    told = f"Restored. {messages} still undone." if left else "Restored everything that was undone."
    kernel = str(result.kernel) if result.kernel else ""
    return "\n".join(filter(None, (told, result.warning, kernel)))


def compacted(before: Context, after: Context) -> str:
    """Return how much context a compaction freed."""
    return f"Compacted the context from {before.tokens:,} to {after.tokens:,} tokens."


def shared(url: str) -> str:
    """Return a share link, and who can use it."""
    return f"Anyone with this link can read the whole session: {url}"


def used(context: Context) -> str:
    """Return how full the context is, "" before the first step."""
    if not context.model:
        return ""
    of = f" of {context.window:,} tokens ({context.share:.0%})" if context.window else " tokens"
    return f"{context.tokens:,}{of}"


def changed(diff: Diff) -> str:
    """Return which files changed, with added and removed lines, and which cells of the notebook."""
    lines = [f"{file.file} +{file.additions} \N{MINUS SIGN}{file.deletions}" for file in diff.files]
    lines += [f"{cell.notebook}, {cell.title}: {cell.status}" for cell in diff.cells]
    return "\n".join(lines) or "This session changed no files."


def _marked(items: Iterable[tuple[str, str]], current: str) -> str:
    """Return one item a line; the current one, if there may be one, has a star before it."""
    lines = []
    for name, about in items:
        mark = ("* " if name.strip() == current else "  ") if current else ""
        lines.append(f"{mark}{name}{about}".rstrip())
    return "\n".join(lines)


def _usage(command: Json) -> str:
    return f"/{command['name']}{' [' + command['takes'] + ']' if command.get('takes') else ''}"


def _line(item: Json) -> str:
    return " ".join(str(item.get("description") or "").split())
