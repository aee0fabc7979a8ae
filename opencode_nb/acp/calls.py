"""Read an agent's tool calls, and its requests for permission, as the server would have told them. Pure.

The protocol names a call by a title and a kind, and not what a request is about. OpenCode's title is the name of its
tool as long as the call has no input: so it is taken then. What is not told stays out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from opencode_nb.transcript.attribution import READING
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.tool_calls import CHANGING

_TOOLS = {"read": "read", "edit": "edit", "search": "grep", "execute": "bash", "fetch": "webfetch", "think": "task"}
"""The tool of OpenCode whose card a kind of call gets, unless the call names another."""

_PERMISSIONS = {"execute": "bash", "edit": "edit", "delete": "edit", "move": "edit", "read": "read"} | {
    "fetch": "webfetch",
    "think": "task",
}
"""What a request for a kind of call is about; a search, and any other kind, is about the tool."""

_OWN_TOOLS = READING | CHANGING | {"bash", "task"}
_STATUS = {"pending": "pending", "in_progress": "running", "completed": "completed", "failed": "error"}
_TOOL_NAME = re.compile(r"[A-Za-z_][\w-]*")
_APART = re.compile(r"[;&|\n`(){}]+|\$\(")
_ASSIGNED = re.compile(r"(?:\s*\w+=\S*\s+)+")
_EVERYTHING = ["*"]


def tool_of(call: Json) -> str:
    """Return the name of the tool that a new call is of."""
    title, kind = str(call.get("title") or ""), str(call.get("kind") or "other")
    is_name = kind == "other" and not _object(call.get("rawInput")).keys() - {"cwd"} and _TOOL_NAME.fullmatch(title)
    return title if is_name or title in _OWN_TOOLS else _TOOLS.get(kind) or title or kind


def state_of(tool: str, call: Json) -> Json:
    """Return the state of a call's part, from all that was told of it."""
    status = _STATUS.get(str(call.get("status") or ""), "pending")
    text, raw = "\n".join(_texts(call)), call.get("rawOutput")
    output = raw if isinstance(raw, dict) else {}
    state: Json = {"status": status, "input": _input(tool, call), "metadata": _metadata(tool, call, output, text)}
    if title := str(call.get("title") or ""):
        state["title"] = "" if title == tool else title
    if status == "completed":
        state["output"] = str(output.get("output") or text or (raw if isinstance(raw, str) else ""))
    elif status == "error":
        state["error"] = str(output.get("error") or text or (raw if isinstance(raw, str) else ""))
    if attachments := [_image(content) for content in _contents(call) if content.get("type") == "image"]:
        state["attachments"] = attachments
    return state


def _input(tool: str, call: Json) -> Json:
    raw, paths = call.get("rawInput"), paths_of(call)
    given = dict(raw) if isinstance(raw, dict) else {}
    if tool in CHANGING | {"read"} and paths and not given.keys() & {"filePath", "path", "patchText"}:
        given["filePath"] = paths[0]
    return given


def _metadata(tool: str, call: Json, output: Json, text: str) -> Json:
    told = output.get("metadata")
    metadata = dict(told) if isinstance(told, dict) else {}
    diffs = list(_diffs(call))
    if tool in CHANGING and len(diffs) == 1 and not metadata.keys() & {"filediff", "files", "diff"}:
        metadata["filediff"] = {"file": diffs[0]["path"], "patch": patch_of(diffs[0]), **_status_of(diffs[0])}
    if tool == "bash" and text and call.get("status") != "failed" and "output" not in metadata:
        metadata["output"] = text
    return metadata


def paths_of(call: Json) -> list[str]:
    """Return the files that a call names, in order."""
    named = [diff["path"] for diff in _diffs(call)]
    named += [str(place["path"]) for place in _objects(call.get("locations")) if place.get("path")]
    return list(dict.fromkeys(named))


def files_of(call: Json) -> list[str]:
    """Return the files that a call names, also those in its input."""
    raw = _object(call.get("rawInput"))
    given = [raw[name] for name in ("filePath", "file_path", "path") if isinstance(raw.get(name), str)]
    return list(dict.fromkeys([*paths_of(call), *given]))


def of_write(call_id: str, diff: Json) -> Json:
    """Return the call that stands for a file's being written."""
    given = {"filePath": diff["path"], "content": diff["newText"]}
    return {"toolCallId": call_id, "title": "write", "kind": "edit", "rawInput": given, "content": [diff]}


def of_command(call_id: str, line: str, workdir: str, variables: str) -> Json:
    """Return the call that stands for a command's being run; `workdir` and `variables` are "" for the session's own."""
    where = {name: value for name, value in (("workdir", workdir), ("variables", variables)) if value}
    return {"toolCallId": call_id, "title": "bash", "kind": "execute", "rawInput": {"command": line, **where}}


def is_about(call: Json, line: str, workdir: str) -> bool:
    """Return whether a call names this command, and the directory that it is run in unless that is the session's."""
    given = _object(call.get("rawInput"))
    return line in (given.get("command"), call.get("title")) and (not workdir or workdir in given.values())


def terminals_of(call: Json) -> list[str]:
    """Return the terminals that a call shows."""
    return [str(item.get("terminalId")) for item in _objects(call.get("content")) if item.get("type") == "terminal"]


def with_output(call: Json, printed: Mapping[str, str]) -> Json:
    """Return a call with the texts in its terminals in their place."""
    if not terminals_of(call):
        return call
    return {**call, "content": [_printed(item, printed) for item in _objects(call.get("content"))]}


def _printed(item: Json, printed: Mapping[str, str]) -> Json:
    if item.get("type") != "terminal":
        return item
    return {"type": "content", "content": {"type": "text", "text": printed.get(str(item.get("terminalId")), "")}}


def _diffs(call: Json) -> Iterator[Json]:
    for item in _objects(call.get("content")):
        if item.get("type") == "diff" and isinstance(item.get("path"), str):
            yield item


def patch_of(diff: Json) -> str:
    """Return a diff's two texts as a patch."""
    old, new = (str(diff.get(side) or "").splitlines() for side in ("oldText", "newText"))
    return "\n".join(difflib.unified_diff(old, new, diff["path"], diff["path"], lineterm=""))


def _status_of(diff: Json) -> Json:
    return {"status": "added"} if diff.get("oldText") is None else {}


def _texts(call: Json) -> Iterator[str]:
    return (str(content["text"]) for content in _contents(call) if content.get("type") == "text")


def _contents(call: Json) -> Iterator[Json]:
    for item in _objects(call.get("content")):
        if item.get("type") == "content" and isinstance(item.get("content"), dict):
            yield item["content"]


def _image(content: Json) -> Json:
    mime = str(content.get("mimeType") or "image/png")
    return {"type": "file", "mime": mime, "url": f"data:{mime};base64,{content.get('data') or ''}"}


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


# -- requests for permission -------------------------------------------------------------------------------------------


def asked(call: Json, known: Mapping[str, Any]) -> Json:
    """Return what a request is about: `permission`, `patterns`, `always` and `metadata`.

    `call` is the request's, `known` what was told of the same call before; {} if nothing was.
    """
    permission, patterns = _subject(call, known)
    raw = call.get("rawInput")
    metadata = dict(raw) if isinstance(raw, dict) and known else {}
    if (diffs := list(_diffs(call))) and "diff" not in metadata:
        metadata |= {"filepath": diffs[0]["path"], "diff": "\n".join(map(patch_of, diffs))}
    return {"permission": permission, "patterns": patterns, "always": patterns, "metadata": metadata}


def _subject(call: Json, known: Mapping[str, Any]) -> tuple[str, list[str]]:
    raw, before = _object(call.get("rawInput")), _object(known.get("rawInput"))
    if raw.get("parentDir"):
        return "external_directory", [f"{raw['parentDir']}/*"]
    kind = str(call.get("kind") or known.get("kind") or "")
    permission = _PERMISSIONS.get(kind) or tool_of({**call, "kind": "other"})
    if permission == "bash":
        command = str(raw.get("command") or before.get("command") or call.get("title") or "*")
        return permission, [command, *_commands(command)]
    if permission in ("edit", "read"):
        return permission, paths_of(call) or paths_of(dict(known)) or _EVERYTHING
    address = raw.get("url") or before.get("url")
    return permission, [str(address)] if permission == "webfetch" and address else _EVERYTHING


def _commands(command: str) -> list[str]:
    """Return the commands that a line may run: too many rather than too few, as a rule about one must not miss it."""
    parts = (_ASSIGNED.sub("", part, count=1).strip() for part in _APART.split(command))
    return [part for part in dict.fromkeys(filter(None, parts)) if part != command]


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
