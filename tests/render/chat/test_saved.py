"""The static form of a conversation: what was said is in it, safely, and its size is limited."""

from __future__ import annotations

import pytest

from opencode_nb.render.chat import saved
from tests.render.turns import tool, turn

SESSION = "ses_1"


def _said(text: str, prompt: str = "Why?") -> saved.Piece:
    return saved.piece(turn({"type": "text", "text": text}, prompt=prompt))


def test_prompts_and_answers_are_in_both_forms_in_order() -> None:
    shell = tool("bash", input={"command": "pytest -q"}, output="2 passed")
    second = saved.piece(turn(shell, {"type": "text", "text": "All pass."}, prompt="Run the tests"))
    forms = saved.conversation("Rain", SESSION, [_said("Because."), second])
    assert set(forms) == {"text/html", "text/plain"}
    for shown in forms.values():
        places = [
            shown.index(words)
            for words in ("Rain", "Rerun this cell", "Why?", "Because.", "Run the tests", "pytest -q")
        ]
        assert places == sorted(places)


def test_nothing_of_a_page_is_in_it() -> None:
    html = saved.conversation("Rain", SESSION, [_said("Because.")])["text/html"]
    assert "<button" not in html
    assert "data-intent" not in html


def test_untrusted_text_stays_text() -> None:
    html = saved.conversation("<b>title</b>", SESSION, [_said("<script>x</script>", "<img src=x>")])["text/html"]
    for tag in ("<b>", "<script", "<img"):
        assert tag not in html


@pytest.mark.parametrize(
    ("earlier", "told"),
    [
        ("1", "1 earlier turn is in the session"),
        ("12", "12 earlier turns are in the session"),
        ("some", "Earlier turns"),
    ],
)
def test_omitted_turns_are_counted_with_the_session_to_open(earlier: str, told: str) -> None:
    for shown in saved.conversation("Rain", SESSION, [_said("Because.")], earlier).values():
        assert told in shown
        assert f"%opencode use {SESSION}" in shown


def test_its_size_is_limited_but_the_last_turn_is_kept() -> None:
    large = _said("word " * 60_000)
    assert not saved.is_full([large])
    count = next(count for count in range(1, 100) if saved.is_full([large] * count))
    forms = saved.conversation("Rain", SESSION, [large] * (count - 1))
    assert sum(map(len, forms.values())) <= saved.SAVED + 1000
