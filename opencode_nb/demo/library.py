"""The named turns: the words in a prompt that select each one, and what it says and does.

Owns the order of steps. A turn is a pure function from a request (`Scene`) to one step (the answer to this request);
the next step follows from the tool results in the next request.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from opencode_nb.demo import content
from opencode_nb.demo.scene import Scene
from opencode_nb.demo.script import Call, Step, error, raw_tool, reason, text, tool

TITLE_LIMIT = 50
RETRY_AFTER_S = 2.0
_FILE_NAME = re.compile(r"`([^`\s]+\.\w{1,8})`|(?<![\w/:.-])@?((?:[\w~.-]*/)*[\w-][\w.-]*\.[A-Za-z]\w{0,7})(?![\w/(-])")
_QUOTED = r"(?:`(?P<{0}t>[^`]+)`|\"(?P<{0}d>[^\"]+)\"|'(?P<{0}s>[^']+)')"
_REPLACE = re.compile(
    rf"(?:replace|change)\s+{_QUOTED.format('old')}\s+(?:with|by|to|into)\s+{_QUOTED.format('new')}", re.I
)


@dataclass(frozen=True, slots=True)
class Turn:
    """A named turn: a prompt that selects it, what it shows, the pattern that selects it, and its player."""

    name: str
    sample: str
    about: str
    pattern: re.Pattern[str]
    play: Callable[[Scene, re.Match[str]], Step]


TURNS: list[Turn] = []
"""All named turns, in matching order."""


def library() -> dict[str, str]:
    """Return a sample prompt for each named turn, by name."""
    return {turn.name: turn.sample for turn in TURNS}


def play(scene: Scene) -> Step:
    """Return the step that answers this request."""
    if content.COMPACTION_AGENT in scene.system:
        return [text(content.COMPACTION)]
    if scene.prompt.startswith(content.CONTINUE):
        return [text("The scripted demo has nothing more to do.")]
    if "StructuredOutput" in scene.tools:
        return [tool("StructuredOutput", **_example(scene.tools["StructuredOutput"], scene.prompt))]
    for turn in TURNS:
        if found := turn.pattern.search(scene.prompt):
            return turn.play(scene, found)
    if (result := scene.offered("nb*_result")) and not scene.results:
        return [tool(result, **_example(scene.tools[result], scene.prompt))]
    return [text(content.introduction(library()))]


def title(scene: Scene) -> str:
    """Return a short title: the prompt's first line, cut at a word."""
    lines = (line.strip().lstrip("#>* ") for line in scene.prompt.splitlines())
    line = next(filter(None, lines), "Empty prompt")
    cut = line if len(line) <= TITLE_LIMIT else line[: TITLE_LIMIT - 1].rsplit(" ", 1)[0] + "…"
    return cut[0].upper() + cut[1:]


_Player = Callable[[Scene, re.Match[str]], Step]


def _turn(name: str, pattern: str, sample: str, about: str) -> Callable[[_Player], _Player]:
    def add(player: _Player) -> _Player:
        TURNS.append(Turn(name, sample, about, re.compile(pattern, re.IGNORECASE | re.DOTALL), player))
        return player

    return add


@_turn(
    "call a tool",
    r"call (?:the )?tool\s+`?(?P<name>[\w-]+)`?(?:\s+with\s+`{0,3}(?P<json>\{.*\}))?",
    'Call the tool glob with {"pattern": "*.py"}',
    "calls any tool with the given arguments, functions of yours too",
)
def _call_a_tool(scene: Scene, found: re.Match[str]) -> Step:
    if scene.step:
        return [text(content.after_tool(found["name"], scene.results))]
    name = scene.offered(f"nb*_{found['name']}") or found["name"]  # the kernel's tools and functions have a prefix
    return _call(scene, raw_tool(name, *_pieces(found["json"] or "{}")))


@_turn(
    "long answer",
    r"long answer of (?P<count>[\d,_]+) tokens(?: at (?P<rate>[\d.]+) (?:tokens )?(?:per|a) second)?",
    "Give me a long answer of 500 tokens at 100 per second",
    "streams exactly that many deltas of Markdown",
)
def _long_answer(scene: Scene, found: re.Match[str]) -> Step:
    rate = float(found["rate"] or 0)
    return [text(content.long_answer(int(re.sub(r"[,_]", "", found["count"]))), pace=1 / rate if rate else None)]


@_turn("echo", r"what (?:did|have) I (?:send|sent)", "What did I send you?", "repeats the prompt and names its context")
def _echo(scene: Scene, found: re.Match[str]) -> Step:
    return [text(content.echo(scene))]


@_turn("reply", r"(?:say|reply with|answer with) exactly:?\s+(?P<words>.+)", "Say exactly: hello", "says just that")
def _reply(scene: Scene, found: re.Match[str]) -> Step:
    return [text(found["words"])]


@_turn(
    "rate limit",
    r"rate.?limit(?:.*?for (?P<seconds>[\d.]+) seconds)?",
    "Hit a rate limit for 2 seconds, then succeed",
    "is refused with 429 and Retry-After, then answers",
)
def _rate_limit(scene: Scene, found: re.Match[str]) -> Step:
    if scene.attempt:
        return [text(content.AFTER_RATE_LIMIT)]
    seconds = float(found["seconds"] or RETRY_AFTER_S)
    return [error(429, "Rate limit reached (scripted demo)", retry_after_ms=seconds * 1000)]


@_turn(
    "provider error",
    r"provider error(?: (?P<status>[45]\d\d))?|fail with (?:an? )?(?:error|status)? ?(?P<also>[45]\d\d)",
    "Fail with a provider error 400",
    "fails with that HTTP status",
)
def _provider_error(scene: Scene, found: re.Match[str]) -> Step:
    status = int(found["status"] or found["also"] or 400)
    return [error(status, content.PROVIDER_ERRORS.get(status, "The scripted demo fails, as it was asked to."))]


@_turn(
    "question", r"ask (?:me )?(?:a|some|two) questions?", "Ask me a question", "asks one choice and one multiple choice"
)
def _question(scene: Scene, found: re.Match[str]) -> Step:
    if scene.step:
        return [text(content.after_question(scene.results[-1] if scene.results else ""))]
    return _call(scene, tool("question", questions=content.QUESTIONS), before="I need to know two things first.")


@_turn(
    "permission",
    r"ask (?:me )?for (?:a |my )?permission",
    "Ask for permission",
    "runs a command that the permission rules may ask about",
)
def _permission(scene: Scene, found: re.Match[str]) -> Step:
    if scene.step:
        return [text(content.after_permission(scene.results))]
    command = tool("bash", command="echo 'written with permission' > demo-permission.txt")
    return _call(scene, command, before="This writes a file, so you may be asked.")


@_turn(
    "todo list",
    r"several tools|to-?do list|step by step",
    "Use several tools with a todo list",
    "plans, searches, reads and runs, ticking off a todo list",
)
def _todo_list(scene: Scene, found: re.Match[str]) -> Step:
    plan = [step for step in _todo_plan(scene) if all(c.name in scene.tools for c in step if isinstance(c, Call))]
    return plan[scene.step] if scene.step < len(plan) else [text(content.after_todos(len(scene.calls)))]


def _todo_plan(scene: Scene) -> list[Step]:
    target = _first_text_file(scene.results) or scene.directory
    return [
        [reason(content.TODO_THOUGHT), text("I'll keep a list. "), _todos(0)],
        [tool("glob", pattern="**/*.{py,md,txt,toml,ipynb}")],
        [tool("grep", pattern="TODO|FIXME|def ")],
        [tool("read", filePath=target, limit=20)],
        [_todos(1)],
        [text("Now the directory. "), tool("bash", command="ls -la")],
        [_todos(3)],
    ]


def _todos(done: int) -> Call:
    states = ["completed"] * done + ["in_progress"] + ["pending"] * len(content.TODOS)
    items = zip(content.TODOS, states, strict=False)
    return tool("todowrite", todos=[{"content": c, "status": s, "priority": "medium"} for c, s in items])


@_turn(
    "subagent", r"sub-?agent|delegate", "Delegate this to a subagent", "hands a task to a subagent that runs a command"
)
def _subagent(scene: Scene, found: re.Match[str]) -> Step:
    if scene.step:
        return [text("The subagent is back. It is a scripted demo as well, and reported what it ran.")]
    task = tool("task", description="List the files", prompt="Run `ls -a` and report.", subagent_type="general")
    return _call(scene, task, before="A subagent can look at that.")


@_turn(
    "run in the kernel",
    r"run in (?:my|the) kernel:?\s*(?:```(?:python)?\n(?P<block>.+?)```|`(?P<line>[^`]+)`)",
    "Run in my kernel: `6 * 7`",
    "runs that Python code in the notebook's kernel; or a fenced block of code",
)
def _run_in_the_kernel(scene: Scene, found: re.Match[str]) -> Step:
    return _use_the_kernel(scene, "python", code=found["block"] or found["line"])


@_turn(
    "look in the kernel",
    r"look at `(?P<name>[^`]+)` in (?:my|the) kernel",
    "Look at `df` in my kernel",
    "inspects that variable of the notebook's kernel",
)
def _look_in_the_kernel(scene: Scene, found: re.Match[str]) -> Step:
    return _use_the_kernel(scene, "inspect", name=found["name"])


def _use_the_kernel(scene: Scene, tool_name: str, /, **arguments: str) -> Step:
    offered = scene.offered(f"nb*_{tool_name}")
    if offered is None:
        return [text(content.NO_KERNEL)]
    if scene.step:
        return [text(content.after_tool(tool_name, scene.results))]
    return _call(scene, tool(offered, **arguments))


@_turn(
    "run a command",
    r"\brun\b(?: the)?(?: shell)?(?: command)?(?::?\s*`(?P<ticked>[^`]+)`|:\s*(?P<rest>[^\n]+))",
    "Run `ls -la`",
    "runs that shell command",
)
def _run_a_command(scene: Scene, found: re.Match[str]) -> Step:
    command = (found["ticked"] or found["rest"]).strip()
    if scene.step:
        return [text(content.after_command(command, scene.results[-1] if scene.results else ""))]
    return _call(scene, tool("bash", command=command), before="I'll run that.")


@_turn(
    "describe attachments",
    r"(?:describe|what is in|what's in|look at|see in).*(?:image|picture|plot|figure|attach|chart)",
    "Describe the attached image",
    "says which images and files came with the prompt",
)
def _describe_attachments(scene: Scene, found: re.Match[str]) -> Step:
    return [text(content.attachments(scene.attachments))]


@_turn(
    "write a file",
    r"(?:write|create|make|add) (?:a |the |me )?(?:new |small )*(?:file|script|module)",
    "Write a new file notes.md",
    "writes a file",
)
def _write_a_file(scene: Scene, found: re.Match[str]) -> Step:
    name = _named_file(scene.prompt) or "notes.md"
    if scene.step:
        return [text(content.after_change("wrote", name, scene.results))]
    return _call(scene, _write(scene, name, content.new_file(name)), before=f"I'll write `{name}`.")


@_turn(
    "edit a file",
    r"\b(?:edit|replace)\b|^\W*(?:please\s+)?(?:fix|improve|refactor|change|document|update)\b",
    "Edit hello.py",
    "thinks, reads the file, and edits it; also: replace `old` with `new` in FILE",
)
def _edit_a_file(scene: Scene, found: re.Match[str]) -> Step:
    name = _named_file(_REPLACE.sub("", scene.prompt)) or "hello.py"
    if scene.step == 0:
        read = tool("read", filePath=scene.path(name))
        return [reason(content.edit_thought(name)), *_call(scene, read, before=f"Let me read `{name}` first. ")]
    has_file = any(call["name"] == "read" for call in scene.calls) and not content.is_missing(scene.results[0])
    made = [call for call in scene.calls if call["name"] != "read"]
    if not has_file and not made:
        return _call(
            scene, _write(scene, name, content.new_file(name)), before=f"There is no `{name}` yet: I'll make it."
        )
    if len(made) == (0 if has_file else 1):
        source = content.numbered_source(scene.results[0]) if has_file else content.new_file(name)
        return _change(scene, name, source)
    return [text(content.after_change("edited", name, scene.results))]


def _change(scene: Scene, name: str, source: str) -> Step:
    wish = _REPLACE.search(scene.prompt)
    old, new = (_quoted(wish, "old"), _quoted(wish, "new")) if wish else content.improvement(name, source)
    if "apply_patch" in scene.tools:
        return [tool("apply_patch", patchText=content.patch_update(name, source, old, new))]
    return _call(scene, tool("edit", filePath=scene.path(name), oldString=old, newString=new))


def _write(scene: Scene, name: str, source: str) -> Call:
    if "apply_patch" in scene.tools:
        return tool("apply_patch", patchText=content.patch_add(name, source))
    return tool("write", filePath=scene.path(name), content=source)


@_turn("think", r"\bthink\b|\breason\b", "Think about it, then answer", "thinks for a while, then answers in a line")
def _think(scene: Scene, found: re.Match[str]) -> Step:
    return [reason(content.LONG_THOUGHT), text("I have thought about it (as a script does): **42**.")]


@_turn(
    "markdown",
    r"markdown|\btable\b|\bexplain\b",
    "Answer in Markdown with a table and code",
    "headings, a table, code, lists, a quote",
)
def _markdown(scene: Scene, found: re.Match[str]) -> Step:
    return [text(content.MARKDOWN)]


def _call(scene: Scene, call: Call, *, before: str = "") -> Step:
    """Return the call with a text before it, or a plain answer if the request does not offer the tool.

    A tool of the notebook's process may go by its own name.
    """
    name = call.name if call.name in scene.tools else scene.offered(f"nb*_{call.name}")
    if name is None:
        return [text(content.without_tool(call.name, list(scene.tools)))]
    call = replace(call, name=name)
    return [text(before), call] if before else [call]


def _named_file(prompt: str) -> str | None:
    found = _FILE_NAME.search(re.sub(r"\w+://\S+", "", prompt))
    return (found[1] or found[2]) if found else None


def _first_text_file(results: list[str]) -> str | None:
    lines = (line.strip() for line in (results[1] if len(results) > 1 else "").splitlines())
    return next((line for line in lines if posixpath.isabs(line)), None)


def _quoted(match: re.Match[str], which: str) -> str:
    return next(match[which + kind] for kind in "tds" if match[which + kind] is not None)


def _pieces(data: str) -> list[str]:
    return [data[start : start + 24] for start in range(0, len(data), 24)]


def _example(schema: dict[str, Any], prompt: str) -> dict[str, Any]:
    """Return a value for a schema: the JSON object in the prompt if there is one, else one made from the schema."""
    found = re.search(r"\{.*\}", prompt, re.DOTALL)
    try:
        value = json.loads(found[0]) if found else None
    except ValueError:
        value = None
    made = content.example_of(schema, schema)
    return value if isinstance(value, dict) else made if isinstance(made, dict) else {}
