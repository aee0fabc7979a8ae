"""Describe tool calls independently of any medium: a summary line, and blocks of content.

Owns the knowledge of OpenCode's tools: which input names the subject, which metadata holds the result. `describe` is
the only reader of tool parts; cards.py, text.py and terminal.py show what it returns.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from opencode_nb.render.turn import kernel_tools
from opencode_nb.render.turn.card_model import (
    LONG_PATH,
    Answers,
    Attachment,
    Block,
    Card,
    Change,
    Checklist,
    Code,
    Consent,
    Context,
    Json,
    Link,
    Output,
    Pairs,
    Problem,
    Prose,
    Status,
)
from opencode_nb.render.turn.phrases import shorten
from opencode_nb.render.turn.todos import progress
from opencode_nb.tools.names import KERNEL_TOOLS, RESULT, own_tool, readable
from opencode_nb.transcript.results import is_accepted
from opencode_nb.transcript.tool_calls import reported

MAX_DIAGNOSTICS = 3
_EXPLORING = {"read": "read", "grep": "search", "glob": "search", "list": "listing", "ls": "listing"}
_LONG_LINE = 120


def describe(part: Json, context: Context | None = None) -> Card:
    """Return the card of a tool part. Never raises, whatever the part contains."""
    context = context or Context()
    tool = str(part.get("tool") or "tool")
    call = _Call(tool, part, context)
    if own := own_tool(tool):
        return _result(call, part) if own == RESULT else _kernel_tool(call, own)
    card = _TOOLS.get(tool, _generic)(call)
    if call.status in ("error", "interrupted"):
        _add_problem(card, call)
    card.blocks += [attachment(item) for item in call.attachments]
    return card


def explored(tools: Iterable[str]) -> str:
    """Return a phrase such as `3 reads, 2 searches`."""
    kinds = [_EXPLORING[tool] for tool in tools]
    plurals = {"read": "reads", "search": "searches", "listing": "listings"}
    return ", ".join(
        f"{kinds.count(kind)} {kind if kinds.count(kind) == 1 else plurals[kind]}" for kind in plurals if kind in kinds
    )


def is_exploring(part: Json) -> bool:
    """Return whether a part only explores, so that consecutive ones can be folded into one line."""
    return part.get("type") == "tool" and part.get("tool") in _EXPLORING


def elapsed(time: Any) -> float | None:
    """Return the seconds between `start` and `end` of the server's `time`."""
    time = _object(time)
    start, end = time.get("start"), time.get("end")
    return (end - start) / 1000 if isinstance(start, int | float) and isinstance(end, int | float) else None


class _Call:
    """A tool part's state, read defensively: anything may be missing or of the wrong type."""

    def __init__(self, tool: str, part: Json, context: Context) -> None:
        self.tool = tool
        self.state = _object(part.get("state"))
        self.context = context
        self.consent = context.consents.get(str(part.get("callID")), Consent())
        self.shown = context.shown.get(str(part.get("callID")), ())
        self.waits = self.consent.waits and not context.ended
        self.input = _object(self.state.get("input"))
        self.metadata = _object(self.state.get("metadata"))

    @property
    def status(self) -> Status:
        status = self.state.get("status")
        if status == "error":
            return "interrupted" if self.metadata.get("interrupted") else "error"
        if status == "completed":
            return "completed"
        if self.context.ended:
            return "interrupted"
        return "running" if status == "running" else "pending"

    @property
    def output(self) -> str:
        return _text(self.state.get("output"))

    @property
    def attachments(self) -> list[Json]:
        return _objects(self.state.get("attachments"))

    def text(self, *names: str) -> str:
        """Return the first of these inputs that is present, as text."""
        return next((_text(self.input[name]) for name in names if self.input.get(name) not in (None, "")), "")

    def path(self, *names: str) -> str:
        return self.context.path(self.text(*names))

    @property
    def since(self) -> float | None:
        start = _object(self.state.get("time")).get("start")
        runs = self.status == "running" and not self.waits
        return start + self.consent.seconds * 1000 if runs and isinstance(start, int | float) else None

    @property
    def seconds(self) -> float | None:
        """Return how long the call ran, without the time that people took to answer."""
        taken = elapsed(self.state.get("time"))
        return None if taken is None else max(0.0, taken - self.consent.seconds)

    def card(self, glyph: str, name: str, about: str = "", *blocks: Block, **more: Any) -> Card:
        card = Card(self.tool, self.status, glyph, name, about, blocks=list(blocks), **more)
        card.seconds, card.since, card.waits = self.seconds, self.since, self.waits
        card.verdicts = self.consent.verdicts
        return card


def _kernel_tool(call: _Call, own: str) -> Card:
    """Describe a call of a tool that this process serves: code that raised is a failed call."""
    code = call.text("code") if own == kernel_tools.PYTHON else ""
    blocks = kernel_tools.blocks(kernel_tools.Work(code, call.output, call.attachments, call.shown))
    if own not in KERNEL_TOOLS and call.input:
        blocks.insert(0, Pairs([(name, _text(value)) for name, value in call.input.items()]))
    note = kernel_tools.progress(call.shown) if call.status == "running" else ""
    card = call.card(*kernel_tools.title(own, call.input, call.shown), *blocks, note=note)
    card.tool = own
    if kernel_tools.has_failed(blocks) and call.status != "interrupted":
        card.status, card.open = "error", True
    elif call.status in ("error", "interrupted"):
        _add_problem(card, call)
    card.open |= kernel_tools.is_vivid(blocks) or (bool(code) and call.status == "running" and not call.waits)
    return card


def _result(call: _Call, part: Json) -> Card:
    """Describe a call that gives the answer to a prompt with a schema: a refused one says why."""
    value = call.input["value"] if call.input.keys() == {"value"} else call.input
    about = shorten(json.dumps(value, ensure_ascii=False), _LONG_LINE) if call.input else ""
    code = json.dumps(value, ensure_ascii=False, indent=2)
    card = call.card("\u25c7", "Result", about, *([Code(code, "result.json", "Result")] if "\n" in code else []))
    card.tool = RESULT
    if call.status == "completed" and not is_accepted(part):
        card.status, card.open = "error", True
        card.blocks.append(Problem(call.output))
    elif call.status in ("error", "interrupted"):
        _add_problem(card, call)
    return card


def _bash(call: _Call) -> Card:
    command = call.text("command")
    exit_code = call.metadata.get("exit")
    failed = isinstance(exit_code, int) and exit_code != 0
    output = call.output or _text(call.metadata.get("output"))
    where = [Pairs([("in directory", call.text("workdir"))])] if call.text("workdir") else []
    return call.card(
        "$",
        "Shell",
        shorten(call.text("description") or command, _LONG_LINE),
        *where,
        Output(output, command),
        note=f"exit {exit_code}" if failed else "",
        open=failed or call.status == "running" or call.context.typed,
    )


def _edit(call: _Call) -> Card:
    path = call.path("filePath", "path")
    diff = {**next(iter(_reported(call)), {}), "file": path}
    if not diff.get("patch"):
        diff["patch"] = _text(call.metadata.get("diff")) or _patch(path, call.text("oldString"), call.text("newString"))
    return _changing(call, "Edit", shorten(path, LONG_PATH), [diff] if call.status == "completed" else [])


def _write(call: _Call) -> Card:
    path, content = call.path("filePath", "path"), call.text("content")
    name = "Write" if call.metadata.get("exists") else "Create"
    card = call.card(
        "\u270e", name, shorten(path, LONG_PATH), *([Code(content, path)] if content else []), *_diagnostics(call)
    )
    if call.status == "completed" and not call.metadata.get("exists"):
        card.counts = (len(content.splitlines()), 0)
    return card


def _apply_patch(call: _Call) -> Card:
    diffs = _reported(call)
    if not diffs:
        return call.card("\u270e", "Patch", "", *([Code(call.text("patchText"), "a.diff")] if call.input else []))
    names = shorten(_moved(diffs[0]), LONG_PATH) if len(diffs) == 1 else f"{len(diffs)} files"
    return _changing(call, "Patch", names, diffs)


def _reported(call: _Call) -> list[Json]:
    """Return what the tool reports as changed, with short paths."""
    said = reported({"tool": call.tool, "state": call.state})
    return [
        {**diff, "file": call.context.path(_text(diff.get("file"))), "from": call.context.path(_text(diff["filePath"]))}
        if diff.get("movePath") and diff.get("filePath")
        else {**diff, "file": call.context.path(_text(diff.get("file")))}
        for diff in said
    ]


def _moved(diff: Json) -> str:
    """Return the file's path, after its old one if it moved."""
    return f"{diff['from']} \u2192 {diff['file']}" if diff.get("from") else _text(diff["file"])


def _changing(call: _Call, name: str, about: str, diffs: Sequence[Json]) -> Card:
    from opencode_nb.render.diff.box import stats

    counted = [stats(diff) for diff in diffs]
    changes = [Change(diff, call.context.columns) for diff in diffs]
    card = call.card("\u270e", name, about, *changes, *_diagnostics(call))
    if diffs:
        card.counts = (sum(added for added, _ in counted), sum(removed for _, removed in counted))
        card.open = sum(card.counts) <= _SHOWN_CHANGES
    return card


_SHOWN_CHANGES = 80
"""Edits up to this many changed lines are shown open."""


def _patch(path: str, old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), path, path, lineterm="")
    return "\n".join(lines)


def _diagnostics(call: _Call) -> list[Block]:
    """Return up to `MAX_DIAGNOSTICS` errors that a language server found in the changed file."""
    found = [
        f"{call.context.short_path(path)}:{_line_of(item)} {_text(item.get('message'))}"
        for path, items in _object(call.metadata.get("diagnostics")).items()
        for item in _objects(items)
        if item.get("severity", 1) == 1
    ]
    more = [f"and {len(found) - MAX_DIAGNOSTICS} more"] if len(found) > MAX_DIAGNOSTICS else []
    return [Problem("\n".join([*found[:MAX_DIAGNOSTICS], *more]))] if found else []


def _line_of(diagnostic: Json) -> int:
    line = _object(_object(diagnostic.get("range")).get("start")).get("line")
    return line + 1 if isinstance(line, int) else 1


def _read(call: _Call) -> Card:
    display = _object(call.metadata.get("display"))
    path = call.path("filePath", "path")
    text = _text(display.get("text")) or call.output
    offset, limit = call.input.get("offset"), call.input.get("limit")
    lines = f" from line {offset}" if offset else ""
    lines += f", {limit} lines" if limit else ""
    return call.card("\u2192", "Read", shorten(path, LONG_PATH) + lines, *([Code(text, path)] if text else []))


def _search(call: _Call) -> Card:
    count = next(
        (call.metadata[name] for name in ("matches", "count") if isinstance(call.metadata.get(name), int)), None
    )
    where = call.path("path")
    about = f"{call.text('pattern')} in {where}" if where else call.text("pattern")
    note = "" if count is None else f"{count} found"
    return call.card("\u2315", call.tool.capitalize(), shorten(about, _LONG_LINE), *_output(call), note=note)


def _list(call: _Call) -> Card:
    return call.card("\u2192", "List", shorten(call.path("path", "filePath"), LONG_PATH), *_output(call))


def _output(call: _Call) -> list[Block]:
    return [Output(call.output)] if call.output else []


def _todos(call: _Call) -> Card:
    todos = _objects(call.metadata.get("todos")) or _objects(call.input.get("todos"))
    return call.card("\u2611", "Todos", progress(todos), Checklist(todos), open=bool(todos))


def _task(call: _Call) -> Card:
    agent = call.text("subagent_type") or "sub"
    result = call.output.partition("<task_result>")[2].partition("</task_result>")[0].strip()
    session = _text(call.metadata.get("sessionId"))
    return call.card(
        "@",
        f"{agent} agent",
        shorten(call.text("description"), _LONG_LINE),
        *([Prose(call.text("prompt"))] if call.text("prompt") else []),
        *([Prose(result or call.output)] if call.output and session not in call.context.children else []),
        child_session=session,
        open=call.status == "running",
        note="without the kernel" if call.context.in_kernel else "",
    )


def _web(call: _Call) -> Card:
    url, query = call.text("url"), call.text("query")
    name = "Fetch" if url else "Web search"
    blocks = [Link(url)] if url.lower().startswith(("http://", "https://")) else []
    return call.card("\u2197", name, shorten(url or query, _LONG_LINE), *blocks, *_output(call))


def _question(call: _Call) -> Card:
    answers = call.metadata.get("answers")
    answers = answers if isinstance(answers, list) else []
    questions = [_text(item.get("question")) for item in _objects(call.input.get("questions"))]
    items = [(text, _texts(answers[i]) if i < len(answers) else []) for i, text in enumerate(questions)]
    about = shorten(questions[0], _LONG_LINE) if len(questions) == 1 else f"{len(questions)} questions"
    said = next((verdict.text for verdict in call.consent.verdicts), "You answered")
    answered = call.status == "completed"
    card = call.card("?", "Question", about, Answers(items, said if answered else ""), open=answered)
    card.seconds = None  # all of it is the time that the answer took
    card.verdicts = () if answered else card.verdicts
    return card


def _skill(call: _Call) -> Card:
    return call.card("\u2726", "Skill", _text(call.metadata.get("name")) or call.text("name"), *_output(call))


def _invalid(call: _Call) -> Card:
    text, tool = call.text("error") or call.output, call.text("tool")
    if own := own_tool(tool):
        tool, text = own, _NOT_HERE
    card = call.card("!", "Unknown tool", tool, Problem(text), open=True)
    card.status = "error" if card.status == "completed" else card.status
    return card


_NOT_HERE = "The kernel's tools are for the session itself: its subagents do not have them."


def _generic(call: _Call) -> Card:
    about = next((_text(value) for value in call.input.values() if isinstance(value, str)), "")
    pairs = [(name, _text(value)) for name, value in call.input.items()]
    inputs = [Pairs(pairs)] if pairs else []
    return call.card("\u25c7", call.tool, shorten(about, _LONG_LINE), *inputs, *_output(call))


_TOOLS: dict[str, Callable[[_Call], Card]] = {
    "bash": _bash,
    "edit": _edit,
    "multiedit": _edit,
    "write": _write,
    "apply_patch": _apply_patch,
    "patch": _apply_patch,
    "read": _read,
    "grep": _search,
    "glob": _search,
    "list": _list,
    "ls": _list,
    "todowrite": _todos,
    "todoread": _todos,
    "task": _task,
    "webfetch": _web,
    "websearch": _web,
    "question": _question,
    "skill": _skill,
    "invalid": _invalid,
}


def _add_problem(card: Card, call: _Call) -> None:
    """Put the error first, and open the card."""
    text = readable(_text(call.state.get("error")))
    if call.status == "interrupted":
        text = text or "Interrupted before it finished."
    if not any(verdict.denied for verdict in card.verdicts):  # else the error only repeats the verdict
        card.blocks.insert(0, Problem(text))
    card.open = call.status == "error"


def attachment(part: Json) -> Attachment:
    """Return a file part, or a tool's attachment."""
    mime, url = _text(part.get("mime")), _text(part.get("url"))
    name = _text(part.get("filename")) or ("" if url.startswith("data:") else url) or mime or "file"
    return Attachment(mime, name, url)


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in value] if isinstance(value, list) else []


def _text(value: Any) -> str:
    """Return any JSON value as text: strings unchanged, the rest as indented JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
