"""How often a live view tells its page something: as often as an eye sees, less often where that costs much."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from opencode_nb.portal import run
from opencode_nb.render.markup.escape import NOTHING, Html
from opencode_nb.render.markup.patch_ops import Op
from opencode_nb.widgets import live
from opencode_nb.widgets.live import LiveView, LiveWidget

CHANGES = 15
"""How many messages each test waits for."""
EVERY = 0.005
"""Seconds between two changes, several to a message."""


class Drawing:
    """A picture that takes so many seconds of processor time to draw."""

    def __init__(self, cost: float) -> None:
        self.cost = cost
        self.drawn: list[float] = []

    def snapshot(self) -> Html:
        return NOTHING

    def update(self, dirty: set[str] | None) -> list[Op]:
        if dirty is not None:  # else it is drawn anew, for a page that was not heard yet
            self.drawn.append(time.monotonic())
        end = time.thread_time() + self.cost
        while time.thread_time() < end:
            pass
        return [["text", "words", "more"]]


def gaps(cost: float) -> list[float]:
    """Seconds between the messages of a view that always changes."""
    drawing = Drawing(cost)

    async def keep_changing() -> None:
        view.open(drawing)
        while len(drawing.drawn) < CHANGES:
            view.changed("words")
            await asyncio.sleep(EVERY)
        await view.close()

    async def ignore(message: object) -> None:
        """No page says anything here."""

    view: LiveView[str] = LiveView(LiveWidget(), ignore)
    run(keep_changing)
    return [after - before for before, after in pairwise(drawing.drawn)]


def test_what_costs_little_is_told_twenty_times_a_second() -> None:
    found = gaps(cost=0)
    assert min(found) > live.FLUSH_INTERVAL * 0.9
    assert min(found) < live.FLUSH_SLOWEST * 0.9


@pytest.mark.parametrize("cost", [0.002, 0.02])
def test_what_costs_much_is_told_less_often_but_not_seldom(cost: float) -> None:
    found = gaps(cost)
    assert min(found) > live.FLUSH_SLOWEST * 0.9
    assert min(found) < cost * live.FLUSH_REST * 0.9


def test_the_first_change_after_a_rest_is_told_at_once() -> None:
    drawing = Drawing(0.002)

    async def rest_and_change() -> int:
        view.open(drawing)
        view.changed("words")
        await asyncio.sleep(2 * live.FLUSH_SLOWEST)
        view.changed("words")
        rounds = 0
        while len(drawing.drawn) < 2:
            await asyncio.sleep(0)
            rounds += 1
        await view.close()
        return rounds

    async def ignore(message: object) -> None:
        """No page says anything here."""

    view: LiveView[str] = LiveView(LiveWidget(), ignore)
    assert run(rest_and_change) <= 2, "rounds of the loop, which waits for nothing"
