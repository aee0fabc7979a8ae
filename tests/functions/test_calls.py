"""Functions that the agent of a script calls, on the real server; only the model is scripted."""

from __future__ import annotations

import asyncio
import builtins
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from PIL import Image
from pydantic import AfterValidator

import opencode_nb as oc
from opencode_nb.demo import DemoModel, kernel_tool, text
from opencode_nb.server import Server
from opencode_nb.session.permissions.policy import Answer
from opencode_nb.tools.names import own_tool
from opencode_nb.tools.privacy import PRIVACY
from opencode_nb.tools.tool import Json
from tests.conftest import make_project

SECONDS = 60.0
MARK = "Zq7marked"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project for all: the first prompt in a directory takes seconds."""
    return make_project(tmp_path_factory.mktemp("functions") / "project")


@pytest.fixture(scope="module")
def ai(server: Server, place: Path) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=place) as ai:
        yield ai


def offered(demo_model: DemoModel, request: int) -> list[str]:
    return sorted(filter(None, map(own_tool, demo_model.offered(request))))


def shown(turn: oc.Turn, call: int = 0) -> list[Json]:
    """Return the blocks on the card of a call."""
    ids = [part["callID"] for part in turn.state.parts if part["type"] == "tool"]
    return turn.state.shown.get(ids[call], [])


def ask(ai: oc.Opencode, demo_model: DemoModel, *calls: tuple[str, Json], **options: Any) -> oc.Turn:
    """Have the agent of a new session call functions, one after another, then answer."""
    demo_model.queue([*(kernel_tool(name, **arguments) for name, arguments in calls), text("Done.")])
    return ai.session().prompt("go", **options)


def test_a_script_s_functions_are_called_with_what_they_take(ai: oc.Opencode, demo_model: DemoModel) -> None:
    called: list[Any] = []

    @oc.tool
    def label(word: str, count: int = 2, *, session: oc.Session) -> dict[str, int]:
        """Label a word.

        Args:
            word: The word to label.
        """
        called.append((threading.current_thread(), session.id, session.owner))
        session.progress(1, 2, "half")
        return {word: count}

    @oc.tool(read_only=True)
    async def picture(side: int) -> Image.Image:
        called.append(threading.current_thread())
        await asyncio.sleep(0)
        return Image.new("RGB", (side, side))

    calls = (("label", {"word": "a"}), ("label", {"word": 1, "count": "x"}), ("picture", {"side": 9}))
    turn = ask(ai, demo_model, *calls, permission={"label": "allow"})
    assert offered(demo_model, 1) == ["label", "picture"]
    labelled, wrong, drawn = turn.tools
    assert [labelled.status, wrong.status, drawn.status] == ["completed", "error", "completed"]
    assert labelled.output == '{"a": 2}'
    assert "`word`: Input should be a valid string" in (wrong.error or "")
    assert "`count`" in (wrong.error or "")
    assert "9 x 9 pixels" in drawn.output
    assert [block["kind"] for block in shown(turn, 2)] == ["image"]
    assert shown(turn) == []
    assert called[0] == (threading.main_thread(), turn.session.id, ai)
    assert called[1].name == "opencode_nb async functions"
    described = next(one for one in demo_model.requests[0]["tools"] if "_label" in str(one))
    assert "Label a word." in str(described)
    assert "The word to label." in str(described)


def test_a_function_that_raises_is_an_answer_and_its_traceback_stays_here(
    ai: oc.Opencode, demo_model: DemoModel
) -> None:
    @oc.tool(read_only=True)
    def divide(by: int) -> float:
        return 1 / by

    @oc.tool(read_only=True)
    def leave() -> None:
        raise SystemExit(3)

    turn = ask(ai, demo_model, ("divide", {"by": 0}), ("leave", {}))
    assert [call.error for call in turn.tools] == [
        "divide failed: ZeroDivisionError: division by zero",
        "leave failed: SystemExit: 3",
    ]
    [block] = shown(turn)
    assert "in divide" in block["text"]
    assert "opencode_nb" not in block["text"]


def test_the_rules_and_the_modes_say_whether_a_function_asks(ai: oc.Opencode, demo_model: DemoModel) -> None:
    @oc.tool(destructive=True)
    def drop(name: str) -> str:
        return f"dropped {name}"

    @oc.tool(read_only=True)
    def look() -> str:
        return "seen"

    session = ai.session()
    for policy in ("deny", {"drop": "deny"}, {"look": "deny"}, {"*": "deny"}):
        session.prompt("hello", permission=policy)
    assert [offered(demo_model, n) for n in (1, 2, 3, 4)] == [["look"], ["look"], ["drop"], []]
    demo_model.queue([kernel_tool("drop", name="a")])  # a rejected call ends the turn
    nobody = session.prompt("go")
    assert [made.reply for made in nobody.state.decisions] == ["reject"]
    demo_model.queue([kernel_tool("drop", name="a"), text("Done.")])
    turn = session.prompt("go", person=Someone(permission=Answer("once")))
    assert turn.tools[0].output == "dropped a"
    rules = {rule.tool: rule.action for rule in ai.tool_rules()}
    assert (rules["drop"], rules["look"]) == ("ask", "allow")
    with pytest.raises(oc.OpencodeError, match=r"there is a rule for 'dropp', but no such tool.* Did you mean 'drop'"):
        session.prompt("hello", permission={"dropp": "allow"})


class Someone:
    """A person who answers, and keeps the questions."""

    def __init__(self, *answers: Any, permission: Answer | None = None) -> None:
        self.answers, self.asked, self._permission = list(answers), list[Json](), permission

    async def permission(self, _request: Json) -> Answer | None:
        return self._permission

    async def question(self, request: Json) -> Any:
        self.asked.append(request)
        return self.answers.pop(0)


@oc.FunctionTool
def ask_all() -> list[Any]:
    """Ask each kind of question."""
    return [oc.confirm("Sure?"), oc.choose("Which?", ["a", "b"]), oc.input("Name?")]


@oc.FunctionTool
async def await_all() -> list[Any]:
    """Ask each kind of question, and forget to await one."""
    with pytest.raises(TypeError, match=r"await oc\.confirm"):
        assert oc.confirm("Sure?")
    return [await oc.confirm("Sure?"), await oc.choose("Which?", ["a", "b"]), await oc.input("Name?")]


@pytest.mark.parametrize("function", [ask_all, await_all])
def test_a_function_asks_the_user(ai: oc.Opencode, demo_model: DemoModel, function: oc.FunctionTool) -> None:
    ai.tools.add(function)
    try:
        person = Someone([["Yes"]], [["b"]], [["Ada"]])
        turn = ask(ai, demo_model, (function.name, {}), permission="allow", person=person)
    finally:
        ai.tools.remove(function.name)
    assert turn.tools[0].output == '[true, "b", "Ada"]'
    assert [request["questions"][0]["question"] for request in person.asked] == ["Sure?", "Which?", "Name?"]
    assert {request["function"] for request in person.asked} == {function.name}
    assert [(made.reply, made.message) for made in turn.state.decisions if "questions" in made.request] == [
        ("answered", "Yes"),
        ("answered", "b"),
        ("answered", "Ada"),
    ]


def test_a_function_asks_in_the_terminal(
    ai: oc.Opencode, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the thread that runs the function, which waits for the answer."""
    prompts, replies = list[str](), iter(["y", "3", "b", "Ada"])
    monkeypatch.setattr(builtins, "input", lambda prompt: prompts.append(prompt) or next(replies))
    ai.tools.add(ask_all)
    try:
        turn = ask(ai, demo_model, ("ask_all", {}), permission="allow")
    finally:
        ai.tools.remove("ask_all")
    assert turn.tools[0].output == '[true, "b", "Ada"]'
    assert "The function ask_all asks:" in capsys.readouterr().out
    assert [prompt.split(" (")[0] for prompt in prompts] == [*["Choose a number"] * 3, "Answer"]


@pytest.mark.parametrize(
    ("person", "told"),
    [
        (None, "Nobody is available to answer"),
        (Someone("reject"), "The user dismissed the question"),
        (Someone([["Maybe"]]), "'Maybe' is none of the options: Yes, No"),
    ],
)
def test_a_question_without_an_answer_is_an_error_in_the_function(
    ai: oc.Opencode, demo_model: DemoModel, person: Any, told: str
) -> None:
    @oc.tool(read_only=True)
    def ask_one() -> bool:
        return bool(oc.confirm("Sure?"))

    turn = ask(ai, demo_model, ("ask_one", {}), person=person)
    assert told in (turn.tools[0].error or "")


def test_on_question_answers_what_functions_ask(server: Server, place: Path, demo_model: DemoModel) -> None:
    asked = []

    def answer(request: Any) -> str:
        asked.append((request.questions[0].question, request.questions[0].options))
        return "no"

    def ask_one() -> bool:
        return bool(oc.confirm("Sure?"))

    options = {"base_url": server.url, "password": server.password, "directory": place}
    with oc.Opencode(**options, on_question=answer, permission="allow", tools=[ask_one]) as ai:
        turn = ask(ai, demo_model, ("ask_one", {}))
    assert turn.tools[0].output == "false"
    assert asked == [("Sure?", ("Yes", "No"))]


def test_a_function_cannot_prompt_the_session_that_called_it(ai: oc.Opencode, demo_model: DemoModel) -> None:
    @oc.tool(read_only=True)
    def recurse(session: oc.Session) -> str:
        return session.prompt("again").text

    @oc.tool(read_only=True)
    async def recurse_beside(session: oc.Session) -> str:
        return await asyncio.to_thread(lambda: session.prompt("again").text)

    turn = ask(ai, demo_model, ("recurse", {}), ("recurse_beside", {}))
    assert ["cannot prompt the agent's own session" in (call.error or "") for call in turn.tools] == [True, True]


def hang(begun: threading.Event, ended: threading.Event) -> None:
    begun.set()
    try:
        while True:
            time.sleep(0.01)  # what hangs
    finally:
        ended.set()


async def hang_async(begun: threading.Event, ended: threading.Event) -> None:
    begun.set()
    try:
        await asyncio.Event().wait()
    finally:
        ended.set()


@pytest.mark.parametrize("way", ["on the main thread", "on a worker", "async"])
def test_a_function_that_hangs_ends_with_its_turn(ai: oc.Opencode, demo_model: DemoModel, way: str) -> None:
    begun, ended = threading.Event(), threading.Event()

    @oc.tool(name="hang", read_only=True)
    def sync() -> None:
        hang(begun, ended)

    async def awaited() -> None:
        await hang_async(begun, ended)

    if way == "async":
        oc.tool(awaited, name="hang", read_only=True)
    demo_model.queue([kernel_tool("hang")])
    session = ai.session()
    if way == "on a worker":
        turn = session.prompt("go", wait=False)
        assert begun.wait(SECONDS)
        session.abort()
        assert turn.status == "aborted"
    else:
        stopping = threading.Thread(target=lambda: begun.wait(SECONDS) and session.abort())
        stopping.start()
        with pytest.raises(oc.AbortedError):
            session.prompt("go")
        stopping.join()
    assert ended.wait(SECONDS)


def test_a_gigabyte_is_cut(ai: oc.Opencode, demo_model: DemoModel) -> None:
    @oc.tool(read_only=True)
    def much() -> list[str]:
        return ["x" * 1_000] * 1_000_000

    turn = ask(ai, demo_model, ("much", {}))
    assert turn.tools[0].status == "completed"
    assert len(turn.tools[0].output) < 70_000


def test_a_function_that_is_defined_again_replaces_the_tool(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()

    def say(what: str) -> oc.FunctionTool:
        def speak() -> str:
            return what

        speak.__doc__ = f"Say {what}."
        return oc.tool(speak, read_only=True)  # type: ignore[no-any-return]

    for what in ("one", "two"):
        say(what)
        demo_model.queue([kernel_tool("speak"), text("Done.")])
        turn = session.prompt("go")
        assert turn.tools[0].output == what
        assert f"Say {what}." in str(demo_model.requests[-1]["tools"])
    ai.tools.remove("speak")
    session.prompt("hello")
    assert offered(demo_model, len(demo_model.requests)) == []


def test_progress_stands_on_the_card_while_a_function_runs(ai: oc.Opencode, demo_model: DemoModel) -> None:
    seen = threading.Event()

    @oc.tool(read_only=True)
    def work(session: oc.Session) -> str:
        session.progress(1, 2, "half")
        return "seen" if seen.wait(SECONDS) else "not seen"

    def look(change: Any) -> None:
        if change.kind == "part":
            blocks = session.turns()[-1].state.shown.values()
            if [{"kind": "progress", "text": "1 of 2: half"}] in list(blocks):
                seen.set()

    session = ai.session()
    session.subscribe(look)
    demo_model.queue([kernel_tool("work"), text("Done.")])
    turn = session.prompt("go")
    assert turn.tools[0].output == "seen"
    assert shown(turn) == []
    with pytest.raises(oc.OpencodeError, match=r"session\.progress works inside a tool"):
        session.progress(1)


def test_an_async_client_s_functions_run_on_its_loop(server: Server, place: Path, demo_model: DemoModel) -> None:
    async def main() -> oc.Turn:
        home = asyncio.get_running_loop()

        async def here(session: oc.AsyncSession) -> list[Any]:
            return [asyncio.get_running_loop() is home, session.id]

        def beside() -> bool:
            return threading.current_thread() is threading.main_thread()

        async def recurse(session: oc.AsyncSession) -> str:
            return (await session.prompt("again")).text

        def blocking(session: oc.Session) -> None: ...

        options = {"base_url": server.url, "password": server.password, "directory": place, "permission": "allow"}
        async with oc.AsyncOpencode(**options, tools=[here, beside, recurse, blocking]) as ai:
            names = ("here", "beside", "recurse", "blocking")
            demo_model.queue([*map(kernel_tool, names), text("Done.")])
            return await ai.ask("go")

    turn = asyncio.run(main())
    here, beside, recurse, blocking = turn.tools
    assert here.output == f'[true, "{turn.session.id}"]'
    assert beside.output == "false"
    assert "cannot prompt the agent's own session" in (recurse.error or "")
    assert "annotate the parameter as oc.AsyncSession" in (blocking.error or "")


def test_what_functions_tell_keeps_the_level_of_the_environment(
    ai: oc.Opencode, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a kernel's settings: for prompts that a script sends."""

    @oc.tool(read_only=True)
    def look() -> str:
        return MARK

    def short(value: str) -> str:
        raise ValueError(f"{MARK} is too long")

    session = ai.session()
    monkeypatch.setenv(PRIVACY, "schema")
    demo_model.queue([kernel_tool("look"), text("Done.")], text("wrong"), text("wrong"))
    looked = session.prompt("go").tools[0].output
    assert "Withheld: the user's privacy level is schema" in looked
    with pytest.raises(oc.StructuredOutputError, match=MARK):  # here it is told
        session.prompt("go", schema=Annotated[str, AfterValidator(short)])
    assert MARK not in str(demo_model.requests)
    monkeypatch.setenv(PRIVACY, "none")
    session.prompt("Say hello.")
    assert offered(demo_model, len(demo_model.requests)) == []
    monkeypatch.setenv(PRIVACY, "everything")
    with pytest.raises(ValueError, match="'everything' is not a privacy level"):
        session.prompt("Say hello.")
    monkeypatch.delenv(PRIVACY)
    demo_model.queue([kernel_tool("look"), text("Done.")])
    assert session.prompt("go").tools[0].output == MARK
