"""The model of a permission request, independent of any medium: facts, files, and what "always" covers.

The only reader of requests. Nothing that someone decides by is cut here; the texts are the server's, so whoever shows
them must mark invisible characters (`escape.reveal`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencode_nb.diffs.patch import parse_files
from opencode_nb.render.markup.paths import inside, link_target
from opencode_nb.render.turn.card_model import Json
from opencode_nb.render.turn.kernel_tools import ASKING, PYTHON, RUN_CELL, cell_change, cell_name, cell_number, is_cell
from opencode_nb.render.turn.phrases import shorten
from opencode_nb.tools.names import CELL_CHANGES, KERNEL_TOOLS, WITH_SOURCE, own_tool

_LONG_COMMAND = 200

_WANTS = {
    "bash": "run a shell command",
    "edit": "change a file",
    "read": "read a file",
    "webfetch": "fetch a web page",
    "websearch": "search the web",
    "task": "start a subagent",
    "skill": "load a skill",
    "external_directory": "access files outside its directory",
    "doom_loop": "repeat the same call",
    "%opencode verify": "run the cells of a notebook in a fresh kernel",
}
_WANTS_OF_OWN = {
    PYTHON: "run Python code in your kernel",
    RUN_CELL: "run a cell of this notebook",
    "edit_cell": "edit a cell of this notebook",
    "insert_cell": "insert a cell into this notebook",
    "delete_cell": "delete a cell of this notebook",
    "move_cell": "move a cell of this notebook",
}
_EVERYTHING = {
    "bash": "every shell command",
    "edit": "every edit",
    "read": "reading every file",
    "webfetch": "every URL",
    "websearch": "every search",
    "task": "every subagent",
    "skill": "every skill",
}
_EVERYTHING_OF_OWN = {
    PYTHON: "any Python code in this kernel",
    RUN_CELL: "running any cell of this notebook",
    "edit_cell": "editing any cell of this notebook",
    "insert_cell": "inserting any cell into this notebook",
    "delete_cell": "deleting any cell of this notebook",
    "move_cell": "moving any cell of this notebook",
}
_ACTS = {"add": "new file", "added": "new file", "delete": "deleted", "deleted": "deleted"}
_ACTS_OF_CELL = {"added": "new cell", "deleted": "deleted"}
_SHOWN_BY_DIFF = frozenset({"filePath", "path", "content", "oldString", "newString", "patchText"})
_SHOWN_BY_CELL = frozenset({"id", "source", "type", "index", "after"})
_FILES = frozenset({"files", "filepath", "diff"})
_DIRECTORIES = frozenset({"directories", "patterns", "parentDir"})
_TITLES = {"bash": frozenset({"description"})}
"""The model's own name for a call: irrelevant for the decision."""
COMMAND = "Command"
CODE = "Python code"
_TURN = "every change to cells of this notebook, until this turn ends; code that runs still asks"
_SCOPE = " in this project, until OpenCode stops"
"""Where "always" holds, and how long."""
_SCOPE_OF_OWN = ", until it ends"
_UNSEEN = "The {} has not arrived yet."
_UNSEEN_ARGUMENTS = "What it is to be called with has not arrived yet."
_LABELS = {
    "command": COMMAND,
    "workdir": "In directory",
    "variables": "Variables",
    "url": "Address",
    "filePath": "File",
    "filepath": "File",
    "path": "Path",
    "pattern": "Pattern",
    "query": "Query",
    "prompt": "Prompt",
    "subagent_type": "Agent",
    "tool": "Tool",
    "input": "Input",
}
_PATHS = frozenset({"workdir", "filePath", "filepath", "path", "parentDir"})


@dataclass(slots=True, frozen=True)
class File:
    """A file that a request affects: the action, its new path, the targets of links in both paths, and the patch."""

    path: str
    act: str = ""
    moves_to: str = ""
    leads_to: str = ""
    moves_to_leads_to: str = ""
    patch: str = ""

    @property
    def notes(self) -> list[str]:
        """Short remarks about the file."""
        leads, moved = _leads(self.leads_to), _leads(self.moves_to_leads_to)
        return [note for note in (self.act, leads, f"moves to {self.moves_to}" if self.moves_to else "", moved) if note]


@dataclass(slots=True, frozen=True)
class Asked:
    """A permission request: its kind, who asks, what it `wants` to do, `facts` as names and values, and the files.

    `asker` is "" for the session itself. `always` is what "always" covers, and `covers` also where and until when; both
    are "" if it can't be chosen. `trust` says in a few words how far that goes, if it goes as far as code can. `turn`
    is what "turn" covers, or ""; `source` is what may be edited before it is accepted, if anything is.
    """

    kind: str
    asker: str
    wants: str
    facts: list[tuple[str, str]]
    files: list[File]
    always: str
    covers: str
    trust: str = ""
    turn: str = ""
    source: str | None = None


def asked(request: Json, root: str = "") -> Asked:
    """Read a request; paths below `root` become relative to it. Never raises, whatever the request contains."""
    kind, own = str(request.get("permission") or ""), _own(request)
    files = _files(request, root)
    wants = _WANTS.get(kind, f"use {kind}") if len(files) < 2 else f"change {len(files)} files"
    if own:
        wants = _WANTS_OF_OWN.get(own) or (
            f"use {own} in your kernel" if own in KERNEL_TOOLS else f"call your function {own}"
        )
    told, trust = list(_facts(request, root, files)), "full trust" if own in (PYTHON, RUN_CELL) else ""
    turn = _TURN if is_cell_change(request) else ""
    always, covers = _always(request), covered(request)
    return Asked(own or kind, asker(request), wants, told, files, always, covers, trust, turn, _source(request))


def is_unseen(request: Json) -> bool:
    """Return whether what a tool of ours would do has not arrived yet, so that nobody can allow it knowingly."""
    return bool(_own(request)) and request.get("call") == {}


def _own(request: Json) -> str:
    """Return the kernel's tool that a request is about, such as `python`; "" if it is about none."""
    return own_tool(str(request.get("permission") or ""))


def is_cell_change(request: Json) -> bool:
    """Return whether a request is about a change to the notebook's cells, which runs nothing."""
    return _own(request) in CELL_CHANGES


def _source(request: Json) -> str | None:
    source = _object(_object(request.get("call")).get("input")).get("source")
    return source if _own(request) in WITH_SOURCE and isinstance(source, str) else None


def asker(request: Json) -> str:
    """Return who asks: `the subagent general (Look around)`, `another session`, or "" for the session itself.

    `asked_by` and `function` are this package's own.
    """
    if asked_by := request.get("asked_by"):
        return str(asked_by)
    if function := request.get("function"):
        return f"the function {function}"
    task = request.get("asker")
    if not isinstance(task, dict):
        return ""
    name, about = str(task.get("subagent_type") or ""), " ".join(str(task.get("description") or "").split())
    if not task:
        return "another session"
    return " ".join(piece for piece in ("the subagent", name, f"({about})" if about else "") if piece)


def covered(request: Json) -> str:
    """Return what "always" covers, where and until when; "" if it can't be chosen."""
    always = _always(request)
    return f"{always}{_SCOPE_OF_OWN if _own(request) else _SCOPE}" if always else ""


def subject(request: Json, root: str = "") -> str:
    """Describe a request in one line: its files with new paths, an abbreviated command, or its patterns."""
    metadata, files = _object(request.get("metadata")), _files(request, root)
    if files:
        return ", ".join(f"{file.path} \u2192 {file.moves_to}" if file.moves_to else file.path for file in files)
    if metadata.get("command"):
        return shorten(str(metadata["command"]), _LONG_COMMAND)
    if own := _own(request):
        return CODE if own == PYTHON else ", ".join(map(cell_name, _cells(request))) or own
    path = metadata.get("filepath")
    return inside(str(path), root) if path else ", ".join(_texts(request, "patterns"))


# Files


def _files(request: Json, root: str) -> list[File]:
    metadata = _object(request.get("metadata"))
    if cells := _cells(request):
        return [_cell(block) for block in cells if block.get("before") != block.get("after")]
    listed = metadata.get("files")
    if isinstance(listed, list) and listed:
        return [_listed(item, root) for item in listed if isinstance(item, dict)]
    if not metadata.get("diff"):
        return []
    patches = parse_files(str(metadata["diff"]))
    if len(patches) < 2:
        return [_file(str(metadata.get("filepath") or ", ".join(_texts(request, "patterns"))), root, metadata["diff"])]
    return [_file(patch.path, root, "".join(hunk.text for hunk in patch.hunks)) for patch in patches]


def _cells(request: Json) -> list[Json]:
    """Return the cells of the notebook that a request is about, as the kernel shows them."""
    shown = _object(request.get("call")).get("shown")
    return [block for block in shown if is_cell(block)] if isinstance(shown, list) else []


def _cell(block: Json) -> File:
    change = cell_change(block)
    return File(change["file"], _ACTS_OF_CELL.get(change["status"], ""), patch=change["patch"])


def _file(path: str, root: str, patch: Any) -> File:
    return File(inside(path, root), leads_to=link_target(path, root), patch=str(patch))


def _listed(item: Json, root: str) -> File:
    """Read a file from `apply_patch`'s list: `relativePath` is its final path."""
    path, moved = str(item.get("filePath") or item.get("relativePath") or ""), str(item.get("movePath") or "")
    return File(
        inside(path, root),
        _ACTS.get(str(item.get("type")), ""),
        inside(moved, root),
        link_target(path, root),
        link_target(moved, root) if moved else "",
        str(item.get("patch") or ""),
    )


def _leads(target: str) -> str:
    where = ", outside the directory" if Path(target).is_absolute() else ""
    return f"links to {target}{where}" if target else ""


# Facts


def _facts(request: Json, root: str, files: list[File]) -> Iterator[tuple[str, str]]:
    """Yield the call's input and the request's data, except what the files already show."""
    told = _told(request, files)
    values = [(name, _text(value)) for name, value in _ordered(told) if value is not None]
    yield from _directories(request, root)
    if is_unseen(request):
        yield "", _unseen(_own(request))
    yield from _unchanged_cells(request)
    for name, value in values:
        yield _label(request, name), value
        if name in _PATHS and (target := link_target(value, root)):
            yield "", _leads(target)
    yield from _unsaid(request, [*(value for _, value in values), *(file.path for file in files)])


def _unchanged_cells(request: Json) -> Iterator[tuple[str, str]]:
    """Yield the cells that a request is about and leaves as they are: one that is moved, or the code that is run."""
    for block in _cells(request):
        if block.get("before") == block.get("after"):
            yield "Cell", cell_number(block)
            if _own(request) == RUN_CELL:
                yield CODE, str(block.get("before") or "")


def _unseen(own: str) -> str:
    """Say what of a call has not arrived yet."""
    if own not in ASKING:
        return _UNSEEN_ARGUMENTS
    return _UNSEEN.format("code" if own == PYTHON else "cell")


def _label(request: Json, name: str) -> str:
    return CODE if name == "code" and _own(request) == PYTHON else _LABELS.get(name, name)


def _told(request: Json, files: list[File]) -> Json:
    call, metadata = _object(request.get("call")), _object(request.get("metadata"))
    arguments = _without(_object(call.get("input")), _TITLES.get(str(call.get("tool")), frozenset()))
    if files:
        arguments, metadata = _without(arguments, _SHOWN_BY_DIFF), _without(metadata, _FILES)
    if _cells(request):
        arguments = _without(arguments, _SHOWN_BY_CELL)
    if request.get("permission") == "external_directory":
        metadata = _without(metadata, _DIRECTORIES)
    if arguments.get("filePath"):
        metadata = _without(metadata, {"filepath"})
    return {**arguments, **metadata}


def _without(values: Json, names: Collection[str]) -> Json:
    return {name: value for name, value in values.items() if name not in names}


def _ordered(told: Json) -> list[tuple[str, Any]]:
    """Sort labelled values first, in the order of the labels."""
    places = {name: place for place, name in enumerate(_LABELS)}
    return sorted(told.items(), key=lambda item: places.get(item[0], len(places)))


def _directories(request: Json, root: str) -> Iterator[tuple[str, str]]:
    """Yield the outside directories that a call accesses."""
    if request.get("permission") != "external_directory":
        return
    metadata = _object(request.get("metadata"))
    paths = _texts(metadata, "directories") or [str(metadata.get("parentDir") or "")]
    for path in filter(None, paths):
        yield "Directory", path
        if target := link_target(path, root):
            yield "", _leads(target)


def _unsaid(request: Json, values: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the patterns that nothing above contains."""
    for pattern in _texts(request, "patterns"):
        if pattern != "*" and not any(pattern in value for value in values):
            yield "For", pattern


# Always


def _always(request: Json) -> str:
    kind, own = str(request.get("permission") or ""), _own(request)
    if own:
        everything = _EVERYTHING_OF_OWN.get(own, f"every use of {own} in this kernel")
        return everything if _texts(request, "always") else ""
    everything = _EVERYTHING.get(kind, f"every use of {kind}")
    return ", ".join(everything if pattern == "*" else pattern for pattern in _texts(request, "always"))


def _texts(request: Json, name: str) -> list[str]:
    values = request.get(name)
    return [str(value) for value in values] if isinstance(values, list | tuple) else []


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
