"""What stops a map, and what its parts do when something fails. No server."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.api.verifying import VERIFYING, VerifyingError, refuse_acts
from opencode_nb.errors import OpencodeError
from opencode_nb.many.items import Item, by_default, read
from opencode_nb.many.sessions import Fresh
from opencode_nb.many.work import ask_all
from opencode_nb.session.turn import Turn
from opencode_nb.session.turns.detached import Detached
from opencode_nb.transcript.state import TurnState


class Closing(Executor):
    """An executor that is shut down, and cancels what it has not begun."""

    def submit(self, *_arguments: Any, **_options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.cancel()
        return future


def test_stopping_sends_nothing_more_even_if_the_server_fails_meanwhile() -> None:
    asked = []

    async def main() -> None:
        begun = asyncio.Event()

        async def ask(item: Item) -> None:
            asked.append(item.index)
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise OpencodeError("The server is gone.") from None

        async def tell(index: int, result: Any) -> None:
            raise AssertionError("It has no result.")

        mapped = asyncio.create_task(ask_all(read(["a", "b"], {}), ask, 1, tell))
        await begun.wait()
        mapped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await mapped

    asyncio.run(main())
    assert asked == [0]


def test_prompts_that_the_executor_cancels_have_an_error_in_their_places() -> None:
    results = oc.map(["a", "b"], ai=oc.Opencode(), executor=Closing(), concurrency=1)
    assert [str(result) for result in results] == ["The executor cancelled the prompt."] * 2


def test_no_prompts_need_no_server(tmp_path: Path) -> None:
    ai = oc.Opencode(binary=tmp_path / "none")
    assert oc.map([], ai=ai) == asyncio.run(oc.amap(iter([]), ai=ai)) == []


def test_a_parent_that_was_not_created_is_created_for_the_next_prompt(tmp_path: Path) -> None:
    ai = oc.AsyncOpencode(binary=tmp_path / "none")

    async def failure(sessions: Fresh) -> Exception:
        with pytest.raises(OpencodeError) as caught:
            await sessions.open(read(["a"], {})[0], ai)
        return caught.value

    async def main() -> None:
        sessions = Fresh(ai, 2)
        assert await failure(sessions) is not await failure(sessions)

    asyncio.run(main())


def test_each_prompt_has_its_own_of_what_is_made_and_all_the_attachments() -> None:
    items = read(["a", ("b", {"images": iter("xy")}), ("c", {"files": ["z"]})], {"files": iter(["f", "g"])})
    assert [item.options["files"] for item in items] == [["f", "g"], ["f", "g"], ["z"]]
    assert items[1].options["images"] == ["x", "y"]
    one, two, three = (item.options["person"] for item in by_default(items, person=object))
    assert len({id(one), id(two), id(three)}) == 3


def test_the_ledger_of_a_turn_opens_no_session() -> None:
    def fail(*_arguments: Any) -> Any:
        raise AssertionError("It opens the session.")

    done: Future[None] = Future()
    done.set_result(None)
    sent = [{"by": "mention", "about": "df", "level": "schema", "tokens": 3, "bytes": 12, "time": 1}]
    turn = Turn(TurnState("msg_1", "ses_1", sent=sent), Detached("ses_1", "1.0.0", fail, fail), done)
    assert [(entry.session, entry.turn) for entry in turn.ledger] == [("ses_1", "msg_1")]


def test_a_map_in_a_notebook_that_is_verified_sends_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VERIFYING, "1")
    asked = []

    async def ask(item: Item) -> None:
        asked.append(item.index)
        refuse_acts()

    async def tell(_index: int, _result: Any) -> None:
        return

    with pytest.raises(VerifyingError, match="is being verified"):
        asyncio.run(ask_all(read(["a", "b"], {}), ask, 1, tell))
    assert asked == [0]
