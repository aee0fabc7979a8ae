"""Record real answers and events: `python -m tests.api.record_answers PROGRAM`, with any version of `opencode`.

Writes `tests/api/fixtures/<version>.json`: `{"version", "answers": {operation: {"status", "body"}}, "events": [...]}`,
one event of each kind. Replaces only paths of this machine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.recordings.stage import Stage, theatre

FIXTURES = Path(__file__).with_name("fixtures")
PROMPTS = ("Use several tools with a todo list", "Write a new file notes.md", "Fail with a provider error 400")
PATHS = {
    "global_.health": "/global/health",
    "path.get": "/path",
    "project.current": "/project/current",
    "vcs.get": "/vcs",
    "config.get": "/config",
    "config.providers": "/config/providers",
    "session.list": "/session",
    "session.get": "/session/{session}",
    "session.messages": "/session/{session}/message",
    "session.message": "/session/ses_missing/message/msg_missing",
    "session.todo": "/session/{session}/todo",
    "session.status": "/session/status",
    "permission.list": "/permission",
    "mcp.status": "/mcp",
    "v2.health.get": "/api/health",
    "v2.session.get": "/api/session/ses_missing",
    "v2.session.messages": "/api/session/{session}/message",
}


def main() -> None:
    with theatre(sys.argv[1]) as playing, playing.stage("project") as stage:
        (stage.directory / "README.md").write_text("# Temperatures\n", encoding="utf-8")
        for prompt in PROMPTS:
            stage.play(prompt)
        found = {"answers": _answers(stage), "events": _one_of_each(stage.log.events)}
        version = found["answers"]["global_.health"]["body"]["version"]
        text = json.dumps({"version": version, **found}, indent=1, ensure_ascii=False)
    places = {str(playing.root): "/somewhere", str(Path.home()): "/home/user", playing.demo.url: "http://127.0.0.1/v1"}
    for place, shown in places.items():
        text = text.replace(place, shown)
    (FIXTURES / f"{version}.json").write_text(text + "\n", encoding="utf-8")


def _answers(stage: Stage) -> dict[str, Any]:
    answers = {}
    for name, path in PATHS.items():
        answer = stage.http.get(path.format(session=stage.session), params={"directory": str(stage.directory)})
        if "json" in answer.headers.get("content-type", ""):  # otherwise an older server lacks it
            answers[name] = {"status": answer.status_code, "body": answer.json()}
    return answers


def _one_of_each(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first event of each type, and of each type and state of part."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for event in events:
        part = event["properties"].get("part") or {}
        found.setdefault((event["type"], part.get("type"), (part.get("state") or {}).get("status")), event)
    return list(found.values())


if __name__ == "__main__":
    main()
