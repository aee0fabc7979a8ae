"""Whatever a model, tool, file or server says is shown as text, in every medium and through every entry point."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from opencode_nb.render.markdown.convert import to_html
from opencode_nb.render.markdown.stream import MarkdownStream
from opencode_nb.render.markup.escape import reveal, visible
from opencode_nb.render.turn.page import LiveTurn, turn_html, turn_markdown, turn_text
from opencode_nb.render.turn.terminal import turn_terminal
from opencode_nb.transcript.state import Decision, TurnState

from .kernel_turns import SERVED, call
from .page_model import Node, Page, parse
from .turns import PDF, PICTURE, tool, turn

HOSTILE: dict[str, str] = json.loads((Path(__file__).parent / "fixtures" / "hostile.json").read_text("utf-8"))

TAGS = set(
    """a article blockquote br button code del details div em fieldset footer form h1 h2 h3 h4 h5 h6 hr img input ins
    label legend li object ol p pre progress s span strong summary table tbody td th thead time tr ul""".split()  # noqa: SIM905
)
TAGS |= set("annotation semantics math mfrac mi mn mo mover mrow mspace msub msup mtable mtd mtext mtr".split())  # noqa: SIM905
ATTRIBUTES = set(
    """class style href target rel title src alt open start type name value placeholder role aria-label data-key
    data-fold data-message data-part data-tool data-status data-file data-view data-intent data-id data-reply
    data-since data-until data-variable data-own data-session data max aria-pressed aria-hidden tabindex scope
    alttext encoding display lspace rspace width stretchy mathvariant displaystyle scriptlevel""".split()  # noqa: SIM905
)
INTENTS = {"columns", "permission", "question", "stop", "again", "redo", "earlier", "later"}
SAFE_HREF = re.compile(r"(?:https?:|mailto:)|(?![^/?#]*:)", re.IGNORECASE)
SAFE_SRC = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z")
SAFE_PDF = re.compile(r"data:application/pdf;base64,[A-Za-z0-9+/=\s]*\Z")
SAFE_STYLE = re.compile(r"[A-Za-z0-9 .,:;()#%/-]*\Z")
RAW_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def check_markup(html: str) -> Node:
    """Check that the markup contains only what renderers create; return its tree."""
    html.encode("utf-8")
    assert not RAW_CONTROLS.search(html)
    tree = parse(html)
    for node in tree.walk():
        if node.tag == "#fragment":
            continue
        assert node.tag in TAGS, f"<{node.tag}>"
        for name, value in node.attrs.items():
            check_attribute(node, name, value or "")
    return tree


def check_attribute(node: Node, name: str, value: str) -> None:
    assert name in ATTRIBUTES, f"<{node.tag} {name}>"
    if name == "href":
        assert SAFE_HREF.match(value.strip()), value
        assert node.attrs["rel"] == "noopener noreferrer"
        assert node.attrs["target"] == "_blank"
    if name == "src":
        assert SAFE_SRC.match(value), value
    if name == "data":
        assert node.tag == "object"
        assert node.attrs["type"] == "application/pdf"
        assert SAFE_PDF.match(value), value
    if name == "style":
        assert SAFE_STYLE.match(value), value
        assert "url" not in value
    if name == "data-intent":
        assert value in INTENTS
    if name == "data-key":
        assert value != "root"


PATCH = "--- a/x.py\n+++ b/x.py\n@@ -1,1 +1,1 @@\n-old\n+{}\n"
LINES = {"completed": {"start": 1, "end": 5000}}

Maker = Callable[[str], TurnState]


def _tool(name: str, **state: Any) -> Maker:
    """Return a turn with one tool call, with the hostile text wherever the state says HOSTILE."""

    def make(text: str) -> TurnState:
        def fill(value: Any) -> Any:
            if isinstance(value, dict):
                return {key.replace("HOSTILE", text): fill(item) for key, item in value.items()}
            if isinstance(value, list):
                return [fill(item) for item in value]
            return value.replace("HOSTILE", text) if isinstance(value, str) else value

        return turn(fill(tool(name, **state)))

    return make


H = "HOSTILE"
PERMISSION = {"id": "per_1", "permission": "edit", "patterns": ["x"], "always": ["x"], "metadata": {}}
QUESTION = {"id": "que_1", "questions": [{"question": "Q?", "options": [{"label": "A"}]}]}

ENTRIES: dict[str, Maker] = {
    "text": lambda t: turn({"type": "text", "text": t}),
    "reasoning": lambda t: turn({"type": "reasoning", "text": t, "time": {"start": 0, "end": 1}}),
    "prompt": lambda t: turn(prompt=t),
    "tool name": lambda t: turn(tool(t, input={"x": 1})),
    "tool inputs": _tool("mcp_x", input={"HOSTILE": H, "list": [H]}),
    "tool output": _tool("mcp_x", output=H),
    "tool title": _tool("mcp_x", title=H),
    "tool error": _tool("bash", status="error", error=H),
    "tool status": lambda t: turn(tool("bash", status=t)),
    "bash": _tool("bash", input={"command": H, "description": H}, output=H, metadata={"exit": 1, "output": H}),
    "bash running": _tool("bash", status="running", input={"command": H}, metadata={"output": H}),
    "edit": _tool("edit", input={"filePath": H}, metadata={"filediff": {"file": H, "patch": PATCH.format(H)}}),
    "edit without diff": _tool("edit", input={"filePath": H, "oldString": "a\n" + H, "newString": H}),
    "patch": _tool("edit", input={"filePath": "x"}, metadata={"diff": H}),
    "diagnostics": _tool("edit", metadata={"diagnostics": {"HOSTILE": [{"message": H, "severity": 1}]}}),
    "write": _tool("write", input={"filePath": "/project/x.py", "content": H}),
    "write path": _tool("write", input={"filePath": H, "content": "x"}),
    "apply_patch": _tool("apply_patch", metadata={"files": [{"relativePath": H, "type": H, "patch": PATCH.format(H)}]}),
    "apply_patch input": _tool("apply_patch", input={"patchText": H}),
    "read": _tool("read", input={"filePath": H, "offset": H, "limit": H}, metadata={"display": {"text": H}}),
    "grep": _tool("grep", input={"pattern": H, "path": H}, output=H, metadata={"matches": H}),
    "todos": _tool("todowrite", input={"todos": [{"content": H, "status": H}]}),
    "task": _tool(
        "task", input={"description": H, "prompt": H, "subagent_type": H}, output=H, metadata={"sessionId": H}
    ),
    "webfetch": _tool("webfetch", input={"url": H}, output=H),
    "webfetch link": _tool("webfetch", input={"url": "javascript:" + H}),
    "websearch": _tool("websearch", input={"query": H}, output=H),
    "question tool": _tool("question", input={"questions": [{"question": H}]}, metadata={"answers": [[H]]}),
    "kernel code": lambda t: turn(call("python", input={"code": t}, output=t)),
    "kernel error": lambda t: turn(call("python", "error", input={"code": t}, error=t)),
    "kernel tool": lambda t: turn(call(t, input={"name": t}, output=t)),
    "kernel output": lambda t: turn(
        call("python"), shown={"c": [{"kind": kind, "text": t} for kind in ("stdout", "stderr", "value", "error")]}
    ),
    "kernel table": lambda t: turn(
        call("python"),
        shown={"c": [{"kind": "table", "columns": [t], "dtypes": [t], "index": [t], "rows": [[t]], "size": t}]},
    ),
    "kernel changes": lambda t: turn(call("python"), shown={"c": [{"kind": "changes", "text": t}, {"kind": t}]}),
    "kernel picture": lambda t: turn(call("python"), shown={"c": [{"kind": "image", "png": t}]}),
    "sent from the kernel": lambda t: turn(sent=[{"about": t, "level": t, "tokens": t}]),
    "skill": _tool("skill", input={"name": H}, output=H),
    "invalid": _tool("invalid", input={"tool": H, "error": H}),
    "attachment": _tool("read", attachments=[{"mime": H, "filename": H, "url": H}]),
    "attached picture": _tool("read", attachments=[{"mime": "image/png", "filename": H, "url": PICTURE}]),
    "attached PDF": _tool("read", attachments=[{"mime": "application/pdf", "filename": H, "url": PDF}]),
    "attached PDF's breakout": _tool("read", attachments=[{"mime": "application/pdf", "url": PDF + H}]),
    "attached breakout": _tool("read", attachments=[{"mime": "image/png", "url": PICTURE + H}]),
    "times": _tool("bash", time={"start": H, "end": H}),
    "file part": lambda t: turn({"type": "file", "mime": t, "filename": t, "url": t}),
    "agent part": lambda t: turn({"type": "agent", "name": t}),
    "subtask part": lambda t: turn({"type": "subtask", "agent": t, "description": t}),
    "retry part": lambda t: turn({"type": "retry", "attempt": t, "error": {"data": {"message": t}}}),
    "unknown part": lambda t: turn({"type": t, t: t}),
    "error": lambda t: turn(status="error", error={"name": t, "data": {"message": t, "statusCode": t}}),
    "retry": lambda t: turn(status="running", retry={"message": t, "attempt": t, "next": t}),
    "model and agent": lambda t: turn(info={"modelID": t, "providerID": t, "agent": t}),
    "directory": lambda t: turn(tool("read", input={"filePath": t + "/x"}), info={"path": {"cwd": t}}),
    "ids": lambda t: TurnState(t, t, steps=turn({"type": "text", "text": "x"}).steps, status="running"),
    "diffs": lambda t: turn(user={"summary": {"diffs": [{"file": t, "patch": PATCH.format(t), "status": t}]}}),
    "open todos": lambda t: turn(status="running", todos=[{"content": t, "status": "in_progress"}]),
    "permission": lambda t: turn(
        status="running",
        permissions={t: {**PERMISSION, "id": t, "permission": t, "patterns": [t], "always": [t]}},
    ),
    "permission command": lambda t: turn(
        status="running", permissions={"p": {**PERMISSION, "permission": "bash", "metadata": {"command": t}}}
    ),
    "permission code": lambda t: turn(
        call("python", "running", input={"code": t}),
        status="running",
        permissions={"p": {**PERMISSION, "permission": f"{SERVED}_python", "tool": {"callID": "c"}}},
    ),
    "permission diff": lambda t: turn(
        status="running", permissions={"p": {**PERMISSION, "metadata": {"filepath": t, "diff": PATCH.format(t)}}}
    ),
    "question": lambda t: turn(
        status="running",
        questions={"q": {"id": t, "questions": [{"question": t, "options": [{"label": t, "description": t}]}]}},
    ),
    "decisions": lambda t: turn(
        decisions=[
            Decision({**PERMISSION, "permission": t, "patterns": [t]}, t, t, t),
            Decision(QUESTION, "reject", t, t),
        ]
    ),
}


def squeezed(text: str) -> str:
    """Normalize whitespace that layout may change."""
    return re.sub(r"\s+", "", visible(text))


PARTS = 3
"""The cases for each entry, in parts: `make quick` takes one, a different one for neighbouring entries."""


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.not_quick) for part in range(1, PARTS))])
@pytest.mark.parametrize("entry", ENTRIES)
def test_hostile_text_is_harmless_everywhere(entry: str, part: int) -> None:
    first = (list(ENTRIES).index(entry) + part) % PARTS
    for hostile in list(HOSTILE.values())[first::PARTS]:
        check_turn(ENTRIES[entry](hostile), hostile)


def check_turn(state: TurnState, hostile: str) -> None:
    """Check that the turn is harmless in every medium."""
    check_markup(turn_html(state, title=hostile, provenance={hostile: hostile, "x": hostile}))
    live = LiveTurn(state, prompt=True)
    check_markup(live.snapshot())
    live = LiveTurn(state)
    page = Page(live.open())
    page.apply(live.update({"turn"}))
    check_markup(page.html(keys=True))
    assert not RAW_CONTROLS.search(turn_text(state).replace("\t", ""))
    markdown = turn_markdown(state)
    markdown.encode("utf-8")
    check_markup(to_html(markdown))


# Text that is neither Markdown nor shortened must be shown unchanged.
LITERAL = ["prompt", "tool inputs", "tool error", "write", "question tool", "unknown part", "permission command"]
LITERAL += ["kernel code", "permission code"]


@pytest.mark.parametrize("entry", LITERAL)
def test_hostile_text_is_shown_unchanged(entry: str) -> None:
    for case, hostile in HOSTILE.items():
        tree = parse(LiveTurn(ENTRIES[entry](hostile), prompt=True).snapshot())
        text = json.dumps(hostile, ensure_ascii=False) if entry == "unknown part" else hostile
        if entry.startswith("permission"):
            text = reveal(hostile)  # text to decide by hides nothing
        assert squeezed(text) in squeezed(tree.text), case


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_markdown_is_harmless_in_any_viewer(case: str) -> None:
    """Even a viewer that allows HTML finds none, and no URL that it would fetch or run."""
    from opencode_nb.render.markdown.convert import _wild_lines, harmless

    assert not _wild_lines(harmless(HOSTILE[case]))
    assert not _wild_lines(
        turn_markdown(turn({"type": "text", "text": HOSTILE[case]}, tool("mcp_x", output=HOSTILE[case])))
    )


@pytest.mark.parametrize("case", HOSTILE)
def test_streamed_hostile_text_is_harmless(case: str) -> None:
    page, growing, text = Page('<div data-key="k"></div>'), MarkdownStream("k"), HOSTILE[case]
    step = max(1, len(text) // 60)
    for end in range(step, len(text) + step, step):
        ops = growing.update(text[:end])
        json.dumps(ops, ensure_ascii=False).encode("utf-8")
        page.apply(ops)
        check_markup(page.html(keys=True))
    page.apply(growing.update(text, final=True))
    check_markup(page.html(keys=True))


@pytest.mark.parametrize("entry", ENTRIES)
def test_hostile_text_sends_no_control_sequences(entry: str) -> None:
    """Without colours rich writes no control sequences: any that appear came from the text."""
    for case in [name for name in HOSTILE if name.startswith(("ansi", "rich", "con", "bidi", "carr", "lone", "path"))]:
        printed = io.StringIO()
        Console(file=printed, width=100, color_system=None).print(turn_terminal(ENTRIES[entry](HOSTILE[case])))
        assert not RAW_CONTROLS.search(printed.getvalue()), case
