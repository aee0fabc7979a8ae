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


def times(cost: float) -> list[float]:
    """When each message of a view that always changes was sent, in seconds."""
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
    return drawing.drawn


def allowed(sent: list[float], interval: float) -> bool:
    """Whether the messages keep this mean interval, but for the first ones."""
    return sent[-1] - sent[0] > (len(sent) - 1) * interval * 0.95 - live.FLUSH_CREDIT


def shortest_gap(sent: list[float]) -> float:
    return min(after - before for before, after in pairwise(sent))


def test_cheap_updates_are_sent_up_to_twenty_times_a_second() -> None:
    sent = times(cost=0)
    assert allowed(sent, live.FLUSH_INTERVAL)
    assert shortest_gap(sent) < live.FLUSH_SLOWEST * 0.9


@pytest.mark.parametrize("cost", [0.002, 0.02])
def test_expensive_updates_are_slowed_down_within_a_limit(cost: float) -> None:
    sent = times(cost)
    assert allowed(sent, live.FLUSH_SLOWEST)
    assert shortest_gap(sent) < cost * live.FLUSH_REST * 0.9


def test_the_first_updates_after_a_pause_are_sent_immediately() -> None:
    """A first word follows closely on the events that announce it."""
    drawing = Drawing(0.002)

    async def rest_and_change() -> int:
        view.open(drawing)
        rounds = 0
        for count in (1, 2, 3):
            view.changed("words")
            while len(drawing.drawn) < count:
                await asyncio.sleep(0)
                rounds += 1
        await view.close()
        return rounds

    async def ignore(message: object) -> None:
        """No page says anything here."""

    view: LiveView[str] = LiveView(LiveWidget(), ignore)
    assert run(rest_and_change) <= 3 * 2, "rounds of the loop, which waits for nothing"
