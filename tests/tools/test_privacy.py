"""The gate: what each level lets through, which secrets it masks, and what the ledger says of it."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencode_nb.secret import MASK
from opencode_nb.tools.ledger import MOST, Entry, Ledger
from opencode_nb.tools.privacy import LEVELS, Gate, Level, Outgoing, Piece
from opencode_nb.tools.secret_values import PART, is_telling, mask_values

PIECES = (
    Piece("fixed ", Level.NONE),
    Piece("names ", Level.NAMES),
    Piece("schema ", Level.SCHEMA),
    Piece("summary ", Level.SUMMARY),
    Piece("full "),
)
PICTURE = b"\x89PNG"
SECRET = "Tr0ub4dor&3-xkcd-936"


def gate(level: Level = Level.FULL, *known: str) -> Gate:
    return Gate(level, Ledger("ses_1"), lambda: known)


@pytest.mark.parametrize("level", list(Level))
def test_a_level_lets_through_its_own_and_all_below(level: Level) -> None:
    let = gate(level).let(Outgoing("df", PIECES, (PICTURE,)), by="inspect")
    assert let.text.startswith("".join(piece.text for piece in PIECES[: level + 1]))
    assert [name in let.text.split("[Withheld")[0] for name in LEVELS[1:]] == [level >= one for one in list(Level)[1:]]
    assert let.images == ((PICTURE,) if level is Level.FULL else ())
    assert ("[Withheld: the user's privacy level is" in let.text) == (level < Level.FULL)


def test_the_note_says_what_the_rest_needs() -> None:
    assert (
        gate(Level.SCHEMA).let(Outgoing("df", PIECES), by="inspect").text.endswith("; the rest needs summary or full.]")
    )
    assert gate(Level.SCHEMA).let(Outgoing("fig", (), (PICTURE,)), by="figure").text.endswith("the rest needs full.]")
    assert gate(Level.SCHEMA).let(Outgoing("df", PIECES[:3]), by="inspect").text == "fixed names schema "
    assert gate(Level.SCHEMA).let(Outgoing("df", (Piece(" \n"),)), by="inspect").text == ""


def test_level_none_offers_nothing() -> None:
    assert [gate(level).open for level in Level] == [False, True, True, True, True]


def test_levels_have_names() -> None:
    assert [Level.of(name) for name in LEVELS] == list(Level)
    with pytest.raises(ValueError, match="'secret' is not a privacy level: use one of none, names, schema"):
        Level.of("secret")


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", list(Level)[1:])
@pytest.mark.parametrize(
    "text",
    [SECRET, f"x{SECRET}y", repr([SECRET]), json.dumps({"a": SECRET}), quote(SECRET, safe=""), SECRET[:-1], SECRET[3:]],
)
def test_known_secrets_are_masked_wherever_they_are(level: Level, text: str) -> None:
    let = gate(level, SECRET).let(Outgoing("df", (Piece(f"kept {text} kept", Level.NAMES),)), by="inspect")
    assert let.text.startswith("kept ")
    assert let.text.endswith(" kept")
    assert MASK in let.text
    assert SECRET[3:-1] not in let.text


def test_secrets_of_the_environment_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", SECRET)
    monkeypatch.setenv("PLAIN", "nothing-secret-here")
    monkeypatch.setenv("PWD", "/")
    text = gate().let(Outgoing("out", (Piece(f"{SECRET} in nothing-secret-here, at /"),)), by="python").text
    assert text == f"{MASK} in nothing-secret-here, at /"


def test_a_secret_in_two_pieces_is_masked() -> None:
    pieces = (Piece(SECRET[:7], Level.NAMES), Piece(SECRET[7:]))
    assert gate(Level.FULL, SECRET).let(Outgoing("df", pieces), by="inspect").text == MASK


def test_keys_are_masked_by_their_form() -> None:
    text = gate().let(Outgoing("out", (Piece("use sk-abcdefghijklmnop, password='hunter2'"),)), by="python").text
    assert text == f"use {MASK}, password='{MASK}'"


@pytest.mark.parametrize(
    ("value", "telling"),
    [
        (SECRET, True),
        ("hunter2", False),
        ("password", False),
        ("changeme1", True),
        ("correcthorse", True),
        ("********", False),
        ("/", False),
        ("/etc/passwd", False),
        ("/etc/" + "x" * 5_000, True),
        ("a\0bcdefgh", True),
    ],
)
def test_common_words_and_paths_are_no_secrets(value: str, telling: bool) -> None:
    assert is_telling(value) is telling


TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


@given(secret=st.text(min_size=PART, max_size=40), before=TEXT, after=TEXT, first=st.integers(0), length=st.integers(0))
def test_no_part_of_a_secret_stays(secret: str, before: str, after: str, first: int, length: int) -> None:
    first = first % (len(secret) - PART + 1)
    part = secret[first : first + PART + length % (len(secret) - first - PART + 1)]
    masked = mask_values(before + part + after, [secret])
    assert not any(secret[at : at + PART] in masked for at in range(len(secret) - PART + 1) if MASK not in secret)


@given(text=TEXT, secrets=st.lists(st.text(min_size=8), max_size=3))
def test_text_that_shares_nothing_with_secrets_stays(text: str, secrets: list[str]) -> None:
    if not any(text[at : at + 8] in form for form in map(repr, secrets) for at in range(len(text) - 7)):
        shown = mask_values(text, [secret for secret in secrets if secret.isalnum() and secret.isascii()])
        assert shown == text


# -- the ledger --------------------------------------------------------------------------------------------------------


def test_the_ledger_has_names_levels_and_sizes_only() -> None:
    keeper = gate(Level.FULL, SECRET)
    keeper.let(Outgoing("df", (*PIECES[:3], Piece("")), ()), by="inspect")
    keeper.let(Outgoing(f"x{SECRET}", (Piece("é" * 8),), (PICTURE,)), by="figure")
    keeper.let(Outgoing("long" * 100, ()), by="mention")
    frame, picture, long = keeper.ledger.entries
    assert (frame.by, frame.about, frame.level, frame.tokens, frame.size) == ("inspect", "df", "schema", 5, 19)
    assert (picture.about, picture.level, picture.size, picture.images) == (f"x{MASK}", "full", 16, 1)
    assert (long.level, len(long.about), long.session) == ("none", 81, "ses_1")
    assert picture.facts == {
        "by": "figure",
        "about": f"x{MASK}",
        "level": "full",
        "tokens": 2,
        "bytes": 16,
        "time": round(picture.time),
        "images": 1,
    }
    again = Entry.of(picture.facts, session="ses_1", turn="", model="")
    assert replace(again, time=picture.time) == picture
    assert Entry.of({"about": "df"}, session="", turn="", model="").what == "df: , 0 tokens"


def test_the_ledger_says_what_really_left() -> None:
    keeper = gate(Level.NAMES)
    keeper.let(Outgoing("df", PIECES, (PICTURE,)), by="inspect")
    assert [(entry.level, entry.images) for entry in keeper.ledger.entries] == [("names", 0)]


def test_a_stamp_is_for_what_left_since_the_last() -> None:
    ledger = Ledger("ses_1")
    ledger.add(Entry("mention", "df", "full", 10, 40))
    ledger.stamp(turn="msg_1", model="demo/a")
    ledger.add(Entry("python", "python", "full", 10, 40))
    ledger.stamp(turn="msg_1", model="demo/a")
    ledger.add(Entry("mention", "other", "full", 10, 40))
    ledger.stamp(turn="msg_2", model="demo/b")
    assert [(entry.turn, entry.model) for entry in ledger.entries] == [("msg_1", "demo/a")] * 2 + [("msg_2", "demo/b")]
    assert [entry.about for entry in ledger.of("msg_1")] == ["df", "python"]


def test_the_ledger_shows_as_a_table() -> None:
    ledger = Ledger()
    assert str(ledger) == "Nothing left the kernel."
    ledger.add(Entry("inspect", "df", "schema", 1_412, 40, time=0))
    ledger.add(Entry("figure", "a|b_<i>", "full", 10, 40, images=2, time=0))
    ledger.stamp(turn="msg_1", model="demo/a")
    ledger.add(Entry("mention", "df", "full", 10, 40, time=0))
    heading, *lines = str(ledger).splitlines()
    assert heading.split() == ["When", "What", "By", "To"]
    assert "  df: schema, 1,412 tokens  " in lines[0]
    assert "a|b_<i>: full, 10 tokens, 2 images  figure   demo/a" in lines[1]
    assert lines[2].endswith("mention  not sent yet")
    markdown = ledger._repr_markdown_().splitlines()
    assert markdown[1] == "| --- | --- | --- | --- |"
    assert r"a\|b\_\<i>: full, 10 tokens, 2 images | figure | demo/a |" in markdown[3]


def test_the_ledger_keeps_the_newest() -> None:
    ledger = Ledger()
    for at in range(MOST + 5):
        ledger.add(Entry("python", str(at), "full", 1, 1))
    assert [entry.about for entry in ledger.entries][:: MOST - 1] == ["5", str(MOST + 4)]


def test_many_threads_may_use_a_gate() -> None:
    keeper = gate(Level.FULL, SECRET)

    def use() -> None:
        for _ in range(50):
            assert SECRET not in keeper.let(Outgoing("df", (Piece(SECRET),)), by="inspect").text
            keeper.ledger.stamp(turn="msg_1", model="demo/a")

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {entry.turn for entry in keeper.ledger.entries} == {"msg_1"}
    assert len(keeper.ledger.entries) == 200
