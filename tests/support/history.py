"""Long sessions without a model: written as `opencode export` writes them, and imported into OpenCode's store."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.support import isolation


def history(session: str, count: int, directory: Path) -> dict[str, Any]:
    """A session of `count` messages, questions and answers in turn, as `opencode import` takes it."""
    start = 1_700_000_000_000
    cost = {"cost": 0.001, "tokens": {"input": 10, "output": 10, "reasoning": 0, "cache": {"read": 0, "write": 0}}}

    def named(prefix: str, number: int) -> str:
        return f"{prefix}_{0x100000000000 + number * 4096:012x}{'A' * 14}"

    messages = []
    for turn in range(count // 2):
        user, answer = named("msg", 2 * turn), named("msg", 2 * turn + 1)
        begun = start + turn * 1000
        asked = {"id": user, "sessionID": session, "role": "user", "time": {"created": begun}, "agent": "build"}
        question = {"id": named("prt", 4 * turn), "sessionID": session, "messageID": user, "type": "text"}
        step = {
            "id": answer,
            "sessionID": session,
            "role": "assistant",
            "time": {"created": begun + 100, "completed": begun + 900},
            "parentID": user,
            "modelID": "demo",
            "providerID": "demo",
            "mode": "build",
            "agent": "build",
            "path": {"cwd": str(directory), "root": str(directory)},
            "finish": "stop",
            **cost,
        }
        text = f"Answer {turn}\n\n- one\n- **two**\n\n```python\nx = {turn}\n```\n"
        said = {"id": named("prt", 4 * turn + 1), "sessionID": session, "messageID": answer, "type": "text"}
        messages.append(
            {
                "info": {**asked, "model": {"providerID": "demo", "modelID": "demo"}},
                "parts": [{**question, "text": f"Question {turn}"}],
            }
        )
        messages.append({"info": step, "parts": [{**said, "text": text, "time": {"start": begun, "end": begun + 1}}]})
    time = {"created": start, "updated": start + count * 1000}
    info = {"id": session, "slug": session[-4:], "projectID": "global", "directory": str(directory), "title": "Long"}
    return {"info": {**info, "version": "1.18.33", "time": time}, "messages": messages}


def import_history(session: str, count: int, project: Path) -> None:
    """Put such a session into OpenCode's store."""
    file = project.parent / f"{session}.json"
    file.write_text(json.dumps(history(session, count, project)))
    program = os.environ[isolation.PROGRAM]
    subprocess.run([program, "import", str(file)], cwd=project, check=True, capture_output=True)
