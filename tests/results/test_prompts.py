"""Prompts with a schema, on the real server; only the model is scripted."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, finish, gate, kernel_tool, reason, text, tool, usage
from opencode_nb.portal import run
from opencode_nb.server import Server
from opencode_nb.tools.names import own_tool
from opencode_nb.transcript.transcript import Change


@dataclasses.dataclass
class Person:
    name: str
    age: int


ADA = {"name": "Ada", "age": 36}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def ai(server: Server, place: Path) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=place, permission="allow") as ai:
        yield ai


def result(**arguments: Any) -> Any:
    return kernel_tool("result", **arguments)


def asked(model: DemoModel, n: int) -> str:
    """Return all that the n-th request says."""
    return json.dumps(model.requests[n - 1]["messages"])


def test_a_call_of_the_result_tool_is_the_turn_s_data_and_its_end(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    demo_model.queue([reason("Hm."), tool("glob", pattern="*"), text("Now I know."), result(**ADA)])
    turn = session.prompt("Who?", schema=Person, system="Be brief.", max_steps=2)
    assert turn.data == Person("Ada", 36)
    assert (turn.status, turn.stop_reason, turn.error) == ("completed", "end_turn", None)
    assert [own_tool(call.tool) or call.tool for call in turn.tools] == ["glob", "result"]
    assert turn.tokens["output"] > 0  # of the last step, too
    assert "Be brief." in asked(demo_model, 1)
    assert turn.text.startswith("Now I know.")
    shown = turn._repr_mimebundle_()[0]
    assert 'Result: {"name": "Ada", "age": 36}' in shown["text/plain"]
    assert "Aborted" not in str(shown)

    later = session.prompt("Hello")  # without a schema: the tool is gone
    assert not [name for name in demo_model.offered() if own_tool(name)]
    with pytest.raises(oc.OpencodeError, match="had no schema="):
        later.data  # noqa: B018
    with oc.Opencode(base_url=ai.client.base_url, password=ai._async.password, directory=ai.directory) as other:
        assert [one.status for one in other.session(id=session.id).turns()] == ["completed", "completed"]


class HeldAborts(httpx.AsyncHTTPTransport):
    """Holds what stops a turn until `late` is set: the server has asked the model once more by then."""

    def __init__(self) -> None:
        super().__init__()
        self.late = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/abort"):
            await self.late.wait()
        return await super().handle_async_request(request)


def test_what_the_model_writes_after_its_result_is_no_part_of_the_answer(
    server: Server, place: Path, demo_model: DemoModel
) -> None:
    """The server may ask the model again before it is told to stop."""
    transport = HeldAborts()
    client = httpx.AsyncClient(transport=transport)
    with oc.Opencode(base_url=server.url, password=server.password, directory=place, http_client=client) as ai:
        for last in ([gate("never")], [usage(4, 50), finish("length")]):
            transport.late.clear()
            session = ai.session()
            late = partial(note_words, session, "Too late", transport.late)
            session.subscribe(late)
            demo_model.queue([text("First."), usage(2, 3), result(**ADA), [reason("Hm"), text("Too late"), *last]])
            updates = list(session.stream("Who?", schema=Person))
            turn = session.turns()[-1]
            assert (turn.text, turn.reasoning) == ("First.", "")
            assert "".join(update.text for update in updates if update.kind in ("text", "reasoning")) == "First."
            assert (turn.status, turn.stop_reason) == ("completed", "end_turn")
            assert "late" not in str(turn._repr_mimebundle_()[0])
        assert turn.tokens["output"] == 53, "what came too late has to be paid for"
    run(client.aclose)


def note_words(session: oc.Session, words: str, seen: asyncio.Event, change: Change) -> None:
    """Set the event once the session's last turn has these words."""
    state = session._async.transcript.turns.get(change.turn)
    if state is not None and words in str(state.parts):
        seen.set()


def test_a_text_answer_counts_and_a_wrong_one_is_corrected_in_the_same_turn(
    ai: oc.Opencode, demo_model: DemoModel
) -> None:
    session = ai.session()
    demo_model.queue(text("It is `good`."), text("good"))
    turn = session.prompt("How?", schema=Literal["good", "bad"])
    assert turn.data == "good"
    assert (turn.status, turn.prompt, len(session.turns())) == ("completed", "How?", 1)
    assert "Input should be 'good' or 'bad'" in asked(demo_model, 2)
    assert turn.text == "It is `good`.\n\ngood"

    demo_model.queue([text("Cut o"), finish("length")], result(value=2.5))
    assert session.prompt("How much?", schema=float).data == 2.5
    with oc.Opencode(base_url=ai.client.base_url, password=ai._async.password, directory=ai.directory) as other:
        assert [one.prompt for one in other.session(id=session.id).turns()] == ["How?", "How much?"]


def test_two_wrong_answers_fail_the_turn_and_are_kept(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    demo_model.queue(text("Ada?"), text("Ada!"))
    with pytest.raises(oc.StructuredOutputError, match="does not match the schema") as by_text:
        session.prompt("Who?", schema=Person)
    assert by_text.value.raw == "Ada!"
    assert by_text.value.turn.status == "error"

    demo_model.queue([result(name="Ada"), result(name="Ada", age="old")])
    with pytest.raises(oc.StructuredOutputError, match="age: Input should be a valid integer") as by_tool:
        session.prompt("Who?", schema=Person)
    assert json.loads(by_tool.value.raw) == {"name": "Ada", "age": "old"}
    turn = by_tool.value.turn
    assert turn.stop_reason == "error"
    assert "Not accepted: age: Field required" in turn.tools[0].output + turn.tools[0].error
    with pytest.raises(oc.StructuredOutputError):
        turn.data  # noqa: B018

    demo_model.queue(tool("bash", command="ls", description="look"))
    with pytest.raises(oc.StructuredOutputError, match="there is no answer"):  # and it is not asked for against a no
        session.prompt("Who?", schema=Person, permission=lambda _request: "reject")

    demo_model.queue(
        [result(name="Ada"), text("or"), result(name="Bob")]
    )  # the next try answers with the prompt's JSON
    asked = f"Who? {json.dumps(ADA)}"
    assert session.prompt(asked, schema=Person, retry=oc.Retry(1, base=0)).data == Person("Ada", 36)


def test_a_second_call_beside_the_first_changes_nothing(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    demo_model.queue([[result(value=[1]), result(value=[2]), tool("bash", command="sleep 1; echo x", description="w")]])
    turn = session.prompt("Which?", schema=list[int])
    assert turn.data == [1]
    assert [call.output.strip() for call in turn.tools if call.tool == "bash"] == ["x"]
    assert turn.status == "completed"


def test_a_stream_yields_the_values_so_far(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    pieces = ['[{"name": "A', 'da", "age": 3', '6}, {"name": "Bob"', ', "age": 7}]']
    demo_model.queue(text(pieces, pace=0.2), result(value=["a"]))
    values = [update.data for update in session.stream("Who?", schema=list[Person]) if update.kind == "data"]
    assert values[-1] == [Person("Ada", 36), Person("Bob", 7)]
    assert [len(value) for value in values[:-1]] == sorted({len(value) for value in values[:-1]})
    assert [one.data for one in session.stream("And?", schema=list[str]) if one.kind == "data"] == [["a"]]


def test_the_same_is_awaited(server: Server, place: Path, demo_model: DemoModel) -> None:
    async def ask() -> tuple[Any, list[Any]]:
        async with oc.AsyncOpencode(base_url=server.url, password=server.password, directory=place) as ai:
            turn = await ai.ask("How many?", schema=int)
            return turn.data, [one.data async for one in ai.stream("Which?", schema=Person) if one.kind == "data"]

    demo_model.queue(text("3"), text("```json\n"), result(**ADA))
    assert asyncio.run(ask()) == (3, [Person("Ada", 36)])


def test_one_prompt_with_a_schema_at_a_time(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    demo_model.queue([text("Wait"), gate("here")])
    turn = session.prompt("Who?", schema=Person, wait=False)
    demo_model.wait_for_gate("here")
    with pytest.raises(oc.OpencodeError, match="wait for its end"):
        turn.data  # noqa: B018
    with pytest.raises(oc.OpencodeError, match="a prompt with a schema runs in this session"):
        session.prompt("And?", schema=int)
    session.abort()
    demo_model.release("here")
    with pytest.raises(oc.AbortedError):
        turn.wait()
    with pytest.raises(oc.AbortedError):
        turn.data  # noqa: B018
    demo_model.queue(result(value=1))
    turn = session.prompt("Which?", schema=int, wait=False, permission={"*": "deny"})
    assert turn.wait().data == 1
    with pytest.raises(ValueError, match="leave out schema="):
        session.prompt("x", schema=int, no_reply=True)
    with pytest.raises(TypeError, match="is not a type"):
        session.prompt("x", schema="int")
    assert len(session.turns()) == 2


def test_a_replayed_turn_has_its_data(ai: oc.Opencode, demo_model: DemoModel, tmp_path: Path) -> None:
    kept, session = tmp_path / "kept.jsonl", ai.session()
    demo_model.queue(text("3"), result(**ADA))
    session.prompt("How many?", schema=int, record=kept)
    session.prompt("Who?", schema=Person, record=kept)
    with oc.replay(kept) as replay:
        assert replay.prompt("Who?", schema=Person).data == Person("Ada", 36)
        turn = replay.prompt("How many?", schema=list[int])
        with pytest.raises(oc.StructuredOutputError) as raised:
            turn.data  # noqa: B018
        assert raised.value.raw == "3"


def test_a_series_and_a_command_give_data(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    items = ['one: {"value": 1}', 'two: {"value": 2}']  # the demo model answers with the prompt's JSON
    assert [turn.data for turn in session.prompts(items, schema=int)] == [1, 2]
    demo_model.queue(result(value=3))
    assert session.command("init", schema=int).data == 3
