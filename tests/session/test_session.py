"""Sessions and turns against the real server; only the model is scripted."""

from __future__ import annotations

import asyncio
import gc
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb import portal
from opencode_nb.api.client import Client
from opencode_nb.demo import DemoModel, gate, reason, text, tool
from opencode_nb.server import Server
from opencode_nb.session import registry
from opencode_nb.session.permissions import agent_code
from opencode_nb.session.permissions.policy import Answer, PermissionRequest
from tests.support.interrupts import interrupt_when_told


@pytest.fixture
def ai(server: Server, workplace: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=workplace) as ai:
        yield ai


def test_a_completed_turn_has_text_tools_diffs_cost_and_decisions(ai: oc.Opencode, project: Path) -> None:
    turn = ai.session().prompt("Edit src/temperatures.py", permission="allow")
    assert turn.status == "completed"
    assert turn.text
    assert turn.error is None
    assert turn.model == "demo/demo"
    assert turn.agent == "build"
    assert turn.tokens["input"] > 0
    assert turn.cost > 0
    assert turn.duration is not None
    assert turn.prompt == "Edit src/temperatures.py"
    assert [(call.tool, call.status) for call in turn.tools] == [("read", "completed"), ("edit", "completed")]
    assert [diff.file for diff in turn.diffs] == ["src/temperatures.py"]
    assert turn.diffs[0].additions > 0
    assert "scripted demo" in (project / "src/temperatures.py").read_text()
    assert turn.state.decisions[0].reply == "once"
    assert turn.state.decisions[0].by == "policy"


def test_a_prompt_that_cannot_be_sent_creates_no_session(ai: oc.Opencode, server: Server, project: Path) -> None:
    kept = ai.session("Somebody's").id

    async def ask() -> None:
        async with oc.AsyncOpencode(base_url=server.url, password=server.password, directory=project) as ai:
            with pytest.raises(FileNotFoundError):
                await ai.ask("go", files=["none.txt"])
            with pytest.raises(oc.OpencodeError, match="no agent"):
                async for _change in ai.stream("go", agent="nobody"):
                    pass

    asyncio.run(ask())
    with pytest.raises(FileNotFoundError):
        ai.ask("go", files=["none.txt"])
    with pytest.raises(oc.OpencodeError, match="no agent"):
        list(ai.stream("go", agent="nobody"))
    assert [info["id"] for info in ai.sessions()] == [kept]


def test_text_joins_the_steps_and_excludes_reasoning(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue([[reason("Hm."), text("First."), tool("glob", pattern="*.py")], [text("Second.")]])
    turn = ai.ask("go")
    assert turn.text == "First.\n\nSecond."
    assert turn.reasoning == "Hm."


def test_undo_and_redo_restore_the_files(ai: oc.Opencode, project: Path) -> None:
    file = project / "src/temperatures.py"
    before = file.read_bytes()
    session = ai.session()
    turn = session.prompt("Edit src/temperatures.py", permission="allow")
    after = file.read_bytes()
    session.revert(turn)
    assert file.read_bytes() == before
    assert session.turns() == []
    session.unrevert()
    assert file.read_bytes() == after
    assert [kept.id for kept in session.turns()] == [turn.id]
    with pytest.raises(oc.OpencodeError):
        session.revert("msg_000000000000AAAAAAAAAAAAAA")


def test_an_undone_turn_keeps_its_text_after_the_next_prompt(ai: oc.Opencode) -> None:
    session = ai.session()
    turn = session.prompt("hello")
    said = turn.text
    session.revert(turn)
    session.prompt("hello again")
    assert turn.text == said != ""
    assert turn.id not in [kept.id for kept in session.turns()]


def test_an_unknown_model_agent_or_file_raises_before_anything_is_sent(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    with pytest.raises(oc.ModelError, match=r"no model demo/none.*demo/demo"):
        session.prompt("hello", model="demo/none")
    with pytest.raises(oc.OpencodeError, match=r"no agent 'nobody'.*build"):
        session.prompt("hello", agent="nobody")
    with pytest.raises(oc.ModelError, match=r"no model gpt here\. Did you mean demo/demo-gpt-5\?"):
        session.prompt("hello", model="gpt")
    with pytest.raises(
        FileNotFoundError, match=r"@src/temperature\.py .*Did you mean @src/temperatures\.py.*Nothing was"
    ):
        session.prompt("see @src/temperature.py", mentions=True)
    with pytest.raises(FileNotFoundError, match="Nothing was sent"):
        session.prompt("hello", files=["no-such-file.txt"])
    assert demo_model.requests == []
    assert session.prompt("hello").status == "completed"


def test_a_provider_error_raises_with_the_turn_so_far(ai: oc.Opencode) -> None:
    with pytest.raises(oc.TurnError) as raised:
        ai.ask("fail with a provider error")
    assert raised.value.turn.status == "error"
    assert raised.value.turn.error is not None


def test_a_time_limit_stops_the_turn_and_keeps_the_text(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    session.prompt("hello")  # the first prompt in a directory takes seconds
    demo_model.queue([[text("partial answer"), gate("time-limit")]])
    with pytest.raises(oc.TurnError, match="time limit") as raised:
        session.prompt("go", timeout=4)
    demo_model.release("time-limit")
    assert (raised.value.turn.status, raised.value.turn.stop_reason) == ("aborted", "timeout")
    assert raised.value.turn.text == "partial answer"
    assert not session.busy


def test_an_interrupt_aborts_the_turn_and_leaves_the_session_usable(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue([[text("partial answer"), gate("interrupt")]])
    session = ai.session()
    interrupt_when_told(session, "delta")
    with pytest.raises(KeyboardInterrupt):
        session.prompt("go")
    turn = session.turns()[-1]
    assert (turn.status, turn.stop_reason) == ("aborted", "aborted")
    assert turn.text == "partial answer"
    assert ai.client.session.status().get(session.id, {"type": "idle"})["type"] == "idle"
    assert session.prompt("hello").status == "completed"


def test_an_interrupt_while_sending_a_prompt_aborts_the_turn(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue([[text("must not go on"), gate("sending")]])
    session = ai.session()
    interrupt_when_told(session, "turn")  # it is about to go
    with pytest.raises(KeyboardInterrupt):
        session.prompt("go")
    assert session.turns()[-1].status == "aborted"
    assert_rests(ai, session)
    demo_model.reset()
    assert session.prompt("hello").status == "completed"


def assert_rests(ai: oc.Opencode, session: oc.Session) -> None:
    time.sleep(3)  # as long as a turn may take to begin
    assert session.id not in ai.client.session.status()


@pytest.mark.parametrize("policy", ["deny", {"edit": "deny"}, {"edit": {"*": "allow", "*.py": "deny"}}])
def test_an_edit_denied_by_policy_leaves_the_file_unchanged(ai: oc.Opencode, project: Path, policy: Any) -> None:
    before = (project / "src/temperatures.py").read_bytes()
    turn = ai.session().prompt("Edit src/temperatures.py", permission=policy)
    assert (project / "src/temperatures.py").read_bytes() == before
    assert [(d.reply, d.by) for d in turn.state.decisions] == [("reject", "policy")]
    assert turn.status == "completed"


def test_deny_on_a_prompt_overrides_allow_on_the_client(server: Server, project: Path, demo_model: DemoModel) -> None:
    before = (project / "src/temperatures.py").read_bytes()
    with oc.Opencode(base_url=server.url, password=server.password, directory=project, permission="allow") as ai:
        turn = ai.session().prompt("Edit src/temperatures.py", permission="deny")
    assert (project / "src/temperatures.py").read_bytes() == before
    assert turn.state.decisions[0].reply == "reject"


@pytest.mark.parametrize(
    ("policy", "made"), [("ask", False), ("deny", False), ({"bash": "allow"}, True), ("allow", True)]
)
def test_a_subagent_runs_only_what_the_policy_allows(
    server: Server, project: Path, demo_model: DemoModel, policy: Any, made: bool
) -> None:
    task = tool("task", description="Look", prompt="Look.", subagent_type="general")
    demo_model.queue([[task], [tool("bash", command="touch by-child", description="Make it")]])
    demo_model.queue([[text("Child.")], [text("Done.")]])
    with oc.Opencode(base_url=server.url, password=server.password, directory=project, permission=policy) as ai:
        assert ai.session().prompt("go").text == "Done."
    assert (project / "by-child").exists() is made


def test_a_permission_request_is_denied_when_nobody_can_answer(ai: oc.Opencode, project: Path) -> None:
    before = (project / "src/temperatures.py").read_bytes()
    turn = ai.session().prompt("Edit src/temperatures.py")
    assert (project / "src/temperatures.py").read_bytes() == before
    assert "Nobody" in turn.state.decisions[0].message


def test_a_permission_callable_decides_each_request(ai: oc.Opencode) -> None:
    seen: list[PermissionRequest] = []

    def decide(request: PermissionRequest) -> str:
        seen.append(request)
        return "once"

    turn = ai.session().prompt("Edit src/temperatures.py", permission=decide)
    assert turn.diffs
    assert seen[0].permission == "edit"
    assert seen[0].patterns == ("src/temperatures.py",)
    assert seen[0].metadata["diff"]

    def broken(request: PermissionRequest) -> str:
        raise RuntimeError("oops")

    turn = ai.session().prompt("Edit src/temperatures.py", permission=broken)
    assert turn.state.decisions[0].reply == "reject"
    assert "oops" in turn.state.decisions[0].message


class _Someone:
    """A person who says yes, and picks the first option."""

    async def permission(self, request: dict[str, Any]) -> Answer:
        return Answer("once")

    async def question(self, request: dict[str, Any]) -> list[list[str]]:
        return [[question["options"][0]["label"]] for question in request["questions"]]


def test_a_person_answers_permissions_and_questions(ai: oc.Opencode) -> None:
    turn = ai.session().prompt("Edit src/temperatures.py", person=_Someone())
    assert turn.diffs
    assert turn.state.decisions[0].by == "you"
    turn = ai.session().prompt("ask a question", person=_Someone())
    assert turn.state.decisions[0].reply == "answered"
    assert [call.status for call in turn.tools if call.tool == "question"] == ["completed"]


def test_a_request_is_denied_when_the_person_raises(ai: oc.Opencode, project: Path) -> None:
    before = (project / "src/temperatures.py").read_bytes()

    class Broken:
        async def permission(self, request: dict[str, Any]) -> Answer:
            raise RuntimeError("oops")

        async def question(self, request: dict[str, Any]) -> list[list[str]]:
            raise RuntimeError("oops")

    for prompt in ("Edit src/temperatures.py", "ask a question"):
        turn = ai.session().prompt(prompt, person=Broken(), wait=False).wait(60)
        assert [(d.reply, d.by) for d in turn.state.decisions] == [("reject", "policy")]
        assert "RuntimeError: oops" in turn.state.decisions[0].message
    assert (project / "src/temperatures.py").read_bytes() == before


def test_an_answer_from_another_client_is_accepted(ai: oc.Opencode, client: Client) -> None:
    session = ai.session()

    class Waits:
        async def permission(self, request: dict[str, Any]) -> Answer | None:
            await asyncio.to_thread(client.permission.reply, request["id"], reply="once")
            await asyncio.Event().wait()
            return None

        async def question(self, request: dict[str, Any]) -> None:
            return None

    turn = session.prompt("Edit src/temperatures.py", person=Waits())
    assert turn.diffs
    assert turn.state.decisions[0].by == "another client"


def test_abort_clears_pending_permission_requests(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue([[tool("bash", command="echo hi", description="Say hi")]])
    session = ai.session()
    asked = threading.Event()

    class Silent:
        async def permission(self, request: dict[str, Any]) -> None:
            asked.set()
            await asyncio.Event().wait()

        async def question(self, request: dict[str, Any]) -> None:
            return None

    turn = session.prompt("go", person=Silent(), wait=False)
    assert asked.wait(60)
    session.abort()
    with pytest.raises(oc.AbortedError):
        turn.wait(10)
    assert [request for request in ai.client.permission.list() if request["sessionID"] == session.id] == []


def test_stream_yields_the_text_in_order_to_a_reader_that_comes_late(ai: oc.Opencode, demo_model: DemoModel) -> None:
    words = [f"word{n} " for n in range(50)]
    demo_model.queue([[text(words)]])
    session = ai.session()
    stream = session.stream("go")
    got = [next(stream)]
    session.turns()[-1].wait(60)
    got += stream
    assert "".join(update.text for update in got if update.kind == "text") == "".join(words)
    assert got[-1].kind == "turn_complete"
    assert session.turns()[-1].text == "".join(words)


def test_ask_stream_yields_the_answer_alone(ai: oc.Opencode, demo_model: DemoModel) -> None:
    actions = [[reason("Hm."), text("First. "), tool("bash", command="true")], [text(["And ", "then."])]]
    demo_model.queue(actions)
    chunks = list(ai.ask_stream("go", permission="allow"))
    assert "".join(chunks) == "First. \n\nAnd then."
    assert len(chunks) > 1


def test_listeners_get_the_updates_they_are_for(
    ai: oc.Opencode, demo_model: DemoModel, caplog: pytest.LogCaptureFixture
) -> None:
    session = ai.session()
    kinds = ("text", "reasoning", "tool", "todos", "permission", "question", "usage", "title", "mode", "turn_complete")
    got: dict[str, list[Any]] = {kind: [] for kind in kinds}
    stop = session.subscribe(
        on_text=lambda _text: 1 / 0,  # is logged, and keeps nothing from the others
        **{f"on_{kind}": values.append for kind, values in got.items() if kind != "text"},
    )
    todo = tool("todowrite", todos=[{"content": "Look", "status": "pending", "priority": "high", "id": "1"}])
    demo_model.queue([[reason("Hm."), todo, tool("bash", command="true")], [text("Done.")]])
    turn = session.prompt("go", permission={"bash": "allow"})
    session.rename("Another")
    stop()
    demo_model.queue([text("Not heard.")])
    session.prompt("again")
    assert "".join(got["reasoning"]) == "Hm."
    done = [(call.tool, call.kind) for call in got["tool"] if call.status == "completed"]
    assert done == [("todowrite", "think"), ("bash", "execute")]
    assert got["todos"][-1][0]["content"] == "Look"
    assert [set(usage) for usage in got["usage"]] == [{"cost", "tokens"}] * 2
    assert got["title"][-1] == "Another"
    assert got["mode"] == ["build"]
    assert [ended.id for ended in got["turn_complete"]] == [turn.id]
    assert "on_text of session" in caplog.text
    with pytest.raises(TypeError, match="Unknown listener 'on_txt'"):
        session.subscribe(on_txt=print)
    with pytest.raises(TypeError, match="on_text must be a function, not str"):
        session.subscribe(on_text="print")


def test_a_function_that_subscribed_twice_is_called_until_both_have_ended(ai: oc.Opencode) -> None:
    session, kinds = ai.session(), list[str]()

    def note(change: Any) -> None:
        kinds.append(change.kind)

    first, second = session.subscribe(note), session.subscribe(note)
    first()
    first()  # ends it once
    session.prompt("Say exactly: heard")
    assert kinds.count("ended") == 1
    second()
    session.prompt("Say exactly: not heard")
    assert kinds.count("ended") == 1


def test_another_client_reopens_a_session_with_its_turns(ai: oc.Opencode, server: Server, project: Path) -> None:
    session = ai.session("A title of its own")
    said = session.prompt("hello").text
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as other:
        again = other.session(id=session.id)
        assert again.title == "A title of its own"
        assert [turn.text for turn in again.turns()] == [said]
        assert again.turns()[0].done
        assert again.id in [info["id"] for info in other.sessions()]
        fork = again.fork()
        assert fork.id != again.id
        assert [turn.text for turn in fork.turns()] == [said]
        fork.delete()
        with pytest.raises(oc.NotFoundError):
            other.session(id=fork.id)


def test_a_reopened_session_keeps_its_subagent_turns(ai: oc.Opencode, server: Server, project: Path) -> None:
    session = ai.session()
    session.prompt("Delegate this to a subagent", permission="allow")
    said = [turn.text for turn in session.turns()]
    children = {key: len(turns) for key, turns in session.turns()[0].state.children.items()}
    assert children
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as other:
        again = other.session(id=session.id)
        assert [turn.text for turn in again.turns()] == said
        assert {key: len(turns) for key, turns in again.turns()[0].state.children.items()} == children


def test_two_clients_follow_one_turn(ai: oc.Opencode, server: Server, project: Path, demo_model: DemoModel) -> None:
    session = ai.session()
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as other:
        watcher = other.session(id=session.id)
        ended = threading.Event()
        watcher.subscribe(lambda change: ended.set() if change.kind == "ended" else None)
        turn = session.prompt("hello")
        assert ended.wait(30)
        assert watcher.turns()[-1].text == turn.text


def test_sessions_run_turns_concurrently(ai: oc.Opencode, demo_model: DemoModel) -> None:
    turns = [ai.session().prompt(f"what did I send you? Number {n}.", wait=False) for n in range(4)]
    for n, turn in enumerate(turns):
        assert f"Number {n}." in turn.wait(60).text


def test_the_async_client_asks_streams_and_prompts(server: Server, project: Path, demo_model: DemoModel) -> None:
    async def main() -> tuple[str, list[str]]:
        async with oc.AsyncOpencode(base_url=server.url, password=server.password, directory=project) as ai:
            turn = await ai.ask("hello")
            demo_model.queue([[text("as it "), gate("first-heard"), text("comes")]])
            deltas = []
            async for update in ai.stream("speak"):
                if update.kind == "text":
                    deltas.append(update.text)
                    demo_model.release("first-heard")
            later = await (await ai.session()).prompt("hello", wait=False)
            assert (await later).status == "completed"
            return turn.text, deltas

    said, deltas = asyncio.run(main())
    assert "scripted demo" in said
    assert deltas == ["as it ", "comes"]


def png(pixels: bytes = b"\x00\xff\x00\x00") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def test_an_unreadable_image_fails_the_turn(ai: oc.Opencode) -> None:
    session = ai.session()
    with pytest.raises(oc.TurnError, match="could not be decoded") as raised:
        session.prompt("look", images=[png()[:60]])
    assert "at catch" not in str(raised.value)
    assert session.prompt("hello").status == "completed"


def test_the_password_is_masked_in_tool_output(ai: oc.Opencode, demo_model: DemoModel, server: Server) -> None:
    demo_model.queue([[tool("bash", command="env", description="Show the environment")], [text("Done.")]])
    session = ai.session()
    turn = session.prompt("go", permission="allow")
    assert "OPENCODE_SERVER_PASSWORD=••••••••" in turn.tools[0].output
    assert server.password not in str(turn.messages)


def test_files_and_images_are_sent_with_the_prompt(ai: oc.Opencode, demo_model: DemoModel, project: Path) -> None:
    demo_model.queue([[text("Seen.")]])
    ai.ask("look", files=["data/measured.csv", "src/temperatures.py:1-2"], images=[png()])
    sent = str(demo_model.requests[-1]["messages"])
    assert "tuesday,19.0" in sent
    assert "data:image/png;base64," in sent
    assert "def to_fahrenheit" not in sent


def test_cancelling_one_waiter_does_not_cancel_the_others(server: Server, project: Path, demo_model: DemoModel) -> None:
    demo_model.queue([[text("partial answer"), gate("patience")]])

    async def main() -> None:
        async with oc.AsyncOpencode(base_url=server.url, password=server.password, directory=project) as ai:
            turn = await (await ai.session()).prompt("go", wait=False)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(turn, 0.1)
            assert not turn.done
            demo_model.release("patience")
            assert (await turn).status == "completed"

    asyncio.run(main())


def test_a_closed_client_leaks_no_objects(server: Server, project: Path) -> None:
    def use_one() -> None:
        with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
            session = ai.session()
            turn = session.prompt("Say exactly: hello")
            turn._repr_mimebundle_()
            assert not turn.diff().files
            assert not session.diff().files
            list(session.stream("Say exactly: streamed"))

    def ours() -> Counter[str]:
        gc.collect()
        kinds = (type(one) for one in gc.get_objects())
        return Counter(kind.__name__ for kind in kinds if str(kind.__module__).startswith("opencode_nb."))

    use_one()
    first = ours()  # what is made once stays
    use_one()
    deadline = time.monotonic() + 20  # the loop's thread lets go of the last connection when it next runs
    while (left := ours() - first) and time.monotonic() < deadline:
        time.sleep(0.05)  # nothing tells when an object is freed
    assert left == Counter()


def test_unreferenced_sessions_are_dropped_and_can_be_reopened(ai: oc.Opencode, demo_model: DemoModel) -> None:
    kept = ai.session()
    first = kept.prompt("Say exactly: first").text
    running = ai.session()
    demo_model.queue([[text("Slow."), gate("held")]])
    spoke = threading.Event()
    running.subscribe(lambda change: spoke.set() if change.kind == "delta" else None)
    running_id, turn = running.id, running.prompt("go", wait=False)
    assert spoke.wait(60)
    dropped = [ai.session(f"Dropped {n}").id for n in range(registry.RECENT + 8)]
    del running, turn
    gc.collect()
    followed = ai._async.feed.transcripts
    portal.run(asyncio.sleep, 0)  # what was collected is told to the loop before
    assert len(followed) <= registry.RECENT + 2  # the recent ones, the one that is held, the one that runs
    assert {kept.id, running_id} <= set(followed)
    assert dropped[0] not in followed
    assert ai.session(id=dropped[0]).title == "Dropped 0"
    demo_model.release("held")
    assert ai.session(id=running_id).turns()[-1].wait(60).text == "Slow."
    assert kept.turns()[0].text == first


def test_code_of_the_agent_cannot_prompt_its_own_session(ai: oc.Opencode, demo_model: DemoModel) -> None:
    """Its turn waits for the code: at once, and without a prompt sent, instead of a deadlock."""
    own, other = ai.session(), ai.session()
    with agent_code.running(own.id):
        with pytest.raises(oc.OpencodeError, match="cannot prompt the agent's own session"):
            own.prompt("go on")
        assert other.prompt("Say hello").status == "completed"
    assert own.turns() == []
