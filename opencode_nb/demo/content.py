"""The texts of the scripted turns, and the changes they make to files. Pure functions."""

from __future__ import annotations

import itertools
import posixpath
import re
from typing import Any

from opencode_nb.demo.scene import Attachment, Scene

DISCLAIMER = "I am the **scripted demo**, not an AI: my answers are fixed texts that plain words in your prompt select."
COMPACTION_AGENT = "context summarization"
CONTINUE = "Continue if you have next steps"
"""The user message OpenCode adds after compacting a session in the middle of a turn."""

COMPACTION = """## Goal
- (Scripted demo) Go on with what was asked.

## Progress
### Done
- The earlier prompts were answered by the scripted demo.

## Next Steps
- Wait for the next prompt.
"""

MARKDOWN = """## Counting words

This is a *fixed* answer of the **scripted demo** (not an AI), with the Markdown that agents like to use.

| Way | Time | Memory |
| --- | ---: | :---: |
| `str.split` | 1.0 ms | low |
| `re.findall` | 2.7 ms | low |
| a parser | 41 ms | high |

```python
from collections import Counter


def count_words(text: str) -> Counter[str]:
    \"\"\"How often each word occurs, ignoring case.\"\"\"
    return Counter(text.casefold().split())


print(count_words("to be or not to be").most_common(2))
```

1. Split the text.
2. Count:
   - words in lower case,
   - nothing else.
3. Print.

> Premature optimisation is the root of all evil.

See [the documentation](https://docs.python.org/3/library/collections.html#collections.Counter) for more.
"""

AFTER_RATE_LIMIT = "The rate limit is over: this is the second attempt of the scripted demo, and it succeeded."

PROVIDER_ERRORS = {
    400: "Invalid request: the scripted demo refuses it, as it was asked to.",
    401: "Incorrect API key provided (scripted demo).",
    402: "You have run out of credits (scripted demo).",
    403: "Your account may not use this model (scripted demo).",
}

QUESTIONS = [
    {
        "header": "Format",
        "question": "Which file format should the results have?",
        "options": [
            {"label": "CSV", "description": "Plain text, opens everywhere"},
            {"label": "Parquet", "description": "Small and typed"},
            {"label": "JSON", "description": "Nested values stay nested"},
        ],
    },
    {
        "header": "Columns",
        "question": "Which columns should be kept?",
        "multiple": True,
        "options": [
            {"label": "time", "description": "When it was measured"},
            {"label": "value", "description": "What was measured"},
            {"label": "comment", "description": "Free text"},
        ],
    },
]

TODOS = ["Look at what is there", "List the directory", "Report"]
TODO_THOUGHT = "Several things to do here. A list keeps them apart: first look around, then list, then report."
LONG_THOUGHT = """The question is short, but the answer should not be hasty.

First, what is asked: something that can be answered in one line. Second, what could go wrong: an answer that sounds \
sure and is not. Third, I am a script, so whatever I find was found before.

That leaves only one candidate."""

_SENTENCES = (
    "The scripted demo goes on and on, one word at a time.",
    "A stream like this one shows how a long answer grows on the page.",
    "Nothing in these lines is meant, but every character of them should arrive.",
    "Finished blocks stay as they are while the last one is still being written.",
)
_COMMENTS = {
    ".py": "# ",
    ".sh": "# ",
    ".toml": "# ",
    ".yaml": "# ",
    ".yml": "# ",
    ".js": "// ",
    ".ts": "// ",
    ".c": "// ",
}


def introduction(samples: dict[str, str]) -> str:
    """Return the default answer: what the demo is, and the prompts it knows."""
    rows = "\n".join(f"| {name} | {sample.replace('|', chr(92) + '|')} |" for name, sample in samples.items())
    return f"""## Hello

{DISCLAIMER}
The OpenCode server, its tools and your files are real, so *edits are edits*.

Try one of these:

| Turn | Prompt |
| --- | --- |
{rows}

In a notebook:

```python
%%prompt
{samples["edit a file"]}
```

To work with a real model, run `%opencode start` without `--demo`. If no model is set up yet, your next prompt says how.
"""


def echo(scene: Scene) -> str:
    """Repeat the prompt's texts unchanged, and list what else the request contains."""
    quoted = "\n\n".join(fenced(said) for said in scene.spoken)
    earlier = sum(1 for message in scene.messages if message["role"] == "user") - 1
    facts = [
        f"- earlier prompts in this session: {earlier}",
        f"- working directory: `{scene.directory}`",
        f"- tools on offer: {', '.join(f'`{name}`' for name in scene.tools) or 'none'}",
        *(f"- attached: {describe(attachment)}" for attachment in scene.attachments),
    ]
    return f"I am the scripted demo. You sent me this:\n\n{quoted}\n\n" + "\n".join(facts) + "\n"


def attachments(found: list[Attachment]) -> str:
    """List the attachments of the prompt, one per line."""
    if not found:
        return "Nothing is attached to this prompt, as far as the scripted demo can see."
    lines = "\n".join(f"{n}. {describe(attachment)}" for n, attachment in enumerate(found, 1))
    return f"The scripted demo cannot look into images, but it sees what came:\n\n{lines}\n"


def describe(attachment: Attachment) -> str:
    """Return the type, name, pixel size and bytes of an attachment."""
    pixels = f", {attachment.size[0]} × {attachment.size[1]} pixels" if attachment.size else ""
    name = f" `{attachment.name}`" if attachment.name else ""
    return f"{attachment.mime}{name}{pixels}, {len(attachment.data)} bytes"


def fenced(source: str) -> str:
    """Put a text into a code fence longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{source}\n{fence}"


def without_tool(name: str, offered: list[str]) -> str:
    """Return the answer for a tool that would be called but is not offered."""
    return (
        f"I would call the tool `{name}` now, but this agent is not offered it "
        f"(offered: {', '.join(offered) or 'none'}). The scripted demo stops here."
    )


NO_KERNEL = "There is no kernel whose tools I could use: ask me from a notebook. (Scripted demo.)"


def after_tool(name: str, results: list[str]) -> str:
    """Return the end of a turn that called one tool."""
    return f"The scripted demo called `{name}`. It gave back:\n\n{fenced(_clip(results[-1] if results else ''))}\n"


def after_command(command: str, output: str) -> str:
    """Return the end of a turn that ran a command."""
    lines = len(output.splitlines())
    return f"The command `{command}` has run; its output has {lines} line{'' if lines == 1 else 's'}. (Scripted demo.)"


def after_question(answers: str) -> str:
    """Return the end of a turn that asked a question."""
    return f"Thank you. The scripted demo heard:\n\n{fenced(_clip(answers))}\n"


def after_permission(results: list[str]) -> str:
    """Return the end of a turn that asked for permission."""
    if any("reject" in result or "denied" in result or "rule which prevents" in result for result in results):
        return f"I was not allowed to, and was told:\n\n{fenced(_clip(results[-1]))}\n"
    return "I was allowed to: `demo-permission.txt` is written. (Scripted demo.)"


def after_todos(calls: int) -> str:
    """Return the end of a turn with a to-do list."""
    return f"### Done\n\nThe scripted demo made **{calls} tool calls** and ticked off its list.\n"


def after_change(verb: str, name: str, results: list[str]) -> str:
    """Return the end of a turn that changed a file, with the tool's message if it failed."""
    last = results[-1] if results else ""
    if re.search(r"success|applied|updated", last, re.IGNORECASE):
        return f"The scripted demo {verb} `{name}`."
    return f"`{name}` was not changed. The tool said:\n\n{fenced(_clip(last))}\n"


def edit_thought(name: str) -> str:
    """Return the reasoning before an edit."""
    return (
        f"The user wants a change in {name}. I should read the file before I touch it, find the smallest change that "
        "does it, and leave everything else as it is."
    )


def new_file(name: str) -> str:
    """Return the content of a new file."""
    if name.endswith(".py"):
        return (
            'def greet(name):\n    return "Hello, " + name\n\n\nif __name__ == "__main__":\n    print(greet("world"))\n'
        )
    if name.endswith(".json"):
        return '{\n  "written_by": "the scripted demo"\n}\n'
    return f"# {posixpath.splitext(posixpath.basename(name))[0]}\n\nWritten by the scripted demo.\n\n- one\n- two\n"


def improvement(name: str, source: str) -> tuple[str, str]:
    """Return a small change for any text: (old, new), where old occurs exactly once if possible."""
    greeting = '    return "Hello, " + name\n'
    if greeting in source:
        return greeting, '    """A friendly greeting."""\n    return f"Hello, {name}!"\n'
    lines = source.splitlines()
    head = next((line for line in lines if re.match(r"\s*def \w+\(.*:\s*$", line) and lines.count(line) == 1), None)
    if head:
        indent = " " * (len(head) - len(head.lstrip()) + 4)
        return head, f'{head}\n{indent}"""Documented by the scripted demo."""'
    last = next((line for line in reversed(lines) if line.strip() and source.count(line) == 1), "")
    comment = _COMMENTS.get(posixpath.splitext(name)[1], "")
    return last, f"{last}\n{comment}Edited by the scripted demo."


def is_missing(result: str) -> bool:
    """Return whether this is the read tool's result for a missing file."""
    return "not found" in result.lower()[:200]


def numbered_source(result: str) -> str:
    """Extract the file's text from the read tool's result: lines `12: text` between `<content>` tags."""
    body = re.search(r"<content>\n(.*?)\n?</content>", result, re.DOTALL)
    lines = re.findall(r"^\d+: ?(.*)$", body[1] if body else result, re.MULTILINE)
    return "\n".join(lines) + "\n" if lines else ""


def patch_add(name: str, source: str) -> str:
    """Return an `apply_patch` text that adds a file."""
    added = "\n".join(f"+{line}" for line in source.splitlines())
    return f"*** Begin Patch\n*** Add File: {name}\n{added}\n*** End Patch"


def patch_update(name: str, source: str, old: str, new: str) -> str:
    """Return an `apply_patch` text that replaces the lines with `old` by those with `new`."""
    start = source.find(old)
    first = source.rfind("\n", 0, start) + 1
    last = source.find("\n", start + len(old.rstrip("\n")))
    before = source[first : last if last >= 0 else len(source)]
    after = before.replace(old.rstrip("\n"), new.rstrip("\n"), 1)
    removed = "\n".join(f"-{line}" for line in before.splitlines())
    added = "\n".join(f"+{line}" for line in after.splitlines())
    return f"*** Begin Patch\n*** Update File: {name}\n@@\n{removed}\n{added}\n*** End Patch"


def long_answer(count: int) -> list[str]:
    """Return exactly `count` deltas of Markdown: headings, paragraphs, lists, tables and code in turn."""
    words = (word for number in itertools.count(1) for word in re.findall(r"\s*\S+", _section(number)))
    return list(itertools.islice(words, count))


def _section(number: int) -> str:
    prose = " ".join(_SENTENCES)
    items = "\n".join(f"- item {n}: {sentence}" for n, sentence in enumerate(_SENTENCES, 1))
    rows = "\n".join(f"| {n} | {n * n} | {n**3} |" for n in range(1, 6))
    code = "\n".join(f"    total_{n} = total_{n - 1} + {n}  # step {n}" for n in range(1, 8))
    return (
        f"\n\n## Part {number}\n\n{prose}\n\n{items}\n\n| n | square | cube |\n| --- | --- | --- |\n{rows}\n\n"
        f"```python\ndef part_{number}(total_0: int) -> int:\n{code}\n    return total_7\n```\n\n{prose}"
    )


def example_of(schema: Any, root: Any) -> Any:
    """Return a value that a JSON schema allows, as simple as possible; `root` resolves `$ref`."""
    if not isinstance(schema, dict):
        return None
    if ref := schema.get("$ref"):
        return example_of(_resolve(ref, root), root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return example_of(schema[key][0], root)
    return _example_of_type(schema, root)


def _example_of_type(schema: dict[str, Any], root: Any) -> Any:
    kind = schema.get("type", "object")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return {name: example_of(part, root) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [example_of(schema.get("items", {}), root) for _ in range(max(1, schema.get("minItems", 1)))]
        case "string":
            return "scripted demo".ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
    return None


def _resolve(ref: str, root: Any) -> Any:
    node = root
    for key in ref.removeprefix("#/").split("/"):
        node = node.get(key, {}) if isinstance(node, dict) else {}
    return node


def _clip(source: str, limit: int = 2000) -> str:
    return source if len(source) <= limit else source[:limit] + "\n[...]"
