"""A scripted model, not an AI: a loopback endpoint that plays scripted turns behind the real OpenCode server.

Lets you see, try and test everything without an account, a key or a network. Imports only the standard library, and
nothing else of this package. `python -m opencode_nb.demo [--port N]` runs it alone.

Words in the last prompt select the turn (`library()` returns the samples as a dict). Sample prompts:

    Call the tool glob with {"pattern": "*.py"}     any tool, any arguments
    Give me a long answer of 500 tokens at 100 per second
    What did I send you?                             repeats the prompt, names attachments and tools
    Say exactly: hello
    Hit a rate limit for 2 seconds, then succeed     429 with retry-after-ms, then an answer
    Fail with a provider error 400                   any 4xx or 5xx; the server retries 5xx and 429
    Ask me a question                                one choice, and one multiple choice
    Ask for permission                               a shell command that writes demo-permission.txt
    Use several tools with a todo list               todowrite, glob, grep, read, bash
    Delegate this to a subagent                      the task tool; the subagent runs a command
    Run `ls -la`                                     or: run: ls -la
    Run in my kernel: `6 * 7`                        Python code, also a fenced block, in a notebook's kernel
    Look at `df` in my kernel
    Describe the attached image                      lists the attachments
    Write a new file notes.md
    Edit hello.py                                    thinks, reads, edits; creates the file if missing
    Replace `old` with `new` in hello.py             the same with a given change
    Think about it, then answer
    Answer in Markdown with a table and code

Any other prompt gets an introduction and this list, or with a `schema` the JSON object in the prompt, else a value made
from the schema. So does a request with a `format` of the server's own. Text of the prompt that is wholly inside a tag
(`<context>...</context>`) does not select a turn.

For tests, `DemoModel.queue` plays exact scripts made of `text`, `reason`, `tool`, `kernel_tool`, `raw_tool`, `error`,
`pause`, `gate`, `usage`, `finish`, `raw` and `drop` (see `opencode_nb.demo.script`).
"""

from __future__ import annotations

from opencode_nb.demo.endpoint import DemoModel
from opencode_nb.demo.library import library
from opencode_nb.demo.script import (
    Script,
    drop,
    error,
    finish,
    gate,
    kernel_tool,
    pause,
    raw,
    raw_tool,
    reason,
    text,
    tool,
    usage,
)

__all__ = [
    "DemoModel",
    "Script",
    "drop",
    "error",
    "finish",
    "gate",
    "kernel_tool",
    "library",
    "pause",
    "raw",
    "raw_tool",
    "reason",
    "text",
    "tool",
    "usage",
]
