"""Changes to cells, accepted as a person likes them, with the real server; and files that are left to such tools."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, kernel_tool, text, tool
from opencode_nb.render.turn.page import turn_text
from opencode_nb.server import Server
from opencode_nb.session.permissions.policy import Answer
from opencode_nb.tools.names import own_tool
from opencode_nb.tools.privacy import Outgoing, Piece
from opencode_nb.tools.tool import Call, Guard, Json, Result, Tool

SECONDS = 60.0
SOURCE: Json = {"type": "object", "properties": {"source": {"type": "string"}}, "required": ["source"]}


class Notebook:
    """What stands for a notebook: it notes what it was asked to do."""

    def __init__(self, guard: Guard | None = None) -> None:
        self.calls: list[Call] = []
        names = ("edit_cell", "delete_cell", "run_cell")
        self.tools = [Tool(name, "Do it.", SOURCE, self._done, asks=True, guard=guard) for name in names]

    async def _done(self, call: Call) -> Result:
        self.calls.append(call)
        return Result(Outgoing("done", (Piece("Done."),)))


class Someone:
    """A person who keeps what they were asked about, and gives one answer; without one, somebody else has to."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer, self.asked = answer, list[str]()

    async def permission(self, request: Json) -> Answer | None:
        self.asked.append(own_tool(request["permission"]) or request["permission"])
        if self.answer is None:
            await asyncio.Event().wait()
        return self.answer

    async def question(self, request: Json) -> None:
        raise AssertionError(request)


@pytest.fixture
def ai(server: Server, workplace: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=workplace) as ai:
        yield ai


@pytest.fixture
def notebook(ai: oc.Opencode) -> Notebook:
    return Notebook()


@pytest.fixture
def session(ai: oc.Opencode, notebook: Notebook) -> oc.Session:
    session = ai.session()
    session.offer(notebook.tools)
    return session


def calls(*names: str) -> list[Any]:
    return [*(kernel_tool(name, source=f"{name} {number}") for number, name in enumerate(names)), text("Done.")]


def test_all_changes_of_a_turn_are_accepted_and_code_still_asks(
    session: oc.Session, notebook: Notebook, demo_model: DemoModel
) -> None:
    person = Someone(Answer("turn"))
    demo_model.queue(calls("edit_cell", "delete_cell", "run_cell", "edit_cell"))
    turn = session.prompt("go", person=person)
    assert person.asked == ["edit_cell", "run_cell"]
    assert len(notebook.calls) == 4
    told = turn_text(turn.state)
    assert "You accepted all changes to cells in this turn" in told
    assert told.count("Allowed by your \u201cAccept all in this turn\u201d") == 2
    demo_model.queue(calls("edit_cell"))
    session.prompt("go", person=person)
    assert person.asked == ["edit_cell", "run_cell", "edit_cell"]


def test_an_edited_source_is_what_the_tool_gets(session: oc.Session, notebook: Notebook, demo_model: DemoModel) -> None:
    asked = threading.Event()
    session.subscribe(lambda change: asked.set() if change.kind == "request" and session.requests else None)
    demo_model.queue(calls("edit_cell"))
    turn = session.prompt("go", person=Someone(), wait=False)
    assert asked.wait(SECONDS)
    (request,) = session.requests
    assert session.reply(request["id"], "edited", "  mine\n")
    turn.wait()
    (call,) = notebook.calls
    assert (call.arguments, call.edited) == ({"source": "  mine\n"}, True)
    assert "You edited and accepted" in turn_text(turn.state)


# --- files that are left to these tools -------------------------------------------------------------------------------


@pytest.fixture
def by_rule(project: Path) -> None:
    """Edits are allowed by the user's own configuration, which applies as it is: the server does not ask."""
    (project / "opencode.json").write_text(json.dumps({"permission": {"edit": "allow"}}))


def guarding(directory: Path) -> Notebook:
    async def refusal(_session: str, path: Path) -> str:
        return "It is open: use cells." if path == (directory / "a.ipynb").resolve() else ""

    return Notebook(Guard("*.ipynb", refusal, lambda _session: ("a.ipynb", "*/a.ipynb")))


@pytest.mark.parametrize("permission", ["ask", "edits", "allow", {"edit": "allow"}, lambda _request: "once"])
def test_edits_that_are_allowed_unasked_are_led_to_the_tools(
    by_rule: None, project: Path, ai: oc.Opencode, demo_model: DemoModel, permission: Any
) -> None:
    session = ai.session()
    session.offer(guarding(project).tools)
    write = [tool("write", filePath=str(project / name), content="{}") for name in ("a.ipynb", "b.ipynb")]
    demo_model.queue([*write, text("Done.")])
    turn = session.prompt("go", permission=permission)
    assert [call.status for call in turn.tools] == ["error", "completed"]
    assert "use cells" in turn.tools[0].error
    assert not (project / "a.ipynb").exists()
    assert len(turn.state.decisions) == 2


def test_a_subagent_edits_no_file_that_is_left_to_the_tools(
    by_rule: None, project: Path, ai: oc.Opencode, demo_model: DemoModel
) -> None:
    session = ai.session()
    session.offer(guarding(project).tools)
    write = [tool("write", filePath=str(project / name), content="{}") for name in ("a.ipynb", "b.ipynb")]
    task = tool("task", description="Look", prompt="Look.", subagent_type="general")
    demo_model.queue([[task], [write[0]], [write[1]], [text("Tried.")], [text("Done.")]])
    session.prompt("go", permission="allow")
    assert [(project / name).exists() for name in ("a.ipynb", "b.ipynb")] == [False, True]
