"""What a mistyped name was meant to be."""

from __future__ import annotations

import pytest

from opencode_nb.closest import MOST, closest, did_you_mean

MODELS = ["bar/m", "bar/mini", "foo/gpt-5", "bar/gpt-5", "bar/Large", "router/anthropic/claude-sonnet-4"]
FILES = ["src/temperatures.py", "src/", "README.md", "tests/test_mean.py"]


@pytest.mark.parametrize(
    ("wanted", "known", "best"),
    [
        ("m", MODELS, ["bar/m", "bar/mini"]),
        ("sonnet", MODELS, ["router/anthropic/claude-sonnet-4"]),
        ("src/maen.py", ["src/mean.py", "lib/maen.pyc"], ["src/mean.py"]),
        ("gpt-5", MODELS, ["foo/gpt-5", "bar/gpt-5"]),
        ("bra/m", MODELS, ["bar/m"]),
        ("large", MODELS, ["bar/Large"]),
        ("claude-sonet-4", MODELS, ["router/anthropic/claude-sonnet-4"]),
        ("temperaturs.py", FILES, ["src/temperatures.py"]),
        ("src/temperature.py", FILES, ["src/temperatures.py"]),
        ("readme.md", FILES, ["README.md"]),
        ("scr/", FILES, ["src/"]),
        ("stat", ["start", "stop", "status"], ["status"]),
        ("", MODELS, []),
        ("nothing-like-it", MODELS, []),
    ],
)
def test_the_closest_names_come_first(wanted: str, known: list[str], best: list[str]) -> None:
    assert closest(wanted, known)[: len(best)] == best
    assert bool(closest(wanted, known)) == bool(best)


def test_only_a_few_names_are_suggested() -> None:
    assert len(closest("gpt", [f"foo/gpt-{number}" for number in range(20)])) == MOST


def test_the_question_names_each_in_its_form() -> None:
    assert did_you_mean("modle", ["model", "quiet"], "--{}") == " Did you mean --model?"
    assert did_you_mean("gpt-5", MODELS) == " Did you mean foo/gpt-5 or bar/gpt-5?"
    assert did_you_mean("zzz", MODELS) == ""
