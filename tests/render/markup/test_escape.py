"""Invisible characters in a text are marked wherever someone decides by it."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from opencode_nb.render.markup.escape import reveal, reveal_line, reveal_words

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
HEART = "\u2764\ufe0f"


@pytest.mark.parametrize(
    ("hidden", "mark"),
    [
        ("\x1b", "\u241b"),
        ("\r", "\u240d"),
        ("\x7f", "\u2421"),
        ("\x9b", "\\u009b"),
        ("\xa0", "\\u00a0"),
        ("\xad", "\\u00ad"),
        ("\u034f", "\\u034f"),
        ("\u061c", "\\u061c"),
        ("\u115f", "\\u115f"),
        ("\u180e", "\\u180e"),
        ("\u200b", "\\u200b"),
        ("\u200d", "\\u200d"),
        ("\u200e", "\\u200e"),
        ("\u200f", "\\u200f"),
        ("\u2028", "\\u2028"),
        ("\u202e", "\\u202e"),
        ("\u2060", "\\u2060"),
        ("\u2066", "\\u2066"),
        ("\u2800", "\\u2800"),
        ("\u3164", "\\u3164"),
        ("\ufe0f", "\\ufe0f"),
        ("\ufeff", "\\ufeff"),
        ("\ufff9", "\\ufff9"),
        ("\U000e0041", "\\U000e0041"),
        ("\U000e0101", "\\U000e0101"),
        ("\ud800", "\ufffd"),
    ],
)
@pytest.mark.parametrize("show", [reveal, reveal_line, reveal_words])
def test_hidden_characters_are_marked(show, hidden: str, mark: str) -> None:
    assert show(f"rm {hidden}x") == f"rm {mark}x"


def test_every_default_ignorable_character_is_marked() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    shown = reveal(every)
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert {char for char in shown if unicodedata.category(char) in hidden} == {"\n", "\t"}


@pytest.mark.parametrize(
    "text", ["", "caf\u00e9 \u4e2d\u6587 \U0001f600", "if x:\n\treturn 'a  b'\n", "\u05e9\u05dc\u05d5\u05dd"]
)
def test_visible_text_is_unchanged(text: str) -> None:
    assert reveal(text) == reveal_words(text) == text


def test_a_name_stays_on_one_line() -> None:
    assert reveal_line(" a\n  b.txt\t ") == "\u2420a\u240a  b.txt\u2409\u2420"


def test_joined_emoji_are_kept_only_in_prose() -> None:
    assert reveal_words(f"Shall {FAMILY} and {HEART} stay?") == f"Shall {FAMILY} and {HEART} stay?"
    assert reveal(f"rm {FAMILY}") == "rm \U0001f468\\u200d\U0001f469\\u200d\U0001f467"
    assert reveal_words("a\u200db \U0001f468\u200d") == "a\\u200db \U0001f468\\u200d"
