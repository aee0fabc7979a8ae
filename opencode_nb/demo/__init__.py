"""A scripted model, not an AI: a loopback endpoint that plays fixed turns behind the real OpenCode server.

It is there to see, try and test everything without an account, a key or a network. Imports nothing else of this
package, and nothing but the standard library. `python -m opencode_nb.demo [--port N]` runs it alone.

Plain words in the last prompt select the turn (`library()` gives the samples as a dict). Sample prompts:

    Call the tool glob with {"pattern": "*.py"}     any tool, any arguments
    Give me a long answer of 500 tokens at 100 per second
    What did I send you?                             repeats the prompt, names attachments and tools
    Say exactly: hello
    Hit a rate limit for 2 seconds, then succeed     429 with retry-after-ms, then an answer
    Fail with a provider error 400                   any 4xx or 5xx; 5xx and 429 are tried again by the server
    Ask me a question                                one choice, and one multiple choice
    Ask for permission                               a shell command that writes demo-permission.txt
    Use several tools with a todo list               todowrite, glob, grep, read, bash
    Delegate this to a subagent                      the task tool; the subagent runs a command
    Run `ls -la`                                     or: run: ls -la
    Describe the attached image                      says what came
    Write a new file notes.md
    Edit hello.py                                    thinks, reads, edits; makes the file if there is none
    Replace `old` with `new` in hello.py             the same with a given change
    Think about it, then answer
    Answer in Markdown with a table and code

Anything else is answered with an introduction and this list. Where a structured answer is wanted (`format` with a JSON
schema), a JSON object in the prompt is given back, else a value made from the schema. A text of the prompt that stands
wholly in a tag (`<context>...</context>`) does not select.

For tests, `DemoModel.queue` plays exact scripts made of `text`, `reason`, `tool`, `raw_tool`, `error`, `pause`, `gate`,
`usage`, `finish`, `raw` and `drop` (see `opencode_nb.demo.script`).
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
    "library",
    "pause",
    "raw",
    "raw_tool",
    "reason",
    "text",
    "tool",
    "usage",
]
