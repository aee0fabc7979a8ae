"""Each permission of the real server with the real tool: allowed, asked and denied; and what may not undo a deny."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, text, tool
from opencode_nb.demo.content import patch_add
from opencode_nb.demo.endpoint import PATCH_MODEL
from opencode_nb.demo.script import Call
from opencode_nb.render.turn.page import turn_text
from opencode_nb.server import Server
from opencode_nb.session.permissions.policy import Answer
from tests.api import mcp_parts
from tests.api.loopback import answering, response, serving
from tests.conftest import make_project

DEPLOY = 'export default { description: "Deploy", args: {}, async execute() { return "deployed" } }\n'
SKILL = "---\nname: greet\ndescription: How to greet\n---\nSay hello.\n"
QUESTION = {"question": "Which?", "header": "Which", "options": [{"label": "One", "description": "The first"}]}
TODO = {"content": "x", "status": "pending", "priority": "high"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project for all: the first prompt in a directory takes seconds. It has a tool and a skill of its own."""
    directory = make_project(tmp_path_factory.mktemp("permissions") / "project", snapshots=False)
    files = {".opencode/tool/deploy.ts": DEPLOY, ".opencode/skills/greet/SKILL.md": SKILL, "lab/secret.txt": "kept\n"}
    for name, content in {**files, "../outside.txt": "outside\n"}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content)
    return directory


@pytest.fixture(scope="module")
def shared(server: Server, place: Path) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=place) as ai:
        ai.client.mcp.add(name="local", config={"type": "local", "command": [sys.executable, mcp_parts.__file__]})
        yield ai


@pytest.fixture
def ai(shared: oc.Opencode, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    yield shared
    shared.prefer()


class Someone:
    """A person who says yes to everything, and remembers what was asked."""

    def __init__(self, reply: str = "once") -> None:
        self._reply: Any = reply
        self.asked: list[str] = []

    async def permission(self, request: dict[str, Any]) -> Answer:
        self.asked.append(request["permission"])
        return Answer(self._reply)

    async def question(self, request: dict[str, Any]) -> list[list[str]]:
        self.asked.append("question")
        return [["One"]]


# --- each permission --------------------------------------------------------------------------------------------------


def calls(url: str = "") -> dict[str, Call]:
    return {
        "edit": tool("write", filePath="by-edit.txt", content="x\n"),
        "bash": tool("bash", command="true", description="Nothing"),
        "read": tool("read", filePath="README.md"),
        "glob": tool("glob", pattern="*.py"),
        "grep": tool("grep", pattern="mean"),
        "webfetch": tool("webfetch", url=url, format="text"),
        "todowrite": tool("todowrite", todos=[TODO]),
        "skill": tool("skill", name="greet"),
        "question": tool("question", questions=[QUESTION]),
        "local_add": tool("local_add"),
        "deploy": tool("deploy"),
    }


LOOP = [tool("glob", pattern="*.same")] * 3


class Played(NamedTuple):
    turn: oc.Turn
    person: Someone

    @property
    def ran(self) -> list[str]:
        return [call.tool for call in self.turn.tools if call.status == "completed"]


@pytest.fixture(scope="module")
def played(shared: oc.Opencode, server_model: DemoModel) -> dict[str, Played]:
    """A turn for each action, with all the tools in one step, and a loop in the next."""
    done = {}
    with serving(answering(response(b"a page", kind="text/plain"))) as page:
        at_once = calls(page.url)
        for action in ("allow", "ask", "deny"):
            server_model.queue([list(at_once.values()), LOOP, [text("Done.")]])
            rules, person = dict.fromkeys([*at_once, "doom_loop"], action), Someone()
            turn = shared.session().prompt("go", permission=rules, person=person, wait=False)
            done[action] = Played(turn.wait(), person)
            server_model.reset()
    return done


@pytest.mark.parametrize("permission", calls())
def test_allow_ask_and_deny_work_for_every_permission(played: dict[str, Played], permission: str) -> None:
    name = calls()[permission].name
    assert name in played["allow"].ran
    assert (permission in played["allow"].person.asked) is (permission == "question")
    if permission == "deploy":
        assert name not in played["ask"].ran, "a tool of the user's own, which the server runs unasked"
    else:
        assert name in played["ask"].ran
        assert permission in played["ask"].person.asked
    assert name not in played["deny"].ran
    assert permission not in played["deny"].person.asked


def test_allow_ask_and_deny_work_for_doom_loops(played: dict[str, Played]) -> None:
    assert [done.ran.count("glob") for done in played.values()] == [4, 4, 0]
    assert [done.person.asked.count("doom_loop") for done in played.values()] == [0, 1, 0]


def test_who_answered_is_known_after_a_restart(played: dict[str, Played], server: Server, place: Path) -> None:
    before = played["ask"].turn.state
    with oc.Opencode(base_url=server.url, password=server.password, directory=place) as later:
        (after,) = (turn.state for turn in later.session(id=before.session_id).turns())
    assert [(one.call, one.reply, one.by) for one in after.decisions] == [
        (one.call, one.reply, one.by) for one in before.decisions
    ]
    assert turn_text(after) == turn_text(before)


# --- names ------------------------------------------------------------------------------------------------------------

RULES = [
    {"edit": "allow", "write": "deny"},
    {"write": "deny", "edit": "allow"},
    {"write": "deny", "*": "allow"},
    {"*": "allow", "patch": "deny"},
    {"edit": "allow", "apply_patch": "deny"},
]


@pytest.mark.parametrize("rules", RULES)
def test_a_deny_under_any_tool_name_blocks_the_write(
    ai: oc.Opencode, demo_model: DemoModel, place: Path, rules: dict[str, str]
) -> None:
    person, name = Someone(), "let-through.txt"
    model, call = None, tool("write", filePath=name, content="x\n")
    if "apply_patch" in rules:
        model, call = f"demo/{PATCH_MODEL}", tool("apply_patch", patchText=patch_add(name, "x\n"))
    demo_model.queue([call], [text("Done.")])
    turn = ai.session().prompt("go", permission=rules, person=person, model=model)
    assert not (place / name).exists()
    assert person.asked == []
    assert [(made.reply, made.by) for made in turn.state.decisions] == [("reject", "policy")]


def test_an_unknown_tool_name_raises_before_anything_is_sent(
    ai: oc.Opencode, server: Server, place: Path, demo_model: DemoModel
) -> None:
    session, unknown = ai.session(), {"deplooy_all": "deny"}
    before = len(ai.sessions())
    with pytest.raises(oc.OpencodeError, match=r"'deplooy_all', but no such tool.* deploy.* local_\*"):
        session.prompt("go", permission=unknown)
    ai.prefer(permission=unknown)
    for refused in (lambda: session.prompt("go"), lambda: session.command("init"), ai.session, lambda: ai.ask("go")):
        with pytest.raises(oc.OpencodeError, match="no such tool"):
            refused()
    with (
        oc.Opencode(base_url=server.url, password=server.password, directory=place, permission=unknown) as other,
        pytest.raises(oc.OpencodeError, match="no such tool"),
    ):
        other.session()
    assert demo_model.requests == []
    assert len(ai.sessions()) == before


def test_rules_may_name_custom_and_mcp_tools(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue([tool("local_add"), tool("deploy")], [text("Done.")])
    person, rules = Someone(), {"local_a*": "deny", "deploy": "deny", "local_add": "allow"}
    turn = ai.session().prompt("go", permission=rules, person=person)
    assert [call.tool for call in turn.tools if call.status == "completed"] == ["invalid"]
    assert person.asked == []


# --- what may not undo a deny -----------------------------------------------------------------------------------------


def writing(name: str) -> list[list[Call] | list[Any]]:
    return [[tool("write", filePath=name, content="x\n")], [text("Done.")]]


def test_always_covers_every_session_but_overrides_no_deny(server: Server, demo_model: DemoModel, place: Path) -> None:
    with oc.Opencode(base_url=server.url, password=server.password, directory=place) as ai:
        always_then_denied(ai, demo_model, place)


def always_then_denied(ai: oc.Opencode, demo_model: DemoModel, place: Path) -> None:
    person = Someone("always")
    demo_model.queue(writing("first.txt"))
    ai.session().prompt("go", person=person)
    demo_model.queue(writing("second.txt"))
    again = ai.session()
    turn = again.prompt("go", person=person)
    assert person.asked == ["edit"]
    assert turn.state.decisions == []
    demo_model.queue(writing("third.txt"))
    again.prompt("go", person=person, permission={"edit": {"third.txt": "deny"}})
    demo_model.queue(writing("fourth.txt"))
    again.prompt("go", person=person, permission="deny")
    made = [(place / name).exists() for name in ("first.txt", "second.txt", "third.txt", "fourth.txt")]
    assert made == [True, True, False, False]
    assert person.asked == ["edit"]
    assert ai.client.permission.list() == []


def test_always_covers_the_rest_of_a_turn_from_another_client(
    server: Server, demo_model: DemoModel, place: Path
) -> None:
    with oc.Opencode(base_url=server.url, password=server.password, directory=place) as ai:
        session = ai.session()
        asked, over = threading.Event(), threading.Event()
        session.subscribe(lambda change: (asked if change.kind == "request" else threading.Event()).set())
        session.subscribe(lambda change: (over if change.kind == "ended" else threading.Event()).set())
        demo_model.queue([*writing("fifth.txt")[:1], *writing("sixth.txt")])
        ai.client.session.prompt_async(session.id, parts=[{"type": "text", "text": "go"}])
        assert asked.wait(60)
        assert session.reply(session.requests[0]["id"], "always")
        assert over.wait(60)
        assert session.turns()[-1].text == "Done."
        assert [made.reply for made in session.turns()[-1].state.decisions] == ["always"]
    assert (place / "fifth.txt").exists()
    assert (place / "sixth.txt").exists()


def test_each_prompt_has_its_own_rules(ai: oc.Opencode, demo_model: DemoModel, place: Path) -> None:
    """Also in a session that was made elsewhere, which the server would let do anything."""
    session, person = ai.session(id=ai.client.session.create(title="Made elsewhere").id), Someone()
    for name, rules in (("one.txt", {"write": "deny"}), ("two.txt", None), ("three.txt", {"edit": "allow"})):
        demo_model.queue(writing(name))
        session.prompt("go", permission=rules, person=person)
    assert [(place / name).exists() for name in ("one.txt", "two.txt", "three.txt")] == [False, True, True]
    assert person.asked == ["edit"]
    ai.prefer(permission={"glob": "deny"})
    demo_model.queue([[tool("glob", pattern="*"), tool("grep", pattern="x")], [text("Done.")]])
    turn = session.prompt("go", person=person)
    assert [call.tool for call in turn.tools if call.status == "completed"] == ["grep"]


def test_allow_does_not_override_a_deny_from_the_agent_or_session(
    ai: oc.Opencode, demo_model: DemoModel, place: Path
) -> None:
    demo_model.queue(writing("planned.txt"))
    ai.session().prompt("go", agent="plan", permission="allow")
    strict = [{"permission": "edit", "pattern": "*", "action": "deny"}]
    theirs: Any = ai.client.session.create(title="Strict", permission=strict)
    demo_model.queue(writing("strict.txt"))
    ai.session(id=theirs.id).prompt("go", permission={"edit": "allow"})
    assert not (place / "planned.txt").exists()
    assert not (place / "strict.txt").exists()


def test_a_shell_deny_blocks_a_command_that_only_redirects(ai: oc.Opencode, demo_model: DemoModel, place: Path) -> None:
    only_redirects = tool("bash", command="> redirected.txt", description="Empty it")
    demo_model.queue([[only_redirects], [text("Done.")]])
    ai.session().prompt("go", permission={"shell": "deny"})
    assert not (place / "redirected.txt").exists()


def test_a_deny_applies_to_subagents(ai: oc.Opencode, demo_model: DemoModel, place: Path) -> None:
    task = tool("task", description="Look", prompt="Look.", subagent_type="general")
    demo_model.queue([[task], *writing("by-child.txt"), [text("Done.")]])
    ai.session().prompt("go", permission={"*": "allow", "write": "deny"})
    assert not (place / "by-child.txt").exists()


@pytest.mark.parametrize("pattern", ["secret.txt", "lab/secret.txt"])
def test_a_file_pattern_matches_relative_to_directory_and_root(
    server: Server, demo_model: DemoModel, place: Path, pattern: str
) -> None:
    rules = {"write": {pattern: "deny", "*": "allow"}}
    with oc.Opencode(
        base_url=server.url, password=server.password, directory=place / "lab", permission=rules
    ) as in_folder:
        demo_model.queue(writing("secret.txt"), writing("open.txt"))
        in_folder.ask("go")
        in_folder.ask("go")
    assert (place / "lab/secret.txt").read_text() == "kept\n"
    assert (place / "lab/open.txt").exists()
