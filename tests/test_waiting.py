"""No test's passing rests on how fast the machine is: what is found in the sources of the tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parent


WHOLE_VIEWS = {"page", "panel", "root", "tab", "view"}
"""Names of what holds several places for words: an answer, a notice, what a screen reader is told."""


class Call(NamedTuple):
    """A call of a method: where, which, what on (its last name), and the source line."""

    place: str
    method: str
    target: str
    line: str


def called_on(method: ast.Attribute) -> str:
    """The last name of what a method is called on: `root` in `view.root.get_by_text`."""
    target = method.value
    return target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""


def calls_in(path: Path) -> Iterator[Call]:
    source = path.read_text("utf-8")
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            number = node.end_lineno or node.lineno
            place = f"{path.relative_to(TESTS).as_posix()}:{number}"
            yield Call(place, node.func.attr, called_on(node.func), lines[number - 1])


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    """Every call of a method in the tests."""
    return [call for path in sorted(TESTS.rglob("*.py")) for call in calls_in(path)]


def test_words_are_looked_for_in_their_place(calls: list[Call]) -> None:
    """In a whole view they may stand twice, in the order of events of one machine and not of another."""
    vague = [call.place for call in calls if call.method == "get_by_text" and call.target in WHOLE_VIEWS]
    assert vague == [], "look in the log, a card, a line that tells it: log.get_by_text(...)"


def test_a_clock_that_is_replaced_is_stopped(calls: list[Call]) -> None:
    """One that runs on has run further on a slow machine."""
    clocks = [call for call in calls if call.target == "clock"]
    replaced = [call.place.partition(":")[0] for call in clocks if call.method == "install"]
    stopped = [call.place.partition(":")[0] for call in clocks if call.method == "pause_at"]
    assert replaced == stopped, "use Widget.stop_clock"


def test_time_that_is_let_pass_has_a_reason(calls: list[Call]) -> None:
    """Tests wait for events. Where nothing tells that something does not happen, the line says how long is enough."""
    sleeps = {("sleep", "time"), ("wait_for_timeout", "page")}
    silent = [call.place for call in calls if (call.method, call.target) in sleeps and "#" not in call.line]
    assert silent == [], "wait for an event, or say in the line why this long"
